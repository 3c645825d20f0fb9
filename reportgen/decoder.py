"""The engine: every decoder forward in the program passes here.

Codes come in as float32 rows; equal codes are decoded once, in batches bounded by memory, and a
bounded store of recent images serves the analyses that ask for the same code again. Both images
of a difference therefore come from one forward wherever the store still holds it.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from reportgen.autoencoder import Autoencoder

DEFAULT_MEMORY = 2 * 10**9
LARGEST_BATCH = 128


class Decoder:
    """Decodes codes (n, code_size) to flattened images (n, P), and counts what it did.

    Parameters
    ----------
    memory : bytes of the build; an eighth is for one batch and a twelfth for the store, unless
        `batch_bytes` and `store_bytes` say otherwise.

    Attributes
    ----------
    forwards, encodes : Counter from an analysis' name to the images decoded, encoded for it.
    seconds : from an analysis' name to the seconds spent in the model for it.
    elapsed : from an analysis' name to all the seconds spent on it, in the model or not.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        *,
        memory: int = DEFAULT_MEMORY,
        batch_bytes: int | None = None,
        store_bytes: int | None = None,
        on_progress: Callable[[int], None] = lambda decoded: None,
    ) -> None:
        self._autoencoder = autoencoder
        self._on_progress = on_progress
        self.code_size = autoencoder.code_size
        self.image_size = int(np.prod(autoencoder.input_shape))
        image_bytes = 4 * self.image_size
        batch_bytes = memory // 8 if batch_bytes is None else batch_bytes
        self.batch_size = int(np.clip(batch_bytes // image_bytes, 1, LARGEST_BATCH))
        store_bytes = memory // 12 if store_bytes is None else store_bytes
        self._store = _ImageStore(store_bytes, self.image_size)
        self._charged_to = "study"
        self.forwards: Counter[str] = Counter()
        self.encodes: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.elapsed: defaultdict[str, float] = defaultdict(float)
        self._charged_since = time.perf_counter()

    @contextmanager
    def charged_to(self, analysis: str) -> Iterator[None]:
        """Within this block, forwards and seconds count for `analysis` and nothing outside it."""
        outer = self._charge(analysis)
        try:
            yield
        finally:
            self._charge(outer)

    def _charge(self, analysis: str) -> str:
        """Whom the seconds went to until now; from now on they go to `analysis`."""
        now = time.perf_counter()
        before, self._charged_to = self._charged_to, analysis
        self.elapsed[before] += now - self._charged_since
        self._charged_since = now
        return before

    def add_costs_of(self, other: Decoder, analysis: str) -> None:
        """Charge to `analysis` what another decoder of the same model has done."""
        self.forwards[analysis] += sum(other.forwards.values())
        self.encodes[analysis] += sum(other.encodes.values())
        self.seconds[analysis] += sum(other.seconds.values())

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, P) float32; equal rows are decoded once."""
        # Adding 0 turns −0 into 0, so that equal codes have equal bytes.
        codes = np.ascontiguousarray(codes, dtype=np.float32) + np.float32(0)
        keys = codes.view(np.dtype((np.void, codes.itemsize * codes.shape[1]))).ravel()
        distinct, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        images = np.empty((len(distinct), self.image_size), dtype=np.float32)
        missing = []
        for position, key in enumerate(distinct.tolist()):
            stored = self._store.get(key)
            if stored is None:
                missing.append(position)
            else:
                images[position] = stored
        for start in range(0, len(missing), self.batch_size):
            batch = missing[start : start + self.batch_size]
            decoded = self._decode_batch(codes[first[batch]])
            images[batch] = decoded
            self._store.add(distinct[batch].tolist(), decoded)
        return images[inverse]

    def decode_each(self, requests: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The images of each request (n_i, code_size), in order: (n_i, P) float32.

        Requests are small where they are one row's, so several are decoded together: a batch of
        128 codes costs much less than six of 21.
        """
        waiting: list[np.ndarray] = []
        for request in requests:
            waiting.append(request)
            if sum(len(codes) for codes in waiting) >= self.batch_size:
                yield from self._decode_together(waiting)
                waiting = []
        if waiting:
            yield from self._decode_together(waiting)

    def _decode_together(self, requests: list[np.ndarray]) -> list[np.ndarray]:
        images = self.decode(np.concatenate(requests))
        return np.split(images, np.cumsum([len(codes) for codes in requests[:-1]]))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(n, P) or (n, C, H, W) → (n, code_size) float32, in bounded batches."""
        return self._over_images(self._autoencoder.encode, images)

    def posterior_sd(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, code_size) standard deviations of a VAE's posterior."""
        assert self._autoencoder.posterior_sd is not None, "ask is_variational first"
        return self._over_images(self._autoencoder.posterior_sd, images)

    def model_output(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, P) the model's own whole forward."""
        assert self._autoencoder.forward is not None, "this model has no forward of its own"
        return self._over_images(self._autoencoder.forward, images)

    def _over_images(self, function: Callable, images: np.ndarray) -> np.ndarray:
        import torch

        shape = self._autoencoder.input_shape
        parts = []
        started = time.perf_counter()
        with torch.inference_mode(), _full_precision():
            for start in range(0, len(images), self.batch_size):
                batch = np.ascontiguousarray(images[start : start + self.batch_size], np.float32)
                tensor = torch.from_numpy(batch.reshape(-1, *shape)).to(self._autoencoder.device)
                output = function(tensor).reshape(len(batch), -1)
                parts.append(output.float().cpu().numpy())
        self.encodes[self._charged_to] += len(images)
        self.seconds[self._charged_to] += time.perf_counter() - started
        return np.concatenate(parts)

    def _decode_batch(self, codes: np.ndarray) -> np.ndarray:
        import torch

        started = time.perf_counter()
        with torch.inference_mode(), _full_precision():
            tensor = torch.from_numpy(codes.reshape(-1, *self._autoencoder.code_shape))
            images = self._autoencoder.decode(tensor.to(self._autoencoder.device))
            flat = images.reshape(len(codes), -1).float().cpu().numpy()
        self.forwards[self._charged_to] += len(codes)
        self.seconds[self._charged_to] += time.perf_counter() - started
        self._on_progress(len(codes))
        return flat


@contextmanager
def _full_precision() -> Iterator[None]:
    """TF32 off: its 10-bit mantissa would drown small differences of decoded images."""
    import torch

    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


class _ImageStore:
    """The most recently decoded images, up to a number of bytes; the oldest leave first.

    All of it is one block: images that stay, strewn among batches that go, would keep the C
    library from ever giving the batches' memory back.
    """

    def __init__(self, capacity: int, image_size: int) -> None:
        self._images = np.empty((capacity // (4 * image_size), image_size), dtype=np.float32)
        self._keys: list[bytes | None] = [None] * len(self._images)
        self._places: dict[bytes, int] = {}
        self._next = 0

    def get(self, key: bytes) -> np.ndarray | None:
        place = self._places.get(key)
        return None if place is None else self._images[place]

    def add(self, keys: list[bytes], images: np.ndarray) -> None:
        if len(keys) > len(self._images):
            return
        for key, image in zip(keys, images, strict=True):
            oldest = self._keys[self._next]
            if oldest is not None:
                del self._places[oldest]
            self._images[self._next] = image
            self._keys[self._next] = key
            self._places[key] = self._next
            self._next = (self._next + 1) % len(self._images)
