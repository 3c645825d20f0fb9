"""Exact Shapley values beside the path: shapiq on whole pictures, closed forms of both."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
import torch
from shapiq import ExactComputer

from reportgen.analyses import interactions
from reportgen.analyses.shared.coalition_table import shapley_weights
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def at_zero(decode, codes: np.ndarray) -> Study:
    """The baseline is exactly 0."""
    return decoders.carrying(
        decode, codes, fit_codes=decoders.symmetric_codes(64, codes.shape[1]), settings=FEW
    )


def shapiq_values(table: np.ndarray, players: int) -> np.ndarray:
    weights = 1 << np.arange(players)
    values = ExactComputer(lambda members: table[members @ weights], n_players=players)("SV", 1)
    return np.array([float(values[(player,)]) for player in range(players)])


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_values_of_any_game_are_shapiq_s(players: int) -> None:
    """Random tables: no decoder could be meaner."""
    every = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    weights = shapley_weights(every)
    for table in np.random.default_rng(players).normal(size=(3, 2**players)):
        np.testing.assert_allclose(weights @ table, shapiq_values(table, players), atol=1e-10)


def test_ten_players_sum_to_the_whole_and_a_dummy_gets_nothing() -> None:
    """Efficiency, dummy and symmetry at the size of the largest table."""
    every = (np.arange(1024)[:, None] >> np.arange(10)) & 1 == 1
    weights = shapley_weights(every)
    game = np.random.default_rng(0).normal(size=512)[np.arange(1024) % 512]  # player 9 does nothing
    found = weights @ game
    assert found.sum() == pytest.approx(game[-1] - game[0], abs=1e-12)
    assert found[9] == pytest.approx(0, abs=1e-12)
    of_sizes = (every.sum(axis=1) ** 2).astype(float)
    np.testing.assert_allclose(weights @ of_sizes, 10, atol=1e-10)


def test_values_are_means_over_all_orders(smooth_study) -> None:
    """Shapley's definition itself, on pictures: 24 orders of 4 units."""
    coalitions = smooth_study.coalitions
    every = coalitions.every_coalition()
    code = smooth_study.test.codes[smooth_study.rows.table[0]]
    table = coalitions.values(code, every).astype(np.float64)
    expected = np.zeros((4, decoders.PIXELS))
    for order in permutations(range(4)):
        number = 0
        for player in order:
            expected[player] += table[number | 1 << player] - table[number]
            number |= 1 << player
    np.testing.assert_allclose(shapley_weights(every) @ table, expected / 24, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "additive", "smooth"])
def test_shares_sum_to_one(name: str) -> None:
    study = decoders.carrying(
        getattr(decoders, name)(4), decoders.gaussian_codes(120, 4), settings=FEW
    )
    shares = interactions.run(study).shapley_shares
    assert sum(share.value for share in shares) == pytest.approx(1, abs=1e-9)


def test_shares_of_a_linear_decoder_are_closed_forms(linear_study) -> None:
    result = interactions.run(linear_study)
    rows = linear_study.rows.table
    moves = linear_study.test.codes[rows].astype(np.float64) - linear_study.baseline
    squares = np.square(moves).sum(axis=0) * np.arange(1, 5) ** 2
    for unit, share in zip(result.units, result.shapley_shares, strict=True):
        assert share.value == pytest.approx(squares[unit] / squares.sum(), rel=1e-5)


def test_a_product_of_three_is_shared_in_thirds_by_both() -> None:
    picture = decoders.directions(1)[0]
    study = at_zero(
        lambda z: z[:, :3].prod(dim=1, keepdim=True) * picture, decoders.gaussian_codes(60, 3)
    )
    result = interactions.run(study)
    np.testing.assert_allclose([s.value for s in result.shapley_shares], 1 / 3, atol=1e-6)
    # One order and its reverse on a path of 16 steps: off by up to 1/M² of a third.
    assert result.shapley_path_distance < 0.01


@pytest.mark.parametrize("power", [1, 2, 3])
def test_path_and_shapley_of_a_product_with_a_power_are_their_closed_forms_apart(power) -> None:
    """z₀z₁ᵖ: Shapley ½, ½; the path 1/(1+p), p/(1+p)."""
    picture = decoders.directions(1)[0]
    study = at_zero(
        lambda z: z[:, :1] * z[:, 1:2] ** power * picture, decoders.gaussian_codes(60, 2)
    )
    study = dataclasses.replace(study, settings=dataclasses.replace(FEW, path_steps=64))
    result = interactions.run(study)
    path = np.array([1, power]) / (1 + power)
    expected = np.linalg.norm(0.5 - path) / np.linalg.norm(path)
    assert result.shapley_path_distance == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose([s.value for s in result.shapley_shares], 0.5, atol=1e-6)


def test_units_named_rest_are_one_player_with_one_share() -> None:
    study = decoders.carrying(
        decoders.linear(12),
        decoders.gaussian_codes(60, 12),
        settings=dataclasses.replace(FEW, table_rows=4, table_players=4, path_steps=1),
    )
    result = interactions.run(study)
    assert result.names[-1] == "rest"
    rows = study.rows.table
    moves = study.test.codes[rows].astype(np.float64) - study.baseline
    squares = np.square(moves).sum(axis=0) * np.arange(1, 13) ** 2
    named = [unit for unit in result.units if unit >= 0]
    assert result.shapley_shares[-1].value == pytest.approx(
        1 - squares[named].sum() / squares.sum(), abs=1e-6
    )


def test_a_relu_s_shares_are_shapiq_s_pixel_by_pixel() -> None:
    """Kinks everywhere: no derivative is used."""
    weights = torch.from_numpy(
        np.random.default_rng(5).normal(size=(3, decoders.PIXELS)).astype(np.float32)
    )
    study = decoders.carrying(
        lambda z: torch.relu(z @ weights), decoders.gaussian_codes(60, 3), settings=FEW
    )
    study = dataclasses.replace(
        study, rows=dataclasses.replace(study.rows, table=study.rows.table[:2]), _shared={}
    )
    projections, change = np.zeros(3), 0.0
    every = study.coalitions.every_coalition()
    for row in study.rows.table:
        table = study.coalitions.values(study.test.codes[row], every).astype(np.float64)
        whole = table[-1] - table[0]
        change += whole @ whole
        for pixel, moved in zip(table.T, whole, strict=True):
            projections += shapiq_values(pixel, 3) * moved
    result = interactions.run(study)
    for unit, share in zip(result.units, result.shapley_shares, strict=True):
        assert share.value == pytest.approx(projections[unit] / change, abs=1e-6)
