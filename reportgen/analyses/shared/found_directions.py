"""Directions of the code, found once for all questions that ask about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.engine import CodeParts
from reportgen.statistics.code_directions import CodeDirections, code_directions, undetermined
from reportgen.study.study import Study

FEWEST_SHOWN, MOST_SHOWN = 6, 16
HELD_VARIANCE = 0.9


@dataclass(frozen=True)
class FoundDirections:
    """Directions of a study's code.

    Attributes
    ----------
    coordinates : (m,) the numbers of the code that vary, of units that vary.
    directions : as many as hold .9 of the fitted variance, between 6 and 16, d of them.
    undetermined : (d,) whether a direction's order beside the next is undetermined, the last one's
        beside the first that is not shown.
    players : the d parts of z − z0 along each direction, and the rest, which takes what they leave;
        a part's length is measured from the study's baseline, as every path's start.
    """

    coordinates: np.ndarray
    directions: CodeDirections
    undetermined: np.ndarray
    players: CodeParts

    def __len__(self) -> int:
        """The number of directions."""
        return len(self.directions.variances)

    def lengths(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n, d) each code's lengths, in sd of each direction."""
        centred = codes[:, self.coordinates].astype(np.float64) - self.directions.mean
        lengths: np.ndarray = centred @ self.directions.readout
        return lengths

    def steps(self) -> np.ndarray:
        """(d, code_size) by how much each direction's sd moves a code."""
        moves = np.zeros((len(self), len(self.players.baseline)))
        moves[:, self.coordinates] = self.directions.drawn
        return moves


def found_directions(study: Study) -> FoundDirections:
    """Find them on the fit rows; for a conditional model, within its classes.

    Raises DoesNotApplyError where fewer than two numbers of the code vary, and UnanswerableError
    where no part of the reconstruction is linear in them.
    """
    coordinates = _coordinates(study)
    codes, images = codes_and_images(study, coordinates, np.arange(len(study.fit)))
    # One more than can be shown, beside which the last one's order is judged.
    found = code_directions(codes, images, MOST_SHOWN + 1, study.settings.seed)
    if not found.fitted_variance > 0:
        raise UnanswerableError("no part of the reconstruction is linear in the code.")
    held = np.cumsum(found.variances) / found.fitted_variance
    count = int(np.clip((held < HELD_VARIANCE).sum() + 1, FEWEST_SHOWN, MOST_SHOWN))
    shown = found.first(count)
    return FoundDirections(
        coordinates=coordinates,
        directions=shown,
        undetermined=undetermined(found.variances, found.rows)[:count],
        players=_players(study, coordinates, shown),
    )


def codes_and_images(
    study: Study, coordinates: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the codes (n, m), and reconstructions (n, P), of fit rows.

    For a conditional model each class has the mean of all: else directions would be of what the
    class does, which no code moves.
    """
    fit = study.fit
    codes, images = fit.codes[rows], fit.reconstructions[rows]
    labels = study.engine.labels_in(codes)
    codes = codes[:, coordinates]
    return (codes, images) if labels is None else (_level(codes, labels), _level(images, labels))


def _level(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Values (n, m) moved so that each class has the mean of all."""
    level = values - values.mean(axis=0)
    for label in np.unique(labels):
        level[labels == label] -= level[labels == label].mean(axis=0)
    return level + values.mean(axis=0)


def _coordinates(study: Study) -> np.ndarray:
    members = np.concatenate([*study.players.members, np.zeros(0, np.intp)]).astype(np.intp)
    codes = study.fit.codes[:, members]
    varying = np.sort(members[codes.min(axis=0) < codes.max(axis=0)])
    if len(varying) < 2:
        raise DoesNotApplyError("fewer than two numbers of the code vary.")
    return varying


def _players(study: Study, coordinates: np.ndarray, found: CodeDirections) -> CodeParts:
    baseline = study.baseline
    moves = np.arange(len(baseline)) < study.autoencoder.code_size

    def parts_of(code: np.ndarray) -> np.ndarray:
        # A class behind the code moves with no part.
        change = (code.astype(np.float64) - baseline) * moves
        parts = np.zeros((len(found.variances) + 1, len(code)))
        parts[:-1, coordinates] = found.parts(change[coordinates])
        parts[-1] = change - parts[:-1].sum(axis=0)
        return parts

    names = [f"direction {place + 1}" for place in range(len(found.variances))]
    return CodeParts(study.engine, baseline, (*names, "rest"), parts_of)
