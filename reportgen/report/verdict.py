"""Five questions, each one word, one number with its interval, and where to read on.

Words and their thresholds are in `words.py`, the thresholds' values in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.code_book import CodeBook
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.health import Health, UnitState
from reportgen.analyses.linearity import Linearity
from reportgen.analyses.pre_activation import PreActivation
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.subtraction import Subtraction
from reportgen.analyses.trust import Trust
from reportgen.report import numbers, phrases, words
from reportgen.report.numbers import NumberScale
from reportgen.report.results import Unit, VerdictLine
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

NOT_ASKED = "this question was not asked."


class _Verdict:
    """The numbers that every line of the verdict is made from, and the lines."""

    def __init__(
        self,
        answers: Answers,
        units: tuple[Unit, ...],
        settings: Settings,
        reasons: Mapping[str, str],
    ) -> None:
        self.answers, self.units, self.settings, self.reasons = answers, units, settings, reasons

    def unknown(self, question: str, section: str, reason: str | None = None) -> VerdictLine:
        """A line that says why there is no answer."""
        reason = reason or self.reasons.get(section, NOT_ASKED)
        return _without_number(question, words.UNKNOWN, section, numbers.capitalise(reason))

    def graded(
        self,
        scale: words.Scale,
        number: Estimate,
        beside: str,
        measure: str,
        printed: NumberScale,
        section: str,
        detail: str,
    ) -> VerdictLine:
        """A line with the words that the number's interval touches, and what is said beside."""
        found = scale.of(number, self.settings)
        if not found:
            return self.unknown(scale.question, section, "the number is undefined.")
        return VerdictLine(
            scale.question,
            words.spoken(found) + beside,
            found,
            number,
            measure,
            printed,
            section,
            numbers.with_plain_spaces(detail),
        )


def _without_number(question: str, word: str, section: str, detail: str) -> VerdictLine:
    return VerdictLine(question, word, (), None, "", "ratio", section, detail)


def verdict_of(
    answers: Answers,
    units: tuple[Unit, ...],
    settings: Settings,
    reasons: Mapping[str, str],
) -> tuple[VerdictLine, ...]:
    """The verdict, from the answers to all questions; by question, `reasons` why there is none."""
    verdict = _Verdict(answers, units, settings, reasons)
    lines = (_reconstructs, _is_linear, _can_be_summed, _which_matter, _subtraction_valid)
    return tuple(line(verdict) for line in lines)


def _reconstructs(verdict: _Verdict) -> VerdictLine:
    scale, result = words.RECONSTRUCTS, verdict.answers.of(Reconstruction)
    if result is None:
        return verdict.unknown(scale.question, "reconstruction")
    trust = verdict.answers.of(Trust)
    in_sample = trust is not None and trust.in_sample
    book = verdict.answers.of(CodeBook)
    beside = ""
    if result.r2.value >= 0 and book is None:
        beside = words.beside_pca(result.beyond_pca, verdict.settings)
    return verdict.graded(
        scale,
        result.r2,
        f", {beside}" if beside else "",
        "R² on the images that PCA was fitted on too" if in_sample else "R² on test images",
        "ratio",
        "reconstruction",
        _beside_pca(result) if book is None else _beside_real_numbers(result, book),
    )


def _beside_pca(result: Reconstruction) -> str:
    if result.pca_r2 is None:
        return "PCA in sample with as many components as images means nothing, so it is not shown."
    half = result.equivalent_with_half
    with_half = ""
    if half is not None:
        reached = "out of reach" if result.half_beyond else numbers.number(half)
        with_half = f" ({reached} with half of them)"
    return (
        f"Equal to {phrases.equivalent_components(result)} fitted on "
        f"{numbers.count(result.fit_rows)} images{with_half}; PCA with {result.pca_components} "
        f"reaches R² {numbers.plain(result.pca_r2)}."
    )


