"""M8: the coalition table against shapiq, and closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from shapiq import ExactComputer

from reportgen.analyses import UnanswerableError, interactions
from reportgen.analyses.shared.coalition_table import (
    COMPARED_ROWS,
    WalshHadamard,
    coalition_table,
    shapley_weights,
)
from reportgen.settings import Settings
from reportgen.study.rows import Rows
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

PLAYERS = 4


@pytest.fixture(scope="module")
def tables(smooth_study: Study) -> np.ndarray:
    """(rows, 2⁴, P) v(S) of three table rows in float64, by coalition number."""
    every = smooth_study.coalitions.every_coalition()
    rows = smooth_study.rows.table[:3]
    values = [smooth_study.coalitions.values(smooth_study.test.codes[r], every) for r in rows]
    return np.stack(values).astype(np.float64)


def by_shapiq(table: np.ndarray, index: str, order: int) -> dict[tuple[int, ...], float]:
    """An index of the scalar game whose value of coalition number n is `table`[n]."""
    weights = 1 << np.arange(PLAYERS)
    computer = ExactComputer(lambda members: table[members @ weights], n_players=PLAYERS)
    values = computer(index, order)
    return {members: float(values[members]) for members in values.interaction_lookup}


@pytest.fixture(scope="module")
def scalar_tables(tables: np.ndarray) -> np.ndarray:
    """(3, 2⁴) the tables seen through one random direction each."""
    weights = np.random.default_rng(0).normal(size=(3, decoders.PIXELS))
    return np.einsum("rsp,rp->rs", tables, weights)


def number(members) -> int:
    return sum(1 << k for k in members)


def test_pairs_of_the_transform_are_a_quarter_of_shapiq_s_banzhaf_interaction(
    scalar_tables,
) -> None:
    for table in scalar_tables:
        transform = WalshHadamard(len(table))(table[:, None])[:, 0]
        values = by_shapiq(table, "BII", 2)
        for members, value in values.items():
            if len(members) == 2:
                assert 4 * transform[number(members)] == pytest.approx(value, abs=1e-10)


def test_singles_of_the_transform_are_minus_half_of_shapiq_s_banzhaf_value(scalar_tables) -> None:
    for table in scalar_tables:
        transform = WalshHadamard(len(table))(table[:, None])[:, 0]
        for members, value in by_shapiq(table, "BV", 1).items():
            if len(members) == 1:
                assert -2 * transform[number(members)] == pytest.approx(value, abs=1e-10)


def test_the_transform_keeps_the_table_s_energy(tables) -> None:
    for table in tables:
        energies = np.square(WalshHadamard(len(table))(table)).sum()
        assert energies == pytest.approx(np.square(table).sum(axis=1).mean(), rel=1e-12)


def test_shares_are_shapiq_s_banzhaf_energies_over_the_variance_among_coalitions(
    smooth_study,
) -> None:
    """Every pixel is a game; by Parseval all energies but ∅'s sum to the variance over S."""
    study = dataclasses.replace(smooth_study, rows=few_table_rows(smooth_study, 3), _shared={})
    result = interactions.run(study)
    every = study.coalitions.every_coalition()
    energies = dict.fromkeys(pairs_and_singles(), 0.0)
    total = 0.0
    for row in study.rows.table:
        table = study.coalitions.values(study.test.codes[row], every).astype(np.float64)
        total += table.var(axis=0).sum()
        for pixel in table.T:
            for members, value in by_shapiq(pixel, "BII", 2).items():
                if len(members) == 2:
                    energies[members] += (value / 4) ** 2
            for members, value in by_shapiq(pixel, "BV", 1).items():
                if len(members) == 1:
                    energies[members] += (value / 2) ** 2
    place = {unit: where for where, unit in enumerate(result.units)}
    for members, energy in energies.items():
        j, k = place[members[0]], place[members[-1]]
        assert result.matrix[j, k] == pytest.approx(energy / total, rel=1e-6)
        assert result.matrix[k, j] == result.matrix[j, k]
    singles = sum(energy for members, energy in energies.items() if len(members) == 1)
    assert result.order_shares[0].value == pytest.approx(singles / total, rel=1e-6)
    assert result.order_shares[1].value == pytest.approx(
        (sum(energies.values()) - singles) / total, rel=1e-6
    )


