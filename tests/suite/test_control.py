"""M2: PCA through the same code reads zero; and a broken instrument does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from reportgen.analyses import UnanswerableError, additivity, linearity, one_picture
from reportgen.analyses.ablation import run as ablate
from reportgen.analyses.shared.path_contributions import path_shares, paths_of
from reportgen.analyses.shared.row_paths import RowPath
from reportgen.autoencoder import Autoencoder
from reportgen.engine import Coalitions
from reportgen.settings import Settings
from reportgen.statistics.pca import Pca
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study
from reportgen.suite import control
from tests.conftest import FEW
from tests.oracles import decoders

UNITS = 4


def study_of_pixels(pixels: np.ndarray, units: int = UNITS, side: int | None = None) -> Study:
    """Any model of this code size: only its images and its size matter to the control."""
    shape = (1, side, side) if side else (1, decoders.HEIGHT, decoders.WIDTH)
    count = int(np.prod(shape))
    return decoders.of_pixels(
        pixels,
        shape=shape,
        encode=lambda x: x.reshape(len(x), -1)[:, :units],
        decode=lambda z: torch.cat([z, torch.zeros(len(z), count - units)], 1).reshape(-1, *shape),
        code_shape=(units,),
        settings=FEW,
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of_pixels(decoders.correlated_pixels(260))


@pytest.fixture(scope="module")
def result(study: Study) -> control.Control:
    return control.run(study)


@pytest.fixture(scope="module")
def sklearn_moves(study: Study) -> np.ndarray:
    """(rows, K) scores of the statistics rows by scikit-learn."""
    model = PCA(UNITS, svd_solver="full").fit(study.fit.images.astype(np.float64))
    return model.transform(study.test.images[study.rows.statistics].astype(np.float64))


def test_every_closed_form_holds(result) -> None:
    assert result.passed, [check for check in result.checks if not check.passed]
    assert result.components == UNITS
    assert len(result.checks) == 7


def test_the_gap_is_rounding(result) -> None:
    assert result.additivity.up.gap.value <= 1e-5
    assert result.additivity.down.gap.value <= 1e-5
    assert result.additivity.bounded.value <= 1e-5


def test_the_gap_grows_only_with_the_output_s_offset() -> None:
    pixels = decoders.correlated_pixels(260) + 100
    study = study_of_pixels(pixels)
    pca = study.linear_control()
    gap = additivity.run(pca).up
    ratio = 100 * np.sqrt(decoders.PIXELS) / gap.size
    assert gap.gap.value <= 1e-5 * ratio


def test_every_component_is_one_picture(result, study) -> None:
    for unit in one_picture.run(study.linear_control()).units:
        assert unit.rho_solo.value == pytest.approx(1, abs=1e-9)
        assert unit.rho_context.value == pytest.approx(1, abs=1e-9)
    assert result.rho_solo.value == pytest.approx(1, abs=1e-9)
    assert result.rho_context.value == pytest.approx(1, abs=1e-9)


def test_the_reconstruction_is_linear_in_the_code(result, study) -> None:
    assert result.linear.value == pytest.approx(1, abs=1e-6)
    assert result.curved.value == pytest.approx(0, abs=1e-6)
    assert result.not_additive.value == pytest.approx(0, abs=1e-6)
    assert linearity.run(study.linear_control()).linear.value == pytest.approx(1, abs=1e-6)


def test_damage_is_scikit_learn_s_squared_score_over_the_same_rows(study, sklearn_moves) -> None:
    """Pixels are summed; and it is not λ, which belongs to the fit rows."""
    expected = np.square(sklearn_moves).mean(axis=0)
    effects = ablate(study.linear_control()).effects
    found = np.array([effect.damage.value for effect in effects])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.abs(found / study.pca.variances[:UNITS] - 1).max() > 0.01


def test_last_in_first_in_and_scikit_learn_s_scores_are_one(study, sklearn_moves) -> None:
    moves = single_moves(study.linear_control())
    np.testing.assert_allclose(moves.last, np.square(sklearn_moves), atol=1e-5)
    np.testing.assert_allclose(moves.solo, np.square(sklearn_moves), atol=1e-5)


def test_shares_are_eigenvalue_shares_on_fit_rows() -> None:
    pixels = decoders.correlated_pixels(19)  # in sample: rows are the fit rows
    study = study_of_pixels(pixels)
    shares = study.linear_control().shared(path_shares)
    found = shares.projections.sum(axis=0) / shares.changes.sum()
    fitted = PCA(UNITS, svd_solver="full").fit(pixels.astype(np.float64))
    expected = fitted.explained_variance_ / fitted.explained_variance_.sum()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_contributions_of_the_control_add_up(result) -> None:
    assert result.completeness_error <= 1e-5


def test_the_control_s_forwards_are_counted_apart(study) -> None:
    before = sum(study.engine.forwards.values())
    assert control.run(study).decodes > 0
    assert sum(study.engine.forwards.values()) == before


def broken(monkeypatch: pytest.MonkeyPatch, study: Study, decode) -> control.Control:
    """The control run with a PCA decoder that is no longer exactly linear."""
    healthy = Pca.as_autoencoder

    def faulty(self: Pca, count: int, shape: tuple[int, int, int]) -> Autoencoder:
        model = healthy(self, count, shape)
        return dataclasses.replace(model, decode=lambda z: decode(model.decode, z))

    monkeypatch.setattr(Pca, "as_autoencoder", faulty)
    return control.run(study)


def failed(result: control.Control) -> set[str]:
    return {check.name.split(":")[0] for check in result.checks if not check.passed}


def test_decoding_in_bfloat16_fails_the_control(study, monkeypatch) -> None:
    result = broken(monkeypatch, study, lambda decode, z: decode(z).bfloat16().float())
    assert not result.passed
    assert result.additivity.up.gap.value > 1e-3


def test_a_slightly_curved_instrument_fails_the_control(study, monkeypatch) -> None:
    result = broken(monkeypatch, study, lambda decode, z: decode(z + 0.01 * z**2))
    assert "x̂ is linear in the code" in failed(result)


def test_a_slight_product_fails_the_control(study, monkeypatch) -> None:
    def decode_with_product(decode, z: torch.Tensor) -> torch.Tensor:
        return decode(torch.cat([z[:, :1] * (1 + 0.01 * z[:, 1:2]), z[:, 1:]], dim=1))

    result = broken(monkeypatch, study, decode_with_product)
    assert any("sum against combined" in name for name in failed(result))


@pytest.mark.parametrize("moved", ["alone", "without_one"])
def test_a_move_of_other_units_is_not_the_contribution(study, monkeypatch, moved: str) -> None:
    """First-in and last-in are each held beside the contribution."""
    (taken_for,) = {"alone", "without_one"} - {moved}
    pca = study.linear_control()
    pca.shared(path_shares)
    monkeypatch.setattr(Coalitions, moved, lambda self: getattr(Coalitions, taken_for)(self))
    check, _ = control._contributions(pca)
    assert not check.passed
    assert check.error > 0.01


def test_contributions_of_the_control_that_do_not_add_up_are_told(study, monkeypatch) -> None:
    def larger(*arguments: object) -> Iterator[RowPath]:
        for path in paths_of(*arguments):
            yield RowPath(1.01 * path.contributions, path.change)

    pca = study.linear_control()
    monkeypatch.setattr(control, "paths_of", larger)
    check, incomplete = control._contributions(pca)
    assert incomplete == pytest.approx(0.01, rel=1e-3)
    assert not check.passed


def test_too_few_rows_leave_linearity_out_and_the_rest_in() -> None:
    result = control.run(study_of_pixels(decoders.correlated_pixels(30)))
    assert result.linear is None
    assert result.passed


def test_one_component_has_no_sum_and_passes() -> None:
    result = control.run(study_of_pixels(decoders.correlated_pixels(100), units=1))
    assert result.additivity is None
    assert result.passed


def test_more_units_than_fit_rows_clip_the_components_and_pass() -> None:
    result = control.run(study_of_pixels(decoders.correlated_pixels(22), units=16))
    assert result.components == 10
    assert result.passed


def test_images_that_do_not_vary_have_no_control() -> None:
    with pytest.raises(UnanswerableError):
        control.run(study_of_pixels(np.full((40, decoders.PIXELS), 0.5)))


def falling_spectrum(components: int, decades: float) -> np.ndarray:
    """28 × 28 images with λ falling by this many decades, as pictures' spectra do."""
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(784, components)))[0].T
    scores = generator.normal(size=(400, components)) * np.logspace(0, -decades / 2, components)
    return (0.5 + 2 * scores @ axes).astype(np.float32)


