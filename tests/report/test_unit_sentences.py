"""A unit's sentence says what was measured and no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses import (
    ablation,
    contributions,
    health,
    interactions,
    one_picture,
    tracking,
)
from reportgen.report.results import Unit
from reportgen.report.unit_sentences import merge_units
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
}


def answers_of(study: Study) -> Answers:
    return Answers({name: module.run(study) for name, module in MODULES.items()})


def units_of(study: Study) -> dict[int, Unit]:
    return {unit.index: unit for unit in merge_units(answers_of(study))}


@pytest.fixture(scope="module")
def studied() -> Study:
    """Units 0 and 1 multiply; 2 is alone; 3 has no effect; 4 is constant; 5 copies unit 2."""
    first, second, third = decoders.directions(3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return (
            z[:, :1] * first
            + 3 * z[:, :1] * z[:, 1:2] * second
            + (2 * z[:, 2:3] + 0.1 * z[:, 5:6]) * third
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
    order = [unit.index for unit in merge_units(answers_of(studied))]
    assert set(order[:3]) == {0, 1, 2}
    assert set(order[-2:]) == {3, 4}


def test_a_unit_without_effect_says_only_that(units) -> None:
    assert "next to no effect" in units[3].sentence
    assert units[3].tracks == ()
    assert "%" not in units[3].sentence


def test_a_constant_unit_says_only_that(units) -> None:
    assert "same value for every image" in units[4].sentence
    assert units[4].share is None and units[4].effect is None


def test_numbers_in_the_sentence_are_those_measured(units) -> None:
    unit = units[2]
    assert f"{100 * unit.share.value:.3g} %" in unit.sentence
    assert "tracks dose (r 1.00" in unit.sentence
    assert f"ρ {unit.rho_context.value:.2f}" in unit.sentence


def test_the_partner_is_the_unit_with_the_largest_pair_share(units) -> None:
    assert units[0].largest_interaction == 1
    assert units[1].largest_interaction == 0
    assert "largest interaction with unit 1" in units[0].sentence


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
    assert "the same picture in every image (ρ 1.00)" in units[2].sentence
    assert units[0].rho_context.value < 0.99
    for unit in units.values():
        if unit.rho_context is None or not np.isfinite(unit.rho_context.value):
            assert "picture" not in unit.sentence
        elif unit.rho_context.value < 0.6:
            assert "a different picture in different images" in unit.sentence


def test_analyses_that_gave_nothing_leave_their_fields_empty(studied) -> None:
    for unit in merge_units(Answers({"health": health.run(studied)})):
        assert unit.share is unit.effect is unit.rho_solo is unit.largest_interaction is None
        assert unit.sentence.startswith("Unit ")
    assert merge_units(Answers({})) == ()


def test_a_class_says_on_which_side_of_it_a_unit_is() -> None:
    codes = decoders.gaussian_codes(300, 2)
    labels = tuple("up" if value > 0 else "down" for value in codes[:, 1])
    study = decoders.carrying(decoders.linear(2), codes, settings=FEW, labels=labels)
    sentence = units_of(study)[1].sentence
    assert "high for up (AUC 1.00" in sentence
    assert "low for down (AUC 0.00" in sentence
