"""The engine: every forward of the program passes here, and is counted.

Codes come in as float32 rows, and equal codes of one request are decoded once, so that they have
one image to the last bit. Images are not kept from one request to the next: a store of those that
may be asked for again would save 3 to 8 % of a build.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.engine.batches import Batches, Span

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

    Attributes
    ----------
    code_size, image_size : number of coordinates in a code, and of values in a flattened image, P.
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
    ) -> None:
        self.plain = os.environ.get(PLAIN, "") not in ("", "0") if plain is None else plain
        self.code_size = autoencoder.code_size
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
            return autoencoder, Batches(autoencoder, self._room)
        from reportgen.engine.fast import faster

        return faster(autoencoder, self._room)

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
        ahead: tuple[_Request, list[int]] | None = None
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

    def _images_of_each(self, request: _Request, lengths: list[int]) -> list[np.ndarray]:
        return np.split(self._images(request), np.cumsum(lengths[:-1]))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(n, P) or (n, C, H, W) → (n, code_size) float32, in bounded batches."""
        return self._over_images(self._autoencoder.encode, images, self.code_size)

    def posterior_sd(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, code_size) standard deviations of a VAE's posterior."""
        assert self._autoencoder.posterior_sd is not None, "ask is_variational first"
        return self._over_images(self._autoencoder.posterior_sd, images, self.code_size)

    def model_output(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, P) by the model's own forward, which may draw noise, batch by batch."""
        assert self._autoencoder.forward is not None, "this model has no forward of its own"
        return self._over_images(self._autoencoder.forward, images, self.image_size)

    def _over_images(
        self, function: Callable[[Tensor], Tensor], images: np.ndarray, width: int
    ) -> np.ndarray:
        out = np.empty((len(images), width), dtype=np.float32)
        shape, places = self._autoencoder.input_shape, np.arange(len(images))
        self._wait_for(self._batches.run(function, images, shape, out, places), self._charged_to)
        self.encodes[self._charged_to] += len(images)
        return out

    def _start(self, codes: np.ndarray) -> _Request:
        """Start decoding codes (n, code_size); of equal codes only the first is decoded."""
        # Adding 0 turns −0 into 0, so that equal codes have equal bytes.
        codes = np.ascontiguousarray(codes, dtype=np.float32) + np.float32(0)
        firsts = _first_equals(codes)
        decoded = np.flatnonzero(firsts == np.arange(len(codes)))
        images = np.empty((len(codes), self.image_size), dtype=np.float32)
        model = self._autoencoder
        spans = self._batches.run(model.decode, codes[decoded], model.code_shape, images, decoded)
        return _Request(images, firsts, len(decoded), self._charged_to, spans)

    def _images(self, request: _Request) -> np.ndarray:
        """Wait for a request's images. Raises what the model raises."""
        self._wait_for(request.spans, request.charged_to)
        self.forwards[request.charged_to] += request.decoded
        self._on_progress(request.decoded)
        repeated = np.flatnonzero(request.firsts != np.arange(len(request.images)))
        request.images[repeated] = request.images[request.firsts[repeated]]
        return request.images

    def _wait_for(self, spans: Iterable[Span], charged_to: str) -> None:
        for started, ended in sorted(spans):
            self.seconds[charged_to] += max(0.0, ended - max(started, self._busy_until))
            self._busy_until = max(self._busy_until, ended)


class Codes(Protocol):
    """Codes (n, code_size), as an array or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class _Request:
    """Codes that were asked for.

    Attributes
    ----------
    images : (n, P) one for each code, once all is finished.
    firsts : (n,) the place of the first code that equals each.
    decoded : how many codes are decoded.
    charged_to : the analysis that asked.
    spans : when each batch started and ended; going through them waits for the images.
    """

    images: np.ndarray
    firsts: np.ndarray
    decoded: int
    charged_to: str
    spans: Iterable[Span]


def _first_equals(codes: np.ndarray) -> np.ndarray:
    """(n,) for each code (n, code_size) the place of the first that has the same bytes."""
    places: dict[bytes, int] = {}
    found = (places.setdefault(code.tobytes(), place) for place, code in enumerate(codes))
    return np.fromiter(found, np.intp, len(codes))
