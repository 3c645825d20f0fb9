"""Pictures that use little of their scale are drawn to the white that the model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reportgen.images import open_images, with_white
from reportgen.loading.known_scalings import Scaling, known_scalings
from tests.images.pictures import folder_of


def test_pictures_are_drawn_to_the_models_white(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    images = open_images(tmp_path)
    assert with_white(images, None) is images
    found = with_white(images, 4095 / 65535)
    assert found.pixel_range == (0.0, 4095 / 65535)
    assert "drawn from 0 to 0.06249" in found.notes[-1].text
    np.testing.assert_array_equal(found.read([0]), images.read([0]))


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_scales_by_depth_and_maximum_know_their_white(bits: int) -> None:
    import torch

    top = (2**bits - 1) / 65535
    sample = torch.linspace(0, top, 64).view(1, 1, 8, 8)
    whites = {each.name: each.white for each in known_scalings(sample)}
    assert whites[f"{bits}-bit"] == top and whites["max"] == pytest.approx(top)
    assert whites["0,1"] is whites["-1,1"] is whites["dataset"] is None
    assert Scaling("0,255", (0.0,), (1 / 255,)).white is None
