"""What does each direction of the code contribute to an image? PCA's picture for any code.

Units are one basis of the code among many, and in large codes no single one is seen. Directions
that explain most of the reconstruction linearly are to a decoder what principal components are to
PCA; their contributions along the path from the mean code add up as exactly as the units' do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray, UnanswerableError
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
from reportgen.engine import CodeParts
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.code_directions import (
    CodeDirections,
    code_directions,
    repeatability,
    undetermined,
)
from reportgen.statistics.largest_parts import largest_parts
from reportgen.study.study import Study

FEWEST_SHOWN, MOST_SHOWN = 6, 16
HELD_VARIANCE = 0.9
LEADS_BY = 0.05


@dataclass(frozen=True)
class DirectionContributions:
    """Path contributions (Aumann–Shapley) of directions of the code, and of what they leave.

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
    repeatability : (d,) |cosine| of the direction's picture between two halves of the fit rows.
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
    if study.autoencoder.is_conditional:
        raise DoesNotApplyError("directions are of codes alone; this model takes classes too.")
    coordinates = _coordinates(study)
    found, undetermined_order = _found(study, coordinates)
    shares = shares_of(study, _players(study, coordinates, found), _numbered(found))
    if study.is_negligible(float(shares.changes.sum()), len(shares.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    on_pictures = pictures_beside(study, shares)
    estimates = study.bootstrap(shares.rows).ratios(shares.projections, shares.changes)
    own = _own_largest(on_pictures.shares, shares.player_units)
    of_units = _own_largest(
        study.shared(picture_paths).shares, study.shared(path_shares).player_units
    )
    return DirectionContributions(
        code_numbers=len(coordinates),
        linear_share=found.fitted_variance / found.total_variance,
        held_share=float(found.variances.sum()) / found.fitted_variance,
        variance_shares=found.variances / found.fitted_variance,
        ridge=found.ridge,
        fit_rows=found.rows,
        undetermined=undetermined_order,
        repeatability=_repeatability(study, coordinates, found),
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


def _coordinates(study: Study) -> np.ndarray:
    """(m,) the numbers of the code that vary, of units that vary."""
    members = np.concatenate([*study.players.members, np.zeros(0, np.intp)]).astype(np.intp)
    codes = study.fit.codes[:, members]
    varying = np.sort(members[codes.min(axis=0) < codes.max(axis=0)])
    if len(varying) < 2:
        raise DoesNotApplyError("fewer than two numbers of the code vary.")
    return varying


def _found(study: Study, coordinates: np.ndarray) -> tuple[CodeDirections, np.ndarray]:
    """Find as many directions as hold .9 of the fitted variance, between 6 and 16.

    Whose order is undetermined comes with them, the last one's beside the first not shown.
    """
    fit, seed = study.fit, study.settings.seed
    # One more than can be shown, beside which the last one's order is judged.
    found = code_directions(fit.codes[:, coordinates], fit.reconstructions, MOST_SHOWN + 1, seed)
    if not found.fitted_variance > 0:
        raise UnanswerableError("no part of the reconstruction is linear in the code.")
    held = np.cumsum(found.variances) / found.fitted_variance
    count = int(np.clip((held < HELD_VARIANCE).sum() + 1, FEWEST_SHOWN, MOST_SHOWN))
    return found.first(count), undetermined(found.variances, found.rows)[:count]


def _players(study: Study, coordinates: np.ndarray, found: CodeDirections) -> CodeParts:
    """Parts of z − z0 along each direction, and the rest, which takes what they leave.

    A part's length is measured from the study's baseline, as every path's start.
    """
    baseline = study.baseline

    def parts_of(code: np.ndarray) -> np.ndarray:
        change = code.astype(np.float64) - baseline
        parts = np.zeros((len(found.variances) + 1, len(code)))
        parts[:-1, coordinates] = found.parts(change[coordinates])
        parts[-1] = change - parts[:-1].sum(axis=0)
        return parts

    names = [f"direction {place + 1}" for place in range(len(found.variances))]
    return CodeParts(study.engine, baseline, (*names, "rest"), parts_of)


def _numbered(found: CodeDirections) -> np.ndarray:
    return np.append(np.arange(len(found.variances)), -1)


def _repeatability(study: Study, coordinates: np.ndarray, found: CodeDirections) -> np.ndarray:
    """(d,) as `repeatability`, NaN for directions that a half lacks."""
    fit, seed, cosines = study.fit, study.settings.seed, np.full(len(found.variances), np.nan)

    def pictures_of(rows: np.ndarray) -> np.ndarray:
        codes = fit.codes[np.ix_(rows, coordinates)]
        return code_directions(codes, fit.reconstructions[rows], len(cosines), seed).pictures

    both = repeatability(pictures_of, len(fit), seed)
    cosines[: len(both)] = both
    return cosines


def _own_largest(shares: np.ndarray, player_units: np.ndarray) -> float:
    """Mean over r images of what their own six largest parts carry, of shares (r, players)."""
    alone = shares[:, player_units >= 0]
    alone = alone[~np.isnan(alone).any(axis=1)]
    return float(largest_parts(alone).sum(axis=1).mean()) if len(alone) else float("nan")
