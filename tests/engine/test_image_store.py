"""Memory for images: used again when nobody holds what was in it, and not before."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from reportgen.engine.image_store import SMALLEST_LENT, ImageMemory

PIXELS = SMALLEST_LENT // (4 * 8)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def images_in_memory() -> float:
    return tracemalloc.get_traced_memory()[0] / (4 * PIXELS)


def test_memory_is_lent_again_when_the_last_view_of_it_is_gone(traced) -> None:
    memory = ImageMemory(PIXELS)
    images = memory.images(8)
    assert (images.shape, images.dtype) == ((8, PIXELS), np.float32)
    assert images_in_memory() == pytest.approx(8, abs=0.1)
    held = images.view()[3:5][0, 1:]
    held[:] = 7
    del images
    other = memory.images(8)
    other[:] = 0
    assert (held == 7).all()
    assert images_in_memory() == pytest.approx(16, abs=0.1)
    del held
    again = memory.images(8)
    again[:] = 1
    assert (other == 0).all()
    assert images_in_memory() == pytest.approx(16, abs=0.1)


@pytest.mark.parametrize("count", [8, 17, 18, 19])
def test_no_more_memory_is_held_than_was_asked_for(traced, count: int) -> None:
    memory = ImageMemory(PIXELS)
    memory.images(18)
    assert images_in_memory() == pytest.approx(18, abs=0.1)
    images = memory.images(count)
    assert len(images) == count
    assert images_in_memory() == pytest.approx(count, abs=0.1)


def test_memory_is_lent_once_however_many_others_are_free(traced) -> None:
    memory = ImageMemory(PIXELS)
    several = [memory.images(count) for count in (30, 9, 30, 9)]
    while several:
        del several[0]
    images = [memory.images(9) for _ in range(3)]
    for number, lent in enumerate(images):
        lent[:] = number
    assert [set(lent[::4, ::999].flat) for lent in images] == [{0}, {1}, {2}]
    assert images_in_memory() == pytest.approx(27, abs=0.1)


def test_what_is_to_be_forgotten_goes_when_nobody_holds_it(traced) -> None:
    memory = ImageMemory(PIXELS)
    held = memory.images(8)
    memory.images(9)
    memory.forget()
    assert images_in_memory() == pytest.approx(8, abs=0.1)
    del held
    assert images_in_memory() == pytest.approx(0, abs=0.1)


def test_small_arrays_are_left_to_the_c_library(traced) -> None:
    memory = ImageMemory(PIXELS)
    memory.images(7)
    assert images_in_memory() == pytest.approx(0, abs=0.1)
    assert memory.images(0).shape == (0, PIXELS)
