"""A rank whose parent meets the others: it has no connections of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.process.channel import Channel
from reportgen.process.ranks import Ranks

# Added up at a time, so that nobody holds large arrays twice.
BLOCK_BYTES = 2**24
KINDS = ("SUM", "MAX")
DTYPES = ("<f4", "<f8", "<i8", "<i4")


@dataclass(frozen=True)
class RemoteRanks(Ranks):
    """This process among those of its job, seen from a confined child.

    Attributes
    ----------
    channel : to the parent, which adds up.
    """

    channel: Channel | None = None

    def _reduce(self, arrays: tuple[np.ndarray, ...], how: str) -> None:
        if self.count == 1:
            return
        assert self.channel is not None
        for array in arrays:
            assert array.flags.c_contiguous, "a copy would be added up, not the array"
            flat = array.reshape(-1)
            step = max(1, BLOCK_BYTES // array.itemsize)
            for start in range(0, len(flat), step):
                block = flat[start : start + step]
                kind = block.dtype.newbyteorder("<").str
                answer = self.channel.ask("reduce", [block.data], how=how, dtype=kind)
                flat[start : start + step] = np.frombuffer(answer.parts[0], block.dtype)


def reduce_for_child(ranks: Ranks, how: str, dtype: str, content: bytes) -> np.ndarray:
    """Add up, with the other ranks' parents, what a child sent. Raises RankError, ValueError."""
    if how not in KINDS or dtype not in DTYPES:
        raise ValueError(f"{how} of {dtype} is not computed here")
    array = np.frombuffer(bytearray(content), np.dtype(dtype))
    ranks._reduce((array,), how)
    return array
