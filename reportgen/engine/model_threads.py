"""The threads that run a model: several batches at once, each small enough for the cache.

A batch for each core takes less time than one batch that all cores share: no thread waits for the
others after every layer (measured: docs/benchmarks.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor

CACHE_BYTES = 8 * 2**20
LARGEST_BATCH = 256
# Images that share one reading of weights larger than what is made of any of them.
FEWEST_WITH_LARGE_WEIGHTS = 8
LARGEST_BATCH_ELSEWHERE = 512
# Python holds its lock between layers, so that more threads than this wait for each other.
MOST_THREADS = 8


class ModelThreads:
    """Runs an autoencoder's functions on batches.

    Which images are computed together depends on nothing but their number, so that the same calls
    give the same bytes; from one batch size to another, results differ by rounding (some 1e-6).

    Parameters
    ----------
    most_images : never more in one batch; what memory allows.

    Attributes
    ----------
    count : batches that are computed at the same time.
    batch_size : images in one.
    """

    def __init__(self, autoencoder: Autoencoder, most_images: int) -> None:
        import torch

        from reportgen.engine.narrow_layers import NarrowLayers

        # Asked for here, because a new thread would otherwise be given what a worker has set.
        available = torch.get_num_threads()
        self._autoencoder = autoencoder
        self.count = min(available, MOST_THREADS) if autoencoder.concurrent else 1
        self._threads_each = available // self.count
        self._layers = NarrowLayers(of_graph=autoencoder.concurrent)
        self.batch_size = self._batch_size(most_images)
        self._pool: ThreadPoolExecutor | None = None

    def run(
        self,
        function: Callable[[Tensor], Tensor],
        values: np.ndarray,
        shape: tuple[int, ...],
        out: np.ndarray,
        places: np.ndarray,
        *,
        as_written: bool = False,
    ) -> list[Future[tuple[float, float]]]:
        """Start computing `function` of `values` (n, …) into `out` (…, m) at `places` (n,).

        `function` takes (batch, *shape). `as_written`: no layer in a faster way. What each batch
        will give is when it started and ended, by `time.perf_counter`.
        """
        import torch

        layers = nullcontext() if as_written else self._layers

        def compute(rows: slice) -> tuple[float, float]:
            started = time.perf_counter()
            # A copy, because torch has no read-only tensors and the model may work in place.
            given = torch.from_numpy(np.array(values[rows], np.float32)).reshape(-1, *shape)
            with torch.inference_mode(), _full_precision(), layers:
                computed = function(given.to(self._autoencoder.device))
                flat = computed.reshape(len(given), -1).float().cpu().numpy()
            out[places[rows]] = flat
            return started, time.perf_counter()

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, initializer=self._start_thread)
        return [self._pool.submit(compute, rows) for rows in self._batches(len(values))]

    def _start_thread(self) -> None:
        import torch

        torch.set_num_threads(self._threads_each)

    def _batches(self, count: int) -> Iterator[slice]:
        """Equal batches, for every thread the same number of them where there is enough to do."""
        if count == 0:
            return
        fixed = self._autoencoder.fixed_batch
        needed = -(-count // self.batch_size)
        if fixed == 1:
            needed = self.count * -(-needed // self.count)
        size = fixed * -(-count // (fixed * needed))
        for start in range(0, count, size):
            yield slice(start, min(start + size, count))

    def _batch_size(self, most: int) -> int:
        """As many images as the cache holds what the largest layer makes of."""
        if self._autoencoder.device != "cpu":
            return max(1, min(most, LARGEST_BATCH_ELSEWHERE))
        activation, weights = _largest_tensors(self._autoencoder)
        fewest = np.clip(weights // activation, 1, FEWEST_WITH_LARGE_WEIGHTS)
        fitting = np.clip(CACHE_BYTES // activation, fewest, LARGEST_BATCH)
        size = self._threads_each * int(fitting)
        fixed = self._autoencoder.fixed_batch
        return max(1, min(most, fixed * -(-size // fixed)))


def _largest_tensors(autoencoder: Autoencoder) -> tuple[int, int]:
    """Bytes, for one image, of the largest tensor that an operation gives, and of the largest
    weights; 0 for weights that are no larger than that.
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
        autoencoder.decode(torch.zeros(codes, *autoencoder.code_shape))
        autoencoder.encode(torch.zeros(codes, *autoencoder.input_shape))
    weights = max(given) if max(given) > max(made) else 0
    return max(made) // codes, weights


@contextmanager
def _full_precision() -> Iterator[None]:
    """TF32 off: its 10-bit mantissa would drown small differences of decoded images."""
    import torch

    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    if not (products.allow_tf32 or convolutions.allow_tf32):
        yield
        return
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before
