"""The engine: every decoder forward in the program passes here.

Codes come in as float32 rows; equal codes are decoded once, on the model's threads, and a bounded
store of recent images serves the analyses that ask for the same code again. Both images of a
difference therefore come from one forward wherever the store still holds it.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from typing import Protocol

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.engine.image_store import ImageMemory, ImageStore
from reportgen.engine.model_threads import ModelThreads

DEFAULT_MEMORY = 2 * 10**9
SMALLEST_BLOCK = 128
# With one alone the model is idle whenever reducing the one before took longer; a row's table of
# coalitions is reduced after its last four.
BLOCKS_AHEAD = 5
LONGEST_KEY, DIGEST_BYTES = 4096, 32


class Engine:
    """Decodes codes (n, code_size) to flattened images (n, P), and counts what it did.

    Parameters
    ----------
    memory : bytes of the build; an eighth is for images on their way, with their codes, and a
        twelfth for the store, unless `block_bytes` and `store_bytes` say otherwise.

    Attributes
    ----------
    block_size : codes that are worth decoding together; at least two such blocks fit into their
        memory, and up to five are decoded ahead.
    forwards, encodes : Counter from an analysis' name to the images decoded, encoded for it.
    seconds : from an analysis' name to the seconds in which the model was at work for it.
    elapsed : from an analysis' name to all the seconds spent on it, in the model or not.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        *,
        memory: int = DEFAULT_MEMORY,
        block_bytes: int | None = None,
        store_bytes: int | None = None,
        on_progress: Callable[[int], None] = lambda decoded: None,
    ) -> None:
        self._autoencoder = autoencoder
        self._on_progress = on_progress
        self.code_size = autoencoder.code_size
        self.image_size = int(np.prod(autoencoder.input_shape))
        # A spatial code may be larger than its image.
        image_bytes = 4 * (self.image_size + self.code_size)
        block_bytes = memory // 8 if block_bytes is None else block_bytes
        self._most_on_their_way = max(1, block_bytes // image_bytes)
        self._threads = ModelThreads(autoencoder, self._most_on_their_way)
        enough = max(SMALLEST_BLOCK, 2 * self._threads.count * self._threads.batch_size)
        self.block_size = int(np.clip(self._most_on_their_way // 2, 1, enough))
        store_bytes = memory // 12 if store_bytes is None else store_bytes
        self._store = ImageStore(store_bytes)
        self._memory = ImageMemory(self.image_size)
        self._in_flight: dict[bytes, tuple[_Request, int]] = {}
        self._busy_until = 0.0
        self._charged_to = "study"
        self.forwards: Counter[str] = Counter()
        self.encodes: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.elapsed: defaultdict[str, float] = defaultdict(float)
        self._charged_since = time.perf_counter()

    @contextmanager
    def charged_to(self, analysis: str) -> Iterator[None]:
        """Within this block, forwards and seconds count for `analysis` and nothing outside it.

        At its end free memory for images goes back to the system.
        """
        outer = self._charge(analysis)
        try:
            yield
        finally:
            self._charge(outer)
            self._memory.forget()

    def _charge(self, analysis: str) -> str:
        """Whom the seconds went to until now; from now on they go to `analysis`."""
        now = time.perf_counter()
        before, self._charged_to = self._charged_to, analysis
        self.elapsed[before] += now - self._charged_since
        self._charged_since = now
        return before

    def forget_images(self) -> None:
        """Empty the store for good; what was counted stays."""
        self._store = ImageStore(0)

    def add_costs_of(self, other: Engine, analysis: str) -> None:
        """Charge to `analysis` what another decoder of the same model has done."""
        for own, others in ((self.forwards, other.forwards), (self.encodes, other.encodes)):
            if others:
                own[analysis] += sum(others.values())
        self.seconds[analysis] += sum(other.seconds.values())

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, P) float32, read-only; equal rows are decoded once."""
        return self._collect(self._request(codes))

    def decode_each(self, requests: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The images of each request (n_i, code_size), in order: (n_i, P) float32, read-only.

        Requests are small where they are one row's, so several are decoded together. While the
        caller works on some, the next are being decoded, as many as memory has room for.
        """
        ahead: deque[tuple[_Request, list[int]]] = deque()
        try:
            for together in self._gathered(requests):
                codes = np.concatenate(together)
                room = self._most_on_their_way - len(codes)
                while ahead and (len(ahead) == BLOCKS_AHEAD or _images_of(ahead) > room):
                    yield from self._images_of_each(*ahead.popleft())
                ahead.append((self._request(codes), [len(request) for request in together]))
            while ahead:
                yield from self._images_of_each(*ahead.popleft())
        finally:
            # After an error, or where the caller has left: what others borrow is still decoded.
            for request, _ in ahead:
                self._settle(request)

    def decode_blocks(self, codes: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """The images of codes (n, code_size) that may fill the memory, in parts.

        Gives which of the codes, and their images (…, P) float32, read-only.
        """
        parts = self.blocks(len(codes))
        return zip(parts, self.decode_each(codes[part] for part in parts), strict=True)

    def decode_blocks_of_each(
        self, requests: Iterable[Codes]
    ) -> Iterator[Iterator[tuple[slice, np.ndarray]]]:
        """`decode_blocks` of each request, in order; several are decoded together.

        Only a part of a request's codes is asked for at a time. What is not taken of one is lost
        with the next.
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
        """So many codes in slices that are decoded together."""
        size = self.block_size
        return [slice(start, start + size) for start in range(0, max(1, count), size)]

    def _gathered(self, requests: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Requests in lists that fill a block."""
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
        return np.split(self._collect(request), np.cumsum(lengths[:-1]))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(n, P) or (n, C, H, W) → (n, code_size) float32, in bounded batches."""
        return self._over_images(self._autoencoder.encode, images, self.code_size)

    def posterior_sd(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, code_size) standard deviations of a VAE's posterior."""
        assert self._autoencoder.posterior_sd is not None, "ask is_variational first"
        return self._over_images(self._autoencoder.posterior_sd, images, self.code_size)

    def model_output(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, P) the model's own whole forward; noise that it draws, batch by batch."""
        assert self._autoencoder.forward is not None, "this model has no forward of its own"
        return self._over_images(
            self._autoencoder.forward, images, self.image_size, as_written=True
        )

    def _over_images(
        self, function: Callable, images: np.ndarray, width: int, as_written: bool = False
    ) -> np.ndarray:
        out = np.empty((len(images), width), dtype=np.float32)
        shape = self._autoencoder.input_shape
        places = np.arange(len(images))
        runs = self._threads.run(function, images, shape, out, places, as_written=as_written)
        self._wait_for(runs, self._charged_to)
        self.encodes[self._charged_to] += len(images)
        return out

    def _request(self, codes: np.ndarray) -> _Request:
        """Start decoding what neither the store holds nor another request is decoding."""
        # Adding 0 turns −0 into 0, so that equal codes have equal bytes.
        codes = np.ascontiguousarray(codes, dtype=np.float32) + np.float32(0)
        keys = _keys(codes)
        images = self._memory.images(len(codes))
        request = _Request(images, self._charged_to)
        for place, key in enumerate(keys):
            if key in request.missing:
                request.repeated.append((request.missing[key], place))
            elif key in self._in_flight:
                lender, row = self._in_flight[key]
                request.lenders.append(lender)
                lender.borrowers.append((row, images, place))
            elif (stored := self._store.get(key)) is not None:
                images[place] = stored
            else:
                request.missing[key] = place
        if request.missing:
            places, model = np.fromiter(request.missing.values(), np.intp), self._autoencoder
            wanted = codes[places]
            request.runs = self._threads.run(model.decode, wanted, model.code_shape, images, places)
            self._in_flight |= {key: (request, place) for key, place in request.missing.items()}
        return request

    def _collect(self, request: _Request) -> np.ndarray:
        """Wait for a request's images."""
        for waited_for in (*request.lenders, request):
            self._finish(waited_for)
        # Else each request would keep the one before it, and its images, alive.
        request.lenders.clear()
        for first, place in request.repeated:
            request.images[place] = request.images[first]
        # The store lends the same images to who asks next.
        handed_out = request.images.view()
        handed_out.flags.writeable = False
        return handed_out

    def _finish(self, request: _Request) -> None:
        """Wait for what a request decodes itself; store it, and give it to who borrows it."""
        self._settle(request)
        if request.error is not None:
            raise request.error

    def _settle(self, request: _Request) -> None:
        """`_finish`, but the model's error is left for those who ask for the images."""
        if not request.runs:
            return
        runs, request.runs = request.runs, []
        for key in request.missing:
            del self._in_flight[key]
        try:
            self._wait_for(runs, request.charged_to)
        except Exception as error:
            request.error = error
            return
        self.forwards[request.charged_to] += len(request.missing)
        self._on_progress(len(request.missing))
        self._store.add(request.missing, request.images)
        for row, images, place in request.borrowers:
            images[place] = request.images[row]
        request.borrowers.clear()

    def _wait_for(self, runs: list[Future[tuple[float, float]]], charged_to: str) -> None:
        for started, ended in sorted(run.result() for run in runs):
            self.seconds[charged_to] += max(0.0, ended - max(started, self._busy_until))
            self._busy_until = max(self._busy_until, ended)


class Codes(Protocol):
    """Codes (n, code_size), as an array or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> np.ndarray: ...


@dataclass
class _Request:
    """Codes that were asked for.

    Attributes
    ----------
    images : (n, P) one for each code, once all is finished.
    charged_to : the analysis that asked.
    missing : from the key of each code that is decoded for this request to its place in `images`.
    repeated : places of codes that occur again: the first, and the other.
    runs : what is being computed; none once it is finished.
    error : what the model raised instead.
    lenders : requests that decode what this one needs too.
    borrowers : who needs which of these images: its place, their images and the place in them.
    """

    images: np.ndarray
    charged_to: str
    missing: dict[bytes, int] = field(default_factory=dict)
    repeated: list[tuple[int, int]] = field(default_factory=list)
    runs: list[Future[tuple[float, float]]] = field(default_factory=list)
    error: Exception | None = None
    lenders: list[_Request] = field(default_factory=list)
    borrowers: list[tuple[int, np.ndarray, int]] = field(default_factory=list)


def _keys(codes: np.ndarray) -> list[bytes]:
    """What tells codes (n, code_size) apart: their bytes, of long codes a digest."""
    length = codes.itemsize * codes.shape[1]
    if length > LONGEST_KEY:
        return [blake2b(code, digest_size=DIGEST_BYTES).digest() for code in codes]
    data = codes.tobytes()
    return [data[start : start + length] for start in range(0, len(data), length)]


def _images_of(requests: Iterable[tuple[_Request, list[int]]]) -> int:
    return sum(len(request.images) for request, _ in requests)
