"""Every word that stands for a number, and the threshold behind it.

A word knows its number's interval: where that crosses a threshold both words are said, "no to
mostly". The thresholds are settings. The table in docs/methods.md is made from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from reportgen.analyses.health import UnitState
from reportgen.analyses.tracking import Factor, FactorKind
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate, stronger_end, weaker_end


class Word(StrEnum):
    """One step of a scale."""

    NO = "no"
    POORLY = "poorly"
    PARTLY = "partly"
    ROUGHLY = "roughly"
    MOSTLY = "mostly"
    WELL = "well"
    LINEAR = "linear"
    YES = "yes"
    VALID = "valid"


# A unit's states as the page says them, where results.json has a shorter name.
STATES = {UnitState.ATOM: "mostly one value", UnitState.DUPLICATE: "a copy of another"}
UNKNOWN = "Unknown"
CANNOT_BE_JUDGED = "Cannot be judged from the mean code"
ONE_UNIT = "One unit"


@dataclass(frozen=True)
class Scale:
    """Words for one number, from the worst to the best.

    Attributes
    ----------
    question : as the verdict asks it.
    number : the number's name.
    words : from the worst to the best.
    thresholds : between two neighbours each, a number or the name of a setting.
    small_is_good : whether the best word stands below its threshold, and not from it on.
    """

    question: str
    number: str
    words: tuple[Word, ...]
    thresholds: tuple[float | str, ...]
    small_is_good: bool = False

    def word(self, value: float, settings: Settings) -> Word:
        """The word for a number that is not NaN."""
        limits = [_limit(threshold, settings) for threshold in self.thresholds]
        passed = [value < limit if self.small_is_good else value >= limit for limit in limits]
        # The best word whose threshold and all worse ones are passed.
        return self.words[sum(np.logical_and.accumulate(passed))]

    def of(self, estimate: Estimate, settings: Settings) -> tuple[Word, ...]:
        """The words within the number's interval, from the worst to the best; none for NaN."""
        if not np.isfinite(estimate.value):
            return ()
        ends = [e for e in (estimate.low, estimate.value, estimate.high) if np.isfinite(e)]
        places = [self.words.index(self.word(end, settings)) for end in ends]
        return self.words[min(places) : max(places) + 1]


def _limit(threshold: float | str, settings: Settings) -> float:
    return getattr(settings, threshold) if isinstance(threshold, str) else threshold


RECONSTRUCTS = Scale(
    question="Does it reconstruct?",
    number="R²",
    words=(Word.NO, Word.POORLY, Word.PARTLY, Word.WELL),
    thresholds=(0.0, "partly_reconstructed", "well_reconstructed"),
)
IS_LINEAR = Scale(
    question="Is it linear on the data?",
    number="linear share of Var x̂",
    words=(Word.NO, Word.PARTLY, Word.MOSTLY, Word.LINEAR),
    thresholds=("partly_linear_share", "mostly_linear_share", "linear_share"),
)
CAN_BE_SUMMED = Scale(
    question="Can effects be summed?",
    number="gap, moved up",
    words=(Word.NO, Word.ROUGHLY, Word.YES),
    thresholds=("medium_gap", "small_gap"),
    small_is_good=True,
)
IS_VALID = Scale(
    question="Is zero-and-subtract valid?",
    number="miss of zeroing",
    words=(Word.NO, Word.ROUGHLY, Word.VALID),
    thresholds=("medium_gap", "small_gap"),
    small_is_good=True,
)
WHICH_MATTER = "Which units matter?"
SCALES = (RECONSTRUCTS, IS_LINEAR, CAN_BE_SUMMED, IS_VALID)


@dataclass(frozen=True)
class Addition:
    """Words that are said beside another, and when.

    Attributes
    ----------
    said : the words.
    when : the condition; `{names}` in it are settings.
    """

    said: str
    when: str
    settings: tuple[str, ...] = field(default=())


