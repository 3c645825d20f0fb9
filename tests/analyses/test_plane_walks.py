"""2-D walks: frames are decodes of codes made by hand, and nothing else moves."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from reportgen.analyses import UnanswerableError, contributions, interactions, plane_walks
from tests.conftest import FEW
from tests.oracles import decoders
from tests.oracles.spatial_codes import painting, site_codes


def shares_in_order(study) -> list[int]:
    shares = contributions.run(study).shares
    return [s.unit for s in sorted(shares, key=lambda s: -s.share.value)]


def test_planes_are_of_the_two_pairs_with_the_largest_shares(smooth_study) -> None:
    matrix = interactions.run(smooth_study)
    place = {unit: where for where, unit in enumerate(matrix.units)}
    by_share = sorted(
        combinations(sorted(place), 2),
        key=lambda pair: -matrix.matrix[place[pair[0]], place[pair[1]]],
    )
    planes = plane_walks.run(smooth_study).planes
    assert [tuple(sorted(plane.units)) for plane in planes] == by_share[:2]
    assert [plane.names for plane in planes] == [tuple(map(str, p.units)) for p in planes]


def test_the_first_plane_is_of_the_pair_that_multiplies_however_weak_it_is() -> None:
    """Units 2 and 3 carry almost all of the change; 0 and 1 alone are multiplied."""
    decode = decoders.mixed()
    weak = torch.tensor([0.3, 0.3, 1, 1])
    study = decoders.carrying(
        lambda z: decode(z * weak), decoders.gaussian_codes(80, 4), settings=FEW
    )
    assert set(shares_in_order(study)[:2]) == {2, 3}
    assert set(plane_walks.run(study).planes[0].units) == {0, 1}


def test_where_nothing_interacts_the_strongest_unit_goes_with_the_two_that_follow(
    linear_study,
) -> None:
    first, second, third = shares_in_order(linear_study)[:3]
    planes = plane_walks.run(linear_study).planes
    assert [plane.units for plane in planes] == [(first, second), (first, third)]


def test_axes_run_from_the_first_to_the_last_percentile_of_the_fit_rows(smooth_study) -> None:
    for plane in plane_walks.run(smooth_study).planes:
        for unit, values in zip(
            plane.units, (plane.first_values, plane.second_values), strict=True
        ):
            ends = np.quantile(smooth_study.fit.codes[:, unit].astype(np.float64), [0.01, 0.99])
            np.testing.assert_allclose(values, np.linspace(*ends, 9), atol=1e-6)


def test_frames_are_decodes_of_codes_made_by_hand(smooth_study) -> None:
    """The first unit along the first axis; every other unit is the row's own."""
    decode = smooth_study.autoencoder.decode
    result = plane_walks.run(smooth_study)
    assert len(result.rows) == 2
    for plane in result.planes:
        for place, row in enumerate(smooth_study.rows.walks[:2]):
            assert result.rows[place] == smooth_study.test.names[row]
            for i, j in [(0, 0), (0, 8), (8, 0), (3, 5), (4, 4)]:
                code = torch.from_numpy(smooth_study.test.codes[row].copy())
                code[plane.units[0]] = float(plane.first_values[i])
                code[plane.units[1]] = float(plane.second_values[j])
                image = decode(code[None]).numpy().ravel()
                np.testing.assert_allclose(plane.frames[place, i, j], image, atol=1e-5)


def test_a_linear_decoder_s_frames_step_by_one_picture_along_each_axis(linear_study) -> None:
    for plane in plane_walks.run(linear_study).planes:
        frames = plane.frames.astype(np.float64)
        for axis, (unit, values) in enumerate(
            zip(plane.units, (plane.first_values, plane.second_values), strict=True), start=1
        ):
            step = (values[1] - values[0]) * (unit + 1) * decoders.directions(4)[unit].numpy()
            moved = np.diff(frames, axis=axis)
            np.testing.assert_allclose(moved, np.broadcast_to(step, moved.shape), atol=1e-5)


def test_the_base_is_never_changed(smooth_study) -> None:
    before = smooth_study.test.codes.copy(), smooth_study.fit.codes.copy()
    plane_walks.run(smooth_study)
    np.testing.assert_array_equal(smooth_study.test.codes, before[0])
    np.testing.assert_array_equal(smooth_study.fit.codes, before[1])


def test_corners_of_units_that_copy_each_other_are_off_data_and_the_diagonal_is_not() -> None:
    codes = decoders.gaussian_codes(400, 2)
    codes[:, 1] = codes[:, 0] + 0.1 * codes[:, 1]
    # The image shows the code as it is, so that the cycle error is 0 everywhere.
    blank = decoders.PIXELS - 2
    study = decoders.carrying(lambda z: torch.nn.functional.pad(z, (0, blank)), codes, settings=FEW)
    plane = plane_walks.run(study).planes[0]
    for flagged in plane.flagged:
        assert flagged[0, 8] and flagged[8, 0]
        assert not flagged[4, 4]
    assert plane.flagged_share.value == pytest.approx(plane.flagged.mean())


def test_a_channel_s_sites_move_by_the_same_amount() -> None:
    """Its value is the mean over sites; what differs between sites stays."""
    shape = (3, 2, 2)
    study = painting(site_codes(80, shape), 2, bend=0.2, settings=FEW)
    plane = plane_walks.run(study).planes[0]
    for place, row in enumerate(study.rows.walks[:2]):
        code = study.test.codes[row].reshape(shape).astype(np.float64)
        for i, j in [(0, 0), (2, 7)]:
            moved = code.copy()
            for unit, value in zip(
                plane.units, (plane.first_values[i], plane.second_values[j]), strict=True
            ):
                moved[unit] += value - code[unit].mean()
            image = study.autoencoder.decode(torch.from_numpy(moved[None].astype(np.float32)))
            np.testing.assert_allclose(plane.frames[place, i, j], image.numpy().ravel(), atol=1e-5)


def test_two_units_have_one_plane_and_one_has_none() -> None:
    two = decoders.carrying(decoders.smooth(2), decoders.gaussian_codes(80, 2), settings=FEW)
    assert len(plane_walks.run(two).planes) == 1
    one = decoders.carrying(decoders.smooth(1), decoders.gaussian_codes(80, 1), settings=FEW)
    with pytest.raises(UnanswerableError, match="no plane"):
        plane_walks.run(one)


def test_planes_cost_at_most_324_forwards() -> None:
    study = decoders.carrying(decoders.smooth(4), decoders.gaussian_codes(300, 4), settings=FEW)
    contributions.run(study)
    study.off_data  # noqa: B018 - calibrated beforehand, on real codes
    with study.engine.charged_to("planes"):
        plane_walks.run(study)
    assert 250 < study.engine.forwards["planes"] <= 2 * 2 * 81
