"""What does each unit contribute to an image, in pictures that add up to the reconstruction?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.baseline_draws import (
    BaselineDraws,
    all_widened,
    baseline_draws,
    deviation_of_ratio,
)
from reportgen.analyses.shared.copied_units import groups_of_copies
from reportgen.analyses.shared.path_contributions import (
    PathShares,
    path_shares,
    picture_paths,
)
from reportgen.analyses.shared.ranked_shares import (
    UnitShare,
    ranked_shares,
    resampled_shares,
)
from reportgen.autoencoder import Units
from reportgen.statistics.bootstrap import Estimate, held_by_few, safe_ratio
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study


@dataclass(frozen=True)
class StrongImage:
    """An image where a unit is strong: its name, and the unit's own share of its change."""

    unit: int
    name: str
    share: float


@dataclass(frozen=True)
class StrongImages:
    """For each unit the image with its largest ‖φ‖ where its value is above its mean, and below.

    Attributes
    ----------
    images : by the units' shares, the stronger of each unit's two first; one where all values are
        on one side. Those of the rest are not told.
    originals, parts : (images, P) the image, and φ in the steps of the pooled shares.
    """

    images: tuple[StrongImage, ...]
    originals: ImageArray
    parts: ImageArray


@dataclass(frozen=True)
class Contributions:
    """Path contributions (Aumann–Shapley) of every player.

    Attributes
    ----------
    method : what was computed, as printed.
    steps, pooled_steps : steps of the path for pictures and for shares. The latter were doubled on
        16 images until no share moved by more than .005, 32 at most.
    step_error : by how much the last doubling moved the share that it moved most; NaN where steps
        were not doubled.
    rows : images behind the shares.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
    shares : by share, largest first; "rest" last.
    effective_units : (Σ|share|)² / Σ share², as many equal units as carry the change; units of the
        rest have its share in proportion to their single effects, and units that copy each other
        are one.
    completeness_error : largest |Σφ − Δ| over the largest |Δ|, pictures and pooled rows; Δ is
        decoded apart from the paths.
    off_data_share : share of the path's codes that is flagged.
    picture_names : names of the r picture rows.
    originals, reconstructions : (r, P).
    baseline_image : (P,) g(z0), the decoded mean code, not the mean image.
    class_starts : (r, P) of a conditional model, g(z0) at each image's own class, where its parts
        start; (0, 0) for other models, whose parts all start at `baseline_image`.
    pictures : (r, players, P) φ in the order of `shares`.
    row_shares : (r, players) each image's own ⟨φ, Δ⟩ / ‖Δ‖², signed, summing to 1, in that order.
    row_sizes : (r, players) ‖φ‖ / ‖Δ‖, likewise. Both NaN for an image next to the baseline.
    pca_mean : (P,) mean image; pca_pictures (r, components, P) score times component; above 33
        components the last one is the sum of those that are left.
    pca_shares : (components,) λ_k / Σλ over all K_pca; the last one likewise.
    pca_row_shares : (r, components) each image's own score² / Σ score², likewise; NaN for the mean
        image. A part's size is the root of its share: components are orthogonal.
    strong : of the pooled rows, those where each unit is strong.
    """

    method: str
    steps: int
    pooled_steps: int
    step_error: float
    rows: int
    heavy_tailed: tuple[str, ...]
    shares: tuple[UnitShare, ...]
    effective_units: float
    completeness_error: float
    off_data_share: Estimate
    picture_names: tuple[str, ...]
    originals: ImageArray
    reconstructions: ImageArray
    baseline_image: ImageArray
    pictures: ImageArray
    row_shares: np.ndarray
    row_sizes: np.ndarray
    pca_mean: ImageArray
    pca_pictures: ImageArray
    pca_shares: np.ndarray
    pca_row_shares: np.ndarray
    strong: StrongImages | None = None
    class_starts: ImageArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def starts(self) -> np.ndarray:
        """(r, P) the pictures that each image's parts are added to."""
        if len(self.class_starts):
            return self.class_starts
        return np.broadcast_to(self.baseline_image, self.reconstructions.shape)


def run(study: Study) -> Contributions:
    """Shares over the pooled rows and pictures for the picture rows.

    Raises UnanswerableError where `unit_shares` does.
    """
    of_units = unit_shares(study)
    shares = study.shared(path_shares)
    on_pictures = study.shared(picture_paths)
    rows = study.rows.pictures
    baseline_image = study.engine.decode(study.baseline[None])[0]
    shown = min(study.pca_components, study.settings.path_players + 1)
    pca, variances = study.pca, study.pca.variances[: study.pca_components]
    return Contributions(
        method="Aumann–Shapley path contributions by finite differences",
        steps=study.settings.path_steps,
        pooled_steps=shares.steps,
        step_error=shares.step_error,
        rows=len(shares.rows),
        heavy_tailed=("shares",) if held_by_few(shares.changes) else (),
        shares=of_units,
        effective_units=_effective_units(study, of_units),
        completeness_error=float(np.maximum(shares.incompleteness, on_pictures.incompleteness)),
        off_data_share=study.off_data_share(shares.codes),
        picture_names=tuple(study.test.names[row] for row in rows),
        originals=study.pictures(study.test.images[rows]),
        reconstructions=study.pictures(study.test.reconstructions[rows]),
        baseline_image=study.pictures(baseline_image),
        pictures=on_pictures.pictures[:, shares.order],
        row_shares=on_pictures.shares[:, shares.order],
        row_sizes=on_pictures.sizes[:, shares.order],
        pca_mean=study.pictures(pca.mean),
        pca_pictures=np.stack([study.pictures(_pca_parts(study, row, shown)) for row in rows]),
        pca_shares=np.append(variances[: shown - 1], variances[shown - 1 :].sum())
        / variances.sum(),
        pca_row_shares=_pca_shares(study, shown),
        class_starts=_class_starts(study, rows),
        strong=_strong_images(study, shares),
    )