ABOUT_AS_PCA = Addition(
    "about as well as PCA",
    "not in sample, no code book, and R² and PCA's of equal code size differ by less than "
    "{like_pca}, or the interval of their difference holds 0",
    ("like_pca",),
)
LESS_THAN_PCA = Addition(
    "less well than PCA",
    "not in sample, no code book, and the interval of R² less PCA's lies below 0, by {like_pca} or "
    "more",
    ("like_pca",),
)
FROM_THE_MEAN = Addition(
    "only from the mean",
    "the mean in place of zero is in a better class, intervals and all",
)
OFF_DATA = Addition(
    "but off data",
    "zeroed codes are flagged more than {off_data_factor} times as often as real ones (at the weak "
    "end of the interval; real ones count as at least 1 in 100)",
    ("off_data_factor",),
)
DRAWS = Addition(
    "draws",
    "a unit goes with a measure of the image, and one sd of it moves that by more than "
    "{drawn_deviations} sd at the weak end of the interval; “goes with … but does not draw it”, "
    "where at the strong end it does not either; else “may draw it”",
    ("drawn_deviations",),
)
GOES_WITH = Addition(
    "goes with",
    "at the weak end of the interval \\|r\\| is above {tracked_correlation}; for a class, the AUC "
    "above {tracked_auc}; “may go with”, where at the strong end it is and the interval leaves out "
    "0, for a class .5",
    ("tracked_correlation", "tracked_auc"),
)
SAME_PICTURE = Addition(
    "the same picture in every image, up to strength and sign",
    "ρ in context is {same_picture} or more at the weak end of the interval; else “one picture "
    "explains … of what it does”",
    ("same_picture",),
)
ADDITIONS = (
    ABOUT_AS_PCA,
    LESS_THAN_PCA,
    FROM_THE_MEAN,
    OFF_DATA,
    GOES_WITH,
    DRAWS,
    SAME_PICTURE,
)
# Real codes are flagged about this often by construction.
FLAGGED_ANYWAY = 0.01


def spoken(words: Sequence[Word]) -> str:
    """One word, or the two ends of several: "Mostly", "No to mostly", "Unknown"."""
    if not words:
        return UNKNOWN
    first, last = words[0], words[-1]
    return capital(first if first == last else f"{first} to {last}")


def states(of_unit: Sequence[UnitState]) -> str:
    """Say what is the matter with a unit: "collapsed, ignored"; "" for a healthy one."""
    return ", ".join(STATES.get(state, state) for state in of_unit)


def capital(text: str) -> str:
    """Capitalise the first letter."""
    return text[:1].upper() + text[1:]


def beside_pca(difference: Estimate | None, settings: Settings) -> str:
    """Compare R² with PCA's in words; "" where the model does better, or in sample (None)."""
    if difference is None or not np.isfinite(difference.low):
        return ""
    near = abs(difference.value) < settings.like_pca
    if near or difference.low <= 0 <= difference.high:
        return ABOUT_AS_PCA.said
    return LESS_THAN_PCA.said if difference.value < 0 else ""


def may_go_with(factor: Factor, settings: Settings) -> bool:
    """Tell whether the interval of a factor crosses the threshold from which on it is named."""
    of_class, found = factor.kind is FactorKind.CLASS, factor.association
    limit = settings.tracked_auc - 0.5 if of_class else settings.tracked_correlation
    return not factor.named and weaker_end(found) > 0 and stronger_end(found) > limit


class Drawing(StrEnum):
    """Answers to whether a unit draws what it goes with."""

    DRAWS = "draws"
    MAY_DRAW = "may draw"
    DOES_NOT = "does not draw"


def draws(does: Estimate, settings: Settings) -> Drawing:
    """Judge by what one sd of the unit moves the measure, in its sd; not to be asked of NaN."""
    limit = settings.drawn_deviations
    if weaker_end(does) > limit:
        return Drawing.DRAWS
    return Drawing.MAY_DRAW if stronger_end(does) > limit else Drawing.DOES_NOT


def is_same_picture(rho: Estimate, settings: Settings) -> bool:
    """Tell whether one picture explains so much of a unit's effect that no more is to be said."""
    weak = rho.low if np.isfinite(rho.low) else rho.value
    return bool(min(weak, rho.value) >= settings.same_picture)


def is_off_data(moved: Estimate, real: Estimate, settings: Settings) -> bool:
    """Tell whether moved codes are flagged so much more often than real ones that it is said."""
    weak = moved.low if np.isfinite(moved.low) else moved.value
    return bool(weak > settings.off_data_factor * max(real.value, FLAGGED_ANYWAY))


def words_table(settings: Settings) -> str:
    """The verdict's words with their thresholds, and what is said beside them, in Markdown."""
    lines = ["| question | number | words |", "|---|---|---|"]
    lines += [f"| {s.question} | {s.number} | {_steps(s, settings)} |" for s in SCALES]
    lines += ["", "| said | when |", "|---|---|"]
    for addition in ADDITIONS:
        values = {name: f"{getattr(settings, name):g}" for name in addition.settings}
        lines.append(f"| {addition.said} | {addition.when.format(**values)} |")
    return "\n".join(lines) + "\n"


def _steps(scale: Scale, settings: Settings) -> str:
    """List the words from best to worst: "from .95 *linear*; from .8 *mostly*; else *no*"."""
    side = "below" if scale.small_is_good else "from"
    steps = [
        f"{side} {_limit(threshold, settings):g} *{word}*"
        for word, threshold in zip(scale.words[:0:-1], scale.thresholds[::-1], strict=True)
    ]
    return "; ".join([*steps, f"else *{scale.words[0]}*"])
