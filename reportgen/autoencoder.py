"""The analyses' view of a model: `Autoencoder`; and `Units`, coordinates that move together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from reportgen.errors import DataError, SettingsError

if TYPE_CHECKING:
    from torch import Tensor


# Every topic that a note may have.
Topic = Literal[
    "batch",
    "channels",
    "check",
    "classes",
    "code",
    "code book",
    "condition",
    "copies",
    "device",
    "format",
    "images",
    "input",
    "labels",
    "latents",
    "layout",
    "memory",
    "output",
    "posterior",
    "ranks",
    "results",
    "sampling",
    "scaling",
    "settings",
    "shape",
    "size",
    "time",
    "trust",
    "weights",
    "wide code",
]


@dataclass(frozen=True)
class Note:
    """One choice made while a file was read, for the report's provenance.

    `topic` is what the choice was about; `text` one sentence.
    """

    topic: Topic
    text: str


@dataclass(frozen=True)
class SourceFile:
    """The file something was read from: its name, size in bytes and SHA-256 (hexadecimal)."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Autoencoder:
    """A trained image autoencoder, split at its bottleneck, in evaluation mode.

    Images go in and come out as float32 tensors (n, C, H, W) on the pixel scale of the data,
    [0, 1] for ordinary images: the model's own scaling (mean and sd, [−1, 1], logits) is inside
    `encode` and `decode`. All functions are deterministic; tensors live on `device`.

    Attributes
    ----------
    encode : (n, C, H, W) → (n, *code_shape); a VAE's posterior mean.
    decode : (n, *code_shape) → (n, C, H, W).
    input_shape : (C, H, W).
    code_shape : (K,) for flat codes, (C, H, W) for spatial ones.
    forward : the model's own whole forward, (n, C, H, W) → (n, C, H, W), to check the split
        against; None where the model has none.
    noise_held : whether the model itself draws noise there, which is held at its mean.
    posterior_sd : (n, C, H, W) → (n, *code_shape), a VAE's posterior standard deviation; None
        where the model is not variational or its σ cannot be found.
    notes : how the model was found, split and scaled.
    source : the file it came from; None for a model made in memory.
    name : a short name for headings.
    device : the torch device that holds the model.
    classes : names of its images' classes, by number, where its file says them.
    concurrent : whether encode, decode and forward may run in several threads at once, because
        they draw no noise and keep nothing from one call, or one operation, to the next.
    fixed_batch : how many images its file computes at once, whether there are as many or not.
    white : the pixel, on the data's scale, that the model takes for white, where its pixel scale
        says so (4095 / 65535 for 12 bits kept in 16); None where white is the data's own.
    code_book : (number of words, C) float32, of which each site of a code holds one, as in a
        VQ-VAE: (n, C, H, W) codes hold H·W words, and a flat code is one; None for other codes.
        Words may be shorter than a code has channels; `code_book_start` is then their first one.
    label_numbers : the number of each class, by its name, of a conditional model; empty for one
        that takes images alone. Its `encode`, `forward` and `posterior_sd` take labels (n,) as a
        second input, and its `decode` flat codes (n, code_size + label_size): behind each code
        stand indicators of its class, one for each number above 0.
    """

    encode: Callable[..., Tensor]
    decode: Callable[[Tensor], Tensor]
    input_shape: tuple[int, int, int]
    code_shape: tuple[int, ...]
    forward: Callable[..., Tensor] | None = None
    posterior_sd: Callable[..., Tensor] | None = None
    notes: tuple[Note, ...] = ()
    source: SourceFile | None = None
    name: str = "autoencoder"
    device: str = "cpu"
    noise_held: bool = False
    classes: tuple[str, ...] = ()
    concurrent: bool = False
    fixed_batch: int = 1
    white: float | None = None
    code_book: np.ndarray | None = None
    code_book_start: int = 0
    label_numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def code_size(self) -> int:
        """Number of floats in one code, without what stands behind it for its class."""
        return int(np.prod(self.code_shape))

    @property
    def label_size(self) -> int:
        """Number of indicators behind a code; 0 for a model that takes no labels."""
        return max(self.label_numbers.values(), default=0)

    @property
    def is_conditional(self) -> bool:
        """Tell whether the model takes the classes of its images."""
        return bool(self.label_numbers)

    @property
    def decoded_shape(self) -> tuple[int, ...]:
        """Shape in which `decode` takes one code."""
        return (self.code_size + self.label_size,) if self.is_conditional else self.code_shape

    def numbers_of(self, labels: Sequence[str] | None) -> np.ndarray | None:
        """(n,) numbers of these classes; None for a model that takes no labels.

        Raises DataError for images without classes, and for classes that the model was not given.
        """
        if not self.is_conditional:
            return None
        if labels is None:
            raise DataError("The model takes the classes of its images, and some have none.")
        missing = sorted(set(labels) - set(self.label_numbers))
        if missing:
            raise DataError(
                f"The model takes the classes of its images, and {missing[0]!r} is none that it "
                f"was loaded with: {', '.join(self.label_numbers)}."
            )
        return np.array([self.label_numbers[label] for label in labels], dtype=np.int64)

    @property
    def is_variational(self) -> bool:
        """Tell whether the posterior's standard deviation is known."""
        return self.posterior_sd is not None


