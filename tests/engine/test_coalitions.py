"""Mixed codes and paths: which coordinate comes from where."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from reportgen.analyses.shared.row_paths import row_paths
from reportgen.autoencoder import Autoencoder, Units
from reportgen.engine.coalitions import Coalitions
from reportgen.engine.engine import Engine
from tests.oracles import decoders

UNITS = 4
ROW = np.array([1, 2, 3, 4], np.float32)
BASELINE = np.array([10, 20, 30, 40], np.float32)


def fresh(units: int = UNITS, players: Units | None = None, baseline=BASELINE) -> Coalitions:
    engine = Engine(
        Autoencoder(
            encode=lambda images: images,
            decode=lambda z: decoders.smooth(units)(z).reshape(len(z), 1, 4, 5),
            input_shape=(1, 4, 5),
            code_shape=(units,),
        )
    )
    return Coalitions(engine, players or Units.of((units,)), baseline)


def forwards(coalitions: Coalitions) -> int:
    return sum(coalitions.engine.forwards.values())


def test_members_come_from_the_row_and_the_others_from_the_baseline() -> None:
    codes = fresh().codes(ROW, np.array([[True, False, True, False], [False] * 4, [True] * 4]))
    assert codes.tolist() == [[1, 20, 3, 40], [10, 20, 30, 40], [1, 2, 3, 4]]
    assert codes.dtype == np.float32


def test_coordinates_that_belong_to_no_player_stay_the_row_s() -> None:
    coalitions = fresh(players=Units.of((UNITS,)).subset([0, 2]))
    codes = coalitions.codes(ROW, np.array([[False, False], [True, False]]))
    assert codes.tolist() == [[10, 2, 30, 4], [1, 2, 30, 4]]


def test_grouped_units_move_together() -> None:
    coalitions = fresh(players=Units.of((UNITS,)).grouped([2]))
    assert coalitions.players.names == ("2", "rest")
    assert coalitions.codes(ROW, coalitions.alone()).tolist() == [[10, 20, 3, 40], [1, 2, 30, 4]]


def test_a_channel_moves_with_all_its_sites() -> None:
    units = Units.of((2, 2, 2))
    coalitions = Coalitions(None, units, np.zeros(8, np.float32))  # type: ignore[arg-type]
    codes = coalitions.codes(np.arange(1, 9, dtype=np.float32), coalitions.alone())
    assert codes.tolist() == [[1, 2, 3, 4, 0, 0, 0, 0], [0, 0, 0, 0, 5, 6, 7, 8]]


def test_bit_k_of_the_coalition_s_number_says_whether_k_is_in() -> None:
    table = fresh().every_coalition()
    assert table.shape == (16, 4)
    assert all(int("".join(str(int(b)) for b in row[::-1]), 2) == n for n, row in enumerate(table))


def test_growing_coalitions_add_units_in_order() -> None:
    members = fresh().growing([2, 0, 3, 1])
    assert [set(np.flatnonzero(row)) for row in members] == [
        set(),
        {2},
        {0, 2},
        {0, 2, 3},
        {0, 1, 2, 3},
    ]


def test_both_ends_of_a_path_are_the_stored_codes_bit_for_bit() -> None:
    generator = np.random.default_rng(0)
    row, baseline = generator.normal(size=(2, UNITS)).astype(np.float32)
    coalitions = fresh(baseline=baseline)
    for steps in (1, 3, 7, 16):
        path = coalitions.path(row, steps, [0, 1, 2, 3])
        for walk in path.swapaxes(0, 1):
            assert walk[0, 0].tobytes() == baseline.tobytes()
            assert walk[-1, -1].tobytes() == row.tobytes()
            for before, after in pairwise(walk):
                assert before[-1].tobytes() == after[0].tobytes()


def test_a_path_s_steps_meet_even_where_a_constant_unit_differs_from_the_baseline() -> None:
    coalitions = fresh(players=Units.of((UNITS,)).subset([0, 1, 2]))
    for walk in coalitions.path(ROW, 4, [0, 1, 2]).swapaxes(0, 1):
        for before, after in pairwise(walk):
            assert before[-1].tobytes() == after[0].tobytes()


def test_one_unit_moves_at_a_time_along_a_path() -> None:
    walk, reverse = fresh().path(ROW, 4, [3, 1, 0, 2])[1]
    assert np.flatnonzero(np.diff(walk, axis=0) != 0).tolist() == [3, 5, 8, 14]
    assert np.flatnonzero(np.diff(reverse, axis=0) != 0).tolist() == [2, 4, 9, 15]


@pytest.mark.parametrize("units", [1, 2, 3, 6])
@pytest.mark.parametrize("steps", [1, 2, 16])
def test_a_path_costs_2m_times_k_minus_1_plus_m_minus_1_forwards_and_its_ends(
    units: int, steps: int
) -> None:
    generator = np.random.default_rng(1)
    row, baseline = generator.normal(size=(2, units)).astype(np.float32)
    coalitions = fresh(units, baseline=baseline)
    order = generator.permutation(units)
    list(row_paths(coalitions, row[None], steps, [order]))
    # With two units the walks meet nowhere but on the diagonal; with one they are the same walk.
    assert forwards(coalitions) == 2 * steps * (units - 1) + steps - 1 + 2


def test_single_moves_cost_two_forwards_for_each_unit_and_both_ends() -> None:
    coalitions = fresh()
    memberships = np.concatenate(
        [
            coalitions.empty[None],
            coalitions.everyone[None],
            coalitions.alone(),
            coalitions.without_one(),
        ]
    )
    coalitions.values(ROW, memberships)
    assert forwards(coalitions) == 2 * UNITS + 2


def test_the_table_costs_2_to_the_players_forwards() -> None:
    coalitions = fresh()
    coalitions.values(ROW, coalitions.every_coalition())
    assert forwards(coalitions) == 2**UNITS


def test_growing_coalitions_cost_k_plus_1_forwards() -> None:
    coalitions = fresh()
    coalitions.values(ROW, coalitions.growing([1, 3, 0, 2]))
    assert forwards(coalitions) == UNITS + 1


def test_values_are_the_decoder_s_images_of_mixed_codes() -> None:
    coalitions = fresh(baseline=np.zeros(UNITS))
    expected = decoders.smooth(UNITS)(torch.tensor([[1.0, 0, 3, 0]])).numpy()
    images = coalitions.values(ROW, np.array([[True, False, True, False]]))
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_a_panel_s_codes_are_those_of_its_rows_one_after_the_other() -> None:
    rows = np.stack([ROW, 2 * ROW, 3 * ROW])
    orders = [np.array(order) for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0))]
    coalitions = fresh()
    panels = {
        "mixed": coalitions.panel(rows, coalitions.without_one()),
        "zero": coalitions.panel(rows, coalitions.alone(), np.zeros(UNITS, np.float32)),
        "paths": coalitions.paths(rows, 2, orders),
    }
    expected = {
        "mixed": [coalitions.codes(row, coalitions.without_one()) for row in rows],
        "zero": [np.diag(row) for row in rows],
        "paths": [
            coalitions.path(row, 2, order).reshape(-1, UNITS)
            for row, order in zip(rows, orders, strict=True)
        ],
    }
    for name, panel in panels.items():
        whole = np.concatenate(expected[name])
        assert len(panel) == len(whole)
        for place, own in enumerate(expected[name]):
            np.testing.assert_array_equal(panel.row(place), own)
        for numbers in ([0], [1, 2, 5], [3, len(whole) - 1], range(len(whole))):
            found = panel.at(np.array(numbers))
            np.testing.assert_array_equal(found, whole[np.array(numbers)])
