"""What does each direction of the code contribute to an image? PCA's picture for any code.

Units are one basis of the code among many, and in large codes no single one is seen. Directions
that explain most of the reconstruction linearly are to a decoder what principal components are to
PCA; their contributions along the path from the mean code add up as exactly as the units' do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.found_directions import (
    FoundDirections,
    codes_and_images,
    found_directions,
)
from reportgen.analyses.shared.path_contributions import (
    path_shares,
    picture_paths,
    pictures_beside,
    shares_of,
)
from reportgen.analyses.shared.ranked_shares import (
    UnitShare,
    ranked_shares,
    resampled_shares,
)
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.code_directions import code_directions, repeatability
from reportgen.statistics.largest_parts import largest_parts
from reportgen.study.study import Study

LEADS_BY = 0.05


@dataclass(frozen=True)
class DirectionContributions:
    """Path contributions (Aumann–Shapley) of directions of the code, and of what they leave.

    For a conditional model directions are found within its classes, and each image's path is at
    its own.

    Attributes
    ----------
    code_numbers : those of the code that vary, which the directions mix.
    linear_share : of Var x̂ on the fit rows, what the regression on the code explains.
    held_share : of the fitted variance, what the directions hold.
    variance_shares : (d,) of the fitted variance, each direction's.
    ridge : penalty of the regression over the regressors' largest squared singular value; None for
        least squares, where the directions are the same for every mixing of the code.
    fit_rows : images that the directions were found on.
    undetermined : (d,) whether a direction's order beside the next is not determined (North).
    repeatability : (d,) |cosine| of the direction's picture between two halves of the fit rows,
        median of 7 random halvings.
    steps, step_error, rows : of the paths behind the shares, as in `contributions`.
    shares : by share, largest first, unit d for direction d + 1; the rest, −1, comes last. Their
        intervals cover the test images and not the choice of directions.
    completeness_error : largest |Σφ − Δ| over the largest |Δ|, as in `contributions`.
    off_data_share : share of the path's codes that is flagged.
    pictures : (r, d + 1, P) φ of the images of `contributions`, in the order of `shares`.
    row_shares, row_sizes : (r, d + 1) each image's own, as in `contributions`.
    own_largest, own_largest_of_units : mean over these images of what their own six largest parts
        carry of their change, by direction and by unit.
    leads : whether directions carry .05 more.
    """

    code_numbers: int
    linear_share: float
    held_share: float
    variance_shares: np.ndarray
    ridge: float | None
    fit_rows: int
    undetermined: np.ndarray
    repeatability: np.ndarray
    steps: int
    step_error: float
    rows: int
    shares: tuple[UnitShare, ...]
    completeness_error: float
    off_data_share: Estimate
    pictures: ImageArray
    row_shares: np.ndarray
    row_sizes: np.ndarray
    own_largest: float
    own_largest_of_units: float
    leads: bool


def run(study: Study) -> DirectionContributions:
    """Find directions on the fit rows, and their contributions as `contributions` finds units'.

    Raises DoesNotApplyError where fewer than two numbers of the code vary, and UnanswerableError
    where the decoder gives the same image whatever the code.
    """
    shared = study.shared(found_directions)
    found = shared.directions
    shares = shares_of(study, shared.players, _numbered(len(shared)))
    if study.is_negligible(float(shares.changes.sum()), len(shares.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    on_pictures = pictures_beside(study, shares)
    estimates = study.bootstrap(shares.rows).ratios(shares.projections, shares.changes)
    own = _own_largest(on_pictures.shares, shares.player_units)
    of_units = _own_largest(
        study.shared(picture_paths).shares, study.shared(path_shares).player_units
    )
    return DirectionContributions(
        code_numbers=len(shared.coordinates),
        linear_share=found.fitted_variance / found.total_variance,
        held_share=float(found.variances.sum()) / found.fitted_variance,
        variance_shares=found.variances / found.fitted_variance,
        ridge=found.ridge,
        fit_rows=found.rows,
        undetermined=shared.undetermined,
        repeatability=_repeatability(study, shared),
        steps=shares.steps,
        step_error=shares.step_error,
        rows=len(shares.rows),
        shares=ranked_shares(shares, estimates, resampled_shares(study, shares)),
        completeness_error=float(np.maximum(shares.incompleteness, on_pictures.incompleteness)),
        off_data_share=study.off_data_share(shares.codes),
        pictures=on_pictures.pictures[:, shares.order],
        row_shares=on_pictures.shares[:, shares.order],
        row_sizes=on_pictures.sizes[:, shares.order],
        own_largest=own,
        own_largest_of_units=of_units,
        leads=own > of_units + LEADS_BY,
    )


def _numbered(count: int) -> np.ndarray:
    return np.append(np.arange(count), -1)


def _repeatability(study: Study, found: FoundDirections) -> np.ndarray:
    """(d,) as `repeatability`, NaN for directions that a half lacks."""
    fit, seed, cosines = study.fit, study.settings.seed, np.full(len(found), np.nan)

    def pictures_of(rows: np.ndarray) -> np.ndarray:
        codes, images = codes_and_images(study, found.coordinates, rows)
        return code_directions(codes, images, len(cosines), seed).pictures

    both = repeatability(pictures_of, len(fit), seed)
    cosines[: len(both)] = both
    return cosines


def _own_largest(shares: np.ndarray, player_units: np.ndarray) -> float:
    """Mean over r images of what their own six largest parts carry, of shares (r, players)."""
    alone = shares[:, player_units >= 0]
    alone = alone[~np.isnan(alone).any(axis=1)]
    return float(largest_parts(alone).sum(axis=1).mean()) if len(alone) else float("nan")
