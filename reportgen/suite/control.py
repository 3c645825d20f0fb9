"""PCA through the same code: does the instrument read zero on a linear model?"""

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import (
    UnanswerableError,
    contributions,
    linearity,
    one_picture,
)
from reportgen.analyses.shared.gaps import Gap, gaps
from reportgen.analyses.shared.incompleteness import Incompleteness
from reportgen.analyses.shared.leading_shares import leading_shares, pooled_rho
from reportgen.analyses.shared.path_contributions import path_shares, paths_of
from reportgen.engine import Coalitions
from reportgen.process.ranks import ALONE
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study

UNROUNDED_COMPONENTS = 64
FLOAT_TOLERANCE, DAMAGE_TOLERANCE, RHO_TOLERANCE = 1e-5, 1e-6, 1e-9


@dataclass(frozen=True)
class Check:
    """One closed form: what was compared, how far off it is, what is allowed."""

    name: str
    error: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class ControlAdditivity:
    """The gaps of the control, as in `Additivity`."""

    up: Gap
    down: Gap
    bounded: Estimate


@dataclass(frozen=True)
class Control:
    """PCA as if it were the model.

    Attributes
    ----------
    components : K_pca, at most 10 where the code has fewer units than that.
    additivity : sum against combined; None with one component.
    linear, curved, not_additive : shares of Var x̂; None where there are too few rows.
    rho_solo, rho_context : one picture for each component, pooled.
    completeness_error : of the control's contributions.
    checks : the closed forms that hold for every linear decoder.
    passed : whether all of them held. If not, the instrument is at fault, not the model.
    decodes : forwards of PCA's decoder, apart from the model's.
    """

    components: int
    additivity: ControlAdditivity | None
    linear: Estimate | None
    curved: Estimate | None
    not_additive: Estimate | None
    rho_solo: Estimate
    rho_context: Estimate
    completeness_error: float
    checks: tuple[Check, ...]
    passed: bool
    decodes: int


def run(study: Study) -> Control:
    """Put PCA in the model's place and run the analyses on it.

    Raises UnanswerableError where PCA has no component that varies.
    """
    pca = study.linear_control()
    if len(pca.players) == 0:
        raise UnanswerableError("the images do not vary, so PCA has no component.")
    apart = ControlAdditivity(*gaps(pca)) if len(pca.players) > 1 else None
    on_data = _linearity(pca)
    units = one_picture.units_of(pca, None)
    stacks = pca.shared(leading_shares)
    same_picture, incomplete = _contributions(pca)
    checks = (
        *(_gaps(pca, apart) if apart else ()),
        _one_picture(pca, units),
        _damage(pca),
        _shares(pca),
        same_picture,
        *((_linear_share(on_data),) if on_data else ()),
    )
    return Control(
        components=len(pca.units),
        additivity=apart,
        linear=on_data.linear if on_data else None,
        curved=on_data.curved if on_data else None,
        not_additive=on_data.not_additive if on_data else None,
        rho_solo=pooled_rho(stacks.solo),
        rho_context=pooled_rho(stacks.context),
        completeness_error=incomplete,
        checks=checks,
        passed=all(check.passed for check in checks),
        decodes=sum(pca.engine.forwards.values()),
    )


def _linearity(pca: Study) -> linearity.Linearity | None:
    """None where the rows are too few, which the model's own section says."""
    try:
        return linearity.run(pca)
    except UnanswerableError:
        return None


def _check(name: str, error: float, tolerance: float) -> Check:
    return Check(name, float(error), float(tolerance), bool(error <= tolerance))


def _offset(pca: Study) -> float:
    """‖x̂‖ / ‖Δ‖, at least 1: rounding of an image grows with the image, not with its change."""
    moves = pca.shared(single_moves)
    return max(1.0, float(np.sqrt(pca.shared(_squares) / moves.combined.sum())))


def _squares(pca: Study) -> float:
    """Σ‖x̂‖² over the rows of the moves."""
    rows = pca.shared(single_moves).rows
    return float(sum(squared_norms(pca.test.reconstructions[row]) for row in rows))


def _gaps(pca: Study, gaps: ControlAdditivity) -> tuple[Check, ...]:
    """Sum against combined is 0.

    A float32 image of K components is rounded as √K, and K such changes are added: beyond 64
    components the rounding that is allowed grows as K.
    """
    tolerance = FLOAT_TOLERANCE * _offset(pca) * max(1.0, len(pca.players) / UNROUNDED_COMPONENTS)
    return (
        _check("sum against combined, up: the gap is 0", gaps.up.gap.value, tolerance),
        _check("sum against combined, down: the gap is 0", gaps.down.gap.value, tolerance),
    )