def _beside_real_numbers(result: Reconstruction, book: CodeBook) -> str:
    """PCA's line, and that words of a book say less each than its real numbers."""
    sites = book.sites[0] * book.sites[1]
    said = (
        f"A code is {numbers.count(sites)} word{'s' if sites > 1 else ''} out of "
        f"{numbers.count(book.words)}, PCA's a real number for each component, so that the two do "
        "not compare at an equal number of them."
    )
    return said if result.pca_r2 is None else f"{said} {_beside_pca(result)}"


def _is_linear(verdict: _Verdict) -> VerdictLine:
    scale, result = words.IS_LINEAR, verdict.answers.of(Linearity)
    if result is None:
        return verdict.unknown(scale.question, "linearity")
    if result.curved is None or result.not_additive is None:
        detail = "Too few images to tell curved from not additive."
    else:
        explained = phrases.percentages(
            {"A straight line explains": result.linear, "curves of single units": result.curved}
        )
        rest = numbers.percent(result.not_additive.value)
        together = f"on these codes at most {rest} is left to units together"
        if len(verdict.units) == 1:
            together = f"the curve's fit misses {rest}"
        detail = f"{explained}; {together}."
    measure = "of the reconstruction's variance is linear in the code"
    return verdict.graded(scale, result.linear, "", measure, "percent", "linearity", detail)


def _can_be_summed(verdict: _Verdict) -> VerdictLine:
    scale, answers = words.CAN_BE_SUMMED, verdict.answers
    result, health = answers.of(Additivity), answers.of(Health)
    if result is None and health is not None:
        varying = [unit for unit in health.units if UnitState.CONSTANT not in unit.states]
        if len(varying) == 1:
            detail = f"Only unit {varying[0].name} varies, so there is nothing to add up."
            return _without_number(scale.question, words.ONE_UNIT, "additivity", detail)
    if result is None:
        return verdict.unknown(scale.question, "additivity")
    if result.cannot_be_judged is None:
        reason = "whether the mean code is a place to judge from was not measured then."
        return verdict.unknown(scale.question, "additivity", reason)
    if result.cannot_be_judged:
        return _from_the_medoid(result)
    gap = result.up.gap
    detail = _of_fewer_units(result)
    explained = result.up.r2_sum
    if explained.value < 0:
        detail += " Moved up, the sum is further from the combined change than no change at all."
    else:
        percent = numbers.percent(explained.value)
        detail += f" Moved up, the sum explains {percent} of the squared change."
    before = answers.of(PreActivation)
    if before is not None and before.explains_gap:
        percent = numbers.percent(before.gap_up.value)
        detail += f" Before the last {before.squash} the gap is {percent}."
    return verdict.graded(
        scale, gap, "", _missed_by_the_sum(gap), phrases.scale_of(gap), "additivity", detail.strip()
    )


def _missed_by_the_sum(gap: Estimate) -> str:
    if phrases.scale_of(gap) == "percent":
        return "of the combined change is missed by the sum"
    return "the combined change: the size of the sum's error"


def _of_fewer_units(result: Additivity) -> str:
    """Say what two units at a time miss, and units taken away; "" for two units: all are one."""
    if len(result.sets[0].units) == 2:
        return ""
    assert result.gap_by_size is not None, "this build measured them"
    fewest = result.gap_by_size[0]
    return (
        f"Of {fewest.size} units at a time the sum {phrases.misses(fewest.gap.value)}; of all, "
        f"taken away one by one, it {phrases.misses(result.down.gap.value)}."
    )


def _from_the_medoid(result: Additivity) -> VerdictLine:
    """No word: from where no data is, sums say little of data. A real code's gap beside it."""
    if result.baseline_off_data:
        why = "The mean code is off data"
    else:
        flagged = numbers.percent(result.off_data_up.value)
        why = f"{flagged} of the codes with one unit away from the mean code are off data"
    from_medoid = next(row for row in result.by_baseline if row.baseline == "medoid")
    medoid, away = from_medoid.gap.gap, numbers.percent(from_medoid.off_data_share.value)
    return VerdictLine(
        words.CAN_BE_SUMMED.question,
        words.CANNOT_BE_JUDGED,
        (),
        medoid,
        f"{_missed_by_the_sum(medoid)}, measured from the medoid, a real code",
        phrases.scale_of(medoid),
        "additivity",
        numbers.with_plain_spaces(
            f"{why}, so that sums from there say little of data. Of the codes with one unit "
            f"away from the medoid, {away} are off data."
        ),
    )


