"""Was it the choice of axes? Canonical directions of the code, and the headline numbers in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray, UnanswerableError
from reportgen.analyses.shared.leading_shares import leading_shares, pooled_rho
from reportgen.autoencoder import Autoencoder, UnitKind
from reportgen.engine import CodePanel
from reportgen.statistics.blocks import centred_squares, columns_filled
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.code_directions import WhiteCodes, repeatability, undetermined
from reportgen.study.sample import Sample
from reportgen.study.single_moves import SingleMoves, single_moves
from reportgen.study.study import Study

ROWS_PER_UNIT = 5


@dataclass(frozen=True)
class Directions:
    """Directions of the code in order of the variance of x̂ that they explain linearly.

    With B the least-squares map z → x̂ and Σ the covariance of codes, Σ^½BBᵀΣ^½ = U diag(μ) Uᵀ and
    y = UᵀΣ^(−½)(z − m). For a linear autoencoder these are the principal axes of its
    reconstructions.

    Attributes
    ----------
    variance_shares : (d,) μ / Var x̂; they sum to the linear share on the fit rows.
    undetermined : (d,) whether a direction's order beside the next is not determined (North).
    repeatability : (d,) |cosine| of the direction between two halves of the fit rows.
    pictures : (d, P) change of x̂ for one sd along each direction.
    loadings : (d, players) each direction in units' standard deviations, length 1.
    units : the players' indices.
    gap_up, gap_down : sum against combined along the directions, over the statistics rows.
    gap_up_units, gap_down_units : the same along the units, for comparison; the intervals of all
        four cover the rows and not the fit half, which both have in common.
    rho_solo, rho_context : one picture for each direction, pooled.
    rho_solo_units, rho_context_units : the same along the units.
    effects : (d) last-in effects of the directions, mean baseline.
    off_data_share : share of the codes moved along directions, both ways, that is flagged.
    rows : images behind each number.
    """

    variance_shares: np.ndarray
    undetermined: np.ndarray
    repeatability: np.ndarray
    pictures: ImageArray
    loadings: np.ndarray
    units: tuple[int, ...]
    gap_up: Estimate
    gap_down: Estimate
    gap_up_units: Estimate
    gap_down_units: Estimate
    rho_solo: Estimate
    rho_context: Estimate
    rho_solo_units: Estimate
    rho_context_units: Estimate
    effects: tuple[Estimate, ...]
    off_data_share: Estimate
    rows: int


def run(study: Study) -> Directions:
    """Find the directions on the fit rows and repeat the single moves along them.

    Raises DoesNotApplyError for spatial codes and with fewer than two units that vary, and
    UnanswerableError for codes with atoms (ReLU, quantised) or fewer than 5 fit rows for each unit.
    """
    _refuse(study)
    basis = _Basis(study.fit.codes, study.fit.reconstructions, _coordinates(study))
    rotated = _in_directions(study, basis)
    before, after = study.shared(single_moves), rotated.shared(single_moves)
    along_units, along_directions = study.shared(leading_shares), rotated.shared(leading_shares)
    study.engine.add_costs_of(rotated.engine, "directions")
    bootstrap = study.bootstrap(before.rows)
    variance = float(centred_squares(study.fit.reconstructions).sum()) / len(study.fit)

    def gap(missed: np.ndarray, combined: np.ndarray) -> Estimate:
        return bootstrap.ratio(np.sqrt(missed), np.sqrt(combined))

    return Directions(
        variance_shares=basis.variances / variance,
        undetermined=undetermined(basis.variances, len(study.fit)),
        repeatability=_repeatability(study),
        pictures=study.pictures(basis.pictures),
        loadings=basis.loadings,
        units=tuple(int(unit) for unit in study.player_units),
        gap_up=gap(after.gap_up, after.combined),
        gap_down=gap(after.gap_down, after.combined),
        gap_up_units=gap(before.gap_up, before.combined),
        gap_down_units=gap(before.gap_down, before.combined),
        rho_solo=pooled_rho(along_directions.solo),
        rho_context=pooled_rho(along_directions.context),
        rho_solo_units=pooled_rho(along_units.solo),
        rho_context_units=pooled_rho(along_units.context),
        effects=bootstrap.ratios(after.last, after.spread),
        off_data_share=study.off_data_share(_moved_codes(study, basis, after)),
        rows=len(after.rows),
    )


def _refuse(study: Study) -> None:
    if study.units.kind == UnitKind.CHANNEL:
        raise DoesNotApplyError(
            "directions are for codes of single numbers; here a unit is a channel of many."
        )
    if any(len(members) > 1 for members in study.units.members):
        raise DoesNotApplyError("directions mix single units; here units are grouped.")
    if study.autoencoder.is_conditional:
        raise DoesNotApplyError("directions are of codes alone; this model takes classes too.")
    if len(study.players) < 2:
        raise DoesNotApplyError("fewer than two units vary, so there is nothing to rotate.")
    if len(study.fit) < ROWS_PER_UNIT * len(study.players):
        raise UnanswerableError(f"{len(study.fit)} fit rows are too few for the code's covariance.")
    values = study.units.values(study.test.codes)
    for unit in study.player_units:
        _, counts = np.unique(values[:, unit], return_counts=True)
        if counts.max() > study.settings.atom_share * len(study.test):
            raise UnanswerableError(
                f"unit {unit} has one value for most images, and directions through it would "
                "give codes unlike these images'."
            )


def _coordinates(study: Study) -> np.ndarray:
    """(players,) the coordinate of the code that each player is."""
    return np.concatenate(study.players.members)


class _Basis:
    """y = UᵀΣ^(−½)(z − m) over the players of flat codes, and back."""

    def __init__(self, codes: np.ndarray, images: np.ndarray, players: np.ndarray) -> None:
        found = WhiteCodes(codes[:, players])
        # White codes have mean 0 and unit covariance, so least squares is a mean product.
        slopes = columns_filled(
            found.white.shape[1],
            images,
            lambda some: found.white.T @ images[:, some].astype(np.float64) / len(codes),
        )
        variances, rotation = np.linalg.eigh(slopes @ slopes.T)
        self.variances, rotation = np.maximum(variances[::-1], 0), rotation[:, ::-1]
        scaled = rotation.T @ found.colour
        self.mean = found.mean
        self.to_directions = (found.whiten @ rotation) / found.scale[:, None]
        self.to_codes = scaled * found.scale
        self.pictures = rotation.T @ slopes
        self.loadings = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def _in_directions(study: Study, basis: _Basis) -> Study:
    """The same model and rows with y in the code's place."""
    import torch

    players = _coordinates(study)
    device = study.autoencoder.device
    to_codes = torch.from_numpy(basis.to_codes.astype(np.float32)).to(device)
    mean = torch.from_numpy(basis.mean.astype(np.float32)).to(device)
    constant = torch.from_numpy(study.baseline).to(device)
    columns = torch.from_numpy(players).to(device)
    inner = study.autoencoder

    def decode(directions: torch.Tensor) -> torch.Tensor:
        codes = constant.repeat(len(directions), 1)
        codes[:, columns] = mean + directions @ to_codes
        return inner.decode(codes.reshape(-1, *inner.decoded_shape))

    def mapped(sample: Sample, engine: object) -> Sample:
        def directions(codes: np.ndarray) -> np.ndarray:
            centred = codes[:, players].astype(np.float64) - basis.mean
            return (centred @ basis.to_directions).astype(np.float32)

        every = directions(sample.every_code)
        kept = every if sample.every_code is sample.codes else directions(sample.codes)
        return replace(sample, codes=kept, every_code=every)

    rotated = Autoencoder(
        encode=inner.encode,
        decode=decode,
        input_shape=inner.input_shape,
        code_shape=(len(basis.variances),),
        device=device,
        name=inner.name,
        concurrent=inner.concurrent,
        fixed_batch=inner.fixed_batch,
    )
    return study.standing_in(rotated, mapped)


def _moved_codes(study: Study, basis: _Basis, moves: SingleMoves) -> CodePanel:
    """The codes that the moves along directions, both ways, stand for."""
    solo, last = moves.solo_codes, moves.last_codes

    def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
        directions = np.concatenate([solo.row(place), last.row(place)])[which]
        return _as_codes(study, basis, directions)

    return CodePanel(solo.rows, solo.each + last.each, of_row)


def _as_codes(study: Study, basis: _Basis, directions: np.ndarray) -> np.ndarray:
    """(n, d) → (n, code_size): the codes that these directions stand for."""
    codes = np.tile(study.baseline, (len(directions), 1))
    codes[:, _coordinates(study)] = basis.mean + directions @ basis.to_codes
    return codes


def _repeatability(study: Study) -> np.ndarray:
    fit, coordinates = study.fit, _coordinates(study)

    def pictures_of(rows: np.ndarray) -> np.ndarray:
        return _Basis(fit.codes[rows], fit.reconstructions[rows], coordinates).pictures

    return repeatability(pictures_of, len(fit), study.settings.seed)
