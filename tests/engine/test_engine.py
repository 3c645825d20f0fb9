"""The engine: what it decodes, how often, and that batching changes nothing."""

from __future__ import annotations

import weakref
from threading import Barrier, Thread

import numpy as np
import pytest
import torch

from reportgen.autoencoder import Autoencoder
from reportgen.engine import Engine
from reportgen.engine.batches import Batches
from tests.engine.watched import IMAGE_BYTES, UNITS, Watched, autoencoder, engine_of
from tests.oracles import decoders


@pytest.fixture(autouse=True, params=["0", "1"], ids=["fast", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds of the engine holds both ways."""
    monkeypatch.setenv("REPORTGEN_PLAIN", request.param)


@pytest.fixture
def watched() -> Watched:
    return Watched(decoders.smooth(UNITS))


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return decoders.gaussian_codes(300, UNITS)


def test_images_are_the_decoder_s_own_in_the_order_of_the_codes(watched, codes) -> None:
    expected = decoders.smooth(UNITS)(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(engine_of(watched).decode(codes), expected, atol=1e-6)


def test_equal_codes_are_decoded_once(watched, codes) -> None:
    engine = engine_of(watched)
    images = engine.decode(np.concatenate([codes[:5], codes[:5], codes[2:3]]))
    assert sum(watched.batches) == 5
    assert np.array_equal(images[:5], images[5:10])
    assert np.array_equal(images[2], images[10])


def test_minus_zero_is_zero(watched) -> None:
    engine = engine_of(watched)
    engine.decode(np.array([[0.0, 1, 2], [-0.0, 1, 2]], np.float32))
    assert sum(watched.batches) == 1


def test_no_batch_is_larger_than_its_memory_allows(watched, codes) -> None:
    engine = engine_of(watched, block_bytes=7 * IMAGE_BYTES)
    engine.decode(codes)
    assert max(watched.batches) == 7


def test_an_image_larger_than_a_batch_s_memory_is_decoded_alone(watched, codes) -> None:
    engine_of(watched, block_bytes=1).decode(codes[:3])
    assert watched.batches == [1, 1, 1]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_batch_size_changes_nothing_beyond_1e_6(batch: int) -> None:
    module = decoders.convolutional(2)
    codes = decoders.gaussian_codes(150, 8)

    def decode_in(size: int) -> np.ndarray:
        autoencoder = Autoencoder(
            encode=lambda images: images, decode=module, input_shape=(1, 4, 4), code_shape=(2, 2, 2)
        )
        return Engine(autoencoder, block_bytes=size * 4 * (16 + 8)).decode(codes)

    np.testing.assert_allclose(decode_in(batch), decode_in(128), atol=1e-6, rtol=0)


def test_requests_decoded_together_are_requests_decoded_alone(watched, codes) -> None:
    requests = [codes[:1], codes[1:90], codes[90:90], codes[90:300], codes[:4]]
    together = list(engine_of(watched).decode_each(iter(requests)))
    assert [len(images) for images in together] == [len(request) for request in requests]
    alone = engine_of(Watched(decoders.smooth(UNITS)))
    for images, request in zip(together, requests, strict=True):
        np.testing.assert_allclose(images, alone.decode(request), atol=1e-6)


def test_forwards_encodes_and_seconds_are_charged_to_who_asked(watched, codes) -> None:
    engine = engine_of(watched)
    with engine.charged_to("outer"):
        engine.decode(codes[:4])
        with engine.charged_to("inner"):
            engine.decode(codes[:6])
        engine.encode(engine.decode(codes[6:9]))
    assert dict(engine.forwards) == {"outer": 7, "inner": 6}
    assert dict(engine.encodes) == {"outer": 3}
    assert set(engine.seconds) == {"outer", "inner"}
    assert min(engine.seconds.values()) > 0


def test_charging_ends_with_its_block_even_after_an_error(watched, codes) -> None:
    engine = engine_of(watched)
    with pytest.raises(ZeroDivisionError), engine.charged_to("broken"):
        raise ZeroDivisionError
    engine.decode(codes[:1])
    assert dict(engine.forwards) == {"study": 1}


def test_progress_hears_of_every_forward_once(watched, codes) -> None:
    heard: list[int] = []
    engine = engine_of(watched, block_bytes=64 * IMAGE_BYTES)
    engine._on_progress = heard.append
    engine.decode(codes)
    list(engine.decode_each([codes[:3], codes[:5]]))
    assert sum(heard) == len(codes) + 5 == sum(engine.forwards.values())


def test_decoding_is_float32_without_gradients_or_autocast(watched, codes) -> None:
    images = engine_of(watched).decode(codes.astype(np.float64))
    assert images.dtype == np.float32
    for state in watched.states:
        assert (state["inference"], state["autocast"], state["dtype"]) == (
            True,
            False,
            torch.float32,
        )


def test_encoding_in_batches_is_encoding_at_once(watched, codes) -> None:
    images = np.random.default_rng(0).normal(size=(50, decoders.PIXELS)).astype(np.float32)
    engine = engine_of(watched, block_bytes=8 * IMAGE_BYTES)
    np.testing.assert_array_equal(engine.encode(images), images[:, :UNITS])
    np.testing.assert_array_equal(
        engine.encode(images.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)), images[:, :UNITS]
    )


def test_an_error_of_the_model_reaches_who_asked_and_the_next_one_is_answered(codes) -> None:
    broken = [True]

    def decode(values: torch.Tensor) -> torch.Tensor:
        if broken[0] and len(values) > 3:
            raise RuntimeError("out of memory")
        return decoders.smooth(UNITS)(values).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)

    engine = Engine(autoencoder(decode))
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.decode(codes[:10])
    broken[0] = False
    expected = decoders.smooth(UNITS)(torch.from_numpy(codes[:10])).numpy()
    np.testing.assert_allclose(engine.decode(codes[:10]), expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 64, 65, 300])
def test_batches_of_a_fixed_size_are_full_but_for_the_last(count: int) -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = Engine(autoencoder(watched, fixed_batch=16, concurrent=True))
    watched.batches.clear()
    engine.decode(decoders.gaussian_codes(count, UNITS))
    assert sum(watched.batches) == count
    assert sum(size % 16 != 0 for size in watched.batches) <= 1


def test_a_model_that_draws_noise_is_called_in_the_order_of_the_images() -> None:
    seen: list[float] = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        seen.append(float(images[0, 0, 0, 0]))
        return images

    decode = Watched(decoders.smooth(UNITS))
    engine = Engine(autoencoder(decode, forward=forward))
    images = np.arange(2_000, dtype=np.float32)[:, None] + np.zeros(decoders.PIXELS, np.float32)
    assert np.array_equal(engine.model_output(images), images)
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_a_request_larger_than_the_memory_comes_in_blocks() -> None:
    engine = engine_of(Watched(decoders.smooth(UNITS)), block_bytes=20 * IMAGE_BYTES)
    requests = [decoders.gaussian_codes(count, UNITS, seed=count) for count in (35, 0, 10)]
    found = []
    for request, blocks in zip(requests, engine.decode_blocks_of_each(iter(requests)), strict=True):
        parts, images = zip(*blocks, strict=True)
        assert [len(request[part]) for part in parts] == [len(block) for block in images]
        assert max(map(len, images)) <= engine.block_size
        found.append(np.concatenate(images))
    alone = engine_of(Watched(decoders.smooth(UNITS)))
    for images, request in zip(found, requests, strict=True):
        np.testing.assert_allclose(images, alone.decode(request), atol=1e-6)
        again = [(request[part], block) for part, block in engine.decode_blocks(request)]
        np.testing.assert_array_equal(np.concatenate([codes for codes, _ in again]), request)
        blocks = np.concatenate([block for _, block in again])
        np.testing.assert_allclose(blocks, images, atol=1e-6)


def test_what_is_not_taken_of_one_request_is_not_taken_for_the_next_one_s() -> None:
    engine = engine_of(Watched(decoders.smooth(UNITS)), block_bytes=20 * IMAGE_BYTES)
    requests = [decoders.gaussian_codes(35, UNITS, seed=number) for number in range(3)]
    firsts = [next(blocks) for blocks in engine.decode_blocks_of_each(requests)]
    for request, (part, images) in zip(requests, firsts, strict=True):
        expected = decoders.smooth(UNITS)(torch.from_numpy(request[part])).numpy()
        np.testing.assert_allclose(images, expected, atol=1e-6)


@pytest.mark.parametrize("numbers", [23, 8192])
def test_long_codes_are_told_apart_by_every_number_and_decoded_once(numbers) -> None:
    watched = Watched(lambda z: z[:, -20:])
    code = np.random.default_rng(0).normal(size=numbers).astype(np.float32)
    others = np.stack([code, code, code])
    others[1, 0] += 1
    others[2, -1] += 1
    engine = engine_of(watched, units=numbers)
    images = engine.decode(np.concatenate([others, others]))
    assert sum(watched.batches) == 3
    np.testing.assert_array_equal(images, np.concatenate([others, others])[:, -20:])


def test_codes_and_images_that_come_in_are_left_as_they_are(watched, codes) -> None:
    engine = engine_of(watched)
    given = codes.copy()
    images = engine.decode(given)
    before = images.copy()
    images += 1
    assert np.array_equal(given, codes)
    assert np.array_equal(engine.decode(given), before)


def test_a_model_that_works_in_place_leaves_what_it_is_given_as_it_is(codes) -> None:
    def doubled(values: torch.Tensor) -> torch.Tensor:
        return values.mul_(2)

    made = Autoencoder(doubled, doubled, (1, 1, UNITS), (UNITS,), forward=doubled)
    engine, given = Engine(made), codes.copy()
    for run in (engine.encode, engine.decode, engine.model_output):
        assert np.array_equal(run(given), 2 * codes)
        assert np.array_equal(given, codes)


def test_decoding_never_uses_tf32(watched, codes) -> None:
    engine_of(watched).decode(codes[:1])
    assert watched.states[0]["tf32 in products"] is False
    assert watched.states[0]["tf32 in convolutions"] is False


def test_tf32_stays_off_until_the_last_of_several_threads_has_left(monkeypatch) -> None:
    """One leaves while the other is still at work; both ways, as it concerns every batch."""
    convolutions = torch.backends.cudnn
    monkeypatch.setattr(convolutions, "allow_tf32", True)
    both_in, one_out = Barrier(2, timeout=10), Barrier(2, timeout=10)
    seen: list[bool] = []

    def decode(codes: torch.Tensor) -> torch.Tensor:
        both_in.wait()
        if codes[0, 0] > 0:
            one_out.wait()
            seen.append(convolutions.allow_tf32)
        return decoders.smooth(UNITS)(codes)

    batches = Batches(autoencoder(decode), 10)

    def run(value: float) -> None:
        codes = np.full((1, UNITS), value, np.float32)
        out = np.empty((1, decoders.PIXELS), np.float32)
        batches.run(decode, codes, (UNITS,), out, np.arange(1))
        if value < 0:
            one_out.wait()

    threads = [Thread(target=run, args=[value]) for value in (-1.0, 1.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert seen == [False]
    assert convolutions.allow_tf32 is True


def test_one_block_is_decoded_ahead_of_the_one_that_the_caller_works_on() -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = engine_of(watched)
    block = engine.block_size
    images = engine.decode_each(np.split(decoders.gaussian_codes(8 * block, UNITS), 8))
    next(images)
    finish(engine)
    assert sum(watched.batches) == 2 * block


def test_nothing_is_decoded_ahead_where_memory_has_no_room_for_both(codes) -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = engine_of(watched, block_bytes=70 * IMAGE_BYTES)
    images = engine.decode_each(iter([codes[:60], codes[60:120]]))
    next(images)
    finish(engine)
    assert sum(watched.batches) == 60


def finish(engine: Engine) -> None:
    """Wait for what was started; in the plain way nothing is."""
    if not engine.plain:
        engine._batches._pool.shutdown()  # type: ignore[attr-defined]


def test_a_loop_that_fails_or_is_left_leaves_the_engine_as_it_was() -> None:
    broken = [False]

    def decode(codes: torch.Tensor) -> torch.Tensor:
        if broken[0]:
            raise MemoryError("for now")
        return decoders.smooth(UNITS)(codes).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)

    engine = Engine(autoencoder(decode))
    requests = np.split(decoders.gaussian_codes(8 * engine.block_size, UNITS), 8)
    broken[0] = True
    with pytest.raises(MemoryError):
        list(engine.decode_each(requests))
    broken[0] = False
    left = engine.decode_each(requests)
    next(left)
    left.close()
    for request in requests:
        expected = decoders.smooth(UNITS)(torch.from_numpy(request)).reshape(len(request), -1)
        np.testing.assert_allclose(engine.decode(request), expected, atol=1e-6)


def test_images_that_were_handed_out_are_kept_by_nobody() -> None:
    engine = engine_of(Watched(decoders.smooth(UNITS)))
    requests = np.split(decoders.gaussian_codes(20 * engine.block_size, UNITS), 20)
    whole: list[weakref.ref] = []
    for images in engine.decode_each(iter(requests)):
        whole.append(weakref.ref(images.base))
        # This one, and the one before it, whose last image the generator still has.
        assert sum(reference() is not None for reference in whole) <= 2
    assert len(whole) == 20


def test_what_is_uncounted_leaves_no_trace(watched, codes) -> None:
    heard: list[int] = []
    engine = engine_of(watched)
    engine._on_progress = heard.append
    engine.decode(codes[:2])
    before = dict(engine.forwards), dict(engine.encodes), set(engine.seconds)
    with engine.uncounted():
        images = engine.decode(codes)
        engine.encode(images)
    assert (dict(engine.forwards), dict(engine.encodes), set(engine.seconds)) == before
    assert heard == [2]
    engine.decode(codes[:3])
    assert (dict(engine.forwards), heard) == ({"study": 5}, [2, 3])


@pytest.mark.parametrize("plain", [True, False])
def test_each_batch_may_be_stopped_before_it_begins(plain: bool, codes) -> None:
    begun: list[int] = []

    def before() -> None:
        begun.append(1)
        if len(begun) > 2:
            raise TimeoutError("planted")

    engine = Engine(
        autoencoder(
            lambda values: values.new_zeros(len(values), 1, decoders.HEIGHT, decoders.WIDTH)
        ),
        block_bytes=8 * IMAGE_BYTES,
        plain=plain,
        before_batch=before,
    )
    with pytest.raises(TimeoutError):
        for _ in range(3):
            engine.decode(codes[:4])
    assert len(begun) >= 3