def _one_picture(pca: Study, units: tuple[one_picture.UnitPicture, ...]) -> Check:
    """Every component's moves are one picture at different intensities.

    The rounding of float32 images is no single picture: of each component's sum of squares it may
    take the part that it has. The component that comes nearest to its allowance is printed.
    """
    moves = pca.shared(single_moves)
    rounding = np.finfo(np.float32).eps ** 2 * pca.shared(_squares)
    worst = (0.0, RHO_TOLERANCE)
    for unit, solo, last in zip(units, moves.solo.sum(axis=0), moves.last.sum(axis=0), strict=True):
        for rho, size in ((unit.rho_solo.value, solo), (unit.rho_context.value, last)):
            if np.isfinite(rho):
                allowed = max(RHO_TOLERANCE, float(rounding / size))
                worst = max(worst, (abs(1 - rho), allowed), key=lambda pair: pair[0] / pair[1])
    return _check("one picture for each component: ρ is 1", *worst)


def _damage(pca: Study) -> Check:
    """Squared error added by an ablation is (z_k − m_k)² for orthonormal components."""
    moves = pca.shared(single_moves)
    displacements = (pca.test.codes[moves.rows] - pca.baseline)[:, pca.player_units]
    expected = np.square(displacements, dtype=np.float64).mean(axis=0)
    found = moves.damage.mean(axis=0)
    return _check(
        "ablation adds the score's variance to the squared error",
        np.abs(found - expected).max() / expected.max(),
        DAMAGE_TOLERANCE * _offset(pca),
    )


def _shares(pca: Study) -> Check:
    """Shares are Σ(z_k − m_k)² over the total, on the same rows."""
    shares = pca.shared(path_shares)
    displacements = pca.test.codes[shares.rows] - pca.baseline
    squares = np.square(displacements, dtype=np.float64)
    members = [shares.players.members[player] for player in shares.order]
    expected = np.array([squares[:, m].sum() for m in members]) / squares.sum()
    found = np.array(
        [share.share.value for share in contributions.unit_shares(pca, with_fit_half=False)]
    )
    error = np.abs(found - expected).max()
    tolerance = FLOAT_TOLERANCE * _offset(pca)
    return _check("shares are the scores' shares of variance", error, tolerance)


def _contributions(pca: Study) -> tuple[Check, float]:
    """Last-in, first-in and path contributions are the same picture, (z_k − m_k) v_k.

    The second is how far contributions, in float32, are from adding up, as in `Contributions`.
    """
    shares = pca.shared(path_shares)
    coalitions = Coalitions(pca.engine, shares.players, pca.baseline)
    memberships = np.concatenate([coalitions.alone(), coalitions.without_one()])
    nobody = coalitions.values(pca.baseline, coalitions.empty[None])[0].astype(np.float64)
    incompleteness = Incompleteness()
    apart: list[float] = []
    brightest: list[float] = []
    rows, steps = pca.rows.pictures, pca.settings.path_steps
    for row, path in zip(rows, paths_of(pca, shares.players, rows, steps), strict=True):
        image = pca.test.reconstructions[row]
        decoded = coalitions.values(pca.test.codes[row], memberships)
        solo, without_one = np.split(decoded, 2)
        for player, phi in enumerate(path.contributions):
            apart.append(np.abs(phi - (solo[player] - nobody)).max())
            apart.append(np.abs(phi - (image - without_one[player].astype(np.float64))).max())
        brightest.extend(np.abs(some).max() for some in (image, decoded))
        incompleteness.add(path.contributions.astype(np.float32), image - nobody)
    largest = np.max(brightest)
    error = 0.0 if largest == 0 else float(np.max(apart) / largest)
    check = _check("last-in, first-in and contribution are one picture", error, FLOAT_TOLERANCE)
    return check, float(np.maximum(incompleteness.over(ALONE), shares.incompleteness))


def _linear_share(on_data: linearity.Linearity) -> Check:
    """The least-squares map from codes to reconstructions leaves nothing."""
    return _check("x̂ is linear in the code: the share is 1", 1 - on_data.linear.value, 1e-6)
