"""What may not matter: order of units, copies of rows, dead units, scale, batches, threads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from reportgen.analyses import (
    ablation,
    additivity,
    contributions,
    interactions,
    linearity,
    one_picture,
    partial_reconstruction,
    reconstruction,
    subtraction,
)
from reportgen.engine import Engine
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders
from tests.slow import slow_but

UNITS = 3
EVERY_ROW = Settings(rows=64, table_rows=64, picture_rows=8, pooled_path_steps=8)
# Images that are decoded together, by how many there is room for with their codes and copies.
BATCHES = {1: 1, 7: 3, 31: 13}
SHARE_TOLERANCE = 0.004  # what METHODS allows the random order of a path


def per_unit(study: Study) -> dict[int, np.ndarray]:
    """effect, solo, damage, ρ solo, ρ context, intensity R² of each unit."""
    effects = {e.unit: e for e in ablation.run(study).effects}
    pictures = {u.unit: u for u in one_picture.run(study).units}
    return {
        unit: np.array(
            [
                effects[unit].effect.value,
                effects[unit].solo.value,
                effects[unit].damage.value,
                pictures[unit].rho_solo.value,
                pictures[unit].rho_context.value,
                pictures[unit].intensity_r2,
            ]
        )
        for unit in effects
    }


OF_RECONSTRUCTIONS = [0, 1, 3, 4, 5]  # all but damage: images here carry the code itself


def shares(study: Study) -> dict[int, float]:
    return {s.unit: s.share.value for s in contributions.run(study).shares}


def whole(study: Study) -> np.ndarray:
    """Numbers about all units together."""
    summed = additivity.run(study)
    on_data = linearity.run(study)
    r2 = reconstruction.run(study).r2
    orders = interactions.run(study).order_shares
    return np.array(
        [
            summed.up.gap.value,
            summed.up.r2_sum.value,
            summed.down.gap.value,
            summed.down.r2_sum.value,
            summed.bounded.value,
            *(gap.value for gap in summed.sweep_gaps[2:]),
            on_data.linear.value,
            on_data.curved.value,
            on_data.not_additive.value,
            r2.value,
            *(share.value for share in orders),
        ]
    )


def paths(study: Study) -> np.ndarray:
    """Numbers that the random order of units on a path touches."""
    miss = subtraction.run(study)
    growing = partial_reconstruction.run(study).model_r2
    return np.array([miss.miss_zero.value, miss.miss_mean.value, *(r.value for r in growing)])


@pytest.fixture(scope="module")
def codes() -> tuple[np.ndarray, np.ndarray]:
    """Fit codes, test codes."""
    return decoders.gaussian_codes(100, UNITS, seed=31), decoders.gaussian_codes(64, UNITS)


def study_with(decode, fit: np.ndarray, test: np.ndarray, settings=EVERY_ROW) -> Study:
    return decoders.carrying(decode, test, fit_codes=fit, settings=settings)


@pytest.fixture(scope="module")
def plain(codes) -> Study:
    return study_with(decoders.smooth(UNITS), *codes)


def test_permuting_units_permutes_results(codes, plain) -> None:
    order = [2, 0, 1]
    decode = decoders.smooth(UNITS)
    back = np.argsort(order)
    permuted = study_with(lambda z: decode(z[:, back]), codes[0][:, order], codes[1][:, order])
    before, after = per_unit(plain), per_unit(permuted)
    for place, unit in enumerate(order):
        np.testing.assert_allclose(
            after[place][OF_RECONSTRUCTIONS], before[unit][OF_RECONSTRUCTIONS], rtol=1e-5
        )
        assert shares(permuted)[place] == pytest.approx(shares(plain)[unit], abs=SHARE_TOLERANCE)
    np.testing.assert_allclose(whole(permuted)[:9], whole(plain)[:9], atol=1e-5)
    np.testing.assert_allclose(whole(permuted)[10:], whole(plain)[10:], atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "curved_tolerance"),
    # The splines' basis drops its last function, so that a mirrored unit is penalised otherwise.
    [((10.0, 0.3, 1.0), 1e-5), ((10.0, -0.3, 1.0), 1e-3)],
)
def test_scale_and_origin_of_units_change_nothing_but_what_is_in_code_units(
    codes, plain, scale, curved_tolerance
) -> None:
    scale, origin = torch.tensor(scale), torch.tensor([3.0, -1.0, 0.5])
    decode = decoders.smooth(UNITS)
    moved = [(torch.from_numpy(part) * scale + origin).numpy() for part in codes]
    other = study_with(lambda z: decode((z - origin) / scale), *moved)
    before, after = per_unit(plain), per_unit(other)
    for unit in range(UNITS):
        np.testing.assert_allclose(
            after[unit][OF_RECONSTRUCTIONS], before[unit][OF_RECONSTRUCTIONS], rtol=1e-4
        )
        assert shares(other)[unit] == pytest.approx(shares(plain)[unit], abs=1e-5)
    np.testing.assert_allclose(whole(other)[:7], whole(plain)[:7], atol=1e-5)
    np.testing.assert_allclose(whole(other)[7:9], whole(plain)[7:9], atol=curved_tolerance)
    np.testing.assert_allclose(whole(other)[10:], whole(plain)[10:], atol=1e-5)


def test_copies_of_rows_change_no_estimate(codes, plain) -> None:
    twice = dataclasses.replace(EVERY_ROW, rows=128, table_rows=128)
    doubled = study_with(
        decoders.smooth(UNITS),
        np.repeat(codes[0], 2, axis=0),
        np.repeat(codes[1], 2, axis=0),
        twice,
    )
    before, after = per_unit(plain), per_unit(doubled)
    for unit in range(UNITS):
        np.testing.assert_allclose(after[unit], before[unit], rtol=1e-5)
        assert shares(doubled)[unit] == pytest.approx(shares(plain)[unit], abs=SHARE_TOLERANCE)
    # The sweep uses a quarter of the rows, and the splines' ridge depends on the inner split.
    unchanged = [0, 1, 2, 3, 4, 6, 9, 10, 11, 12]
    np.testing.assert_allclose(whole(doubled)[unchanged], whole(plain)[unchanged], atol=1e-5)


@pytest.mark.parametrize("kind", ["constant", "without effect"])
def test_a_dead_unit_changes_nothing_else(codes, plain, kind: str) -> None:
    decode = decoders.smooth(UNITS)

    def with_dead(part: np.ndarray) -> np.ndarray:
        values = np.full(len(part), 5.0)
        if kind == "without effect":
            values = np.random.default_rng(len(part)).normal(size=len(part))
        return np.column_stack([part, values]).astype(np.float32)

    other = study_with(lambda z: decode(z[:, :UNITS]), *(with_dead(part) for part in codes))
    before, after = per_unit(plain), per_unit(other)
    for unit in range(UNITS):
        np.testing.assert_allclose(
            after[unit][OF_RECONSTRUCTIONS], before[unit][OF_RECONSTRUCTIONS], rtol=1e-5
        )
        assert shares(other)[unit] == pytest.approx(shares(plain)[unit], abs=SHARE_TOLERANCE)
    if kind == "constant":
        assert UNITS not in after
    else:
        np.testing.assert_allclose(after[UNITS][:3], 0, atol=1e-9)
        assert np.isnan(after[UNITS][3:]).all()
        assert shares(other)[UNITS] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(whole(other)[:6], whole(plain)[:6], atol=1e-5)
    # A unit that varies adds ten regressors: noise of 10 / fit rows in what is unexplained (.17).
    on_data = 1e-6 if kind == "constant" else 0.2 * 10 / len(codes[0])
    np.testing.assert_allclose(whole(other)[6:9], whole(plain)[6:9], atol=on_data)
    np.testing.assert_allclose(whole(other)[10:], whole(plain)[10:], atol=1e-5)


@pytest.mark.parametrize("room", slow_but([31], BATCHES))
def test_batch_size_changes_nothing_beyond_1e_6(plain, room: int) -> None:
    engine = Engine(plain.autoencoder, block_bytes=room * 4 * decoders.PIXELS)
    assert engine.block_size == BATCHES[room]
    other = dataclasses.replace(plain, engine=engine, _shared={})
    np.testing.assert_allclose(whole(other), whole(plain), atol=1e-6)
    np.testing.assert_allclose(paths(other), paths(plain), atol=1e-6)
    found = per_unit(other)
    for unit, values in per_unit(plain).items():
        np.testing.assert_allclose(found[unit], values, atol=1e-6, rtol=1e-6)


def test_the_plain_way_changes_nothing_beyond_1e_6(plain) -> None:
    other = dataclasses.replace(plain, engine=Engine(plain.autoencoder, plain=True), _shared={})
    np.testing.assert_allclose(whole(other), whole(plain), atol=1e-6)
    np.testing.assert_allclose(paths(other), paths(plain), atol=1e-6)


def test_images_in_parts_change_nothing_beyond_rounding(plain, monkeypatch) -> None:
    def numbers() -> list[np.ndarray]:
        study = dataclasses.replace(plain, _shared={})
        return [whole(study), paths(study), np.stack(list(per_unit(study).values()))]

    in_one = numbers()
    monkeypatch.setattr("reportgen.statistics.blocks.PIXELS_TOGETHER", 10)
    for found, expected in zip(numbers(), in_one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_threads_change_nothing_beyond_1e_6(plain, codes) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3 if threads == 1 else 1)
    try:
        other = study_with(decoders.smooth(UNITS), *codes)
        np.testing.assert_allclose(whole(other), whole(plain), atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_another_seed_changes_statistics_of_all_rows_by_nothing(codes, plain) -> None:
    """Every row is used, so only orders on paths and resamples differ."""
    other = study_with(decoders.smooth(UNITS), *codes, dataclasses.replace(EVERY_ROW, seed=9))
    before, after = per_unit(plain), per_unit(other)
    for unit in range(UNITS):
        np.testing.assert_allclose(after[unit], before[unit], rtol=1e-5)
        assert shares(other)[unit] == pytest.approx(shares(plain)[unit], abs=SHARE_TOLERANCE)
