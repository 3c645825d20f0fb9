"""The threads that run a model: several batches at once, each small enough for the cache.

A batch for each core takes less time than one batch that all cores share: no thread waits for the
others after every layer (measured: docs/benchmarks.md). The thread that asks goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.engine.batches import LARGEST_BATCH, Batches, Span

if TYPE_CHECKING:
    from torch import Tensor

CACHE_BYTES = 8 * 2**20
# Images that share one reading of weights larger than what is made of any of them.
FEWEST_WITH_LARGE_WEIGHTS = 8
LARGEST_BATCH_ELSEWHERE = 512
# Python holds its lock between layers, so that more threads than this wait for each other.
MOST_THREADS = 8


class ModelThreads(Batches):
    """`Batches` on threads of their own, as many at a time as the model allows."""

    def __init__(
        self,
        autoencoder: Autoencoder,
        most_images: int,
        before_batch: Callable[[], None] = lambda: None,
    ) -> None:
        import torch

        super().__init__(autoencoder, most_images, before_batch)
        # Asked for here, because a new thread would otherwise be given what a worker has set.
        available = torch.get_num_threads()
        self.count = min(available, MOST_THREADS) if autoencoder.concurrent else 1
        self._threads_each = available // self.count
        self.batch_size = self._in_full_batches(self._cached(), most_images)
        self._pool: ThreadPoolExecutor | None = None

    def run(
        self,
        function: Callable[[Tensor], Tensor],
        values: np.ndarray,
        shape: tuple[int, ...],
        out: np.ndarray,
        places: np.ndarray,
    ) -> Iterable[Span]:
        """Start what `Batches.run` computes; going through the answer waits for it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, initializer=self._start_thread)
        runs: list[Future[Span]] = [
            self._pool.submit(self._compute, function, values[rows], shape, out, places[rows])
            for rows in self._batches(len(values))
        ]
        return (run.result() for run in runs)

    def _start_thread(self) -> None:
        import torch

        torch.set_num_threads(self._threads_each)

    def _cached(self) -> int:
        """The number of images whose largest layer's output fits into the cache of all threads."""
        if self._autoencoder.device != "cpu":
            return LARGEST_BATCH_ELSEWHERE
        activation, weights = _largest_tensors(self._autoencoder)
        fewest = np.clip(weights // activation, 1, FEWEST_WITH_LARGE_WEIGHTS)
        return self._threads_each * int(np.clip(CACHE_BYTES // activation, fewest, LARGEST_BATCH))


def _largest_tensors(autoencoder: Autoencoder) -> tuple[int, int]:
    """Return the bytes of the largest tensor that an operation makes of one image, and of the
    largest weights; 0 for weights that are no larger than that.
    """
    import torch

    from reportgen.process.watched_operations import WatchedOperations

    codes = 3 * autoencoder.fixed_batch
    made = [4 * codes * int(np.prod(autoencoder.input_shape))]
    given = [0]

    def measure(name: str, arguments: tuple[Any, ...], run: Callable[[], Any]) -> Any:
        output = run()
        given.extend(value.nbytes for value in arguments if isinstance(value, torch.Tensor))
        # Weights that are only laid out in another way have no batch.
        if isinstance(output, torch.Tensor) and output.dim() and len(output) % codes == 0:
            made.append(output.nbytes)
        return output

    with torch.inference_mode(), WatchedOperations(measure):
        autoencoder.decode(torch.zeros(codes, *autoencoder.decoded_shape))
        labels = (torch.zeros(codes, dtype=torch.long),) if autoencoder.is_conditional else ()
        autoencoder.encode(torch.zeros(codes, *autoencoder.input_shape), *labels)
    weights = max(given) if max(given) > max(made) else 0
    return max(made) // codes, weights
