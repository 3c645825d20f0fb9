"""Costs of each part of a build: decodes, encodes, and seconds in the model and outside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reportgen.engine import Engine

# Steps of a build that no decoder counts for.
OUTSIDE_THE_STUDY = ("images", "model", "plan", "live walk", "page", "writing", "printing")


@dataclass(frozen=True)
class Cost:
    """One part of a build.

    Attributes
    ----------
    name : an analysis, or what several share, "single moves" for instance.
    decodes, encodes : images through the decoder and the encoder.
    model_seconds : seconds in the model; seconds all of it.
    """

    name: str
    decodes: int
    encodes: int
    model_seconds: float
    seconds: float


def costs(engine: Engine, steps: Mapping[str, float]) -> tuple[Cost, ...]:
    """Every part, the dearest first; `steps` are the seconds of the build's own steps."""
    studied = engine.elapsed.items()
    seconds = {name.replace("_", " "): s for name, s in studied}
    seconds |= {name: steps[name] for name in OUTSIDE_THE_STUDY if name in steps}
    counted: dict[str, list[float]] = {name: [0, 0, 0.0] for name in seconds}
    ledgers: tuple[Mapping[str, float], ...] = (engine.forwards, engine.encodes, engine.seconds)
    for place, counts in enumerate(ledgers):
        for name, count in counts.items():
            counted.setdefault(name.replace("_", " "), [0, 0, 0.0])[place] += count
    found = [
        Cost(name, int(decodes), int(encodes), model, seconds.get(name, model))
        for name, (decodes, encodes, model) in counted.items()
    ]
    return tuple(sorted(found, key=lambda cost: -cost.seconds))


def with_steps(profile: tuple[Cost, ...], steps: Mapping[str, float]) -> tuple[Cost, ...]:
    """The profile, and those of the build's own steps that came after it."""
    known = {cost.name for cost in profile}
    later = [name for name in OUTSIDE_THE_STUDY if name in steps and name not in known]
    added = (Cost(name, 0, 0, 0.0, steps[name]) for name in later)
    return tuple(sorted((*profile, *added), key=lambda cost: -cost.seconds))


def total_cost(profile: tuple[Cost, ...]) -> Cost:
    """The sum over all parts."""
    return Cost(
        "all",
        sum(cost.decodes for cost in profile),
        sum(cost.encodes for cost in profile),
        sum(cost.model_seconds for cost in profile),
        sum(cost.seconds for cost in profile),
    )
