"""A stand-in for a model: as many units, forwards that cost nothing, a ledger of what is asked.

What a question asks of a model depends on its units, its rows and the settings, and hardly on the
model itself. So a study of a stand-in tells beforehand how many forwards each question will take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.autoencoder import Autoencoder, SourceFile
from reportgen.images.image_set import ImageSet
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.off_data import OffData
from reportgen.study.study import Study

if TYPE_CHECKING:
    from torch import Tensor

SHAPE = (1, 4, 5)
PIXELS = 20
SD = 0.1


@dataclass(frozen=True)
class Asked:
    """Forwards that were asked for, and the seconds of everything else.

    Attributes
    ----------
    decodes, encodes : images through the decoder and the encoder.
    seconds : of computing on images of 20 pixels.
    """

    decodes: float = 0
    encodes: float = 0
    seconds: float = 0

    def __add__(self, other: Asked) -> Asked:
        return Asked(
            self.decodes + other.decodes,
            self.encodes + other.encodes,
            self.seconds + other.seconds,
        )

    def times(self, factor: float) -> Asked:
        """So many times as much."""
        return Asked(factor * self.decodes, factor * self.encodes, factor * self.seconds)


@dataclass
class Frame:
    """One question, or one result that several share.

    Attributes
    ----------
    own : what it asked for itself.
    inside : what was asked for within it by results that others share too.
    needs : the keys of those results.
    """

    own: Asked = Asked()
    inside: Asked = Asked()
    needs: list[Hashable] = field(default_factory=list)


class Ledger:
    """Counts forwards, and keeps who asked for them."""

    def __init__(self) -> None:
        self.decodes = self.encodes = 0
        self.frames: dict[Hashable, Frame] = {}
        self._open: list[Frame] = []

    @contextmanager
    def asked_by(self, key: Hashable) -> Iterator[None]:
        """Write what is asked for in this block under `key`, where that is new."""
        if self._open:
            self._open[-1].needs.append(key)
        if key in self.frames:
            yield
            return
        frame = self.frames[key] = Frame()
        self._open.append(frame)
        decodes, encodes, started = self.decodes, self.encodes, time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            whole = Asked(self.decodes - decodes, self.encodes - encodes, seconds)
            frame.own = whole + frame.inside.times(-1)
            self._open.pop()
            if self._open:
                self._open[-1].inside += whole


@dataclass(frozen=True)
class StandInStudy(Study):
    """A study whose shared results are written into a ledger.

    Attributes
    ----------
    ledger : what was asked for, by question and by shared result.
    stands_for : (C, H, W) of the images of the study that it stands for.
    """

    ledger: Ledger = field(default_factory=Ledger, repr=False)
    stands_for: tuple[int, int, int] = SHAPE

    def patch_grid(self, most: int) -> tuple[int, int]:
        """See `Study`: as many patches as of the images that it stands for, most of them empty."""
        _, height, width = self.stands_for
        return min(height, most), min(width, most)

    def shared_by(self, key: Any, compute: Callable[[], Any]) -> Any:
        """See `Study`; results of a study of something else belong to whoever asks for them."""
        if not isinstance(self.autoencoder, StandIn):
            return super().shared_by(key, compute)
        with self.ledger.asked_by(key):
            return super().shared_by(key, compute)

    @cached_property
    def off_data(self) -> OffData:
        """See `Study`."""
        with self.ledger.asked_by("off data"):
            return Study.off_data.func(self)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class StandIn(Autoencoder):
    """An autoencoder that stands in for the one that is studied; see `stand_in_for`."""


def stand_in_study(
    autoencoder: Autoencoder,
    images: int,
    fit_images: int | None,
    settings: Settings,
    *,
    replicates: int = 0,
    groups: dict[str, tuple[int, ...]] | None = None,
) -> StandInStudy:
    """A study of a stand-in with so many images, and so many to fit on where those are others."""
    ledger = Ledger()
    model = stand_in_for(autoencoder, ledger, settings.seed)
    others = tuple(
        replace(stand_in_for(autoencoder, ledger, settings.seed + 1 + place), name=f"{place}")
        for place in range(replicates)
    )
    study = make_study(
        model,
        _images(model, images, settings.seed, "images"),
        settings,
        fit_images=None
        if fit_images is None
        else _images(model, fit_images, settings.seed + 1, "fit images"),
        replicates=others,
        groups=groups,
    )
    ledger.decodes = ledger.encodes = 0
    kept = {knob.name: getattr(study, knob.name) for knob in fields(study)}
    return StandInStudy(**kept, ledger=ledger, stands_for=autoencoder.input_shape)


def stand_in_for(autoencoder: Autoencoder, ledger: Ledger, seed: int) -> StandIn:
    """A decoder tanh(Az) to 20 pixels, an encoder that inverts it where it can, both counted."""
    import torch

    size = autoencoder.code_size
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(size, PIXELS, generator=generator) / size**0.5
    inverse = torch.linalg.pinv(weights)

    def decode(codes: Tensor) -> Tensor:
        ledger.decodes += len(codes)
        flat = codes.reshape(len(codes), -1)[:, :size]
        return torch.tanh(flat @ weights).reshape(-1, *SHAPE)

    def encode(images: Tensor, *labels: Tensor) -> Tensor:
        ledger.encodes += len(images)
        before = torch.atanh(images.reshape(len(images), -1).clamp(-0.999, 0.999))
        return (before @ inverse).reshape(-1, *autoencoder.code_shape)

    def posterior_sd(images: Tensor, *labels: Tensor) -> Tensor:
        ledger.encodes += len(images)
        return torch.full((len(images), *autoencoder.code_shape), SD)

    return StandIn(
        encode=encode,
        decode=decode,
        input_shape=SHAPE,
        code_shape=autoencoder.code_shape,
        forward=None
        if autoencoder.forward is None
        else lambda images, *labels: decode(encode(images)),
        posterior_sd=None if autoencoder.posterior_sd is None else posterior_sd,
        noise_held=autoencoder.noise_held,
        code_book=autoencoder.code_book,
        code_book_start=autoencoder.code_book_start,
        label_numbers=autoencoder.label_numbers,
    )


class _Pixels:
    """Images of normal codes, in memory."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self._pixels[rows]


def _images(model: StandIn, count: int, seed: int, name: str) -> ImageSet:
    import torch

    shape = count, *model.code_shape
    codes = np.random.default_rng([seed, count]).normal(size=shape).astype(np.float32)
    make, classes = model.decode, tuple(model.label_numbers)
    pixels = make(torch.from_numpy(codes)).numpy()
    return ImageSet(
        shape=SHAPE,
        names=tuple(str(row) for row in range(count)),
        labels=tuple(classes[row % len(classes)] for row in range(count)) if classes else None,
        factors=None,
        pixel_range=(-1.0, 1.0),
        source=SourceFile(name, pixels.nbytes, name),
        pixels=_Pixels(pixels),
    )