def _which_matter(verdict: _Verdict) -> VerdictLine:
    health = verdict.answers.of(Health)
    shared = [unit for unit in verdict.units if unit.share is not None]
    if health is None or not shared:
        return verdict.unknown(words.WHICH_MATTER, "units", verdict.reasons.get("contributions"))
    first = max(shared, key=lambda unit: unit.share.value if unit.share else -np.inf)
    return VerdictLine(
        words.WHICH_MATTER,
        f"{health.distinct} of {len(health.units)}",
        (),
        first.share,
        f"of the change is carried by unit {first.name}, {_rank(first)}",
        "percent",
        "units",
        " ".join([*_spread(verdict, len(health.units)), *_who_matters_not(health)]),
    )


def _spread(verdict: _Verdict, units: int) -> list[str]:
    """Over how many equal units the change would be as spread; where directions say more, that."""
    shares = verdict.answers.of(Contributions)
    if shares is None or not np.isfinite(shares.effective_units):
        return []
    equal = numbers.number(shares.effective_units)
    directions = verdict.answers.of(DirectionContributions)
    if directions is not None and directions.leads:
        return [
            f"Spread over {units} units (as many as {equal} equal ones): read it by directions."
        ]
    return [f"The change is spread as over {equal} equal units."]


def _rank(unit: Unit) -> str:
    """ "the strongest", where resamples agree."""
    if unit.rank_high is None or unit.rank_high == unit.rank:
        return "the strongest"
    return f"the strongest on these images (rank 1 to {unit.rank_high} in resamples of them)"


def _who_matters_not(health: Health) -> list[str]:
    dead = len(health.units) - health.live
    verb = "has" if dead == 1 else "have"
    said = [
        f"{dead} of {len(health.units)} units {verb} next to no effect."
        if dead
        else "No unit is without effect."
    ]
    copies = [unit for unit in health.units if unit.duplicate_of is not None]
    if copies:
        named = numbers.units([unit.name for unit in copies])
        said.append(f"{numbers.capitalise(named)} go together so closely that copies count once.")
    return said


def _subtraction_valid(verdict: _Verdict) -> VerdictLine:
    scale, result = words.IS_VALID, verdict.answers.of(Subtraction)
    if result is None:
        return verdict.unknown(scale.question, "subtraction")
    zero, mean = result.miss_zero, result.miss_mean
    off_data = numbers.percent(result.off_data_zero.value)
    detail = (
        f"With the mean in place of zero they {_miss(mean)}; {off_data} of the zeroed codes are "
        "off data."
    )
    printed = phrases.scale_of(zero)
    measure = (
        "of the contributions' size is missed by zeroed-unit pictures"
        if printed == "percent"
        else "the contributions' size: the size of zeroed-unit pictures' error"
    )
    beside = _beside_zeroing(verdict, result)
    return verdict.graded(scale, zero, beside, measure, printed, "subtraction", detail)


def _miss(missed: Estimate) -> str:
    if missed.value > 1:
        return f"are off by {numbers.in_scale(missed.value, 'times')} that"
    return f"miss {numbers.percent(missed.value)}"


def _beside_zeroing(verdict: _Verdict, result: Subtraction) -> str:
    """ ": only from the mean roughly", ", but off data"."""
    scale, settings = words.IS_VALID, verdict.settings
    zero, mean = (scale.of(miss, settings) for miss in (result.miss_zero, result.miss_mean))
    beside = ""
    if zero and mean and scale.words.index(mean[0]) > scale.words.index(zero[-1]):
        beside += f": {words.FROM_THE_MEAN.said} {words.spoken(mean).lower()}"
    trust = verdict.answers.of(Trust)
    if trust is not None and words.is_off_data(
        result.off_data_zero, trust.real_codes_flagged, settings
    ):
        beside += (
            f", {words.OFF_DATA.said}" if zero and zero[-1] != words.Word.NO else ", and off data"
        )
    return beside
