"""Rearranged copies of a model's weights, kept where nobody can change the weights unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from torch import Tensor


class RearrangedWeights:
    """Copies of weights in other shapes.

    Parameters
    ----------
    keeps : whether a copy is kept and given again for the same weight. That is safe for a graph's
        constants; an author's code may change its weights unseen (`weight.data`).
    """

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._kept: dict[tuple[int, str], tuple[ref[Tensor], int, Tensor]] = {}

    def of(self, weight: Tensor, how: str, rearrange: Callable[[], Tensor]) -> Tensor:
        """Return `rearrange()`, or its kept result; `how` names what it does to the weight."""
        # A view is another tensor in every call, as what the model computes is.
        if not self._keeps or weight.is_inference() or weight._is_view():
            return rearrange()
        key, version = (id(weight), how), weight._version
        kept = self._kept.get(key)
        if kept is not None and kept[0]() is weight and kept[1] == version:
            return kept[2]
        made = rearrange()
        self._kept[key] = ref(weight), version, made
        return made
