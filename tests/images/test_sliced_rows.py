"""Arrays of which only slices come into memory."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import sliced_rows
from reportgen.images.sliced_rows import SlicedRows

VALUES = np.arange(1000 * 6).reshape(1000, 2, 3)


class Counting:
    """An array that counts the rows that were read of it."""

    def __init__(self, chunks: tuple[int, ...] | None) -> None:
        self.shape, self.dtype, self.chunks = VALUES.shape, VALUES.dtype, chunks
        self.read = 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        self.read += rows.stop - rows.start
        return VALUES[rows]


@pytest.mark.parametrize("chunks", [None, (1, 2, 3), (64, 2, 3), (5000, 2, 3)])
def test_any_rows_in_any_order(chunks: tuple[int, ...] | None) -> None:
    rows = SlicedRows(Counting(chunks), "it")
    generator = np.random.default_rng(0)
    for _ in range(20):
        wanted = generator.integers(0, 1000, generator.integers(0, 50))
        np.testing.assert_array_equal(rows[wanted], VALUES[wanted])


def test_going_through_in_order_reads_each_block_once() -> None:
    array = Counting((64, 2, 3))
    rows = SlicedRows(array, "it")
    for start in range(0, 1000, 10):
        rows[np.arange(start, start + 10)]
    assert array.read == 1000


def test_few_rows_read_few(monkeypatch: pytest.MonkeyPatch) -> None:
    array = Counting(None)
    rows = SlicedRows(array, "it")
    rows[np.array([3, 500, 501, 999])]
    assert array.read == 4
    # And no more at once than a block.
    monkeypatch.setattr(sliced_rows, "BLOCK_BYTES", 10 * VALUES[0].nbytes)
    np.testing.assert_array_equal(rows[np.arange(95)], VALUES[:95])


def test_an_array_that_gives_fewer_rows_than_it_says_is_damaged() -> None:
    array = Counting(None)
    array.shape = (2000, 2, 3)
    with pytest.raises(DataError, match="rows 1500 to 1500 are not there"):
        SlicedRows(array, "it")[np.array([1500])]


def test_images_in_more_blocks_than_can_be_looked_for_are_refused() -> None:
    array = Counting((3, 8, 8))
    array.shape = (6, 2**24, 8)
    with pytest.raises(DataError, match="more than 65536 blocks"):
        SlicedRows(array, "it")
