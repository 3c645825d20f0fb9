"""The engine: what it decodes, how often, and that batching changes nothing."""

from __future__ import annotations

import tracemalloc
import weakref

import numpy as np
import pytest
import torch

from reportgen.autoencoder import Autoencoder
from reportgen.engine.engine import BLOCKS_AHEAD, Engine, _keys
from reportgen.engine.image_store import SMALLEST_LENT
from reportgen.engine.model_threads import ModelThreads
from reportgen.process.watched_operations import WatchedOperations
from tests.oracles import decoders

UNITS = 3
# An image on its way has its code beside it.
IMAGE_BYTES = 4 * (decoders.PIXELS + UNITS)


class Watched:
    """A decoder that remembers the size of every batch and the state torch was in."""

    def __init__(self, function) -> None:
        self.function = function
        self.batches: list[int] = []
        self.states: list[dict[str, object]] = []

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(codes))
        self.states.append(
            {
                "inference": torch.is_inference_mode_enabled(),
                "autocast": torch.is_autocast_enabled("cpu"),
                "dtype": codes.dtype,
                "tf32 in convolutions": torch.backends.cudnn.allow_tf32,
                "tf32 in products": torch.backends.cuda.matmul.allow_tf32,
            }
        )
        return self.function(codes).reshape(len(codes), 1, decoders.HEIGHT, decoders.WIDTH)


def engine_of(watched: Watched, units: int = UNITS, **limits: int) -> Engine:
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    made = Engine(
        Autoencoder(
            encode=lambda images: images.reshape(len(images), -1)[:, :UNITS],
            decode=watched,
            input_shape=shape,
            code_shape=(units,),
        ),
        **limits,
    )
    # What the engine decodes to find a batch's size is no request's.
    watched.batches.clear()
    watched.states.clear()
    return made


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


def test_a_code_asked_for_again_comes_from_the_store(watched, codes) -> None:
    engine = engine_of(watched)
    first = engine.decode(codes)
    again = engine.decode(codes[::-1])
    assert sum(watched.batches) == len(codes)
    assert np.array_equal(first, again[::-1])


@pytest.mark.parametrize(("numbers", "key_bytes"), [(23, 92), (1024, 4096), (1025, 32)])
def test_long_codes_are_told_apart_by_every_number_and_decoded_once(numbers, key_bytes) -> None:
    watched = Watched(lambda z: z[:, -20:])
    code = np.random.default_rng(0).normal(size=numbers).astype(np.float32)
    others = np.stack([code, code, code])
    others[1, 0] += 1
    others[2, -1] += 1
    assert {len(key) for key in _keys(others)} == {key_bytes}
    engine = engine_of(watched, units=numbers)
    images = engine.decode(np.concatenate([others, others]))
    assert sum(watched.batches) == 3
    np.testing.assert_array_equal(images, np.concatenate([others, others])[:, -20:])
    engine.decode(others[::-1])
    assert sum(watched.batches) == 3


