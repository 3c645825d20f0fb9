"""A replicate is given the images in its own channels, whatever channels the model takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.loading import autoencoder_from_module
from reportgen.loading.other_channels import on_images_in
from tests.loading.image_array import ImageArray, random_images

GREY = random_images((1, 6, 6)).pixels


def of_channels(own: int) -> nn.Module:
    torch.manual_seed(own)
    down = nn.Sequential(nn.Flatten(), nn.Linear(36 * own, 4), nn.Tanh())
    model = nn.Sequential(down, nn.Linear(4, 36 * own), nn.Sigmoid(), nn.Unflatten(1, (own, 6, 6)))
    return model.eval()


@pytest.mark.parametrize(("own", "channels"), [(3, 1), (1, 3), (3, 4)])
def test_codes_and_images_are_those_of_the_model_on_its_own_channels(
    own: int, channels: int
) -> None:
    images = np.repeat(GREY, own, axis=1)
    given = np.repeat(GREY, channels, axis=1)
    if channels == 4:
        given[:, 3] = 1
    found = autoencoder_from_module(
        of_channels(own), ImageArray(images), normalize="0,1", output="pixels"
    )
    wrapped = on_images_in(found, channels)
    pixels = torch.from_numpy(images)
    assert wrapped.input_shape == (channels, 6, 6)
    torch.testing.assert_close(wrapped.encode(torch.from_numpy(given)), found.encode(pixels))
    decoded, own_decoded = wrapped.decode(found.encode(pixels)), found.decode(found.encode(pixels))
    if channels == 4:
        torch.testing.assert_close(decoded[:, :3], own_decoded)
        assert (decoded[:, 3] == 1).all()
    else:
        grey = own_decoded.mean(1, keepdim=True)
        torch.testing.assert_close(decoded, grey.expand(-1, channels, -1, -1))


def test_a_model_in_its_own_channels_stays_as_it_is() -> None:
    found = autoencoder_from_module(
        of_channels(1), ImageArray(GREY), normalize="0,1", output="pixels"
    )
    assert on_images_in(found, 1) is found
