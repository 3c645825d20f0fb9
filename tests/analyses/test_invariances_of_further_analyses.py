"""What may not matter to the analyses for experts, over mixtures that hypothesis draws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reportgen.analyses import (
    ablation,
    additivity,
    baselines,
    contributions,
    directions,
    interactions,
    label_metrics,
    linearity,
    permuted_codes,
    plane_walks,
)
from reportgen.engine import Engine
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders
from tests.slow import slow_but

UNITS, ROWS = 3, 100
EVERY_ROW = Settings(
    rows=ROWS, table_rows=ROWS, picture_rows=2, pooled_path_steps=8, bootstrap_resamples=100
)
# Images that are decoded together, by how many there is room for with their codes and copies.
BATCHES = {1: 1, 7: 3, 31: 13}
DECODE = decoders.smooth(UNITS)
FIT, TEST = decoders.gaussian_codes(200, UNITS, seed=31), decoders.gaussian_codes(ROWS, UNITS)
SIZES = tuple((TEST[:, 0] + 0.3 * TEST[:, 1]).tolist())
KINDS = tuple(np.where(TEST[:, 2] > 0, "high", "low").tolist())
SHARE_TOLERANCE = 0.004  # what METHODS allows the random order of a path
A_FEW = settings(
    max_examples=2,
    phases=[Phase.generate],  # an example costs a second: shrinking one would take minutes
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def study_with(decode=DECODE, fit=FIT, test=TEST, of=EVERY_ROW) -> Study:
    return decoders.carrying(
        decode, test, fit_codes=fit, settings=of, factors={"size": SIZES, "kind": KINDS}
    )


def once(analysis, study: Study):
    """What the analysis says of a study, computed once."""
    return study.shared_by(analysis.__name__, lambda: analysis.run(study))


def by_unit(study: Study) -> dict[int, np.ndarray]:
    """Mean-baseline effect, solo, Shapley share, main effect of the table, of each unit."""
    table = once(interactions, study)
    place = {unit: where for where, unit in enumerate(table.units)}
    mean = once(baselines, study).tables[0]
    solo = {e.unit: e.solo.value for e in once(ablation, study).effects}
    return {
        unit: np.array(
            [
                effect.value,
                solo[unit],
                table.shapley_shares[place[unit]].value,
                table.matrix[place[unit], place[unit]],
            ]
        )
        for unit, effect in zip(mean.units, mean.effects, strict=True)
    }


def shares(study: Study) -> dict[int, float]:
    return {s.unit: s.share.value for s in once(contributions, study).shares}


def pairs(study: Study) -> dict[frozenset[int], float]:
    table = once(interactions, study)
    return {
        frozenset((a, b)): table.matrix[i, j]
        for i, a in enumerate(table.units)
        for j, b in enumerate(table.units)
        if i < j
    }


def overall(study: Study) -> np.ndarray:
    """Gaps, order shares, and the headline numbers along directions."""
    summed = once(additivity, study)
    turned = once(directions, study)
    orders = once(interactions, study).order_shares
    return np.array(
        [
            summed.up.gap.value,
            summed.down.gap.value,
            *(order.value for order in orders),
            *turned.variance_shares[:UNITS],
        ]
    )


def along_directions(study: Study) -> np.ndarray:
    turned = once(directions, study)
    return np.array([turned.gap_up.value, turned.gap_down.value, turned.rho_solo.value])


def information(study: Study) -> dict[int, np.ndarray]:
    result = once(label_metrics, study)
    return dict(zip(result.units, result.mutual_information.T, strict=True))


PLAIN = study_with()


@pytest.mark.slow
@A_FEW
@given(order=st.permutations(range(UNITS)))
def test_permuting_units_permutes_results(order: list[int]) -> None:
    back = np.argsort(order).tolist()
    other = study_with(lambda z: DECODE(z[:, back]), FIT[:, order], TEST[:, order])
    numbers, before = by_unit(other), by_unit(PLAIN)
    for place, unit in enumerate(order):
        np.testing.assert_allclose(numbers[place], before[unit], rtol=1e-5, atol=1e-7)
        assert shares(other)[place] == pytest.approx(shares(PLAIN)[unit], abs=SHARE_TOLERANCE)
        np.testing.assert_allclose(information(other)[place], information(PLAIN)[unit], atol=1e-12)
    for pair, value in pairs(PLAIN).items():
        moved = frozenset(back[unit] for unit in pair)
        assert pairs(other)[moved] == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(overall(other), overall(PLAIN), atol=1e-5)
    np.testing.assert_allclose(along_directions(other), along_directions(PLAIN), atol=1e-4)
    names = [[back[unit] for unit in plane.units] for plane in planes(PLAIN)]
    assert [list(plane.units) for plane in planes(other)] == names
    for ours, theirs in zip(planes(other), planes(PLAIN), strict=True):
        # Only the first row, the medoid: images here carry the code, so that errors differ.
        np.testing.assert_allclose(ours.frames[0], theirs.frames[0], atol=1e-5)


def planes(study: Study):
    return once(plane_walks, study).planes


scales = st.tuples(*[st.floats(0.01, 100)] * UNITS)
origins = st.tuples(*[st.floats(-3, 3)] * UNITS)


@A_FEW
@given(scale=scales, origin=origins)
def test_scale_and_origin_of_units_change_nothing_but_what_is_in_code_units(scale, origin) -> None:
    """Origins are in sd: a float32 code far from 0 would lose its last digits."""
    by = torch.tensor(scale, dtype=torch.float32)
    shift = by * torch.tensor(origin, dtype=torch.float32)
    fit, test = ((torch.from_numpy(part) * by + shift).numpy() for part in (FIT, TEST))
    other = study_with(lambda z: DECODE((z - shift) / by), fit, test)
    numbers = by_unit(other)
    for unit, before in by_unit(PLAIN).items():
        np.testing.assert_allclose(numbers[unit], before, rtol=1e-4, atol=1e-6)
        assert shares(other)[unit] == pytest.approx(shares(PLAIN)[unit], abs=1e-4)
        np.testing.assert_allclose(information(other)[unit], information(PLAIN)[unit], atol=1e-9)
    np.testing.assert_allclose(overall(other), overall(PLAIN), atol=1e-4)
    np.testing.assert_allclose(along_directions(other), along_directions(PLAIN), atol=1e-3)
    assert once(permuted_codes, other).linear.value == pytest.approx(
        once(permuted_codes, PLAIN).linear.value, abs=1e-5
    )
    for ours, theirs in zip(planes(other), planes(PLAIN), strict=True):
        assert ours.units == theirs.units
        np.testing.assert_allclose(ours.frames[0], theirs.frames[0], atol=1e-4)


def test_copies_of_all_rows_change_no_estimate() -> None:
    twice = dataclasses.replace(EVERY_ROW, rows=2 * ROWS, table_rows=2 * ROWS)
    doubled = decoders.carrying(
        DECODE, np.repeat(TEST, 2, axis=0), fit_codes=np.repeat(FIT, 2, axis=0), settings=twice
    )
    numbers = by_unit(doubled)
    for unit, before in by_unit(PLAIN).items():
        np.testing.assert_allclose(numbers[unit], before, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(overall(doubled), overall(PLAIN), atol=1e-5)
    np.testing.assert_allclose(along_directions(doubled), along_directions(PLAIN), atol=1e-4)
    assert once(linearity, doubled).linear.value == pytest.approx(
        once(linearity, PLAIN).linear.value, abs=1e-6
    )


@A_FEW
@given(place=st.integers(0, UNITS), value=st.floats(-100, 100, width=32))
def test_a_constant_unit_anywhere_changes_nothing_else(place: int, value: float) -> None:
    kept = [unit for unit in range(UNITS + 1) if unit != place]

    def with_dead(part: np.ndarray) -> np.ndarray:
        return np.insert(part, place, value, axis=1)

    other = study_with(lambda z: DECODE(z[:, kept]), with_dead(FIT), with_dead(TEST))
    numbers = by_unit(other)
    assert set(numbers) == set(kept)
    for unit, before in by_unit(PLAIN).items():
        np.testing.assert_allclose(numbers[kept[unit]], before, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(
            information(other)[kept[unit]], information(PLAIN)[unit], atol=1e-12
        )
    np.testing.assert_allclose(overall(other), overall(PLAIN), atol=1e-5)
    for ours, theirs in zip(planes(other), planes(PLAIN), strict=True):
        assert ours.units == tuple(kept[unit] for unit in theirs.units)
        np.testing.assert_allclose(ours.frames[0], theirs.frames[0], atol=1e-6)


def test_a_unit_that_varies_without_effect_gets_nothing_and_takes_nothing() -> None:
    noise = [np.random.default_rng(n).normal(size=(n, 1)) for n in (len(FIT), len(TEST))]
    fit, test = (
        np.hstack([part, extra]).astype(np.float32)
        for part, extra in zip((FIT, TEST), noise, strict=True)
    )
    other = study_with(lambda z: DECODE(z[:, :UNITS]), fit, test)
    numbers = by_unit(other)
    np.testing.assert_allclose(numbers[UNITS], 0, atol=1e-9)
    for unit, before in by_unit(PLAIN).items():
        np.testing.assert_allclose(numbers[unit], before, rtol=1e-5, atol=1e-7)
    for pair, value in pairs(other).items():
        assert value == pytest.approx(0 if UNITS in pair else pairs(PLAIN)[pair], abs=1e-7)
    # A direction more to overfit with: 1 / fit rows of what is not linear.
    assert once(directions, other).variance_shares[UNITS] < 1e-2


def test_images_in_parts_change_nothing_beyond_rounding(monkeypatch) -> None:
    def numbers() -> list[np.ndarray]:
        study = dataclasses.replace(PLAIN, _shared={})
        tables = [table.effects + table.damages for table in once(baselines, study).tables]
        of_tables = np.array([[number.value for number in table] for table in tables])
        return [overall(study), np.stack(list(by_unit(study).values())), of_tables]

    in_one = numbers()
    monkeypatch.setattr("reportgen.statistics.blocks.PIXELS_TOGETHER", 10)
    for found, expected in zip(numbers(), in_one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("room", slow_but([31], BATCHES))
def test_batch_size_changes_nothing_beyond_1e_5(room: int) -> None:
    few = dataclasses.replace(EVERY_ROW, rows=24, table_rows=12)
    whole = study_with(of=few)
    engine = Engine(whole.autoencoder, block_bytes=room * 4 * decoders.PIXELS)
    assert engine.block_size == BATCHES[room]
    other = dataclasses.replace(whole, engine=engine, _shared={})
    numbers = by_unit(other)
    for unit, before in by_unit(whole).items():
        np.testing.assert_allclose(numbers[unit], before, atol=1e-5)
    np.testing.assert_allclose(overall(other), overall(whole), atol=1e-5)
    for name in ("linear", "curved", "not_additive"):
        ours, theirs = (getattr(once(permuted_codes, s), name).value for s in (other, whole))
        assert ours == pytest.approx(theirs, abs=1e-5)
    for ours, theirs in zip(planes(other), planes(whole), strict=True):
        np.testing.assert_allclose(ours.frames, theirs.frames, atol=1e-5)
    for ours, theirs in zip(
        once(baselines, other).tables, once(baselines, whole).tables, strict=True
    ):
        np.testing.assert_allclose(
            [e.value for e in ours.effects], [e.value for e in theirs.effects], atol=1e-5
        )
