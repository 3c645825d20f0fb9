"""Does the model reconstruct, and how many PCA components would do as well?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.statistics.bootstrap import (
    Bootstrap,
    Estimate,
    held_by_few,
    interval,
    safe_ratio,
)
from reportgen.statistics.crossing import crossing, crossing_interval
from reportgen.statistics.fit_uncertainty import jackknife_deviation, widened
from reportgen.statistics.pca import LARGEST_PRODUCTS, pca_beside
from reportgen.study.study import Study

# PCA of fewer images than this for each component would do better with more of them.
ROWS_PER_COMPONENT = 10
FEWEST_HALVED = 2


@dataclass(frozen=True)
class Reconstruction:
    """Reconstruction of the test rows beside PCA fitted on the fit rows.

    Attributes
    ----------
    r2 : 1 − Σ‖x − x̂‖² / Σ‖x − x̄_train‖² over the test rows.
    mse : squared error, mean over pixels and test rows.
    code_size : number of floats in the code.
    pca_components : K_pca = min(code size, N_train − 1, P).
    pca_clipped : whether K_pca is below the code size.
    pca_r2, pca_mse : the same for K_pca components; None where PCA in sample means nothing.
    equivalent_components : k′, where PCA's R² curve, joined by straight lines, reaches the model's.
    equivalent_beyond : whether PCA does not reach it with all `largest_components`.
    equivalent_at_most : whether k′ is above a tenth of the fit rows, of which PCA would need more:
        with more of them k′ falls, so that it is an upper bound.
    equivalent_with_half : k′ for PCA fitted on every second of the fit rows; None where PCA in
        sample means nothing, with fewer than 4 rows, or with more than 4,000 of them and of pixels.
    half_beyond : whether that PCA does not reach the model; k′ is then all components that it has.
    beyond_pca : r2 − pca_r2, over the same resamples; None in sample, where PCA has seen the
        images that it is scored on and the model, for all that is known, has not.
    curve : (largest_components + 1,) PCA's R² with 0, 1, … components.
    variances : (K_pca,) λ of the fit rows, ddof 0; `variance_shares` over the total.
    order_undetermined : (K_pca,) whether λ_k and λ_{k+1} are too close to order.
    participation_ratio : (Σλ)² / Σλ² over all components.
    model_errors, pca_errors : (n,) squared error of each test row, mean over pixels.
    share_of_rows_better : share of test rows that the model reconstructs better than PCA.
    test_rows, fit_rows : numbers of images.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
    picture_names : names of the picture rows.
    originals, reconstructions, pca_reconstructions : (rows, p) their images.
    picture_mse, picture_pca_mse : squared error of the picture rows, mean over pixels and rows.
    """

    r2: Estimate
    mse: Estimate
    code_size: int
    pca_components: int
    pca_clipped: bool
    pca_r2: Estimate | None
    pca_mse: Estimate | None
    equivalent_components: Estimate | None
    equivalent_beyond: bool
    equivalent_at_most: bool | None
    equivalent_with_half: float | None
    half_beyond: bool | None
    beyond_pca: Estimate | None
    largest_components: int
    curve: np.ndarray
    variances: np.ndarray
    variance_shares: np.ndarray
    order_undetermined: np.ndarray
    participation_ratio: float
    model_errors: np.ndarray
    pca_errors: np.ndarray
    share_of_rows_better: float
    test_rows: int
    fit_rows: int
    heavy_tailed: tuple[str, ...] | None
    picture_names: tuple[str, ...]
    originals: ImageArray
    reconstructions: ImageArray
    pca_reconstructions: ImageArray
    picture_mse: float
    picture_pca_mse: float


def run(study: Study) -> Reconstruction:
    """Measure the model and PCA on the test rows.

    Raises UnanswerableError where the test images do not vary, so that R² has no denominator.
    """
    test, pca = study.test, study.pca
    model_errors = test.squared_errors
    pca_errors = study.pca_errors
    centred = pca_errors[:, 0]
    if centred.sum() <= 0:
        raise UnanswerableError(
            "every test image equals the mean of the fit images: R² is undefined."
        )
    bootstrap = study.bootstrap(study.test_rows)
    count = study.pca_components
    pca_shown = not (study.in_sample and study.autoencoder.code_size >= len(test))
    curve = 1 - pca_errors.sum(axis=0) / centred.sum()
    rows = study.rows.pictures
    pixels = study.engine.image_size
    without = _Without(study)
    half, half_beyond = _with_half(study, model_errors) if pca_shown else (None, False)
    equivalent = None
    if pca_shown:
        equivalent = _equivalent(bootstrap, model_errors, pca_errors, without)
    return Reconstruction(
        r2=widened(bootstrap.explained(model_errors, centred), without.model_r2(model_errors)),
        mse=bootstrap.ratio(model_errors / pixels, np.ones(len(test))),
        code_size=study.autoencoder.code_size,
        pca_components=count,
        pca_clipped=count < study.autoencoder.code_size,
        pca_r2=(
            widened(bootstrap.explained(pca_errors[:, count], centred), without.pca_r2(count))
            if pca_shown
            else None
        ),
        pca_mse=(
            widened(
                bootstrap.ratio(pca_errors[:, count] / pixels, np.ones(len(test))),
                without.pca_error(count) / pixels,
            )
            if pca_shown
            else None
        ),
        equivalent_components=equivalent,
        equivalent_beyond=bool(model_errors.sum() < pca_errors[:, -1].sum()),
        equivalent_at_most=(
            equivalent is not None and equivalent.value > len(study.fit) / ROWS_PER_COMPONENT
        ),
        equivalent_with_half=half,
        half_beyond=half_beyond,
        beyond_pca=(
            None
            if study.in_sample
            else bootstrap.ratio(pca_errors[:, count] - model_errors, centred)
        ),
        largest_components=pca_errors.shape[1] - 1,
        curve=curve,
        variances=pca.variances[:count],
        variance_shares=pca.variances[:count] / pca.total_variance,
        order_undetermined=pca.undetermined(count),
        participation_ratio=pca.participation_ratio,
        model_errors=model_errors / pixels,
        pca_errors=pca_errors[:, count] / pixels,
        share_of_rows_better=float(np.mean(model_errors < pca_errors[:, count])),
        test_rows=len(test),
        fit_rows=len(study.fit),
        heavy_tailed=("R²",) if held_by_few(model_errors, centred) else (),
        picture_names=tuple(test.names[row] for row in rows),
        originals=study.pictures(test.images[rows]),
        reconstructions=study.pictures(test.reconstructions[rows]),
        pca_reconstructions=study.pictures(_pca_images(study, rows, count)),
        picture_mse=float(model_errors[rows].mean()) / pixels,
        picture_pca_mse=float(pca_errors[rows, count].mean()) / pixels,
    )


class _Without:
    """Sd that the fit half adds: with a tenth of it left out, the mean image and PCA differ.

    `errors` (10, j + 1) are the study's `pca_errors_without`.
    """

    def __init__(self, study: Study) -> None:
        self.errors, self._rows = study.pca_errors_without, len(study.test)

    def _at(self, count: int) -> np.ndarray:
        """(10,) Σ‖x − x̂‖² of so many components; beyond 512 those of 512."""
        return self.errors[:, min(count, self.errors.shape[1] - 1)]

    def model_r2(self, model_errors: np.ndarray) -> float:
        return float(jackknife_deviation(safe_ratio(model_errors.sum(), self.errors[:, 0])))

    def pca_r2(self, count: int) -> float:
        return float(jackknife_deviation(safe_ratio(self._at(count), self.errors[:, 0])))

    def pca_error(self, count: int) -> float:
        return float(jackknife_deviation(self._at(count) / self._rows))

    def equivalent(self, model_errors: np.ndarray) -> float:
        level = float(model_errors.sum())
        return float(jackknife_deviation(np.array([crossing(e, level) for e in self.errors])))


def _equivalent(
    bootstrap: Bootstrap, model: np.ndarray, pca: np.ndarray, without: _Without
) -> Estimate:
    """k′ with the interval of where two sums of squares meet; percentiles for few images."""
    curves, levels, totals = (bootstrap.sums(errors) for errors in (pca, model, pca[:, 0]))
    resampled = np.full(len(levels), np.nan)
    for place in np.flatnonzero(totals > 0):
        resampled[place] = crossing(curves[place], levels[place])
    whole = crossing(pca.sum(axis=0), float(model.sum()))
    ends = crossing_interval(bootstrap, pca, model, without.errors)
    if ends is None:
        found = widened(interval(whole, resampled), without.equivalent(model), least=0)
    else:
        found = Estimate(whole, min(ends[0], whole), max(ends[1], whole))
    return found.with_resamples(resampled.astype(np.float32))


def _with_half(study: Study, model_errors: np.ndarray) -> tuple[float | None, bool]:
    """k′ where PCA is fitted on every second fit row, and whether it is beyond all of them."""
    images = study.fit.images[::2]
    if len(images) < FEWEST_HALVED or min(study.fit.images.shape) > LARGEST_PRODUCTS:
        return None, False
    _, errors = pca_beside(
        images, study.test.images, study.autoencoder.code_size, study.settings.seed
    )
    missed, of_model = errors.sum(axis=0), float(model_errors.sum())
    if missed[-1] > of_model:
        return float(len(missed) - 1), True
    return crossing(missed, of_model), False


def _pca_images(study: Study, rows: np.ndarray, count: int) -> np.ndarray:
    scores = study.pca.scores(study.test.images[rows])[:, :count]
    return study.pca.mean + scores @ study.pca.components[:count]
