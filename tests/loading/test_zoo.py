"""Every architecture, from every format that can hold it, is split as its own code splits it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reportgen.errors import ReportgenError
from reportgen.loading import autoencoder_from_module
from tests.loading import public_zoo, zoo
from tests.loading.files import FORMATS
from tests.loading.image_array import random_images
from tests.loading.zoo import Member, Refused
from tests.slow import slow_but

MEMBERS = zoo.MEMBERS + public_zoo.MEMBERS
REFUSED = zoo.REFUSED + public_zoo.REFUSED

SPLIT_TOLERANCE = 1e-6

# Not slow: every architecture in memory, and these in every format. They differ in how they
# are called, in what they return and in whether they sample.
IN_EVERY_ARCHITECTURE = {"in_memory"}
IN_EVERY_FORMAT = {"FlatDense", "SamplingListVAE"}

# What a format cannot hold, whatever reads it.
UNREGISTERED = "torch.export takes registered output types alone"
CANNOT_HOLD = {
    **{
        (name, member): UNREGISTERED
        for name in ("exported", "exported_in_training", "exported_static", "exported_to_core")
        for member in ("PythaeStyle", "LatentDiffusionVAE")
    },
    ("traced", "LatentDiffusionVAE"): "a trace returns tensors and their containers alone",
    ("traced", "Unpooling"): "torch does not trace it",
    ("exported_to_core", "GreyHW"): "torch loses a submodule that is called code",
    ("exported_to_core", "RsampleVAE"): "a distribution checks its arguments by value",
    ("exported_to_core", "DistributionVAE"): "a distribution checks its arguments by value",
    ("pickled", "FourChannels"): "torch does not pickle parametrised modules",
}


def cases() -> list[object]:
    found = []
    for member in MEMBERS:
        for name in FORMATS:
            if name == "scripted" and not member.scripts:
                continue
            quick = name in IN_EVERY_ARCHITECTURE or member.name in IN_EVERY_FORMAT
            if (name, member.name) not in CANNOT_HOLD:
                marks = () if quick else pytest.mark.slow
                found.append(pytest.param(member, name, id=f"{member.name}-{name}", marks=marks))
    return found


@pytest.mark.parametrize(("member", "format_name"), cases())
def test_the_split_is_that_of_the_models_own_code(
    member: Member, format_name: str, tmp_path: Path
) -> None:
    images = random_images(member.shape)
    found = FORMATS[format_name](member, tmp_path, images)
    module = member.make()
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = member.code(module, pixels)
        image = member.image(module, code).reshape(pixels.shape)
        other = code + 0.1 * torch.randn(code.shape, generator=torch.Generator().manual_seed(2))
        moved = member.image(module, other).reshape(pixels.shape)
    assert found.code_shape == tuple(code.shape[1:])
    assert found.input_shape == member.shape
    torch.testing.assert_close(found.encode(pixels), code, atol=SPLIT_TOLERANCE, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=SPLIT_TOLERANCE, rtol=1e-5)
    torch.testing.assert_close(found.decode(other), moved, atol=SPLIT_TOLERANCE, rtol=1e-5)
    if member.sd is not None:
        assert found.posterior_sd is not None, [note.text for note in found.notes]
        with torch.no_grad():
            sd = member.sd(module, pixels)
        torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "member",
    slow_but([m for m in MEMBERS if m.name in IN_EVERY_FORMAT], MEMBERS),
    ids=lambda member: member.name,
)
def test_any_batch_size_gives_the_same_numbers(member: Member) -> None:
    images = random_images(member.shape)
    found = autoencoder_from_module(member.make(), images, normalize="0,1", output="pixels")
    pixels = torch.from_numpy(images.pixels)
    code = found.encode(pixels)
    image = found.decode(code)
    for size in (1, 5):
        torch.testing.assert_close(found.encode(pixels[:size]), code[:size], atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(found.decode(code[:size]), image[:size], atol=2e-6, rtol=1e-5)
    assert image.is_contiguous() and image.shape == pixels.shape and image.dtype == torch.float32


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_what_is_no_autoencoder_is_refused_with_its_reason(refused: Refused) -> None:
    with pytest.raises(ReportgenError) as caught:
        autoencoder_from_module(refused.make(), random_images((3, 12, 12)))
    for word in refused.words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("refused", "format_name"),
    [
        pytest.param(entry, name, id=f"{entry.name}-{name}")
        for entry in REFUSED
        for name in ("exported", "traced")
        if entry.inputs == 1 and (name, entry.name) not in CANNOT_HOLD
    ],
)
def test_a_file_of_what_is_no_autoencoder_is_refused_with_its_reason(
    refused: Refused, format_name: str, tmp_path: Path
) -> None:
    shape = (3, 12, 12)
    member = Member(refused.name, refused.make, shape, lambda m, x: x, lambda m, z: z)
    with pytest.raises(ReportgenError) as caught:
        FORMATS[format_name](member, tmp_path, random_images(shape))
    for word in refused.words:
        assert word in str(caught.value)
