"""A unit's sentence says what was measured and no more."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from reportgen.analyses import (
    ablation,
    contributions,
    draws,
    health,
    interactions,
    one_picture,
    tracking,
)
from reportgen.analyses.draws import Draws, UnitDrawing
from reportgen.analyses.replicates import Replicates, UnitReplication
from reportgen.analyses.tracking import Factor, FactorKind, Tracking, UnitTracking
from reportgen.report import numbers
from reportgen.report.results import Unit
from reportgen.report.unit_sentences import merge_units
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.conftest import FEW
from tests.oracles import decoders

MODULES = {
    "health": health,
    "contributions": contributions,
    "ablation": ablation,
    "one_picture": one_picture,
    "interactions": interactions,
    "tracking": tracking,
    "draws": draws,
}


def answers_of(study: Study) -> Answers:
    return Answers({name: module.run(study) for name, module in MODULES.items()})


def units_of(study: Study) -> dict[int, Unit]:
    return {unit.index: unit for unit in merge_units(answers_of(study), FEW)}


@pytest.fixture(scope="module")
def studied() -> Study:
    """Units 0 and 1 multiply; 2 is alone; 3 has no effect; 4 is constant; 5 copies unit 2."""
    first, second, third = decoders.directions(3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return (
            z[:, :1] * first
            + 3 * z[:, :1] * z[:, 1:2] * second
            + (2 * z[:, 2:3] + 0.5 * z[:, 5:6]) * third
        )

    codes = decoders.gaussian_codes(300, 6)
    codes[:, 4] = 2
    codes[:, 5] = codes[:, 2] + 0.01 * codes[:, 5]
    return decoders.carrying(
        decode, codes, settings=FEW, factors={"dose": tuple(np.exp(codes[:, 2]).tolist())}
    )


@pytest.fixture(scope="module")
def units(studied: Study) -> dict[int, Unit]:
    return units_of(studied)


def test_every_unit_of_the_code_has_a_sentence_that_names_it(units) -> None:
    assert sorted(units) == [0, 1, 2, 3, 4, 5]
    for unit in units.values():
        assert unit.sentence.startswith(f"Unit {unit.name}")
        assert unit.sentence.endswith(".")


def test_units_come_by_share_and_silent_ones_last(studied) -> None:
    order = [unit.index for unit in merge_units(answers_of(studied), FEW)]
    assert set(order[:3]) == {0, 1, 2}
    assert set(order[-2:]) == {3, 4}


def test_a_silent_unit_comes_after_all_others_whatever_its_rank(studied) -> None:
    answers = answers_of(studied)
    ranked = [
        dataclasses.replace(share, rank=0 if share.unit == 3 else share.rank + 1)
        for share in answers["contributions"].shares
    ]
    first = dataclasses.replace(answers["contributions"], shares=tuple(ranked))
    order = merge_units(Answers(dict(answers) | {"contributions": first}), FEW)
    assert set([unit.index for unit in order][-2:]) == {3, 4}


def test_a_unit_without_effect_says_only_that(units) -> None:
    assert "next to no effect" in units[3].sentence
    assert units[3].tracks == ()
    assert "%" not in units[3].sentence


def test_a_constant_unit_says_only_that(units) -> None:
    assert "same value for every image" in units[4].sentence
    assert units[4].share is None and units[4].effect is None


def test_numbers_in_the_sentence_are_those_measured(units) -> None:
    unit = units[2]
    assert f"{numbers.percentage(unit.share.value)} %" in unit.sentence
    assert "goes with dose (r 1.00" in unit.sentence
    assert f"ρ {unit.rho_context.value:.2f}" in unit.sentence


def test_the_partner_is_the_unit_with_the_largest_pair_share(units) -> None:
    assert units[0].largest_interaction == 1
    assert units[1].largest_interaction == 0
    assert "largest interaction with unit 1" in units[0].sentence


@pytest.mark.parametrize(
    ("partners", "said"),
    [
        ((), None),
        ((4,), "largest interaction with unit 4"),
        ((4, 0), "largest interaction with unit 4 or 0"),
        ((4, 0, 1), "largest interaction with unit 4, 0 or 1"),
        ((4, 0, 1, 3), "largest interaction with unit 4, one of 4 in resamples"),
    ],
)
def test_every_unit_that_may_be_the_partner_is_named_up_to_three(studied, partners, said) -> None:
    parts = dict(answers_of(studied))
    found = parts["interactions"]
    parts["interactions"] = dataclasses.replace(found, partners=(partners,) * len(found.units))
    unit = {u.index: u for u in merge_units(Answers(parts), FEW)}[2]
    assert unit.largest_interaction == (partners[0] if partners else None)
    assert unit.interaction_partners == partners
    assert ("interaction" in unit.sentence) == (said is not None)
    assert said is None or f"; {said} (on {found.rows} images)." in unit.sentence


def test_a_unit_that_interacts_with_none_has_no_partner(units) -> None:
    assert units[2].largest_interaction is None
    assert "interaction" not in units[2].sentence


@pytest.mark.parametrize("name", ["linear", "additive"])
def test_no_unit_of_an_additive_decoder_has_a_partner(name: str) -> None:
    study = decoders.carrying(
        getattr(decoders, name)(4), decoders.gaussian_codes(120, 4), settings=FEW
    )
    for unit in units_of(study).values():
        assert unit.largest_interaction is None
        assert "interaction" not in unit.sentence


def test_correlated_units_are_named(units) -> None:
    assert [other for other, _ in units[2].correlated_with] == [5]
    assert units[0].correlated_with == ()


def test_words_about_one_picture_follow_rho(units) -> None:
    # Unit 2 always gives one picture; unit 0 gives another in every image.
    assert "the same picture in every image, up to strength and sign (ρ 1.00)" in units[2].sentence
    assert units[0].rho_context.value < 0.99
    for unit in units.values():
        if unit.rho_context is None or not np.isfinite(unit.rho_context.value):
            assert "picture" not in unit.sentence
        elif unit.rho_context.low < 0.9:
            percent = numbers.with_plain_spaces(numbers.plain(unit.rho_context, "percent"))
            assert f"one picture explains {percent} of what it does" in unit.sentence


def test_analyses_that_gave_nothing_leave_their_fields_empty(studied) -> None:
    for unit in merge_units(Answers({"health": health.run(studied)}), FEW):
        assert unit.share is unit.effect is unit.rho_solo is unit.largest_interaction is None
        assert unit.sentence.startswith("Unit ")
    assert merge_units(Answers({}), FEW) == ()


def test_a_class_says_on_which_side_of_it_a_unit_is() -> None:
    codes = decoders.gaussian_codes(300, 2)
    labels = tuple("up" if value > 0 else "down" for value in codes[:, 1])
    study = decoders.carrying(decoders.linear(2), codes, settings=FEW, labels=labels)
    sentence = units_of(study)[1].sentence
    assert "high for up (AUC 1.00" in sentence
    assert "low for down (AUC 0.00" in sentence


@pytest.fixture(scope="module")
def confounded() -> dict[int, Unit]:
    """Unit 0 paints brightness, unit 1 goes with it (r .9) and paints a texture of mean 0."""
    return units_of(
        decoders.study_of(
            decoders.confounding(), decoders.confounded_codes(1000), settings=FEW, noise=0.01
        )
    )


def test_a_unit_that_draws_what_it_goes_with_is_said_to(confounded) -> None:
    (drawn,) = (f for f in confounded[0].tracks if f.name == "brightness")
    does = next(f.does for f in confounded[0].draws if f.name == "brightness")
    said = (
        f"draws brightness (r {numbers.signed(drawn.measure.value)} "
        f"[{numbers.signed(drawn.measure.low)}, {numbers.signed(drawn.measure.high)}]; one sd of "
        f"it moves that by {numbers.signed(does.value)} sd"
    )
    assert said in confounded[0].sentence
    assert "goes with" not in confounded[0].sentence


def test_a_unit_that_goes_with_brightness_and_does_not_draw_it_is_said_not_to(confounded) -> None:
    sentence = confounded[1].sentence
    assert "goes with brightness (r 0." in sentence
    assert "but does not draw it (one sd of it moves that by 0.00 sd [0.00, 0.00])" in sentence
    assert "brightness" not in {factor.name for factor in confounded[1].draws}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.21, 0.4, "draws brightness (r 0.80"),
        (-0.4, -0.21, "draws brightness (r 0.80"),
        (0.19, 0.4, "and may draw it"),
        (-0.3, 0.1, "and may draw it"),
        (0.1, 0.19, "but does not draw it"),
        (-0.19, 0.19, "but does not draw it"),
    ],
)
def test_the_verb_is_decided_by_both_ends_of_the_interval(studied, low, high, said) -> None:
    does = {"brightness": Estimate((low + high) / 2, low, high)}
    factor = Factor("brightness", FactorKind.IMAGE, Estimate(0.8, 0.7, 0.9), True)
    parts = dict(answers_of(studied))
    parts["tracking"] = Tracking((UnitTracking(2, (factor,)),), (), (), (), (), 40)
    parts["draws"] = Draws((UnitDrawing(2, 1.0, does),), ("brightness",), Estimate(0, 0, 0), 64)
    unit = {u.index: u for u in merge_units(Answers(parts), FEW)}[2]
    assert said in unit.sentence
    assert (len(unit.draws) == 1) == (said.startswith("draws"))


@pytest.mark.parametrize(
    ("kind", "measure", "said"),
    [
        (FactorKind.IMAGE, (0.48, 0.42, 0.54), "may go with it (r 0.48 [0.42, 0.54]; one sd of it"),
        (FactorKind.GIVEN, (-0.4, -0.51, -0.3), "may go with it (r −0.40 [−0.51, −0.30])"),
        (FactorKind.GIVEN, (0.4, 0.3, 0.49), None),
        (FactorKind.GIVEN, (0.2, -0.1, 0.6), None),
        (FactorKind.CLASS, (0.8, 0.7, 0.86), "may be high for it (AUC 0.80 [0.70, 0.86])"),
        (FactorKind.CLASS, (0.2, 0.14, 0.3), "may be low for it (AUC 0.20 [0.14, 0.30])"),
        (FactorKind.CLASS, (0.8, 0.7, 0.84), None),
        (FactorKind.CLASS, (0.7, 0.49, 0.9), None),
    ],
)
def test_a_factor_whose_interval_crosses_the_threshold_may_go_with_the_unit(
    studied, kind, measure, said
) -> None:
    factor = Factor("it", kind, Estimate(*measure), False)
    parts = dict(answers_of(studied))
    parts["tracking"] = Tracking((UnitTracking(2, (factor,)),), (), (), (), (), 40)
    does = {"it": Estimate(0.9, 0.8, 1)}
    parts["draws"] = Draws((UnitDrawing(2, 1.0, does),), ("it",), Estimate(0, 0, 0), 64)
    unit = {u.index: u for u in merge_units(Answers(parts), FEW)}[2]
    assert unit.tracks == ((factor,) if said else ())
    assert said in unit.sentence if said else " it " not in unit.sentence
    assert "draws" not in unit.sentence


def test_a_factor_that_pixels_do_not_hold_is_gone_with_and_no_more(units) -> None:
    assert "draw" not in units[2].sentence.split("dose")[1].split(";")[0]


def test_at_most_three_drawn_measures_are_kept_the_strongest_first() -> None:
    does = {
        f"measure {k}": Estimate(v, v - 0.05, v + 0.05)
        for k, v in enumerate([0.3, -0.9, 0.5, 0.1, 0.7])
    }
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(100, 2), settings=FEW)
    parts = {
        "health": health.run(study),
        "draws": Draws((UnitDrawing(0, 1.0, does),), tuple(does), Estimate(0, 0, 0), 64),
    }
    unit = merge_units(Answers(parts), FEW)[0]
    assert [factor.name for factor in unit.draws] == ["measure 1", "measure 4", "measure 2"]


def test_the_two_factors_and_two_classes_that_come_first_are_said_and_no_more(studied) -> None:
    near = Estimate(0.8, 0.7, 0.9)
    factors = tuple(
        Factor(f"{kind} {place}", kind, near, True)
        for kind in (FactorKind.GIVEN, FactorKind.CLASS)
        for place in range(3)
    )
    parts = {
        "health": health.run(studied),
        "tracking": Tracking((UnitTracking(2, factors),), (), (), (), (), 40),
    }
    sentence = {u.index: u for u in merge_units(Answers(parts), FEW)}[2].sentence
    for kind in (FactorKind.GIVEN, FactorKind.CLASS):
        assert [f"{kind} {place}" in sentence for place in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("rho", "same"),
    [((0.95, 0.91, 0.98), True), ((0.95, 0.89, 0.98), False), ((0.89, 0.92, 0.98), False)],
)
def test_the_same_picture_is_said_where_the_whole_interval_allows_it(studied, rho, same) -> None:
    parts = dict(answers_of(studied))
    pictures = parts["one_picture"]
    changed = tuple(
        dataclasses.replace(picture, rho_context=Estimate(*rho)) for picture in pictures.units
    )
    parts["one_picture"] = dataclasses.replace(pictures, units=changed)
    sentence = {u.index: u for u in merge_units(Answers(parts), FEW)}[2].sentence
    assert ("the same picture in every image" in sentence) == same
    assert ("one picture explains" in sentence) != same


def test_what_other_trainings_gave_back_is_said_in_both_ways(studied) -> None:
    parts = dict(answers_of(studied))
    returned = UnitReplication(
        2, np.array([0.7, 0.9]), 0.8, np.array([1.0, 0.98]), 0.99, np.array([0.4, 0.4]), 2
    )
    parts["replicates"] = Replicates(
        (returned,), ("a", "b"), np.ones(2), np.ones(2), (5, 5), False, 150
    )
    sentence = {u.index: u for u in merge_units(Answers(parts), FEW)}[2].sentence
    assert sentence.endswith(
        "in other trainings it comes back as one unit with |r| 0.80 and within the code with R² "
        "0.99 (median of 2)."
    )
