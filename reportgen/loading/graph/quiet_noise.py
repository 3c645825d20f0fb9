"""Runs any code with Gaussian noise held at its mean, so that a sampling model shows its mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reportgen.loading.graph.operators import GAUSSIAN, RANDOM, names
from reportgen.loading.split import relative_difference
from reportgen.process.watched_operations import UncompiledMode

TOLERANCE = 1e-4
PLACES = names("argmin argmax")


class QuietNoise(UncompiledMode):
    """A context in which every Gaussian draw is its mean plus `deviations` times its sd.

    Torch's random numbers go on afterwards as if none had been drawn.

    Parameters
    ----------
    deviations : how many sds above its mean noise is held.
    keep_all : whether a Bernoulli draw is its mean too, by which dropout keeps everything.

    Attributes
    ----------
    draws : names of the random operators that ran.
    looks_up : whether the place of a smallest or largest value was asked for, as a code book does.
    """

    def __init__(self, deviations: float = 0.0, *, keep_all: bool = False) -> None:
        super().__init__()
        self.deviations = deviations
        self.draws: set[str] = set()
        self.looks_up = False
        self._keep_all = keep_all
        self._states: list[Tensor] = []

    def __enter__(self) -> Any:
        """Remember where torch's random numbers are."""
        self._states.append(torch.get_rng_state())
        return super().__enter__()  # type: ignore[no-untyped-call]  # torch's own

    def __exit__(self, *raised: Any) -> None:
        """Put torch's random numbers back there."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]  # torch's own
        torch.set_rng_state(self._states.pop())

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "_opname", "")
        if name in RANDOM:
            self.draws.add(name)
        self.looks_up |= name in PLACES
        drawn = func(*args, **kwargs)
        if name == "bernoulli_" and self._keep_all:
            share = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            return drawn.copy_(torch.as_tensor(share).expand_as(drawn))
        if name not in GAUSSIAN:
            return drawn
        mean, std = self._parameters(func, args, kwargs)
        return drawn.copy_(torch.as_tensor(mean + self.deviations * std).expand_as(drawn))

    @staticmethod
    def _parameters(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | kwargs
        return given.get("mean", 0.0), given.get("std", 1.0)


@dataclass(frozen=True)
class SdCheck:
    """A test, by a model's own sampling, of functions that might give its posterior sd.

    With all noise one sd above its mean, the whole model returns the decoded mean plus that sd.

    Attributes
    ----------
    one_above : the model's output for `images` with its noise so.
    code : the posterior mean of these images.
    decode : the model's decoder.
    """

    one_above: Tensor
    code: Tensor
    decode: Callable[[Tensor], Tensor]
    images: Tensor

    @classmethod
    def of(
        cls,
        whole: Callable[[Tensor], Tensor],
        code: Tensor,
        decode: Callable[[Tensor], Tensor],
        images: Tensor,
        *,
        keep_all: bool = False,
    ) -> SdCheck:
        """Make the check for a whole model that samples; `keep_all` where dropout draws too."""
        with torch.no_grad(), QuietNoise(deviations=1.0, keep_all=keep_all):
            return cls(whole(images.clone()), code, decode, images)

    def confirms(self, sd: Callable[[Tensor], Tensor]) -> bool:
        """Tell whether a function of images gives the posterior sd."""
        with torch.no_grad():
            moved = self.decode(self.code + sd(self.images))
        return relative_difference(self.one_above, moved) <= TOLERANCE
