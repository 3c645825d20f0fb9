"""Runs any code with Gaussian noise held at its mean, so that a sampling model shows its mean."""

from __future__ import annotations

from typing import Any

import torch

from reportgen.loading.graph.operators import GAUSSIAN, RANDOM
from reportgen.process.watched_operations import UncompiledMode


class QuietNoise(UncompiledMode):
    """Within this block every Gaussian draw is its mean plus `deviations` times its sd.

    Attributes
    ----------
    draws : names of the random operators that ran.
    """

    def __init__(self, deviations: float = 0.0) -> None:
        super().__init__()
        self.deviations = deviations
        self.draws: set[str] = set()

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
        drawn = func(*args, **kwargs)
        if name not in GAUSSIAN:
            return drawn
        mean, std = self._parameters(func, args, kwargs)
        return drawn.copy_(torch.as_tensor(mean + self.deviations * std).expand_as(drawn))

    @staticmethod
    def _parameters(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | kwargs
        return given.get("mean", 0.0), given.get("std", 1.0)
