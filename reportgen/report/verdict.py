"""Five questions, each one word, one number with its interval, and where to read on.

Words come from the thresholds in `settings.py`, which the report prints.
"""

from __future__ import annotations

import numpy as np

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.health import Health
from reportgen.analyses.linearity import Linearity
from reportgen.analyses.pre_activation import PreActivation
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.subtraction import Subtraction
from reportgen.report import numbers
from reportgen.report.results import Unit, VerdictLine
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

UNKNOWN = "Unknown"


def verdict_of(
    answers: Answers, units: tuple[Unit, ...], settings: Settings
) -> tuple[VerdictLine, ...]:
    """The verdict, from the answers to all questions."""
    return (
        _reconstructs(answers.of(Reconstruction), settings),
        _is_linear(answers.of(Linearity), settings),
        _can_be_summed(answers, settings),
        _which_matter(answers.of(Health), units),
        _subtraction_valid(answers.of(Subtraction), settings),
    )


def _unknown(question: str, section: str) -> VerdictLine:
    return VerdictLine(
        question, UNKNOWN, None, "", "ratio", section, "See the section for the reason."
    )


def _reconstructs(result: Reconstruction | None, settings: Settings) -> VerdictLine:
    question = "Does it reconstruct?"
    if result is None:
        return _unknown(question, "reconstruction")
    r2, equivalent = result.r2, result.equivalent_components
    worse = equivalent is not None and equivalent.high < result.pca_components
    if r2.value < 0:
        word = "No"
    elif r2.value < settings.partly_reconstructed:
        word = "Poorly"
    elif worse:
        word = "Less well than PCA"
    else:
        word = "Well" if r2.value >= settings.well_reconstructed else "Partly"
    return VerdictLine(
        question, word, r2, "R² on held-out images", "ratio", "reconstruction", _beside_pca(result)
    )


def _beside_pca(result: Reconstruction) -> str:
    if result.pca_r2 is None:
        return "PCA in sample with as many components as images means nothing, so it is not shown."
    k = result.equivalent_components
    if k is None or result.equivalent_beyond:
        equal = f"more than {result.largest_components} PCA components"
    else:
        equal = f"{numbers.number(k.value)} PCA components {numbers.interval(k)}"
    return (
        f"Equal to {equal}; PCA with {result.pca_components} reaches R² "
        f"{numbers.number(result.pca_r2.value)}."
    )


def _is_linear(result: Linearity | None, settings: Settings) -> VerdictLine:
    question = "Is it linear on the data?"
    if result is None:
        return _unknown(question, "linearity")
    linear = result.linear.value
    if linear >= settings.linear_share:
        word = "Linear"
    elif linear >= settings.mostly_linear_share:
        word = "Mostly"
    else:
        word = "No"
    if result.curved is None or result.not_additive is None:
        detail = "Too few images to tell curved from not additive."
    else:
        detail = (
            f"{_percent(result.curved)} more is curved; {_percent(result.not_additive)} "
            "is not additive."
        )
    measure = "of the reconstruction's variance is linear in the code"
    return VerdictLine(question, word, result.linear, measure, "percent", "linearity", detail)


def _can_be_summed(answers: Answers, settings: Settings) -> VerdictLine:
    question = "Can effects be summed?"
    result, before_squash = answers.of(Additivity), answers.of(PreActivation)
    health = answers.of(Health)
    if result is None and health is not None:
        varying = [unit for unit in health.units if "constant" not in unit.states]
        if len(varying) == 1:
            detail = f"Only unit {varying[0].name} varies, so there is nothing to add up."
            return VerdictLine(question, "One unit", None, "", "ratio", "additivity", detail)
    if result is None:
        return _unknown(question, "additivity")
    gap = result.up.gap
    explained = result.up.r2_sum
    moved_up = (
        f"explains {_percent(explained)} of the squared change"
        if not explained.value < 0
        else "is further from the combined change than no change at all"
    )
    detail = (
        f"Taken away one by one instead, the sum misses {_percent(result.down.gap)}; moved up, it "
        f"{moved_up}."
    )
    if before_squash is not None and before_squash.explains_gap:
        detail += (
            f" Before the last {before_squash.squash} the gap is {_percent(before_squash.gap_up)}."
        )
    measure = "of the combined change is missed by the sum"
    word = _small_enough(gap, settings, ("Yes", "Roughly", "No"))
    return VerdictLine(question, word, gap, measure, "percent", "additivity", detail)


def _which_matter(health: Health | None, units: tuple[Unit, ...]) -> VerdictLine:
    question = "Which units matter?"
    shared = [unit for unit in units if unit.share is not None]
    if health is None or not shared:
        return _unknown(question, "units")
    first = max(shared, key=lambda unit: unit.share.value if unit.share else -np.inf)
    dead = len(health.units) - health.live
    detail = (
        f"{dead} of {len(health.units)} units have next to no effect."
        if dead
        else ("No unit is without effect.")
    )
    measure = f"of the change is carried by unit {first.name}, the strongest"
    word = f"{health.live} of {len(health.units)}"
    return VerdictLine(question, word, first.share, measure, "percent", "units", detail)


def _subtraction_valid(result: Subtraction | None, settings: Settings) -> VerdictLine:
    question = "Is zero-and-subtract valid?"
    if result is None:
        return _unknown(question, "subtraction")
    detail = (
        f"With the mean in place of zero it misses {_percent(result.miss_mean)}; "
        f"{numbers.percentage(result.off_data_zero)} % of the zeroed codes are off data."
    )
    measure = "is how far the difference pictures are from contributions that add up"
    word = _small_enough(result.miss_zero, settings, ("Valid", "Roughly", "No"))
    return VerdictLine(question, word, result.miss_zero, measure, "percent", "subtraction", detail)


def _small_enough(gap: Estimate, settings: Settings, words: tuple[str, str, str]) -> str:
    if not np.isfinite(gap.value):
        return UNKNOWN
    if gap.value < settings.small_gap:
        return words[0]
    return words[1] if gap.value < settings.medium_gap else words[2]


def _percent(number: Estimate) -> str:
    return f"{numbers.percentage(number.value)} %"
