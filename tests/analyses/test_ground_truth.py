"""The shapes sample, whose factors are known: units are named after what they carry."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from reportgen.analyses import contributions, health, one_picture, tracking
from reportgen.images import open_images
from reportgen.loading import load_autoencoder
from reportgen.report.results import Unit
from reportgen.report.unit_sentences import merge_units
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from reportgen.suite.answers import Answers

QUICK = Settings(effort="quick", bootstrap_resamples=200, path_steps=2)
SHAPES = Path(__file__).parents[2] / "sample_models" / "shapes"


@pytest.fixture(scope="module")
def shapes() -> Study:
    images = open_images(SHAPES / "images")
    model = load_autoencoder(SHAPES / "model.pt2", images=images)
    return make_study(model, images, QUICK)


@pytest.mark.slow
def test_units_are_named_after_the_factor_that_scipy_s_rank_correlation_puts_first(shapes) -> None:
    values = shapes.players.values(shapes.test.codes)
    found = {}
    for place, unit in enumerate(tracking.run(shapes).units):
        strength = {
            name: abs(spearmanr(values[:, place], np.array(column, float)).statistic)
            for name, column in shapes.test.factors.items()
        }
        given = [factor for factor in unit.factors if factor.kind == "given"]
        assert given[0].name == max(strength, key=strength.__getitem__)
        for factor in given:
            assert abs(factor.measure.value) == pytest.approx(strength[factor.name], abs=1e-9)
            assert factor.named <= (strength[factor.name] > 0.5)
            found[factor.name] = found.get(factor.name, False) or factor.named
    assert found["x"] and found["y"]


def sentences_of(study: Study) -> dict[int, Unit]:
    analyses = (health, contributions, one_picture, tracking)
    parts = {run.__name__.rpartition(".")[2]: run.run(study) for run in analyses}
    return {unit.index: unit for unit in merge_units(Answers(parts), QUICK)}


@pytest.mark.slow
def test_sentences_name_the_factor_that_scipy_puts_first_where_it_is_beyond_a_half(shapes) -> None:
    """x and y are carried by single units; the page's sentences say so and name nothing weaker."""
    values, units = shapes.players.values(shapes.test.codes), sentences_of(shapes)
    said = set()
    for place, index in enumerate(shapes.player_units):
        strength = {
            name: abs(spearmanr(values[:, place], np.array(column, float)).statistic)
            for name, column in shapes.test.factors.items()
        }
        sentence = units[int(index)].sentence
        strongest = max(strength, key=strength.__getitem__)
        if strength[strongest] > 0.6:
            assert f"goes with {strongest} (r " in sentence
            said.add(strongest)
        for name, r in strength.items():
            assert r > 0.5 or f" {name} (r " not in sentence
    assert said >= {"x", "y"}


@pytest.mark.slow
def test_units_without_effect_are_silent_whatever_they_follow(shapes) -> None:
    """Two units more: the true x, which the decoder ignores, and a constant."""
    model, shape = shapes.autoencoder, shapes.image_shape
    columns = torch.arange(shape[2], dtype=torch.float32)

    def encode(images: torch.Tensor) -> torch.Tensor:
        weight = images.sum(dim=(1, 2))
        centre = (weight * columns).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
        return torch.cat([model.encode(images), centre, torch.full_like(centre, 3)], dim=1)

    size = model.code_size
    wider = dataclasses.replace(
        model,
        encode=encode,
        decode=lambda z: model.decode(z[:, :size]),
        code_shape=(size + 2,),
        posterior_sd=None,
    )
    study = shapes.encoded_by(wider)
    followed = np.array(study.test.factors["x"], float)
    assert abs(spearmanr(study.test.codes[:, size], followed).statistic) > 0.9
    units = sentences_of(study)
    assert units[size].sentence == f"Unit {size} has next to no effect on the image."
    assert units[size + 1].sentence == f"Unit {size + 1} has the same value for every image."
    assert units[size].tracks == units[size + 1].tracks == ()
    for index, unit in sentences_of(shapes).items():
        assert {f.name for f in unit.tracks} == {f.name for f in units[index].tracks}


@pytest.mark.slow
def test_the_vae_sample_s_collapsed_unit_is_silent() -> None:
    images = open_images(SHAPES.parent / "fashion_images", limit=200, seed=0)
    model = load_autoencoder(SHAPES.parent / "fashion_vae" / "model.pt2", images=images)
    units = sentences_of(make_study(model, images, QUICK))
    collapsed = [unit for unit in units.values() if "collapsed" in unit.health]
    assert collapsed
    for unit in collapsed:
        assert unit.tracks == ()
        assert unit.sentence.endswith(
            "has next to no effect on the image (collapsed: its posterior is nearly the prior)."
        )