def pairs_and_singles() -> list[tuple[int, ...]]:
    return [(k,) for k in range(PLAYERS)] + [
        (j, k) for j in range(PLAYERS) for k in range(j + 1, PLAYERS)
    ]


def few_table_rows(study: Study, count: int) -> Rows:
    return dataclasses.replace(study.rows, table=study.rows.table[:count])


def test_interaction_pictures_are_shapiq_s_moebius_transform() -> None:
    """Small integers through an integer decoder: float32 holds every value exactly."""
    generator = np.random.default_rng(0)
    weights = torch.from_numpy(
        generator.integers(-2, 3, size=(PLAYERS, decoders.PIXELS)).astype(np.float32)
    )
    half = generator.integers(-3, 4, size=(30, PLAYERS)).astype(np.float32)
    study = decoders.carrying(
        lambda z: (z @ weights + 1) ** 3,
        np.concatenate([half, half + 1]),
        fit_codes=np.concatenate([half, -half]),
        settings=FEW,
    )
    assert not study.baseline.any()
    result = interactions.run(study)
    assert len(result.pairs) == 2
    every = study.coalitions.every_coalition()
    assert not all(np.allclose(pair.interaction, 0) for pair in result.pairs)
    for place, row in enumerate(map(list(study.test.names).index, result.picture_names)):
        table = study.coalitions.values(study.test.codes[row], every).astype(np.float64)
        for pair in result.pairs:
            members = tuple(sorted(pair.units))
            moebius = [by_shapiq(pixel, "Moebius", PLAYERS)[members] for pixel in table.T]
            np.testing.assert_allclose(pair.interaction[place], moebius, atol=1e-10)
            first, second = (table[1 << unit] - table[0] for unit in pair.units)
            np.testing.assert_array_equal(pair.first[place], first)
            np.testing.assert_array_equal(pair.second[place], second)
            np.testing.assert_allclose(
                pair.both[place],
                pair.first[place] + pair.second[place] + pair.interaction[place],
                atol=1e-10,
            )


def at_zero(decode, units: int) -> Study:
    return decoders.carrying(
        decode,
        decoders.gaussian_codes(40, units),
        fit_codes=decoders.symmetric_codes(64, units),
        settings=FEW,
    )


