"""Everything measured about one unit in one place, and in one sentence that says no more."""

from __future__ import annotations

from typing import Any

import numpy as np

from reportgen.analyses.ablation import Ablation
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.health import WITHOUT_EFFECT, Health, UnitHealth
from reportgen.analyses.interactions import Interactions
from reportgen.analyses.one_picture import OnePicture, UnitPicture
from reportgen.analyses.replicates import Replicates, UnitReplication
from reportgen.analyses.tracking import Factor, Tracking
from reportgen.report import numbers
from reportgen.report.results import Unit
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

ONE_PICTURE, SEVERAL_PICTURES = 0.9, 0.6
NO_EFFECT = 1e-10


def merge_units(answers: Answers) -> tuple[Unit, ...]:
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
    tracked = _by_unit(answers.of(Tracking))
    returned = _by_unit(answers.of(Replicates))
    units = []
    for state in health.units:
        k = state.unit
        share, effect, picture = shares.get(k), effects.get(k), pictures.get(k)
        tracks = _named(tracked.get(k), state)
        partner = _partner(answers.of(Interactions), k)
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
                largest_interaction=partner,
                correlated_with=state.correlated_with,
                sentence=_sentence(
                    state, share.share if share else None, tracks, picture, partner, returned.get(k)
                ),
            )
        )
    return tuple(sorted(units, key=lambda unit: (_quiet(unit), unit.rank or np.inf, unit.index)))


def _quiet(unit: Unit) -> bool:
    return bool(WITHOUT_EFFECT & set(unit.health))


def _by_unit(answer: OnePicture | Tracking | Replicates | None) -> dict[int, Any]:
    return {} if answer is None else {entry.unit: entry for entry in answer.units}


def _named(tracking: Any, state: UnitHealth) -> tuple[Factor, ...]:
    if tracking is None or WITHOUT_EFFECT & set(state.states):
        return ()
    return tuple(factor for factor in tracking.factors if factor.named)


def _partner(interactions: Interactions | None, unit: int) -> int | None:
    """The named unit with the largest pair share, or None."""
    if interactions is None or unit not in interactions.units:
        return None
    row = interactions.matrix[interactions.units.index(unit)]
    others = [
        (float(row[place]), other)
        for place, other in enumerate(interactions.units)
        if other not in (unit, -1)
    ]
    return max(others)[1] if others and max(others)[0] > NO_EFFECT else None


def _sentence(
    state: UnitHealth,
    share: Estimate | None,
    tracks: tuple[Factor, ...],
    picture: UnitPicture | None,
    partner: int | None,
    returned: UnitReplication | None,
) -> str:
    name = f"Unit {state.name}"
    if "constant" in state.states:
        return f"{name} has the same value for every image."
    if "ignored" in state.states:
        why = " (collapsed: its posterior is the prior)" if "collapsed" in state.states else ""
        return f"{name} has next to no effect on the image{why}."
    clauses = []
    if share is not None:
        clauses.append(f"carries {100 * share.value:.3g} % of the change")
    ordered = [factor for factor in tracks if factor.kind != "class"]
    classes = [factor for factor in tracks if factor.kind == "class"]
    if ordered:
        clauses.append("tracks " + " and ".join(_tracked(factor) for factor in ordered[:2]))
    if classes:
        clauses.append("is " + " and ".join(_sided(factor) for factor in classes[:2]))
    # Several numbers may draw several pictures, in a linear decoder too.
    single = state.coordinates == 1
    if picture is not None and single and np.isfinite(picture.rho_context.value):
        clauses.append(_pictured(picture))
    if partner is not None:
        clauses.append(f"largest interaction with unit {partner}")
    if returned is not None:
        clauses.append(
            f"in other trainings its match has |r| {returned.median:.2f} (median of "
            f"{len(returned.correlations)})"
        )
    return f"{name} " + "; ".join(clauses) + "." if clauses else f"{name} varies."


def _tracked(factor: Factor) -> str:
    symbol = "AUC" if factor.kind == "class" else "r"
    measure = factor.measure
    return (
        f"{factor.name} ({symbol} {numbers.signed(measure.value)} "
        f"[{numbers.signed(measure.low)}, {numbers.signed(measure.high)}])"
    )


def _sided(factor: Factor) -> str:
    side = "high" if factor.measure.value > 0.5 else "low"
    return f"{side} for {_tracked(factor)}"


def _pictured(picture: UnitPicture) -> str:
    rho = picture.rho_context.value
    if rho >= ONE_PICTURE:
        words = "the same picture in every image"
    elif rho >= SEVERAL_PICTURES:
        words = "much the same picture in every image"
    else:
        words = "a different picture in different images"
    return f"{words} (ρ {rho:.2f})"
