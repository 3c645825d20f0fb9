"""What is made of a model's weights, and kept where nobody can change them unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from torch import Tensor


class RearrangedWeights:
    """Weights in other shapes.

    Parameters
    ----------
    keeps : whether they are kept, for the same weights. An author's code may change them unseen
        (`weight.data`).
    """

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._kept: dict[tuple[int, str], tuple[ref[Tensor], int, Tensor]] = {}

    def of(self, weight: Tensor, how: str, rearrange: Callable[[], Tensor]) -> Tensor:
        """`rearrange()`, which depends on nothing but the weight and `how`."""
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
