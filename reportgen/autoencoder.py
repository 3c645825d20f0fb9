"""What the analyses know of a model: `Autoencoder`, and `Units`, the coordinates that move together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Note:
    """One choice made while a file was read, for the report's provenance.

    `topic` is a short noun ("format", "split", "scaling"); `text` one sentence.
    """

    topic: str
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
    posterior_sd : (n, C, H, W) → (n, *code_shape), a VAE's posterior standard deviation; None
        where the model is not variational or its σ cannot be found.
    notes : how the model was found, split and scaled.
    source : the file it came from; None for a model made in memory.
    name : a short name for headings.
    """

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    input_shape: tuple[int, int, int]
    code_shape: tuple[int, ...]
    forward: Callable[[Tensor], Tensor] | None = None
    posterior_sd: Callable[[Tensor], Tensor] | None = None
    notes: tuple[Note, ...] = ()
    source: SourceFile | None = None
    name: str = "autoencoder"
    device: str = "cpu"

    @property
    def code_size(self) -> int:
        """Number of floats in one code."""
        return int(np.prod(self.code_shape))

    @property
    def is_variational(self) -> bool:
        """Whether the posterior's standard deviation is known."""
        return self.posterior_sd is not None


@dataclass(frozen=True)
class Units:
    """Which coordinates of a flattened code move together, and what they are called.

    Attributes
    ----------
    members : one array of coordinate indices for each unit; together they cover the code once.
    names : one name for each unit, as printed.
    kind : "coordinate" or "channel".
    """

    members: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    kind: str = "coordinate"
    code_size: int = field(default=0)

    @classmethod
    def of(cls, code_shape: tuple[int, ...]) -> Units:
        """Coordinates of a flat code, or the channels of a spatial one."""
        size = int(np.prod(code_shape))
        if len(code_shape) == 1:
            members = tuple(np.array([k]) for k in range(size))
            kind = "coordinate"
        else:
            sites = size // code_shape[0]
            members = tuple(np.arange(k * sites, (k + 1) * sites) for k in range(code_shape[0]))
            kind = "channel"
        names = tuple(str(k) for k in range(len(members)))
        return cls(members, names, kind, size)

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def unit_of_coordinate(self) -> np.ndarray:
        """(code_size,) the unit that each coordinate belongs to."""
        owner = np.empty(self.code_size, dtype=np.intp)
        for unit, coordinates in enumerate(self.members):
            owner[coordinates] = unit
        return owner

    def values(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, K): each unit's value, the mean of its coordinates."""
        codes = np.asarray(codes, dtype=np.float64)
        return np.stack([codes[:, coordinates].mean(axis=1) for coordinates in self.members], axis=1)
