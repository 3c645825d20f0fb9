"""Decoders whose truth is known, through every question: no word says anything else.

An affine decoder whatever its codes' origin, a code
of classes, nonnegative parts, a copy, a ring whose middle no image has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF, PCA, DictionaryLearning

from reportgen.analyses import (
    additivity,
    contributions,
    health,
    linearity,
    reconstruction,
    subtraction,
    trust,
)
from reportgen.report.results import VerdictLine
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.settings import Settings
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.oracles import decoders

MODULES = (additivity, contributions, health, linearity, reconstruction, subtraction, trust)
SETTINGS = Settings(effort="quick", bootstrap_resamples=200)
QUESTIONS = ("reconstructs", "linear", "summed", "matter", "zeroing")


def verdict(study: Study) -> dict[str, VerdictLine]:
    parts = {module.__name__.rpartition(".")[2]: module.run(study) for module in MODULES}
    answers = Answers(parts)
    lines = verdict_of(answers, merge_units(answers, study.settings), study.settings, {})
    return dict(zip(QUESTIONS, lines, strict=True))


def of_codes(decode: Callable[[torch.Tensor], torch.Tensor], codes: np.ndarray) -> Study:
    return decoders.study_of(decode, codes, settings=SETTINGS, noise=0.01)


def with_codes_far_from_zero() -> Study:
    """A linear decoder with a bias, all codes positive, as after a ReLU."""
    return of_codes(decoders.linear(4), decoders.gaussian_codes(1000, 4) + 4)


def with_codes_of_any_mean() -> Study:
    shift = np.array([1, 0, -2, 0.5], np.float32)
    return of_codes(decoders.linear(4), decoders.gaussian_codes(1000, 4) + shift)


def of_classes() -> Study:
    """One of six units is on, as in a code of classes."""
    chosen = np.random.default_rng(4).integers(0, 6, 1000)
    pictures = decoders.directions(6)
    return of_codes(lambda z: 0.5 + 0.6 * z @ pictures, np.eye(6, dtype=np.float32)[chosen])


def by_scikit_learn(kind: str) -> Study:
    """Digits by NMF, PCA or dictionary learning: x̂ is linear in the code."""
    digits = load_digits().data[:500] / 16.0
    fitted = {
        "NMF": lambda: NMF(6, init="nndsvda", max_iter=600, random_state=0),
        "PCA": lambda: PCA(6),
        "dictionary": lambda: DictionaryLearning(
            6, max_iter=30, transform_algorithm="lasso_lars", transform_alpha=0.1, random_state=0
        ),
    }[kind]().fit(digits)
    parts = torch.from_numpy(fitted.components_.astype(np.float32))
    mean = torch.from_numpy(np.asarray(getattr(fitted, "mean_", np.zeros(64)), np.float32))

    def encode(images: torch.Tensor) -> torch.Tensor:
        flat = images.reshape(len(images), -1).double().clamp(min=0).numpy()
        return torch.from_numpy(fitted.transform(flat).astype(np.float32))

    return decoders.of_pixels(
        digits,
        shape=(1, 8, 8),
        encode=encode,
        decode=lambda z: (mean + z @ parts).reshape(-1, 1, 8, 8),
        code_shape=(6,),
        settings=SETTINGS,
    )


@pytest.mark.parametrize(
    "make",
    [
        with_codes_far_from_zero,
        with_codes_of_any_mean,
        of_classes,
        lambda: by_scikit_learn("NMF"),
        lambda: by_scikit_learn("PCA"),
        pytest.param(lambda: by_scikit_learn("dictionary"), marks=pytest.mark.slow),
    ],
    ids=["affine", "linear", "classes", "NMF", "PCA", "dictionary learning"],
)
def test_what_is_affine_in_its_code_is_valid_linear_and_adds_up(make) -> None:
    found = verdict(make())
    assert found["zeroing"].word.startswith("Valid")
    assert found["zeroing"].number.value < 1e-4
    assert found["summed"].word == "Yes"
    assert found["linear"].word == "Linear"


def test_the_word_for_pca_is_that_of_pca() -> None:
    """Scikit-learn's, fitted on the fit rows, as the report's is."""
    digits = load_digits().data[:500] / 16.0
    fitted = PCA(6).fit(digits[:250])

    def encode(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(
            fitted.transform(images.reshape(len(images), -1).numpy()).astype(np.float32)
        )

    def decode(z: torch.Tensor) -> torch.Tensor:
        images = fitted.inverse_transform(z.numpy()).astype(np.float32)
        return torch.from_numpy(images).reshape(-1, 1, 8, 8)

    study = decoders.of_pixels(
        digits[250:],
        fit_pixels=digits[:250],
        shape=(1, 8, 8),
        encode=encode,
        decode=decode,
        code_shape=(6,),
        settings=SETTINGS,
    )
    line = verdict(study)["reconstructs"]
    assert line.word.endswith("about as well as PCA")


def test_a_product_is_said_to_be_one_and_has_no_negative_share() -> None:
    study = of_codes(decoders.product(), decoders.gaussian_codes(1000, 2))
    found = verdict(study)
    assert found["linear"].word == found["summed"].word == "No"
    assert found["zeroing"].word.startswith("No")
    shares = linearity.run(study)
    parts = [shares.linear, shares.curved, shares.not_additive]
    parts += [share.share for share in contributions.run(study).shares]
    assert min(part.low for part in parts) >= 0
    assert found["linear"].detail.endswith("at most 100 % is left to units together.")


def test_a_copied_unit_counts_once() -> None:
    """Units 2 and 3 are one, and multiply: what one number of the image does."""
    codes = decoders.gaussian_codes(1000, 4)
    codes[:, 3] = codes[:, 2]
    pictures = decoders.directions(4)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.15 * (z @ pictures + z[:, 2:3] * z[:, 3:4] * pictures[0])

    found = verdict(of_codes(decode, codes))["matter"]
    assert found.word == "3 of 4"
    assert "Units 2, 3 go together so closely that copies count once." in found.detail


def of_a_ring() -> Study:
    """Two units on a circle, at whose middle the decoder does what it does nowhere else."""
    generator = np.random.default_rng(8)
    turn = generator.uniform(0, 2 * np.pi, 1000)
    codes = np.stack([np.cos(turn), np.sin(turn), generator.normal(size=1000)], axis=1)
    pictures = decoders.directions(4)

    def decode(z: torch.Tensor) -> torch.Tensor:
        in_hole = torch.sigmoid(20 * (0.5 - z[:, :2].norm(dim=1, keepdim=True)))
        return 0.5 + 0.1 * ((1 - in_hole) * 2 * z @ pictures[:3] + in_hole * 5 * pictures[3])

    return decoders.study_of(decode, codes.astype(np.float32), settings=SETTINGS, noise=0.005)


def test_a_code_with_a_hole_is_not_told_that_effects_do_not_add_up() -> None:
    found = verdict(of_a_ring())
    assert found["linear"].word == "Linear"
    line = found["summed"]
    assert line.word == "Cannot be judged from the mean code"
    assert line.measure.endswith("measured from the medoid, a real code")
    assert line.number.value < 0.5


def test_a_linear_decoder_of_units_that_go_together_adds_up_although_moved_codes_are_off_data() -> (
    None
):
    """A sum that is exact at codes of images needs no data on its way."""
    study = of_codes(decoders.confounding(), decoders.confounded_codes(1000))
    result = additivity.run(study)
    assert result.off_data_up.value > study.settings.judged_off_data
    assert not result.cannot_be_judged
    assert verdict(study)["summed"].word == "Yes"


def test_heavy_tails_name_both_words() -> None:
    """t with 2.5 degrees of freedom: a few images decide on which side of a threshold it is."""
    codes = np.random.default_rng(9).standard_t(2.5, size=(1000, 4)).astype(np.float32)
    pictures = decoders.directions(5)

    def decode(z: torch.Tensor) -> torch.Tensor:
        curved = 0.3 * z[:, :1] * z[:, 1:2] * pictures[4]
        return 0.5 + 0.02 * (z @ pictures[:4] + curved)

    line = verdict(decoders.study_of(decode, codes, settings=SETTINGS, noise=0.003))["linear"]
    assert line.number.high - line.number.low > 0.05
    assert len(line.words) > 1
    assert " to " in line.word
