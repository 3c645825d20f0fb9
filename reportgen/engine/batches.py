"""The plain way of a forward: batches one after another, on the thread that asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_BATCH = 256
Span = tuple[float, float, int]


class Batches:
    """Runs an autoencoder's functions on many images or codes, in batches.

    Which images are computed together depends on nothing but their number, so that the same calls
    give the same bytes; from one batch size to another, results differ by rounding (some 1e-6).

    Parameters
    ----------
    most_images : the most images in one batch, as memory allows.
    before_batch : called before each batch; what it raises ends the computation.

    Attributes
    ----------
    count : batches that are computed at the same time.
    batch_size : images in one.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        most_images: int,
        before_batch: Callable[[], None] = lambda: None,
    ) -> None:
        self._autoencoder, self._before_batch = autoencoder, before_batch
        self.count = 1
        self.batch_size = self._in_full_batches(LARGEST_BATCH, most_images)

    def run(
        self,
        function: Callable[[Tensor], Tensor],
        values: np.ndarray,
        shape: tuple[int, ...],
        out: np.ndarray,
        places: np.ndarray,
    ) -> Iterable[Span]:
        """Compute `function` of `values` (n, …) into `out` (…, m) at `places` (n,).

        `function` takes (batch, *shape). The iterator returned gives the start and end of each
        batch, in seconds by `time.perf_counter`, and its size; `out` is complete once it is
        exhausted.
        """
        return [
            self._compute(function, values[rows], shape, out, places[rows])
            for rows in self._batches(len(values))
        ]

    def _compute(
        self,
        function: Callable[[Tensor], Tensor],
        values: np.ndarray,
        shape: tuple[int, ...],
        out: np.ndarray,
        places: np.ndarray,
    ) -> Span:
        """One batch."""
        import torch

        self._before_batch()
        started = time.perf_counter()
        # A copy, because torch has no read-only tensors and the model may work in place.
        given = torch.from_numpy(np.array(values, np.float32)).reshape(-1, *shape)
        with torch.inference_mode(), _FullPrecision():
            computed = function(given.to(self._autoencoder.device))
            out[places] = computed.reshape(len(given), -1).float().cpu().numpy()
        return started, time.perf_counter(), len(given)

    def _batches(self, count: int) -> Iterator[slice]:
        """Slices of `count` images or codes, all of one length but perhaps the last."""
        if count == 0:
            return
        fixed = self._autoencoder.fixed_batch
        needed = -(-count // self.batch_size)
        if fixed == 1:
            needed = self.count * -(-needed // self.count)
        size = fixed * -(-count // (fixed * needed))
        for start in range(0, count, size):
            yield slice(start, min(start + size, count))

    def _in_full_batches(self, size: int, most: int) -> int:
        """`size`, rounded up to whole batches of the model's fixed size, and at most `most`."""
        fixed = self._autoencoder.fixed_batch
        return max(1, min(most, fixed * -(-size // fixed)))


class _FullPrecision:
    """A context without TF32, whose 10-bit mantissa would drown small differences of images.

    Its switches are the whole process's: the first thread that comes in turns them, and the last
    one that leaves turns them back.
    """

    _lock = Lock()
    _inside = 0
    _before = False, False

    def __enter__(self) -> None:
        import torch

        with self._lock:
            if _FullPrecision._inside == 0:
                matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
                _FullPrecision._before = matmul.allow_tf32, cudnn.allow_tf32
                matmul.allow_tf32 = cudnn.allow_tf32 = False
            _FullPrecision._inside += 1

    def __exit__(self, *error: object) -> None:
        import torch

        with self._lock:
            _FullPrecision._inside -= 1
            if _FullPrecision._inside == 0:
                matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
                matmul.allow_tf32, cudnn.allow_tf32 = self._before
