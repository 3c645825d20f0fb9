"""Codes as a baseline and parts that are added to it: directions of the code as players."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.engine.coalitions import CodePanel, both_ways
from reportgen.engine.engine import Engine


@dataclass(frozen=True)
class CodeParts:
    """Players that are parts of z − z0 and not coordinates of z: z = z0 + part₁ + part₂ + …

    A class behind a code, of a conditional model, is in no part: z0 is of the code's own.

    Attributes
    ----------
    engine : decodes the codes.
    baseline : (code_size,) z0.
    names : of each part, as printed.
    parts_of : (code_size,) → (parts, code_size) float64 that sum to z − z0.
    """

    engine: Engine
    baseline: np.ndarray
    names: tuple[str, ...]
    parts_of: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """The number of parts."""
        return len(self.names)

    @property
    def players(self) -> CodeParts:
        """The units that move on a path, as `Coalitions.players` is."""
        return self

    def paths(self, codes: np.ndarray, steps: int, orders: Sequence[np.ndarray]) -> CodePanel:
        """Return the codes of paths from the baseline to each code, as `Coalitions.paths` does.

        Parts move one at a time, in each step from step/steps to (step + 1)/steps of themselves,
        once in a row's order and once in the reverse.
        """
        each = 2 * steps * (len(self) + 1)

        def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
            return self._on_path(codes[place], steps, orders[place], np.arange(each)[which])

        return CodePanel(len(codes), each, of_row)

    def start(self, code: np.ndarray) -> np.ndarray:
        """(code_size,) z0 of a code's own class."""
        start = self.baseline.copy()
        behind = self.engine.label_size
        if behind:
            start[-behind:] = code[-behind:]
        return start

    def _on_path(
        self, code: np.ndarray, steps: int, order: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        step, place = np.divmod(numbers, 2 * (len(self) + 1))
        return self.mixed(code, (step[:, None] + both_ways(order)[place]) / steps)

    def mixed(self, code: np.ndarray, taken: np.ndarray) -> np.ndarray:
        """(n, code_size) float32: z0 and of each part what a row of `taken` (n, parts) says."""
        start = self.start(code)
        mixed = (start + taken @ self.parts_of(code)).astype(np.float32)
        # The ends are the codes themselves, to the last bit.
        mixed[(taken == 0).all(axis=1)] = start
        mixed[(taken == 1).all(axis=1)] = code
        return mixed
