"""Everything measured about one unit in one place, and in one sentence that says no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reportgen.analyses.ablation import Ablation
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.draws import Draws, UnitDrawing
from reportgen.analyses.health import WITHOUT_EFFECT, Health, UnitHealth, UnitState
from reportgen.analyses.interactions import Interactions
from reportgen.analyses.one_picture import OnePicture, UnitPicture
from reportgen.analyses.replicates import Replicates, UnitReplication
from reportgen.analyses.tracking import Factor, FactorKind, Tracking, UnitTracking
from reportgen.report import numbers, words
from reportgen.report.results import DrawnFactor, Unit
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

MOST_FACTORS, MOST_DRAWN, MOST_PARTNERS = 2, 3, 3


def merge_units(answers: Answers, settings: Settings) -> tuple[Unit, ...]:
    """One `Unit` for each unit of the code, by share, units without one last.

    Answers that are missing leave their fields None.
    """
    health = answers.of(Health)
    if health is None:
        return ()
    contributions, ablation = answers.of(Contributions), answers.of(Ablation)
    shares = {share.unit: share for share in contributions.shares} if contributions else {}
    effects = {effect.unit: effect for effect in ablation.effects} if ablation else {}
    pictures = _by_unit(answers.of(OnePicture))
    tracked, drawings = _by_unit(answers.of(Tracking)), _by_unit(answers.of(Draws))
    returned = _by_unit(answers.of(Replicates))
    names = {state.unit: state.name for state in health.units}
    units = []
    for state in health.units:
        k = state.unit
        share, effect, picture = shares.get(k), effects.get(k), pictures.get(k)
        tracks = _gone_with(tracked.get(k), state, settings)
        draws = _drawn(drawings.get(k), settings)
        interactions = answers.of(Interactions)
        partners = _partners(interactions, k)
        sentence = _Sentence(
            state=state,
            share=share.share if share else None,
            tracks=tracks,
            does=drawings[k].does if k in drawings else {},
            picture=picture,
            partners=[names[partner] for partner in partners],
            switched=interactions.rows if interactions is not None else 0,
            returned=returned.get(k),
            settings=settings,
        )
        units.append(
            Unit(
                index=k,
                name=state.name,
                share=share.share if share else None,
                rank=share.rank if share else None,
                rank_low=share.rank_low if share else None,
                rank_high=share.rank_high if share else None,
                effect=effect.effect if effect else None,
                solo=effect.solo if effect else None,
                damage=effect.damage if effect else None,
                rho_solo=picture.rho_solo if picture else None,
                rho_context=picture.rho_context if picture else None,
                intensity_r2=picture.intensity_r2 if picture else None,
                health=state.states,
                tracks=tracks,
                draws=draws,
                largest_interaction=partners[0] if partners else None,
                interaction_partners=partners,
                correlated_with=state.correlated_with,
                sentence=sentence.text(),
            )
        )
    return tuple(sorted(units, key=lambda unit: (_quiet(unit), unit.rank or np.inf, unit.index)))


def _quiet(unit: Unit) -> bool:
    return bool(WITHOUT_EFFECT & set(unit.health))


def _by_unit(answer: OnePicture | Tracking | Replicates | Draws | None) -> dict[int, Any]:
    return {} if answer is None else {entry.unit: entry for entry in answer.units}


def _gone_with(
    tracking: UnitTracking | None, state: UnitHealth, settings: Settings
) -> tuple[Factor, ...]:
    """The factors that a unit goes with, and then those that it may go with."""
    if tracking is None or WITHOUT_EFFECT & set(state.states):
        return ()
    named = tuple(factor for factor in tracking.factors if factor.named)
    return named + tuple(f for f in tracking.factors if words.may_go_with(f, settings))


def _drawn(drawing: UnitDrawing | None, settings: Settings) -> tuple[DrawnFactor, ...]:
    """The measures that a unit draws, strongest first."""
    if drawing is None:
        return ()
    drawn = [
        DrawnFactor(name, does)
        for name, does in drawing.does.items()
        if words.draws(does, settings) is words.Drawing.DRAWS
    ]
    return tuple(sorted(drawn, key=lambda factor: -abs(factor.does.value))[:MOST_DRAWN])


def _partners(interactions: Interactions | None, unit: int) -> tuple[int, ...]:
    """The units that may have the largest pair share with this one."""
    if interactions is None or interactions.partners is None or unit not in interactions.units:
        return ()
    return interactions.partners[interactions.units.index(unit)]


class _Sentence:
    """A unit's numbers, and the clauses that say them."""

    def __init__(
        self,
        *,
        state: UnitHealth,
        share: Estimate | None,
        tracks: tuple[Factor, ...],
        does: dict[str, Estimate],
        picture: UnitPicture | None,
        partners: Sequence[str],
        switched: int,
        returned: UnitReplication | None,
        settings: Settings,
    ) -> None:
        self.state, self.share, self.tracks, self.does = state, share, tracks, does
        self.picture, self.partners, self.returned = picture, partners, returned
        self.switched, self.settings = switched, settings

    def text(self) -> str:
        """The sentence, or the one reason why there is nothing to say."""
        name, states = f"Unit {self.state.name}", self.state.states
        if UnitState.CONSTANT in states:
            return f"{name} has the same value for every image."
        if UnitState.IGNORED in states:
            collapsed = UnitState.COLLAPSED in states
            why = " (collapsed: its posterior is nearly the prior)" if collapsed else ""
            return f"{name} has next to no effect on the image{why}."
        clauses = [
            *self._share(),
            *self._factors(),
            *self._classes(),
            *self._picture(),
            *self._company(),
        ]
        said = f"{name} {'; '.join(clauses)}." if clauses else f"{name} varies."
        return numbers.with_plain_spaces(said)

    def _share(self) -> list[str]:
        if self.share is None:
            return []
        return [f"carries {numbers.plain(self.share, 'percent')} of the change"]

    def _factors(self) -> list[str]:
        ordered = [factor for factor in self.tracks if factor.kind is not FactorKind.CLASS]
        return [self._factor(factor) for factor in ordered[:MOST_FACTORS]]

    def _factor(self, factor: Factor) -> str:
        """ "draws" or "goes with": what a unit follows it may or may not paint."""
        measured = _measured("r", factor.measure)
        goes_with = f"{'goes' if factor.named else 'may go'} with {factor.name}"
        does = self.does.get(factor.name) if factor.kind is FactorKind.IMAGE else None
        if does is None or not np.isfinite(does.value):
            return f"{goes_with} ({measured})"
        by = f"one sd of it moves that by {numbers.signed(does.value)} sd {_ends(does)}"
        if not factor.named:
            return f"{goes_with} ({measured}; {by})"
        verb = words.draws(does, self.settings)
        if verb is words.Drawing.DRAWS:
            return f"draws {factor.name} ({measured}; {by})"
        if verb is words.Drawing.DOES_NOT:
            return f"{goes_with} ({measured}) but does not draw it ({by})"
        return f"{goes_with} ({measured}) and may draw it ({by})"

    def _classes(self) -> list[str]:
        classes = [factor for factor in self.tracks if factor.kind is FactorKind.CLASS]
        said = []
        for named, verb in ((True, "is"), (False, "may be")):
            sided = [
                f"{'high' if factor.association.value > 0 else 'low'} for {factor.name} "
                f"({_measured('AUC', factor.measure)})"
                for factor in classes[:MOST_FACTORS]
                if factor.named == named
            ]
            said += [f"{verb} {' and '.join(sided)}"] if sided else []
        return said

    def _picture(self) -> list[str]:
        picture = self.picture
        # Several numbers may draw several pictures, in a linear decoder too.
        single = self.state.coordinates == 1
        if picture is None or not single or not np.isfinite(picture.rho_context.value):
            return []
        rho = picture.rho_context
        if words.is_same_picture(rho, self.settings):
            return [f"{words.SAME_PICTURE.said} (ρ {rho.value:.2f})"]
        explained = numbers.plain(rho, "percent")
        return [f"one picture explains {explained} of what it does in images"]

    def _company(self) -> list[str]:
        found = []
        if self.partners:
            found.append(
                f"largest interaction with {_any_of(self.partners)} (on "
                f"{numbers.count(self.switched)} images)"
            )
        if self.returned is not None:
            found.append(
                f"in other trainings it comes back as one unit with |r| "
                f"{numbers.signed(self.returned.median)} and within the code with R² "
                f"{numbers.signed(self.returned.explained_median)} (median of "
                f"{len(self.returned.correlations)})"
            )
        return found


def _any_of(names: Sequence[str]) -> str:
    """Name one unit, or up to three of which one it is: "unit 4", "unit 4 or 9"."""
    if len(names) > MOST_PARTNERS:
        return f"unit {names[0]}, one of {len(names)} in resamples"
    *others, last = names
    return f"unit {', '.join(others)} or {last}" if others else f"unit {last}"


def _measured(symbol: str, measure: Estimate) -> str:
    return f"{symbol} {numbers.signed(measure.value)} {_ends(measure)}"


def _ends(measure: Estimate) -> str:
    return f"[{numbers.signed(measure.low)}, {numbers.signed(measure.high)}]"
