"""The shapes sample, whose factors are known: units are named after what they carry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from reportgen.analyses import tracking
from reportgen.images import open_images
from reportgen.loading import load_autoencoder
from reportgen.settings import Settings
from reportgen.study import Study, make_study

SHAPES = Path(__file__).parents[2] / "sample_models" / "shapes"


@pytest.fixture(scope="module")
def shapes() -> Study:
    images = open_images(SHAPES / "images")
    model = load_autoencoder(SHAPES / "model.pt2", images=images)
    return make_study(model, images, Settings())


def test_units_are_named_after_the_factor_that_scipy_s_rank_correlation_puts_first(shapes) -> None:
    values = shapes.players.values(shapes.test.codes)
    found = {}
    for place, unit in enumerate(tracking.run(shapes, shapes.settings).units):
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
