"""Numbers said in the middle of a sentence, alike wherever they are said."""

from __future__ import annotations

from reportgen.analyses.reconstruction import Reconstruction
from reportgen.report import numbers
from reportgen.report.numbers import NumberScale
from reportgen.statistics.bootstrap import Estimate


def scale_of(missed: Estimate) -> NumberScale:
    """A part that is missed is in percent, as long as it is a part."""
    return "times" if missed.value > 1 else "percent"


def misses(value: float, whole: str = "") -> str:
    """ "misses 66 % of it", or where it is more than that "is off by 4.52 times it"."""
    if value > 1:
        return f"is off by {numbers.in_scale(value, 'times')} {whole or 'its size'}"
    return f"misses {numbers.percent(value)}" + (f" of {whole}" if whole else "")


def percentages(parts: dict[str, Estimate]) -> str:
    """ "a straight line explains 70 %, curves 6 %": each number after its name."""
    return ", ".join(f"{name} {numbers.percent(part.value)}" for name, part in parts.items())


def equivalent_components(result: Reconstruction) -> str:
    """Say how many components do as well: "14.2 PCA components [13.1, 15.0]", "at most …"."""
    equivalent = result.equivalent_components
    if equivalent is None:
        return "undefined"
    if result.equivalent_beyond:
        return f"more than {result.largest_components} PCA components"
    at_most = "at most " if result.equivalent_at_most else ""
    return f"{at_most}{numbers.plain(equivalent)} PCA components"
