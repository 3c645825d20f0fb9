"""Which units may shape a judgement about data: those that the decoder reads. Closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses import baselines, health, traversal
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def with_a_collapsed_unit(read: float = 0.0) -> Study:
    """Two independent units, and one that follows both and whose posterior is the prior.

    Its mean moves by .02; the decoder takes it `read` times.
    """
    pictures = decoders.directions(3)
    codes = decoders.uniform_codes(400, 2)

    def encode(images: torch.Tensor) -> torch.Tensor:
        own = (images.reshape(len(images), -1) - 0.5) @ pictures[:2].T
        return torch.cat([own, 0.02 * own[:, :1] + 0.002 * own[:, 1:] ** 2], dim=1)

    def decode(z: torch.Tensor) -> torch.Tensor:
        images = 0.5 + z[:, :2] @ pictures[:2] + read * z[:, 2:] * pictures[2]
        return images.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)

    spread = torch.tensor([0.1, 0.1, 1.0])
    return decoders.of_pixels(
        0.5 + codes @ pictures[:2].numpy(),
        encode=encode,
        decode=decode,
        code_shape=(3,),
        posterior_sd=lambda images: spread.expand(len(images), 3),
        settings=FEW,
    )


def test_a_collapsed_unit_does_not_shape_what_is_off_data() -> None:
    study = with_a_collapsed_unit()
    assert study.live_units.tolist() == [0, 1]
    corners = np.array([[a, b, 0] for a in (-1.4, 1.4) for b in (-1.4, 1.4)], np.float32)
    assert not study.off_data.flags(corners, study.engine).any()
    moved = study.test.codes.copy()
    moved[:, 2] = 1e3
    np.testing.assert_allclose(
        study.off_data.distances(moved), study.off_data.distances(study.test.codes)
    )


def test_independent_units_are_free_to_vary_whatever_a_collapsed_one_follows() -> None:
    result = traversal.run(with_a_collapsed_unit())
    ratios = dict(zip(result.units, result.deviation_ratios, strict=True))
    assert ratios[0] == pytest.approx(1, abs=0.01)
    assert ratios[1] == pytest.approx(1, abs=0.01)
    # What the live ones leave of it: .002 sd(z₁²) over .02 sd(z₀), √.8 of a tenth.
    assert ratios[2] == pytest.approx(0.1 * np.sqrt(0.8), abs=0.02)


def test_a_unit_is_collapsed_by_its_posterior_even_where_the_decoder_would_read_it() -> None:
    """100 × .02 is more than either of the others' effects."""
    study = with_a_collapsed_unit(read=100)
    assert study.live_units.tolist() == [0, 1]
    assert "collapsed" in health.run(study).units[2].states


@pytest.mark.parametrize(("strength", "live"), [(0.98, [0, 1, 2]), (1.02, [0, 1, 2, 3])])
def test_a_unit_is_live_from_a_hundredth_of_its_even_part(strength: float, live: list) -> None:
    """The effect of unit 3 is `strength` × .01/4 of the whole."""
    codes = decoders.gaussian_codes(400, 4)
    study = decoders.carrying(decoders.linear(4), codes, settings=FEW)
    rows = study.rows.statistics
    moved = study.test.codes[rows].astype(np.float64) - study.baseline
    squares = np.square(moved).sum(axis=0)
    spread = np.square(moved - moved.mean(axis=0)).sum(axis=0)
    weight = np.sqrt(strength * 0.0025 * spread[:3].sum() / squares[3])
    pictures = decoders.directions(4) * torch.tensor([1.0, 1, 1, float(weight)])[:, None]
    study = decoders.carrying(lambda z: z @ pictures, codes, settings=FEW)
    assert study.live_units.tolist() == live


def test_near_donors_are_near_in_live_units_alone() -> None:
    """Unit 2 is not decoded: images that are far apart in it are still near."""
    pictures = decoders.directions(2)
    codes = decoders.gaussian_codes(300, 3)
    alive = decoders.carrying(lambda z: z[:, :2] @ pictures, codes, settings=FEW)
    still = codes.copy()
    still[:, 2] = 0
    gone = decoders.carrying(lambda z: z[:, :2] @ pictures, still, settings=FEW)
    near, expected = (baselines._nearest_donors(study)[:, :2] for study in (alive, gone))
    assert np.array_equal(near, expected)


def test_a_decoder_that_reads_nothing_has_no_live_unit() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(3), decoders.gaussian_codes(80, 3)
    )
    assert len(study.live_units) == 0
    assert study.off_data_share(100 * study.test.codes).value == 0
    np.testing.assert_allclose(study.conditional_deviations, study.deviations)
