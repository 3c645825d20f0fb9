"""M25: lines between two codes beside cross-fades, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from reportgen.analyses import DoesNotApplyError, UnanswerableError, between_images
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def carried(decode, units: int = 3, labels=None, settings: Settings = FEW) -> Study:
    codes = decoders.gaussian_codes(200, units)
    return decoders.carrying(decode, codes, labels=labels, settings=settings)


def test_a_linear_decoder_s_line_is_the_cross_fade() -> None:
    study = carried(decoders.linear(3))
    result = between_images.run(study)
    for pair in result.pairs:
        assert pair.bend == pytest.approx(0, abs=1e-5)
        np.testing.assert_allclose(pair.frames, pair.fades, atol=1e-5)
        ends = [study.test.names.index(name) for name in pair.names]
        np.testing.assert_allclose(
            pair.frames[[0, -1]], study.test.reconstructions[ends], atol=1e-6
        )


def test_a_product_bends_by_its_closed_form() -> None:
    """z₀z₁ along a + t (b − a) leaves the cross-fade by t (1 − t) (b₀ − a₀)(b₁ − a₁)."""
    study = carried(decoders.product(), 2)
    for pair in between_images.run(study).pairs:
        a, b = (study.test.codes[study.test.names.index(name)] for name in pair.names)
        expected = 0.25 * abs(np.prod(b - a)) / abs(np.prod(b) - np.prod(a))
        assert pair.bend == pytest.approx(expected, rel=1e-4)
        assert pair.bent_most == 4
        t = np.linspace(0, 1, 9)[:, None]
        along = np.prod((1 - t) * a + t * b, axis=1, keepdims=True)
        np.testing.assert_allclose(pair.frames, along * decoders.directions(1).numpy(), atol=1e-5)


def test_pairs_are_the_median_the_farthest_and_the_nearest_of_two_classes() -> None:
    labels = tuple("ab"[k % 2] for k in range(200))
    study = carried(decoders.linear(3), labels=labels)
    rows = study.rows.pictures
    scaled = study.test.codes[rows].astype(np.float64) / study.deviations
    distances = pdist(scaled) / np.sqrt(3)
    own = np.array([study.test.labels[row] for row in rows])
    first, second = np.triu_indices(len(rows), 1)
    apart = own[first] != own[second]
    expected = {
        "median distance": np.sort(distances)[(len(distances) - 1) // 2],
        "largest distance": distances.max(),
        "two classes": distances[apart].min(),
    }
    found = {pair.chosen: pair.distance for pair in between_images.run(study).pairs}
    assert found == pytest.approx(expected, rel=1e-6)
    (classes,) = [p.classes for p in between_images.run(study).pairs if p.chosen == "two classes"]
    assert set(classes) == {"a", "b"}


def test_flags_are_those_of_the_codes_between() -> None:
    study = carried(decoders.linear(3))
    result = between_images.run(study)
    flagged = []
    for pair in result.pairs:
        a, b = (study.test.codes[study.test.names.index(name)] for name in pair.names)
        t = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
        own = study.off_data.flags((1 - t) * a + t * b, study.engine)
        np.testing.assert_array_equal(pair.flagged[1:-1], own[1:-1])
        flagged += own[1:-1].tolist()
    assert result.off_data_share.value == pytest.approx(np.mean(flagged))


def test_nine_codes_of_each_pair_are_decoded_together() -> None:
    study = carried(decoders.linear(3))
    study.off_data  # noqa: B018
    before = sum(study.engine.forwards.values())
    pairs = between_images.run(study).pairs
    assert sum(study.engine.forwards.values()) - before == 9 * len(pairs)


def test_one_image_has_nothing_beside_it() -> None:
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(1, 2), settings=FEW)
    with pytest.raises((DoesNotApplyError, UnanswerableError)):
        between_images.run(study)
