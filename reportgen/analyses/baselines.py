"""Does it matter what an ablated unit is set to? Mean, resampled, nearest, zero side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.analyses.shared.baseline_draws import (
    all_widened,
    baseline_draws,
    deviation_of_ratio,
)
from reportgen.analyses.shared.path_contributions import agreement_with_shares
from reportgen.engine import CodePanel
from reportgen.statistics.blocks import cached_columns, over_pixels
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.single_moves import ablation_squares, single_moves
from reportgen.study.study import Study

DONORS = 2
NEAREST = 10


@dataclass(frozen=True)
class BaselineEffects:
    """Last-in effects of every player for one baseline.

    Attributes
    ----------
    baseline : "mean", "resample" (the unit's value in another image), "nearest" (its value in one
        of the 10 images nearest in the other units) or "zero".
    units : indices, in the order of the code.
    effects : c Σ‖D‖² / Σ‖x̂ − mean x̂‖²; c is ½ for random donors, which double the variance, so
        that resampled effects are total-effect indices (Jansen, 1999), and 1 otherwise.
    damages : squared error added, summed over pixels, mean over rows and donors; signed.
    off_data_share : share of the ablated codes that is flagged.
    rank_agreement : Kendall's τ with the ranking by share; None below 3 units.
    """

    baseline: str
    units: tuple[int, ...]
    effects: tuple[Estimate, ...]
    damages: tuple[Estimate, ...]
    off_data_share: Estimate
    rank_agreement: float | None


@dataclass(frozen=True)
class Baselines:
    """The same ablation with four baselines.

    Attributes
    ----------
    tables : one for each baseline.
    rows, donors : images behind each number, and donors for each of them.
    """

    tables: tuple[BaselineEffects, ...]
    rows: int
    donors: int


def run(study: Study) -> Baselines:
    """Ablate every player of the statistics rows with each baseline; the mean's are single moves.

    Raises UnanswerableError where no unit varies, or when the reconstruction does not.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    rows = study.rows.statistics
    moves = study.shared(single_moves)
    spread = moves.spread
    if study.is_negligible(float(spread.sum()), len(rows)):
        raise UnanswerableError("the reconstruction is the same for every row.")
    coalitions, codes = study.coalitions, study.test.codes[rows]
    zeroed = coalitions.panel(
        codes, coalitions.without_one(), baseline=np.zeros_like(study.baseline)
    )
    panels = {
        "resample": _from_donors(study, _random_donors(study)),
        "nearest": _from_donors(study, _nearest_donors(study)),
        "zero": zeroed,
    }
    ablations = {
        "mean": _Ablations(moves.last, moves.damage, moves.last_codes),
        **{name: _ablations(study, panel) for name, panel in panels.items()},
    }
    return Baselines(
        tables=tuple(_table(study, name, found, spread) for name, found in ablations.items()),
        rows=len(rows),
        donors=DONORS,
    )


@dataclass(frozen=True)
class _Ablations:
    """‖D‖² and damage (r, K), means over donors; and the codes that were decoded."""

    squares: np.ndarray
    damages: np.ndarray
    codes: CodePanel


def _ablations(study: Study, codes: CodePanel) -> _Ablations:
    """Measure the statistics rows with one player ablated, averaged over the player's donors."""
    rows, players = study.rows.statistics, len(study.players)
    squares, damages = np.zeros((2, len(rows), players))
    for place, images in study.decode_mine(len(rows), codes.row):
        row = rows[place]
        own, damage = _row_squares(images, study.test.reconstructions[row], study.test.images[row])
        squares[place] = own.reshape(players, -1).mean(axis=1)
        damages[place] = damage.reshape(players, -1).mean(axis=1)
    study.ranks.add_up(squares, damages)
    return _Ablations(squares, damages, codes)


