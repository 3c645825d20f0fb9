"""Axes: the way from data to chart coordinates, linear and with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Numbers beyond are drawn at the axis' end.
LARGEST, SHORTEST = 1e100, 1e-200
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its coordinate and its label."""

    position: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear axis from data [low, high] to coordinates [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The coordinate of a value, to a tenth; values outside land on the nearer end."""
        share = (float(value) - self.low) / (self.high - self.low)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start), 1)

    def ticks(self, count: int = 5, *, whole: bool = False) -> tuple[Tick, ...]:
        """Round values within the axis, about `count` of them; whole numbers only where asked."""
        step = _round_step((self.high - self.low) / max(1, count))
        while whole and not step.is_integer():
            step = _round_step(1.01 * step)
        return tuple(
            Tick(self(value), label) for value, label in _round_values(self.low, self.high, step)
        )


def axis_over(values: np.ndarray, start: float, stop: float, *, include: float = 0.0) -> Axis:
    """An axis over the finite values and `include`; never of length 0."""
    finite = np.asarray(values, dtype=np.float64)
    finite = np.append(finite[np.isfinite(finite)], include)
    # Results may have been changed by anyone: an axis has a length that can be divided.
    finite = np.clip(finite, -LARGEST, LARGEST)
    low, high = float(finite.min()), float(finite.max())
    if high - low <= SHORTEST:
        pad = max(0.5, abs(low) * 1e-6)
        low, high = low - pad, high + pad
    return Axis(low, high, start, stop)


def _round_values(low: float, high: float, step: float) -> list[tuple[float, str]]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, decimals) != round(step, decimals + 1):
        decimals += 1
    return [
        (n * step, f"{n * step:,.{decimals}f}".replace("-", "−") if n else "0")
        for n in range(first, last + 1)
    ]


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(s * magnitude for s in STEPS if s * magnitude >= rough * (1 - 1e-9))