def test_a_full_store_forgets_and_decodes_again_the_same_image(watched, codes) -> None:
    engine = engine_of(watched, block_bytes=10 * IMAGE_BYTES, store_bytes=25 * 4 * decoders.PIXELS)
    first = engine.decode(codes)
    again = engine.decode(codes)
    assert sum(watched.batches) > len(codes)
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_a_store_smaller_than_a_batch_still_gives_every_image(watched, codes) -> None:
    engine = engine_of(watched, store_bytes=1)
    expected = decoders.smooth(UNITS)(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(engine.decode(codes), expected, atol=1e-6)


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


class Weighed:
    """A layer that remembers the shapes of the weights that convolutions run with."""

    def __init__(self, layer: torch.nn.Module) -> None:
        self.layer = layer.requires_grad_(False)
        self.weights: set[tuple[int, ...]] = set()

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        def watch(name: str, arguments, run):
            if "conv" in name:
                self.weights.add(tuple(arguments[1].shape))
            return run()

        with WatchedOperations(watch):
            return self.layer(values)


def weighed_engine() -> tuple[Engine, Weighed]:
    torch.manual_seed(0)
    layer = Weighed(torch.nn.ConvTranspose2d(8, 1, 4, 2, 1))
    made = Engine(
        Autoencoder(
            encode=lambda images: images,
            decode=layer,
            input_shape=(1, 16, 16),
            code_shape=(8, 8, 8),
            forward=lambda images: layer(images[:, :, ::2, ::2].repeat(1, 8, 1, 1)),
        )
    )
    layer.weights.clear()
    return made, layer


def test_a_last_layer_of_few_channels_runs_as_a_wider_one_and_gives_the_same_image() -> None:
    made, watched = weighed_engine()
    codes = decoders.gaussian_codes(9, 8 * 8 * 8)
    found = made.decode(codes)
    expected = watched.layer(torch.from_numpy(codes).reshape(-1, 8, 8, 8)).reshape(9, -1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert watched.weights == {(4, 8, 2, 2)}


def test_the_model_s_own_output_runs_as_its_author_wrote_it() -> None:
    """It is what the split, and with it the faster layers, are checked against."""
    made, watched = weighed_engine()
    made.model_output(decoders.gaussian_codes(9, 16 * 16))
    assert watched.weights == {(8, 1, 4, 4)}


@pytest.mark.parametrize(("wider", "size"), [(1, 256), (100, 81)])
def test_batches_are_as_large_as_the_cache_holds_what_either_part_makes(
    monkeypatch, wider, size
) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)

    def encode(images: torch.Tensor) -> torch.Tensor:
        return images.repeat(1, wider, 1, 1)[:, :1, 0, :UNITS]

    side = 16
    made = Autoencoder(
        encode=encode,
        decode=lambda codes: codes[:, :1, None, None].expand(-1, 1, side, side).clone(),
        input_shape=(1, side, side),
        code_shape=(UNITS,),
        concurrent=True,
    )
    assert ModelThreads(made, 10_000).batch_size == size


@pytest.mark.parametrize(("weights", "size"), [(2, 2), (5, 5), (40, 8)])
def test_weights_larger_than_an_image_are_read_for_as_many_images(
    monkeypatch, weights, size
) -> None:
    """Weights of so many images of 4 MB each, of which the cache holds two."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    matrix = torch.zeros(weights, 2**20)
    made = Autoencoder(
        encode=lambda images: images[:, 0, 0, :UNITS].clone(),
        decode=lambda codes: (codes[:, :1].expand(-1, weights) @ matrix).reshape(-1, 1, 1024, 1024),
        input_shape=(1, 1024, 1024),
        code_shape=(UNITS,),
        concurrent=True,
    )
    assert ModelThreads(made, 10_000).batch_size == size


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
    assert dict(engine.forwards) == {"outer": 7, "inner": 2}
    assert dict(engine.encodes) == {"outer": 3}
    assert set(engine.seconds) == {"outer", "inner"}
    assert min(engine.seconds.values()) > 0


def test_free_memory_for_images_is_given_back_after_an_analysis() -> None:
    pixels = SMALLEST_LENT // (4 * 8)
    made = Autoencoder(
        encode=lambda images: images[:, 0, 0, :UNITS],
        decode=lambda codes: codes[:, :1, None, None].expand(-1, 1, 1, pixels),
        input_shape=(1, 1, pixels),
        code_shape=(UNITS,),
    )
    engine = Engine(made, store_bytes=0)
    tracemalloc.start()
    try:
        with engine.charged_to("an analysis"):
            engine.decode(decoders.gaussian_codes(8, UNITS))
            assert tracemalloc.get_traced_memory()[0] > SMALLEST_LENT
        assert tracemalloc.get_traced_memory()[0] < SMALLEST_LENT / 2
    finally:
        tracemalloc.stop()


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
    engine.decode(codes)
    assert sum(heard) == len(codes) == sum(engine.forwards.values())


def test_decoding_is_float32_without_gradients_or_autocast(watched, codes) -> None:
    images = engine_of(watched).decode(codes.astype(np.float64))
    assert images.dtype == np.float32
    for state in watched.states:
        assert (state["inference"], state["autocast"], state["dtype"]) == (
            True,
            False,
            torch.float32,
        )


def test_decoding_never_uses_tf32(watched, codes) -> None:
    engine_of(watched).decode(codes[:1])
    assert watched.states[0]["tf32 in products"] is False
    assert watched.states[0]["tf32 in convolutions"] is False


def test_codes_and_images_that_come_in_are_left_as_they_are(watched, codes) -> None:
    engine = engine_of(watched)
    given = codes.copy()
    images = engine.decode(given)
    before = images.copy()
    with pytest.raises(ValueError, match="read-only"):
        images += 1
    assert np.array_equal(given, codes)
    assert np.array_equal(engine.decode(given), before)


def test_encoding_in_batches_is_encoding_at_once(watched, codes) -> None:
    images = np.random.default_rng(0).normal(size=(50, decoders.PIXELS)).astype(np.float32)
    engine = engine_of(watched, block_bytes=8 * IMAGE_BYTES)
    np.testing.assert_array_equal(engine.encode(images), images[:, :UNITS])
    np.testing.assert_array_equal(
        engine.encode(images.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)), images[:, :UNITS]
    )


def autoencoder(decode, **attributes: object) -> Autoencoder:
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    return Autoencoder(lambda images: images, decode, shape, (UNITS,), **attributes)  # type: ignore[arg-type]


def test_a_code_that_is_being_decoded_for_the_request_before_is_not_decoded_again() -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = engine_of(watched)
    block = engine.block_size
    codes = decoders.gaussian_codes(block, UNITS)
    requests = [codes[:1].repeat(block, axis=0), codes[:block], codes[:block], codes[5:6]]
    images = list(engine.decode_each(iter(requests)))
    assert sum(watched.batches) == block == sum(engine.forwards.values())
    alone = engine_of(Watched(decoders.smooth(UNITS)))
    for found, request in zip(images, requests, strict=True):
        np.testing.assert_allclose(found, alone.decode(request), atol=1e-6)


@pytest.mark.parametrize("blocks", [2, 3, BLOCKS_AHEAD, BLOCKS_AHEAD + 2])
def test_what_memory_has_room_for_is_decoded_while_the_caller_works_on_one(blocks) -> None:
    watched = Watched(decoders.smooth(UNITS))
    block = engine_of(watched).block_size
    engine = engine_of(watched, block_bytes=(blocks * block + 1) * IMAGE_BYTES)
    assert engine.block_size == block
    watched.batches.clear()
    images = engine.decode_each(np.split(decoders.gaussian_codes(8 * block, UNITS), 8))
    next(images)
    engine._threads._pool.shutdown()  # type: ignore[union-attr]
    assert sum(watched.batches) == min(blocks, BLOCKS_AHEAD) * block


def test_nothing_is_decoded_ahead_where_memory_has_no_room_for_both(codes) -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = engine_of(watched, block_bytes=70 * IMAGE_BYTES)
    images = engine.decode_each(iter([codes[:60], codes[60:120]]))
    next(images)
    engine._threads._pool.shutdown()  # type: ignore[union-attr]
    assert sum(watched.batches) == 60


def test_a_decode_within_the_loop_shares_what_is_being_decoded_ahead() -> None:
    watched = Watched(decoders.smooth(UNITS))
    engine = engine_of(watched)
    block = engine.block_size
    codes = decoders.gaussian_codes(2 * block, UNITS)
    for images in engine.decode_each(iter([codes[:block], codes[block : 2 * block]])):
        again = engine.decode(codes[block : 2 * block])
        np.testing.assert_allclose(
            again, decoders.smooth(UNITS)(torch.from_numpy(codes[block : 2 * block])), atol=1e-6
        )
        assert len(images) == block
    assert sum(watched.batches) == 2 * block


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


def test_a_loop_that_fails_or_is_left_leaves_nothing_being_decoded() -> None:
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
    assert not engine._in_flight
    broken[0] = False
    left = engine.decode_each(requests)
    next(left)
    left.close()
    assert not engine._in_flight
    for request in requests:
        expected = decoders.smooth(UNITS)(torch.from_numpy(request)).reshape(len(request), -1)
        np.testing.assert_allclose(engine.decode(request), expected, atol=1e-6)


def test_who_borrows_from_what_failed_is_told() -> None:
    def decode(codes: torch.Tensor) -> torch.Tensor:
        if (codes > 50).any():
            raise MemoryError("for now")
        return decoders.smooth(UNITS)(codes).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)

    engine = Engine(autoencoder(decode))
    fine, failing = np.split(decoders.gaussian_codes(2 * engine.block_size, UNITS), 2)
    failing = failing + 100
    images = engine.decode_each([fine, failing])
    next(images)
    with pytest.raises(MemoryError):
        engine.decode(failing)
    with pytest.raises(MemoryError):
        next(images)


def test_only_a_model_that_keeps_nothing_between_operations_runs_in_several_threads() -> None:
    decode = Watched(decoders.smooth(UNITS))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert ModelThreads(autoencoder(decode), 1000).count == 1
        assert ModelThreads(autoencoder(decode, concurrent=True), 1000).count == 4
    finally:
        torch.set_num_threads(before)


def test_several_threads_give_what_one_gives(codes) -> None:
    decode = Watched(decoders.smooth(UNITS))
    one = Engine(autoencoder(decode)).decode(codes)
    several = Engine(autoencoder(decode, concurrent=True)).decode(codes)
    np.testing.assert_allclose(several, one, atol=1e-6)
    assert np.array_equal(several, Engine(autoencoder(decode, concurrent=True)).decode(codes))


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


def test_images_that_were_handed_out_are_kept_by_nobody_but_the_store() -> None:
    """Each request shares a code with the one before, as blocks of a path do."""
    engine = engine_of(Watched(decoders.smooth(UNITS)), store_bytes=0)
    codes = decoders.gaussian_codes(20 * engine.block_size + 1, UNITS)
    starts = range(0, len(codes) - 1, engine.block_size)
    requests = [codes[start : start + engine.block_size + 1] for start in starts]
    whole: list[weakref.ref] = []
    for images in engine.decode_each(iter(requests)):
        whole.append(weakref.ref(images.base))
        # This one, the one before it, whose last image the generator still has, and the next.
        assert sum(reference() is not None for reference in whole) <= 3
    assert len(whole) == 20


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
        np.testing.assert_array_equal(np.concatenate([block for _, block in again]), images)


def test_what_is_not_taken_of_one_request_is_not_taken_for_the_next_one_s() -> None:
    engine = engine_of(Watched(decoders.smooth(UNITS)), block_bytes=20 * IMAGE_BYTES)
    requests = [decoders.gaussian_codes(35, UNITS, seed=number) for number in range(3)]
    firsts = [next(blocks) for blocks in engine.decode_blocks_of_each(requests)]
    for request, (part, images) in zip(requests, firsts, strict=True):
        expected = decoders.smooth(UNITS)(torch.from_numpy(request[part])).numpy()
        np.testing.assert_allclose(images, expected, atol=1e-6)
