"""Does the instrument read zero on a linear model? PCA through the same code, against closed forms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import NotAnswered
from reportgen.coalitions import Coalitions
from reportgen.path_contributions import contributions, path_order, path_shares
from reportgen.settings import Settings
from reportgen.single_moves import single_moves
from reportgen.study import Study, squared_norms

FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Check:
    """One closed form: what was compared, how far off it is, what is allowed."""

    name: str
    error: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Control:
    """PCA of equal code size as if it were the model.

    Attributes
    ----------
    components : K_pca.
    checks : the closed forms that hold for every linear decoder.
    passed : whether all of them held. If not, the instrument is at fault, not the model.
    decodes : forwards of PCA's decoder, apart from the model's.
    """

    components: int
    checks: tuple[Check, ...]
    passed: bool
    decodes: int


def run(study: Study, settings: Settings) -> Control:
    """Check the control's study, made by `Study.linear_control`, against closed forms.

    Raises NotAnswered where PCA has no component that varies.
    """
    if len(study.players) == 0:
        raise NotAnswered("the images do not vary, so PCA has no component.")
    checks = (
        *_gaps(study),
        _one_picture(study),
        _damage(study),
        _shares(study),
        _contributions(study, settings),
        _linear_share(study),
    )
    return Control(
        components=len(study.units),
        checks=checks,
        passed=all(check.passed for check in checks),
        decodes=sum(study.decoder.forwards.values()),
    )


def _check(name: str, error: float, tolerance: float) -> Check:
    return Check(name, float(error), float(tolerance), bool(error <= tolerance))


def _gaps(study: Study) -> tuple[Check, ...]:
    """Sum against combined is 0 up to rounding, which grows with ‖g(z0)‖ / ‖Δ‖."""
    moves = study.shared(single_moves)
    size = np.sqrt(moves.combined).sum()
    nobody = study.decoder.decode(study.baseline[None])
    offset = float(np.sqrt(squared_norms(nobody)[0])) * len(moves.rows) / size
    tolerance = FLOAT_TOLERANCE * max(1.0, offset)
    return (
        _check("sum against combined, up: gap is 0", np.sqrt(moves.gap_up).sum() / size, tolerance),
        _check(
            "sum against combined, down: gap is 0", np.sqrt(moves.gap_down).sum() / size, tolerance
        ),
    )


def _one_picture(study: Study) -> Check:
    """Σσ² outside the first singular vector, over the stacks of every component together."""
    moves = study.shared(single_moves)
    rest, total = 0.0, 0.0
    for stack in (*moves.solo_stack, *moves.last_stack):
        eigenvalues = np.linalg.eigvalsh(stack.astype(np.float64) @ stack.T.astype(np.float64))
        rest += float(np.maximum(eigenvalues[:-1], 0).sum())
        total += float(eigenvalues.sum())
    return _check("one picture for each component: ρ is 1", rest / total, 1e-9)


def _damage(study: Study) -> Check:
    """Squared error added by an ablation is (z_k − m_k)² for orthonormal components."""
    moves = study.shared(single_moves)
    displacements = (study.test.codes[moves.rows] - study.baseline)[:, study.player_units]
    expected = np.square(displacements, dtype=np.float64).mean(axis=0)
    found = moves.last.mean(axis=0)
    return _check(
        "ablation changes the image by the score's variance",
        np.abs(found - expected).max() / expected.max(),
        1e-6,
    )


def _shares(study: Study) -> Check:
    """Shares are Σ(z_k − m_k)² over the total, on the same rows."""
    shares = study.shared(path_shares)
    displacements = study.test.codes[shares.rows] - study.baseline
    members = shares.players.members
    squares = np.square(displacements, dtype=np.float64)
    expected = np.array([squares[:, m].sum() for m in members]) / squares.sum()
    found = shares.projections.sum(axis=0) / shares.changes.sum()
    return _check(
        "shares are the scores' shares of variance", np.abs(found - expected).max(), FLOAT_TOLERANCE
    )


def _contributions(study: Study, settings: Settings) -> Check:
    """Last-in, first-in and path contributions are the same picture, (z_k − m_k) v_k."""
    players = study.shared(path_shares).players
    coalitions = Coalitions(study.decoder, players, study.baseline)
    worst, largest = 0.0, 0.0
    for row in study.rows.pictures:
        code = study.test.codes[row]
        order = path_order(study, row, len(players))
        phi, whole, _ = contributions(coalitions, code, settings.path_steps, order)
        ends = coalitions.values(code, np.stack([coalitions.empty, coalitions.everyone]))
        solo = coalitions.values(code, coalitions.alone()) - ends[0].astype(np.float64)
        last = ends[1].astype(np.float64) - coalitions.values(code, coalitions.without_one())
        worst = max(worst, float(np.abs(phi - solo).max()), float(np.abs(phi - last).max()))
        largest = max(largest, float(np.abs(whole).max()), float(np.abs(ends).max()))
    return _check(
        "last-in, first-in and contribution are one picture", worst / largest, FLOAT_TOLERANCE
    )


def _linear_share(study: Study) -> Check:
    """The least-squares map from codes to reconstructions leaves nothing."""
    if len(study.fit) <= study.units.code_size + 1:
        raise NotAnswered("there are fewer fit rows than components.")
    target = study.test.reconstructions.astype(np.float64)
    design = np.column_stack([np.ones(len(study.fit)), study.fit.codes.astype(np.float64)])
    coefficients, *_ = np.linalg.lstsq(design, study.fit.reconstructions, rcond=None)
    tested = np.column_stack([np.ones(len(target)), study.test.codes.astype(np.float64)])
    missed = squared_norms(target - tested @ coefficients).sum()
    total = squared_norms(target - target.mean(axis=0)).sum()
    return _check("x̂ is linear in the code: share is 1", missed / total, 1e-6)
