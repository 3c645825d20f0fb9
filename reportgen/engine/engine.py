"""The engine: every forward of the program passes here, and is counted.

Codes come in as float32 rows, and equal codes of one request are decoded once, so that they have
one image to the last bit. Images are not kept from one request to the next: a store of those that
may be asked for again would save 3 to 8 % of a build.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.engine.batches import Batches, Span
from reportgen.engine.requests import Codes, Request, first_equals, with_labels

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MEMORY = 2 * 10**9
# Codes that are decoded together: so many bytes of images, and so many codes.
BLOCK_BYTES = 16 * 2**20
SMALLEST_BLOCK, LARGEST_BLOCK = 128, 1024
PLAIN = "REPORTGEN_PLAIN"


class Engine:
    """Decodes codes (n, code_size) to flattened images (n, P), and counts what it did.

        engine = Engine(autoencoder)
        with engine.charged_to("ablation"):
            images = engine.decode(codes)
            again = engine.encode(images)
        engine.forwards["ablation"]  # len(codes), where all are different

    Parameters
    ----------
    memory : bytes of the build; an eighth is for images on their way, with their codes, unless
        `block_bytes` says otherwise.
    plain : whether everything that only makes forwards faster (`engine/fast/`) is left out; None
        follows the environment variable REPORTGEN_PLAIN.
    on_progress : told how many codes have been decoded since it was told last.
    before_batch : called before each batch of images or codes, on any thread; what it raises ends
        the computation.

    Attributes
    ----------
    code_size, image_size : number of coordinates in a code, and of values in a flattened image, P.
    label_size : how many of the coordinates stand for the code's class, the last ones.
    block_size : number of codes that are decoded together; memory holds at least two such blocks.
    forwards, encodes : the number of images decoded, and encoded, by the analysis' name.
    seconds : the seconds in which the model was at work, by the analysis' name.
    elapsed : all seconds spent, in the model or not, by the analysis' name.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        *,
        memory: int = DEFAULT_MEMORY,
        block_bytes: int | None = None,
        plain: bool | None = None,
        on_progress: Callable[[int], None] = lambda decoded: None,
        before_batch: Callable[[], None] = lambda: None,
    ) -> None:
        self.before_batch = before_batch
        self.plain = os.environ.get(PLAIN, "") not in ("", "0") if plain is None else plain
        self.label_size = autoencoder.label_size
        self.code_size = autoencoder.code_size + self.label_size
        self.image_size = int(np.prod(autoencoder.input_shape))
        # A spatial code may be larger than its image.
        image_bytes = 4 * (self.image_size + self.code_size)
        self._room = max(1, (memory // 8 if block_bytes is None else block_bytes) // image_bytes)
        enough = np.clip(BLOCK_BYTES // image_bytes, SMALLEST_BLOCK, LARGEST_BLOCK)
        self.block_size = int(np.clip(self._room // 2, 1, enough))
        self._autoencoder, self._batches = self._way_of(autoencoder)
        self._on_progress = on_progress
        self._busy_until = 0.0
        self._charged_to = "study"
        self.forwards: Counter[str] = Counter()
        self.encodes: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.elapsed: defaultdict[str, float] = defaultdict(float)
        self._charged_since = time.perf_counter()

    def _way_of(self, autoencoder: Autoencoder) -> tuple[Autoencoder, Batches]:
        """Return the model whose functions are run, and the `Batches` that run them."""
        if self.plain:
            return autoencoder, Batches(autoencoder, self._room, self.before_batch)
        from reportgen.engine.fast import faster

        return faster(autoencoder, self._room, self.before_batch)

    @contextmanager
    def charged_to(self, analysis: str) -> Iterator[None]:
        """Charge the forwards and seconds of this block to `analysis`, and to nothing around it."""
        outer = self._charge(analysis)
        try:
            yield
        finally:
            self._charge(outer)

    def _charge(self, analysis: str) -> str:
        """Charge all seconds from now on to `analysis`; return the one that had them so far."""
        now = time.perf_counter()
        before, self._charged_to = self._charged_to, analysis
        self.elapsed[before] += now - self._charged_since
        self._charged_since = now
        return before

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Leave the forwards and seconds of this block out of every count, and tell nobody."""
        self._charge(self._charged_to)
        forwards, encodes = self.forwards.copy(), self.encodes.copy()
        seconds, elapsed = self.seconds.copy(), self.elapsed.copy()
        told, self._on_progress = self._on_progress, lambda decoded: None
        try:
            yield
        finally:
            self._on_progress, self._charged_since = told, time.perf_counter()
            self.forwards, self.encodes = forwards, encodes
            self.seconds, self.elapsed = seconds, elapsed

    def add_costs_of(self, other: Engine, analysis: str) -> None:
        """Charge to `analysis` what another engine of the same model has done."""
        for own, others in ((self.forwards, other.forwards), (self.encodes, other.encodes)):
            if others:
                own[analysis] += sum(others.values())
        self.seconds[analysis] += sum(other.seconds.values())

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, P) float32; equal rows are decoded once."""
        return self._images(self._start(codes))

    def decode_each(self, requests: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the images of each request (n_i, code_size), in order: (n_i, P) float32.

        A request of one row's codes is small, so several requests are decoded together. The next
        ones are started before the caller gets these, if memory has room for both.
        """
        ahead: tuple[Request, list[int]] | None = None
        for together in self._gathered(requests):
            codes = np.concatenate(together)
            if ahead is not None and len(ahead[0].images) + len(codes) > self._room:
                yield from self._images_of_each(*ahead)
                ahead = None
            started = self._start(codes), [len(request) for request in together]
            if ahead is not None:
                yield from self._images_of_each(*ahead)
            ahead = started
        if ahead is not None:
            yield from self._images_of_each(*ahead)

    def decode_blocks(self, codes: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Decode codes (n, code_size) whose images together may not fit into memory, in parts.

        Yields the slice of the codes that a part holds, and its images (…, P) float32.
        """
        parts = self.blocks(len(codes))
        return zip(parts, self.decode_each(codes[part] for part in parts), strict=True)

    def decode_blocks_of_each(
        self, requests: Iterable[Codes]
    ) -> Iterator[Iterator[tuple[slice, np.ndarray]]]:
        """Yield `decode_blocks` of each request, in order; several requests are decoded together.

        Only a part of a request's codes is made at a time. Parts of a request that the caller has
        not taken are lost once the next request is asked for.
        """
        asked: deque[list[slice]] = deque()

        def pieces() -> Iterator[np.ndarray]:
            for request in requests:
                asked.append(self.blocks(len(request)))
                yield from (request[part] for part in asked[-1])

        decoded = self.decode_each(pieces())
        for first in decoded:
            parts = zip(asked.popleft(), chain([first], decoded), strict=False)
            yield parts
            deque(parts, maxlen=0)  # What the caller left, before the next request's.

    def blocks(self, count: int) -> list[slice]:
        """Slices of `count` codes; those of one slice are decoded together."""
        size = self.block_size
        return [slice(start, start + size) for start in range(0, max(1, count), size)]

    def _gathered(self, requests: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Group the requests in lists that each fill a block."""
        together: list[np.ndarray] = []
        count = 0
        for request in requests:
            together.append(request)
            count += len(request)
            if count >= self.block_size:
                yield together
                together, count = [], 0
        if together:
            yield together

    def _images_of_each(self, request: Request, lengths: list[int]) -> list[np.ndarray]:
        return np.split(self._images(request), np.cumsum(lengths[:-1]))

    def encode(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """(n, P) or (n, C, H, W) → (n, code_size) float32, in bounded batches.

        `labels` (n,) are the numbers of the images' classes, which a conditional model needs and
        any other does without.
        """
        codes = self._beside_labels(self._autoencoder.encode, images, labels)
        if labels is not None and self._autoencoder.is_conditional:
            self.label_codes(codes, labels)
        return codes

    def _beside_labels(
        self, function: Callable[..., Tensor], images: np.ndarray, labels: np.ndarray | None
    ) -> np.ndarray:
        """(n, code_size) what a function gives for codes, and 0 for what stands behind them."""
        own = self.code_size - self.label_size
        found = self._over_images(function, images, own, labels)
        return found if self.label_size == 0 else np.pad(found, ((0, 0), (0, self.label_size)))

    def label_codes(self, codes: np.ndarray, labels: np.ndarray) -> None:
        """Write the classes (n,) behind codes (n, code_size): indicators of all but class 0."""
        own = self.code_size - self.label_size
        codes[:, own:] = labels[:, None] == np.arange(1, self.label_size + 1)

    def numbers_of(self, labels: Sequence[str] | None) -> np.ndarray | None:
        """See `Autoencoder.numbers_of`."""
        return self._autoencoder.numbers_of(labels)

    def labels_in(self, codes: np.ndarray) -> np.ndarray | None:
        """(n,) the classes behind codes (n, …); None for a model that takes no labels."""
        if not self._autoencoder.is_conditional:
            return None
        if self.label_size == 0:
            return np.zeros(len(codes), np.int64)
        behind = codes[:, -self.label_size :]
        return np.where(behind.max(axis=1) > 0.5, 1 + behind.argmax(axis=1), 0)

    def posterior_sd(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """(n, P) → (n, code_size) standard deviations of a VAE's posterior; 0 of its class."""
        assert self._autoencoder.posterior_sd is not None, "ask is_variational first"
        return self._beside_labels(self._autoencoder.posterior_sd, images, labels)

    def model_output(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """(n, P) → (n, P) by the model's own forward, which may draw noise, batch by batch."""
        assert self._autoencoder.forward is not None, "this model has no forward of its own"
        return self._over_images(self._autoencoder.forward, images, self.image_size, labels)

    def _over_images(
        self,
        function: Callable[..., Tensor],
        images: np.ndarray,
        width: int,
        labels: np.ndarray | None,
    ) -> np.ndarray:
        out = np.empty((len(images), width), dtype=np.float32)
        shape: tuple[int, ...] = self._autoencoder.input_shape
        places = np.arange(len(images))
        if self._autoencoder.is_conditional:
            function, images, shape = with_labels(function, images, labels, shape)
        self._wait_for(self._batches.run(function, images, shape, out, places), self._charged_to)
        self.encodes[self._charged_to] += len(images)
        return out

    def _start(self, codes: np.ndarray) -> Request:
        """Start decoding codes (n, code_size); of equal codes only the first is decoded."""
        # Adding 0 turns −0 into 0, so that equal codes have equal bytes.
        codes = np.ascontiguousarray(codes, dtype=np.float32) + np.float32(0)
        firsts = first_equals(codes)
        decoded = np.flatnonzero(firsts == np.arange(len(codes)))
        images = np.empty((len(codes), self.image_size), dtype=np.float32)
        model = self._autoencoder
        shape = model.decoded_shape
        spans = self._batches.run(model.decode, codes[decoded], shape, images, decoded)
        return Request(images, firsts, len(decoded), self._charged_to, spans)

    def _images(self, request: Request) -> np.ndarray:
        """Wait for a request's images. Raises what the model raises."""
        self._wait_for(self._told(request.spans), request.charged_to)
        self.forwards[request.charged_to] += request.decoded
        repeated = np.flatnonzero(request.firsts != np.arange(len(request.images)))
        request.images[repeated] = request.images[request.firsts[repeated]]
        return request.images

    def _told(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Pass the spans of decoded batches on, as each comes, and say how far that is."""
        for span in spans:
            self._on_progress(span[-1])
            yield span

    def _wait_for(self, spans: Iterable[Span], charged_to: str) -> None:
        for started, ended, _ in sorted(spans):
            self.seconds[charged_to] += max(0.0, ended - max(started, self._busy_until))
            self._busy_until = max(self._busy_until, ended)
