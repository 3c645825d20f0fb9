"""How much of the image do the first k units rebuild?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.baseline_draws import (
    all_widened,
    baseline_draws,
    deviation_of_ratio,
)
from reportgen.analyses.shared.path_contributions import path_shares
from reportgen.engine import Coalitions
from reportgen.statistics.blocks import over_pixels
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.fit_uncertainty import jackknife_deviation
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study


@dataclass(frozen=True)
class PartialReconstruction:
    """Images from the first k units in order of share, the others at their mean.

    Attributes
    ----------
    names : players in order; with more than 32 units the weakest join last, as "rest".
    model_r2 : (players + 1) R² with the first 0, 1, … players, over the statistics rows.
    pca_components : how many of PCA's components stand beside each step: as many as the units
        that have joined hold numbers, a channel one for each site. Fewer steps where PCA ends.
    pca_r2 : R² with these, one for each step.
    off_data_share : share of the codes that some unit has not joined that is flagged.
    rows : images behind each number.
    picture_names : names of the r picture rows.
    originals : (r, P).
    model_pictures : (r, players + 1, P); pca_pictures (r, steps of PCA, P).
    """

    names: tuple[str, ...]
    model_r2: tuple[Estimate, ...]
    pca_components: tuple[int, ...]
    pca_r2: tuple[Estimate, ...]
    off_data_share: Estimate
    rows: int
    picture_names: tuple[str, ...]
    originals: ImageArray
    model_pictures: ImageArray
    pca_pictures: ImageArray


def run(study: Study) -> PartialReconstruction:
    """Add units one at a time on the statistics rows and the picture rows.

    Raises UnanswerableError where no unit varies or the test images do not.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    shares = study.shared(path_shares)
    coalitions = Coalitions(study.engine, shares.players, study.baseline)
    growing = coalitions.growing(shares.order)
    rows, pictured = study.rows.statistics, study.rows.pictures
    originals = study.test.images[rows]
    pca_misses = study.pca.squared_errors(originals)
    total = pca_misses[:, 0]
    if total.sum() <= 0:
        raise UnanswerableError("every image equals the mean of the fit images: R² is undefined.")
    misses = np.zeros((len(rows), len(growing)))
    codes = study.test.codes[rows]
    for place, images in study.decode_mine(len(rows), coalitions.panel(codes, growing).row):
        misses[place] = _squared_distances(images, originals[place])
    study.ranks.add_up(misses)
    counts = _component_counts(study, shares.players.members, shares.order)
    decoded = (coalitions.values(study.test.codes[row], growing) for row in pictured)
    return PartialReconstruction(
        names=tuple(shares.players.names[player] for player in shares.order),
        model_r2=_model_r2(study, misses, total),
        pca_components=tuple(counts),
        pca_r2=_pca_r2(study, pca_misses[:, counts], total, counts),
        off_data_share=study.off_data_share(coalitions.panel(codes, growing[:-1])),
        rows=len(rows),
        picture_names=tuple(study.test.names[row] for row in pictured),
        originals=study.pictures(study.test.images[pictured]),
        model_pictures=np.stack([study.pictures(images) for images in decoded]),
        pca_pictures=np.stack([study.pictures(_pca_sums(study, row, counts)) for row in pictured]),
    )


def _squared_distances(images: np.ndarray, original: np.ndarray) -> np.ndarray:
    """(n,) ‖x − v‖² of each image v (n, P)."""

    def of(part: slice) -> np.ndarray:
        return squared_norms(original[part].astype(np.float64) - images[:, part])

    return np.sum([*over_pixels(of, len(original))], axis=0)


def _model_r2(study: Study, misses: np.ndarray, total: np.ndarray) -> tuple[Estimate, ...]:
    """The fit half gives the code that units have not joined, and the mean image."""
    draws = study.shared(baseline_draws)
    own = study.pca_errors[study.rows.statistics[: draws.rows], 0]
    by_mean_code = deviation_of_ratio(draws.left, own)
    spread = study.pca_errors_without[:, 0] / study.pca_errors[:, 0].sum()
    by_mean_image = jackknife_deviation(misses.sum(axis=0) / total.sum() / spread[:, None])
    return all_widened(_r2(study, misses, total), np.hypot(by_mean_code, by_mean_image))


def _pca_r2(
    study: Study, misses: np.ndarray, total: np.ndarray, counts: list[int]
) -> tuple[Estimate, ...]:
    """The fit half gives the components; beyond 512 as much as at 512."""
    without = study.pca_errors_without
    known = np.minimum(counts, without.shape[1] - 1)
    deviations = jackknife_deviation(without[:, known] / without[:, :1])
    return all_widened(_r2(study, misses, total), deviations)


def _r2(study: Study, misses: np.ndarray, total: np.ndarray) -> tuple[Estimate, ...]:
    bootstrap = study.bootstrap(study.rows.statistics)
    return tuple(bootstrap.explained(column, total) for column in misses.T)


def _component_counts(
    study: Study, members: tuple[np.ndarray, ...], order: np.ndarray
) -> list[int]:
    """Numbers in the first 0, 1, … players; ends where PCA's components do."""
    numbers = np.cumsum([0, *(len(members[player]) for player in order)])
    steps = 1 + int(np.sum(numbers < study.pca_components))
    return [int(count) for count in np.minimum(numbers, study.pca_components)[:steps]]


def _pca_sums(study: Study, row: int, counts: list[int]) -> np.ndarray:
    """(steps, P) the mean image plus the first contributions, as many as `counts` says."""
    pca = study.pca
    scores = pca.scores(study.test.images[row][None])[0]
    sums = [pca.mean + scores[:count] @ pca.components[:count] for count in counts]
    return np.stack(sums)
