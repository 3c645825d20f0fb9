"""Two units moved at once: walks over the planes of the pairs that interact most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray
from reportgen.analyses.shared.coalition_table import coalition_table
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.proportions import sampled_share
from reportgen.study.study import Study

SIDE = 9
ROWS, PAIRS = 2, 2
QUANTILES = (0.01, 0.99)


@dataclass(frozen=True)
class Plane:
    """One pair of units, walked from some rows.

    Attributes
    ----------
    units : indices; names as printed.
    first_values, second_values : (9,) the units' values, quantiles .01 to .99 of real codes.
    frames : (rows, 9, 9, P) decoded images, the first unit along the first axis.
    flagged : (rows, 9, 9) whether the code is off data.
    flagged_share : of all of them.
    """

    units: tuple[int, int]
    names: tuple[str, str]
    first_values: np.ndarray
    second_values: np.ndarray
    frames: ImageArray
    flagged: np.ndarray
    flagged_share: Estimate


@dataclass(frozen=True)
class PlaneWalks:
    """Planes of the pairs that interact most.

    Attributes
    ----------
    planes : the two pairs with the largest pair shares (Interactions); where no two units
        interact, the strongest unit by share with each of the two that follow it.
    rows : names of the rows that the planes start from.
    """

    planes: tuple[Plane, ...]
    rows: tuple[str, ...]


def run(study: Study) -> PlaneWalks:
    """Decode 9 × 9 codes for each row and pair.

    Raises DoesNotApplyError with fewer than two units that vary.
    """
    if len(study.players) < 2:
        raise DoesNotApplyError("fewer than two units vary, so there is no plane.")
    table = study.shared(coalition_table)
    place = {int(unit): player for player, unit in enumerate(study.player_units)}
    strongest = [
        tuple(place[table.player_units[player]] for player in pair)
        for pair in table.pairs_by_energy()[:PAIRS]
    ]
    rows = study.rows.walks[:ROWS]
    return PlaneWalks(
        planes=tuple(_plane(study, pair, rows) for pair in strongest),
        rows=tuple(study.test.names[row] for row in rows),
    )


def _plane(study: Study, pair: tuple[int, ...], rows: np.ndarray) -> Plane:
    fitted = study.players.values(study.fit.every_code)
    low, high = np.quantile(fitted[:, pair], QUANTILES, axis=0)
    grid = np.linspace(low, high, SIDE)
    own = study.players.values(study.test.codes[rows])
    codes = np.empty((len(rows), SIDE, SIDE, study.units.code_size), dtype=np.float32)
    first, second = (study.players.members[player] for player in pair)
    for place, row in enumerate(rows):
        codes[place] = study.test.codes[row]
        moves = grid - own[place, pair]
        codes[place][:, :, first] += moves[:, None, None, 0].astype(np.float32)
        codes[place][:, :, second] += moves[None, :, None, 1].astype(np.float32)
    flat = codes.reshape(-1, study.units.code_size)
    pictures, flags = [], []
    for _, drawn, off_data in study.decoded_panel(flat):
        pictures.append(drawn)
        flags.append(off_data)
    flagged = np.concatenate(flags).reshape(len(rows), SIDE, SIDE)
    names = study.players.names
    return Plane(
        units=(int(study.player_units[pair[0]]), int(study.player_units[pair[1]])),
        names=(names[pair[0]], names[pair[1]]),
        first_values=grid[:, 0],
        second_values=grid[:, 1],
        frames=np.concatenate(pictures).reshape(len(rows), SIDE, SIDE, -1),
        flagged=flagged,
        flagged_share=sampled_share(flagged, flagged.size),
    )
