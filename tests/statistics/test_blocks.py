"""Work on several threads: in order, a bounded number ahead, and errors are those of the work."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from reportgen.statistics import blocks
from reportgen.statistics.blocks import (
    PIXELS_TOGETHER,
    centred_squares,
    column_blocks,
    column_deviations,
    in_parallel,
    over_pixels,
)
from tests.peak_memory import peak_of


def test_without_openmps_variable_there_are_as_many_threads_as_cores_allowed(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    meeting = threading.Barrier(3, timeout=30)
    assert len({*in_parallel(lambda _: meeting.wait(), range(3))}) == 3


@pytest.mark.parametrize("threads", ["1", "3", "3,2"])
def test_results_come_in_the_order_of_the_parts(monkeypatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert list(in_parallel(lambda n: n * n, range(20))) == [n * n for n in range(20)]


def test_as_many_threads_as_openmp_is_allowed_work_at_once(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    meeting = threading.Barrier(3, timeout=30)
    assert len({*in_parallel(lambda _: meeting.wait(), range(3))}) == 3


def test_no_more_is_computed_ahead_than_there_are_threads(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    started: list[int] = []
    results = in_parallel(started.append, range(100))
    next(results)
    results.close()
    assert len(started) <= 3


def test_a_small_image_is_one_part_of_this_thread_and_a_large_one_several_of_others(
    monkeypatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def whose(part: slice) -> tuple[range, bool]:
        return range(large)[part], threading.current_thread() is threading.main_thread()

    large = 2 * PIXELS_TOGETHER + 1
    assert list(over_pixels(whose, PIXELS_TOGETHER)) == [(range(PIXELS_TOGETHER), True)]
    parts = list(over_pixels(whose, large))
    assert [pixel for part, _ in parts for pixel in part] == list(range(large))
    assert [here for _, here in parts] == [False] * 3


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_error_of_the_work_is_raised(monkeypatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda n: 1 / n, [1, 0, 2]))


def test_sums_over_blocks_are_the_same_numbers_on_any_number_of_threads(monkeypatch) -> None:
    images = np.random.default_rng(0).normal(3, 1, size=(300, 20_000)).astype(np.float32)
    assert len(list(column_blocks(images))) > 8
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(centred_squares(images))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    expected = np.square(images - images.mean(axis=0, dtype=np.float64)).sum(axis=1)
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)


def test_deviations_of_columns_are_numpy_s_and_take_no_copy(monkeypatch) -> None:
    monkeypatch.setattr(blocks, "ROW_BLOCK_BYTES", 8 * 500 * 30)
    values = np.random.default_rng(4).normal(3, size=(2_000, 500)).astype(np.float32)
    values[:, 0] = 0.1
    found, peak = peak_of(lambda: column_deviations(values), values.nbytes / 4)
    np.testing.assert_allclose(found, values.std(axis=0, dtype=np.float64), rtol=1e-9, atol=1e-12)
    assert peak < values.nbytes / 4
