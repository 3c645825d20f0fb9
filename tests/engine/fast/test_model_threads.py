"""The model's threads and wider layers, as the engine runs them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.autoencoder import Autoencoder
from reportgen.engine import Engine
from reportgen.engine.fast.model_threads import ModelThreads
from reportgen.process.watched_operations import WatchedOperations
from tests.engine.watched import UNITS, Watched, autoencoder
from tests.oracles import decoders


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return decoders.gaussian_codes(300, UNITS)


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


@pytest.mark.parametrize(("concurrent", "threads_each"), [(False, 4), (True, 1)])
def test_a_batch_has_the_threads_that_no_other_batch_has(concurrent, threads_each) -> None:
    seen: set[int] = set()

    def decode(codes: torch.Tensor) -> torch.Tensor:
        seen.add(torch.get_num_threads())
        return decoders.smooth(UNITS)(codes)

    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        engine = Engine(autoencoder(decode, concurrent=concurrent))
        seen.clear()
        engine.decode(decoders.gaussian_codes(300, UNITS))
    finally:
        torch.set_num_threads(before)
    assert seen == {threads_each}