@pytest.mark.parametrize(("units", "decades"), [(10, 2), (64, 4), (64, 6)])
def test_weak_components_are_not_taken_for_a_broken_instrument(units, decades) -> None:
    """Rounding of the sum in float32 is no fault: it must be allowed for as in the gap."""
    result = control.run(study_of_pixels(falling_spectrum(64, decades), units, side=28))
    assert result.passed, [check for check in result.checks if not check.passed]


@pytest.mark.parametrize("contrast", [1, 0.1, 0.01])
def test_pale_images_are_not_taken_for_a_broken_instrument(contrast: float) -> None:
    pixels = 0.5 + contrast * (falling_spectrum(64, 2) - 0.5) / 2
    result = control.run(study_of_pixels(pixels, side=28))
    assert result.passed, [check for check in result.checks if not check.passed]


def test_the_rounding_of_pixels_to_8_bits_is_not_taken_for_a_broken_instrument() -> None:
    """Images of three true components: the fourth and later ones are the rounding itself."""
    generator = np.random.default_rng(0)
    pixels = 0.5 + 0.1 * generator.normal(size=(400, 3)) @ generator.normal(size=(3, 784))
    pixels = np.round(255 * np.clip(pixels, 0, 1)) / 255
    inside = (np.abs(pixels - 0.5) < 0.5).all(axis=0)
    pixels = np.where(inside, pixels, 0.5)
    result = control.run(study_of_pixels(pixels, units=8, side=28))
    assert result.passed, [check for check in result.checks if not check.passed]


