"""Several processes for one report: each takes some of the rows, and their sums meet.

Every rank runs the same program on the same files. Where a loop over rows is long, a rank goes
through its own rows only and leaves the others' places in the arrays at 0; adding the arrays of
all ranks then gives every rank all of it. One process alone is the case of one rank.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from reportgen.errors import RankError

LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True)
class Ranks:
    """This process among those of its job.

    Attributes
    ----------
    rank : its number, from 0; rank 0 writes the report.
    count : processes in the job.
    """

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Tell whether this process is the one that draws and writes the page."""
        return self.rank == 0

    def mine(self, places: int) -> np.ndarray:
        """The numbers among 0 … places − 1 that this rank goes through: every `count`-th."""
        return np.arange(self.rank, places, self.count)

    def add_up(self, *arrays: np.ndarray) -> None:
        """Replace each array by its sum over all ranks.

        Raises RankError where another rank has stopped.
        """
        self._reduce(arrays, "SUM")

    def largest(self, number: float) -> float:
        """The largest over all ranks, NaN where one has NaN.

        Raises RankError where another rank has stopped.
        """
        # Which of NaN and a number is the larger is left open elsewhere.
        numbers = np.array([-np.inf if np.isnan(number) else number, np.isnan(number)])
        self._reduce((numbers,), "MAX")
        largest, undefined = numbers
        return float("nan") if undefined else float(largest)

    def _reduce(self, arrays: tuple[np.ndarray, ...], how: str) -> None:
        if self.count == 1:
            return
        import torch
        from torch import distributed

        try:
            for array in arrays:
                assert array.flags.c_contiguous, "a copy would be added up, not the array"
                distributed.all_reduce(torch.from_numpy(array), getattr(distributed.ReduceOp, how))
        except RuntimeError as error:
            raise RankError(
                f"Rank {self.rank} of {self.count} lost another rank, whose own output says why; "
                f"nothing was written ({str(error).splitlines()[0]})."
            ) from error


ALONE = Ranks()


def join_ranks() -> Ranks:
    """Meet the other processes that torchrun started; alone where there are none.

    Raises RankError where they cannot be reached.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        return Ranks()
    from torch import distributed

    try:
        # What is added up lies in main memory, wherever the model runs: gloo, not nccl.
        distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise RankError(f"The job's {count} ranks cannot meet: {error}") from error
    return Ranks(distributed.get_rank(), distributed.get_world_size())
