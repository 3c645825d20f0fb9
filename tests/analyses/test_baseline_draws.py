"""Numbers at z0 and at four other mean codes: closed forms of a linear decoder and of a product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses.shared.baseline_draws import BaselineDraws, baseline_draws
from reportgen.analyses.shared.path_contributions import path_order, path_shares
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

UNITS = 4


def of(decode, units: int) -> tuple[Study, BaselineDraws, np.ndarray]:
    """A study, its draws, and (5, t, K) how far each row's units are from each baseline."""
    study = decoders.study_of(decode, decoders.gaussian_codes(120, units), settings=FEW)
    draws = study.shared(baseline_draws)
    codes = study.test.codes[study.rows.statistics[: draws.rows]].astype(np.float64)
    return study, draws, codes - draws.baselines[:, None]


@pytest.fixture(scope="module")
def linear() -> tuple[Study, BaselineDraws, np.ndarray]:
    """x̂ = .3 + z W, the rows of W as long as 1, 2, 3 and 4."""
    study, draws, moved = of(decoders.linear(UNITS), UNITS)
    return study, draws, (moved * np.arange(1, UNITS + 1)) ** 2


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_the_first_baseline_is_the_mean_code_and_the_others_are_near_it(linear) -> None:
    study, draws, _ = linear
    np.testing.assert_array_equal(draws.baselines[0], study.baseline)
    apart = np.abs(draws.baselines[1:] - study.baseline)
    assert len(apart) == 4
    assert 0 < apart.max() < 5 * study.deviations.max() / np.sqrt(len(study.fit))


def test_single_moves_of_a_linear_decoder_are_its_terms_from_every_baseline(linear) -> None:
    study, draws, squares = linear
    for found in (draws.solo, draws.last, draws.damage):
        close(found, squares)
    combined, *gaps = draws.ends
    close(combined, squares.sum(axis=2))
    close(np.array(gaps), np.zeros((2, *combined.shape)))
    images = study.test.reconstructions[study.rows.statistics[: draws.rows]].astype(np.float64)
    close(draws.spread, np.square(images - images.mean(axis=0)).sum(axis=1))


def test_every_unit_of_a_linear_decoder_is_one_picture_from_every_baseline(linear) -> None:
    _, draws, squares = linear
    for first, total in (*draws.solo_leading, *draws.last_leading):
        close(first, total)
    close(draws.solo_leading[:, 1], squares.sum(axis=1))
    close(draws.last_leading[:, 1], squares.sum(axis=1))


def test_paths_of_a_linear_decoder_are_its_terms_from_every_baseline(linear) -> None:
    study, draws, squares = linear
    shares = study.shared(path_shares)
    by_unit = np.argsort(shares.player_units)
    close(draws.projections[:, :, by_unit], squares)
    close(draws.changes, squares.sum(axis=2))
    missed, size = draws.misses
    close(missed, np.zeros_like(missed))
    close(size, squares.sum(axis=2))
    order = shares.player_units[shares.order]
    left = [squares[:, :, order[count:]].sum(axis=2) for count in range(UNITS + 1)]
    close(draws.left, np.stack(left, axis=2))


def test_a_product_is_missed_in_full_by_sums_and_by_half_by_each_ablation() -> None:
    """z₀z₁u + 2z₀u′ + 3z₁u″ from (a, b): all but (z₀ − a)(z₁ − b)u adds up."""
    _, draws, moved = of(decoders.product_and_linear(), 2)
    product = moved.prod(axis=2) ** 2
    _, gap_up, gap_down = draws.ends
    close(gap_up, product)
    close(gap_down, product)
    close(draws.misses[0], product / 2)


def test_each_row_walks_once_in_two_steps_and_in_its_own_order_from_every_baseline() -> None:
    """In one order for all rows, shares of units that go together would move by a third less."""
    decode = decoders.smooth(UNITS)
    study = decoders.carrying(decode, decoders.gaussian_codes(80, UNITS), settings=FEW)
    draws, rows = study.shared(baseline_draws), study.rows.statistics
    orders = [path_order(study, row, UNITS) for row in rows[: draws.rows]]
    assert len({tuple(order) for order in orders}) > 4
    for baseline, projections in zip(draws.baselines, draws.projections, strict=True):
        for row, order, found in zip(rows, orders, projections, strict=False):
            way, at = study.test.codes[row] - baseline, baseline.copy()
            images, moved = [decode(torch.from_numpy(at[None]))[0].numpy()], [*order, *order[::-1]]
            for unit in moved:
                at[unit] += way[unit] / 2
                images.append(decode(torch.from_numpy(at[None]))[0].numpy())
            along = np.diff(images, axis=0) @ (images[-1] - images[0])
            expected = [along[np.equal(moved, unit)].sum() for unit in range(UNITS)]
            np.testing.assert_allclose(found, expected, atol=1e-5)