def _strong_images(study: Study, shares: PathShares[Units]) -> StrongImages | None:
    strongest = shares.strongest
    if strongest is None:
        return None
    found = [
        (int(player), int(side))
        for player in shares.order
        if shares.player_units[player] >= 0
        for side in np.argsort(-strongest.sizes[player], kind="stable")
        if strongest.rows[player, side] >= 0
    ]
    rows = np.array([strongest.rows[place] for place in found], np.intp)
    parts = [strongest.pictures[place] for place in found]
    return StrongImages(
        images=tuple(
            StrongImage(
                unit=int(shares.player_units[place[0]]),
                name=study.test.names[row],
                share=float(strongest.shares[place]),
            )
            for place, row in zip(found, rows, strict=True)
        ),
        originals=study.pictures(study.test.images[rows]),
        parts=np.array(parts, np.float32).reshape(len(found), -1),
    )


def _class_starts(study: Study, rows: np.ndarray) -> np.ndarray:
    if not study.autoencoder.is_conditional:
        return np.zeros((0, 0), np.float32)
    return study.pictures(np.stack([*study.baseline_images(study.test.codes[rows])]))


def _effective_units(study: Study, shares: tuple[UnitShare, ...]) -> float:
    """(Σ|share|)² / Σ share² over all units that vary, copies of each other taken as one."""
    alone = np.array([share.share.value for share in shares if share.unit >= 0])
    rest = sum(share.share.value for share in shares if share.unit < 0)
    named = {share.unit for share in shares}
    moves = study.shared(single_moves)
    effects = (moves.solo + moves.last).sum(axis=0)
    unnamed = np.array([unit not in named for unit in study.player_units])
    in_rest = rest * safe_ratio(effects[unnamed], effects[unnamed].sum())
    units = [*(share.unit for share in shares if share.unit >= 0), *study.player_units[unnamed]]
    groups = study.shared(groups_of_copies)[np.array(units, np.intp)]
    every = np.abs(np.bincount(groups, np.concatenate([alone, in_rest])))
    return float(safe_ratio(every.sum() ** 2, np.square(every).sum()))


def _pca_parts(study: Study, row: int, shown: int) -> np.ndarray:
    """(shown, P) score times component; the last is the sum of all K_pca that are left."""
    pca, image = study.pca, study.test.images[row]
    left = slice(shown - 1, study.pca_components)
    rest = pca.scores(image[None])[0, left] @ pca.components[left]
    first = pca.contributions(image, shown - 1)
    return np.concatenate([first, rest[None]])


def _pca_shares(study: Study, shown: int) -> np.ndarray:
    """(r, shown) of each picture row, the share of its squared scores; the last holds all left."""
    squares = np.square(study.pca.scores(study.test.images[study.rows.pictures]), dtype=np.float64)
    squares = squares[:, : study.pca_components]
    parts = np.append(
        squares[:, : shown - 1], squares[:, shown - 1 :].sum(axis=1, keepdims=True), axis=1
    )
    return safe_ratio(parts, squares.sum(axis=1, keepdims=True))


def unit_shares(study: Study, *, with_fit_half: bool = True) -> tuple[UnitShare, ...]:
    """Every player's share with its rank, largest first; over the pooled rows.

    Without the fit half the intervals cover the test rows alone. Raises UnanswerableError where no
    unit varies, or moving all of them changes nothing.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    shares = study.shared(path_shares)
    if study.is_negligible(float(shares.changes.sum()), len(shares.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    bootstrap = study.bootstrap(shares.rows)
    estimates = bootstrap.ratios(shares.projections, shares.changes)
    resampled = resampled_shares(study, shares)
    estimates = tuple(
        estimate.with_resamples(column)
        for estimate, column in zip(estimates, resampled.T.astype(np.float32), strict=True)
    )
    if with_fit_half:
        draws = study.shared(baseline_draws)
        estimates = all_widened(estimates, deviation_of_ratio(draws.projections, draws.changes))
        resampled += _moved_by_fit_half(draws, len(resampled), study.settings.seed)
    return ranked_shares(shares, estimates, resampled)


def _moved_by_fit_half(draws: BaselineDraws, resamples: int, seed: int) -> np.ndarray:
    """(B, players) by how much shares would differ with other mean codes, drawn for each resample.

    Normal, with the covariance of the draws' differences from z0.
    """
    shares = safe_ratio(draws.projections.sum(axis=1), draws.changes.sum(axis=1)[:, None])
    differences = np.nan_to_num(shares[1:] - shares[0])
    drawn = np.random.default_rng([seed, 17]).normal(size=(resamples, len(differences)))
    return drawn @ differences / np.sqrt(len(differences))