@pytest.mark.slow
def test_hundreds_of_components_are_not_taken_for_a_broken_instrument() -> None:
    """500 changes, each rounded, add up to more rounding than 10 do; a gap of 1 % it is not."""
    side, rows = 28, 1040
    pixels = np.random.default_rng(4).uniform(size=(rows, side * side)).astype(np.float32)
    pixels = 0.5 * (pixels + pixels.mean(axis=1, keepdims=True))
    study = decoders.of_pixels(
        pixels,
        shape=(1, side, side),
        encode=lambda x: x.reshape(len(x), -1)[:, :500],
        decode=lambda z: torch.nn.functional.pad(z, (0, 284)).reshape(len(z), 1, side, side),
        code_shape=(500,),
        settings=Settings(rows=8, path_steps=1, bootstrap_resamples=100),
    )
    result = control.run(study)
    assert result.components == 500
    assert result.passed, [check for check in result.checks if not check.passed]
    for check in result.checks:
        assert check.tolerance < 1e-3


@pytest.mark.parametrize("units", [1, 2])
def test_components_that_change_nothing_but_rounding_have_no_control(units: int) -> None:
    noise = np.random.default_rng(0).normal(size=(60, decoders.PIXELS))
    with pytest.raises(UnanswerableError, match="same image"):
        control.run(study_of_pixels(0.5 + 1e-7 * noise, units=units))