def _table(study: Study, name: str, found: _Ablations, spread: np.ndarray) -> BaselineEffects:
    bootstrap = study.bootstrap(study.rows.statistics)
    scale = 0.5 if name in ("resample", "nearest") else 1.0
    effects = bootstrap.ratios(scale * found.squares, spread)
    damages = bootstrap.ratios(found.damages, np.ones(len(spread)))
    if name == "mean":
        draws = study.shared(baseline_draws)
        effects = all_widened(effects, deviation_of_ratio(draws.last, draws.spread), least=0)
        deviations = deviation_of_ratio(draws.damage, np.ones(draws.rows))
        damages = all_widened(damages, deviations)
    return BaselineEffects(
        baseline=name,
        units=tuple(int(unit) for unit in study.player_units),
        effects=effects,
        damages=damages,
        off_data_share=study.off_data_share(found.codes),
        rank_agreement=agreement_with_shares(study, found.squares.sum(axis=0)),
    )


def _row_squares(
    ablated: np.ndarray, whole: np.ndarray, original: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """‖x̂ − v‖² of each ablated image v (n, P), and ‖x − v‖² − ‖x − x̂‖²."""
    parts = over_pixels(
        lambda part: _squares_of_part(ablated[:, part], whole[part], original[part]), len(whole)
    )
    effects, damages = (np.sum(found, axis=0) for found in zip(*parts, strict=True))
    return effects, damages


def _squares_of_part(
    ablated: np.ndarray, whole: np.ndarray, original: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`_row_squares` over some pixels."""
    effects, damages = np.zeros((2, len(ablated)))
    for columns in cached_columns(ablated):
        _, squares, added = ablation_squares(ablated[:, columns], whole[columns], original[columns])
        effects += squares
        damages += added
    return effects, damages


def _from_donors(study: Study, donors: np.ndarray) -> CodePanel:
    """Each row's codes with one player taken from a test row; `donors` (r, K, R) are these rows."""
    without_one = np.repeat(study.coalitions.without_one(), donors.shape[2], axis=0)
    rows, donors = study.rows.statistics, donors.reshape(len(donors), -1)

    def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
        own, others = study.test.codes[rows[place]], study.test.codes[donors[place, which]]
        return study.coalitions.codes(own, without_one[which], baseline=others)

    return CodePanel(len(rows), len(without_one), of_row)


def _random_donors(study: Study) -> np.ndarray:
    """(r, K, R) other test rows, drawn evenly."""
    rows, others = study.rows.statistics, len(study.test)
    generator = np.random.default_rng([study.settings.seed, 6])
    shift = generator.integers(1, others, (len(rows), len(study.players), DONORS))
    return (rows[:, None, None] + shift) % others


def _nearest_donors(study: Study) -> np.ndarray:
    """(r, K, R) test rows among the 10 nearest in the other live units' values, in sd.

    A copy of the row's image is no donor. The only live unit has no others to be near in: then
    every row is as near as any.
    """
    donors = _random_donors(study)
    live = study.live_units
    values = study.units.values(study.test.codes)[:, live]
    values = values - values.mean(axis=0)
    deviations = study.deviations[live]
    scaled = values / np.where(deviations > 0, deviations, 1)
    rows = study.rows.statistics
    generator = np.random.default_rng([study.settings.seed, 7])
    near = scaled[rows]
    whole = (
        np.square(near).sum(axis=1)[:, None] + np.square(scaled).sum(axis=1) - 2 * near @ scaled.T
    )
    copies = study.test.copy_of[rows, None] == study.test.copy_of
    nearest = min(NEAREST, int((~copies).sum(axis=1).min()))
    for player, unit in enumerate(study.player_units):
        own = live == unit
        if own.all() or nearest == 0:
            continue
        distances = whole - np.square(near[:, own, None] - scaled.T[own]).sum(axis=1)
        distances[copies] = np.inf
        close = np.argpartition(distances, nearest - 1, axis=1)[:, :nearest]
        picks = generator.integers(0, nearest, (len(rows), DONORS))
        donors[:, player] = np.take_along_axis(np.sort(close, axis=1), picks, axis=1)
    return donors