def test_a_pure_product_has_two_thirds_of_its_toggle_energy_in_single_players() -> None:
    """So the order-1 share is no share of the reconstruction."""
    result = interactions.run(at_zero(decoders.product(), 2))
    orders = [share.value for share in result.order_shares]
    np.testing.assert_allclose(orders, [2 / 3, 1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(result.matrix, 1 / 3, atol=1e-6)


def test_a_product_of_three_has_three_sevenths_each_and_one() -> None:
    picture = decoders.directions(1)[0]
    study = at_zero(lambda z: z[:, :3].prod(dim=1, keepdim=True) * picture, 3)
    orders = [share.value for share in interactions.run(study).order_shares]
    np.testing.assert_allclose(orders, [3 / 7, 3 / 7, 1 / 7], atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "additive"])
def test_additive_decoders_have_no_pair_and_nothing_larger(name: str) -> None:
    study = decoders.carrying(
        getattr(decoders, name)(4), decoders.gaussian_codes(80, 4), settings=FEW
    )
    result = interactions.run(study)
    assert result.order_shares[0].value == pytest.approx(1, abs=1e-9)
    off_diagonal = result.matrix[~np.eye(4, dtype=bool)]
    assert off_diagonal.max() < 1e-10


def test_main_effects_pairs_and_larger_sets_sum_to_one(smooth_study) -> None:
    result = interactions.run(smooth_study)
    diagonal = np.trace(result.matrix)
    pairs = result.matrix[np.triu_indices(4, 1)].sum()
    assert diagonal == pytest.approx(result.order_shares[0].value, abs=1e-12)
    assert pairs == pytest.approx(result.order_shares[1].value, abs=1e-12)
    assert sum(share.value for share in result.order_shares) == pytest.approx(1, abs=1e-12)
    for share in result.order_shares:
        assert share.low <= share.value <= share.high


def test_the_pair_that_multiplies_is_the_strongest() -> None:
    study = decoders.carrying(decoders.mixed(), decoders.gaussian_codes(80, 4), settings=FEW)
    result = interactions.run(study)
    assert set(result.pairs[0].units) == {0, 1}
    assert result.pairs[0].share.value == pytest.approx(result.order_shares[1].value, rel=1e-6)
    assert result.pairs[1].share.value < 1e-10


@pytest.mark.parametrize(("weight", "partners"), [(1.0, {1, 2}), (0.2, {1})])
def test_every_unit_that_comes_first_in_resamples_is_a_partner(weight, partners) -> None:
    """z₀z₁u₀ + w z₀z₂u₁ + z₃u₂: with w = 1 nothing but the images says which pair is larger."""
    first, second, third = decoders.directions(3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        products = z[:, :1] * (z[:, 1:2] * first + weight * z[:, 2:3] * second)
        return products + z[:, 3:] * third

    result = interactions.run(
        decoders.carrying(decode, decoders.uniform_codes(200, 4), settings=FEW)
    )
    found = dict(zip(result.units, result.partners, strict=True))
    assert set(found[0]) == partners
    assert (found[1], found[2], found[3]) == ((0,), (0,), ())


def test_partners_are_the_fewest_that_come_first_in_95_percent_of_numpy_s_resamples(
    smooth_study,
) -> None:
    result = interactions.run(smooth_study)
    table = smooth_study.shared(coalition_table)
    weights = smooth_study.bootstrap(smooth_study.rows.table).weights
    for player, unit in enumerate(result.units):
        others = [p for p in range(PLAYERS) if p != player]
        pairs = np.stack([table.energies[:, number((player, p))] for p in others], axis=1)
        best = max(others, key=lambda p: result.matrix[player, p])
        won = [int(np.argmax([draw @ pair for pair in pairs.T])) for draw in weights]
        share = {result.units[others[place]]: won.count(place) / len(won) for place in set(won)}
        partners = result.partners[player]
        assert partners[0] == result.units[best]
        assert unit not in partners
        covered = [share.get(partner, 0) for partner in partners]
        assert sum(covered) >= 0.95 - 1e-9
        assert len(partners) == 1 or sum(covered[:-1]) < 0.95
        assert covered[1:] == sorted(covered[1:], reverse=True)


def test_ratios_are_of_sums_over_rows() -> None:
    """A row with a large product and many with none."""
    codes = np.full((40, 2), 1e-4, np.float32)
    codes[3] = (3, 3)
    study = decoders.carrying(
        decoders.product_and_linear(),
        codes,
        fit_codes=decoders.symmetric_codes(64, 2),
        settings=Settings(rows=40, table_rows=40),
    )
    # One row's games: v(0) = 6 u', v(1) = 9 u'', v(01) = both and 9 u.
    energy = {"0": 2.25**2 + 3**2, "1": 2.25**2 + 4.5**2, "01": 2.25**2}
    found = interactions.run(study).order_shares[1].value
    assert found == pytest.approx(energy["01"] / sum(energy.values()), rel=1e-3)


@pytest.fixture(scope="module")
def wide_result() -> interactions.Interactions:
    """12 units in order of strength, more than the table's 10 players."""
    pixels = np.random.default_rng(0).normal(size=(60, decoders.PIXELS))
    strength = torch.linspace(3, 0.3, 12)
    study = decoders.of_pixels(
        pixels,
        encode=lambda x: x.reshape(len(x), -1)[:, :12],
        decode=lambda z: torch.cat([strength * z, z[:, :8] * 0], dim=1).reshape(-1, 1, 4, 5),
        code_shape=(12,),
        settings=Settings(rows=20, table_rows=3, path_steps=1),
    )
    return interactions.run(study)


def test_above_ten_units_nine_and_the_rest_are_players(wide_result) -> None:
    assert wide_result.coalitions == 1024
    assert set(wide_result.units) == {-1, *range(9)}
    assert wide_result.names[-1] == "rest"


def test_a_table_costs_2_to_the_players_forwards_a_row_and_the_paths_it_is_held_beside() -> None:
    units, study = (
        6,
        decoders.carrying(decoders.smooth(6), decoders.gaussian_codes(60, 6), settings=FEW),
    )
    with study.engine.charged_to("table"):
        interactions.run(study)
    rows, steps = len(study.rows.table), FEW.path_steps
    path = 2 * steps * (units - 1) + steps + 1
    compared = min(rows, COMPARED_ROWS)
    decoded = study.engine.forwards["table"] + study.engine.forwards["coalition table"]
    assert rows * 2**units * 0.7 < decoded <= rows * 2**units + compared * path


def test_shapley_values_of_a_table_are_shapiq_s(scalar_tables, smooth_study) -> None:
    weights = shapley_weights(smooth_study.coalitions.every_coalition())
    for table in scalar_tables:
        found = weights @ table
        for (player,), value in singles(by_shapiq(table, "SV", 1)):
            assert found[player] == pytest.approx(value, abs=1e-10)


def singles(values: dict[tuple[int, ...], float]) -> list[tuple[tuple[int, ...], float]]:
    return [(members, value) for members, value in values.items() if len(members) == 1]


def test_shapley_shares_are_projections_of_shapiq_s_values(smooth_study) -> None:
    study = dataclasses.replace(smooth_study, rows=few_table_rows(smooth_study, 2), _shared={})
    result = interactions.run(study)
    every = study.coalitions.every_coalition()
    projections, change = np.zeros(PLAYERS), 0.0
    for row in study.rows.table:
        table = study.coalitions.values(study.test.codes[row], every).astype(np.float64)
        whole = table[-1] - table[0]
        change += whole @ whole
        for pixel, weight in zip(table.T, whole, strict=True):
            for (player,), value in singles(by_shapiq(pixel, "SV", 1)):
                projections[player] += value * weight
    found = {u: s.value for u, s in zip(result.units, result.shapley_shares, strict=True)}
    for unit, projection in enumerate(projections):
        assert found[unit] == pytest.approx(projection / change, rel=1e-6)
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["linear", "additive"])
def test_path_and_shapley_agree_where_effects_add_up(name: str) -> None:
    study = decoders.carrying(
        getattr(decoders, name)(4), decoders.gaussian_codes(80, 4), settings=FEW
    )
    assert interactions.run(study).shapley_path_distance < 1e-5


def test_path_and_shapley_are_a_known_distance_apart_on_a_product_with_a_square() -> None:
    """½, ½ against ⅓, ⅔ of one picture: √(2/36 / (5/9)) = .316."""
    result = interactions.run(at_zero(decoders.product_with_square(), 2))
    assert result.shapley_path_distance == pytest.approx(np.sqrt(0.1), abs=2e-3)


def test_one_unit_has_no_pair() -> None:
    study = decoders.carrying(decoders.additive(1), decoders.gaussian_codes(60, 1))
    with pytest.raises(UnanswerableError, match="fewer than two units"):
        interactions.run(study)


@pytest.mark.parametrize("slope", [0.0, 3e-8])
def test_a_decoder_that_ignores_its_code_up_to_rounding_has_no_table(slope: float) -> None:
    study = decoders.carrying(
        lambda z: 0.5 + slope * z @ decoders.directions(3), decoders.gaussian_codes(60, 3)
    )
    with pytest.raises(UnanswerableError):
        interactions.run(study)