class UnitKind(StrEnum):
    """Kinds of unit: one coordinate of a code, a channel, or a site of its grid."""

    COORDINATE = "coordinate"
    CHANNEL = "channel"
    SITE = "site"


@dataclass(frozen=True)
class Units:
    """Groups of coordinates of a flattened code that move together, and their names.

    Attributes
    ----------
    members : one array of coordinate indices for each unit; no coordinate is in two of them.
    names : one name for each unit, as printed.
    kind : what one unit is.
    code_size : number of coordinates in a code; those in no unit never move.
    """

    members: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    kind: UnitKind
    code_size: int

    @classmethod
    def of(cls, code_shape: tuple[int, ...], label_size: int = 0) -> Units:
        """Coordinates of a flat code, the channels of a spatial one; of a single channel its sites.

        The indicators of a class behind a code, `label_size` of them, are in no unit.

        A channel moves at all its sites at once, and is called by its place; one channel would be
        all of the code. A site is called "(row, column)".
        """
        size = int(np.prod(code_shape))
        channels, sites = code_shape[0], size // code_shape[0]
        names = [str(k) for k in range(channels)]
        if len(code_shape) == 1:
            kind = UnitKind.COORDINATE
        elif channels == 1 and sites > 1:
            kind = UnitKind.SITE
            channels, sites = sites, 1
            names = [str(site) for site in np.ndindex(*code_shape[1:])]
        else:
            kind = UnitKind.CHANNEL
        members = np.arange(size).reshape(channels, sites)
        return cls(tuple(members), tuple(names), kind, size + label_size)

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def unit_of_coordinate(self) -> np.ndarray:
        """(code_size,) the unit that each coordinate belongs to; −1 for none."""
        owner = np.full(self.code_size, -1, dtype=np.intp)
        for unit, coordinates in enumerate(self.members):
            owner[coordinates] = unit
        return owner

    def values(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, K): each unit's value, the mean of its coordinates."""
        codes = np.asarray(codes, dtype=np.float64)
        values = np.empty((len(codes), len(self)))
        for unit, coordinates in enumerate(self.members):
            values[:, unit] = codes[:, coordinates].mean(axis=1)
        return values

    def subset(self, chosen: Sequence[int] | np.ndarray) -> Units:
        """Return the units in `chosen` alone; the coordinates of the others no longer move."""
        members = tuple(self.members[unit] for unit in chosen)
        names = tuple(self.names[unit] for unit in chosen)
        return Units(members, names, self.kind, self.code_size)

    def together(self, groups: dict[str, tuple[int, ...]]) -> Units:
        """Named groups of units, each one unit, and after them the units in no group.

        Raises SettingsError where a group is empty, overlaps another, names a missing unit, or is
        called as a unit outside it is.
        """
        taken: set[int] = set()
        for name, units in groups.items():
            missing = [unit for unit in units if not 0 <= unit < len(self)]
            if missing or not units:
                raise SettingsError(
                    f"group {name!r} names unit {missing[0]}, but the code has units 0 to "
                    f"{len(self) - 1}."
                    if missing
                    else f"group {name!r} is empty; list the units that it holds."
                )
            if taken & set(units) or len(set(units)) < len(units):
                raise SettingsError(
                    f"a unit of group {name!r} is named twice; groups are disjoint."
                )
            taken |= set(units)
        alone = [unit for unit in range(len(self)) if unit not in taken]
        for unit in alone:
            if self.names[unit] in groups:
                raise SettingsError(
                    f"group {self.names[unit]!r} has the name of a unit that is not in any group; "
                    "call it something else."
                )
        members = [np.concatenate([self.members[u] for u in units]) for units in groups.values()]
        return Units(
            (*members, *(self.members[unit] for unit in alone)),
            (*groups, *(self.names[unit] for unit in alone)),
            self.kind,
            self.code_size,
        )

    def grouped(self, kept: Sequence[int] | np.ndarray) -> Units:
        """The units in `kept`, in that order, and all others together as one unit, "rest"."""
        others = [unit for unit in range(len(self)) if unit not in set(kept)]
        alone = self.subset(kept)
        if not others:
            return alone
        rest = np.concatenate([self.members[unit] for unit in others])
        return Units((*alone.members, rest), (*alone.names, "rest"), self.kind, self.code_size)
