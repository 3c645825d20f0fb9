"""An author's own error is shown as its own: kind, message, file and line, and what follows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reportgen.errors import ModelError, ReportgenError
from reportgen.loading import inspect_model, load_autoencoder
from tests.loading.files import load
from tests.loading.image_array import ImageArray, random_images

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(64, 4)
        self.decoder = nn.Linear(4, 64)

    def forward(self, x):
        return self.decoder(self.encoder(x.flatten(1))).view_as(x)

class OnGpu(Net):
    def forward(self, x):
        shift = torch.zeros(4, device="cuda:0") + torch.zeros(4).cuda().to("cuda")
        return self.decoder(self.encoder(x.flatten(1)) + shift.to(torch.device("cuda"))).view_as(x)

class BuiltOnGpu(Net):
    def __init__(self):
        super().__init__()
        self.cuda()
        self.shift = torch.ones(4).cuda()

    def forward(self, x):
        return self.decoder(self.encoder(x.flatten(1)) + 0 * self.shift).view_as(x)

class Mistaken(Net):
    def forward(self, x):
        sizes = [1, 2]
        return self.decoder(self.encoder(x.flatten(1)) * sizes[5])

class Forgotten(Net):
    def forward(self, x):
        return self.helper(x)

class Labelled(Net):
    def forward(self, x, c=None):
        return self.decoder(self.encoder(x.flatten(1)) + c.view(-1, 1)).view_as(x)

class OldGpu(Net):
    def forward(self, x):
        raise RuntimeError("Found no NVIDIA driver on your system")

class OffByThree(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(1, 2, 3, 2)
        self.decoder = nn.ConvTranspose2d(2, 1, 3, 2)

    def forward(self, x):
        return self.decoder(self.encoder(x))

class BadPart(Net):
    def encode(self, x):
        raise ValueError("the moon is full")

    def decode(self, z):
        return self.decoder(z).view(-1, 1, 8, 8)

class NeedsWidth(Net):
    def __init__(self, width, depth=[2]):
        depth[0] += 1
        super().__init__()
        if depth[0] > 3:
            raise ValueError("depth was changed")
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author")
    (folder / "author.py").write_text(SOURCE)
    weights = {
        "encoder.weight": torch.randn(4, 64, generator=torch.Generator().manual_seed(0)),
        "encoder.bias": torch.zeros(4),
        "decoder.weight": torch.randn(64, 4, generator=torch.Generator().manual_seed(1)),
        "decoder.bias": torch.zeros(64),
    }
    torch.save(weights, folder / "w.pt")
    return folder / "author.py"


IMAGES = random_images((1, 8, 8))


def reason(source: Path, name: str, images: ImageArray | None = IMAGES) -> str:
    """Why it cannot be loaded, which inspect says too."""
    given = source.parent / "w.pt"
    inspected = inspect_model(given, images=images, model_class=f"{source}:{name}").problem
    assert inspected is not None
    if images is not None:
        with pytest.raises(ReportgenError) as caught:
            load_autoencoder(given, images=images, model_class=f"{source}:{name}")
        assert inspected == str(caught.value)
    return inspected


@pytest.mark.parametrize(
    ("name", "words", "at"),
    [
        ("Mistaken", "IndexError: list index out of range", "* sizes[5])"),
        ("Forgotten", "object has no attribute 'helper'", "self.helper(x)"),
        ("Labelled", "'NoneType' object has no attribute 'view'", "+ c.view(-1, 1))"),
    ],
)
def test_an_error_of_the_authors_code_is_shown_with_file_and_line(
    name: str, words: str, at: str, source: Path
) -> None:
    found = reason(source, name)
    number = next(n for n, text in enumerate(SOURCE.split("\n"), 1) if at in text)
    assert words in found and f"author.py, line {number}" in found
    assert "The images are" not in found


def test_inspect_says_the_same_without_images(source: Path) -> None:
    assert "object has no attribute 'helper' (author.py, line" in reason(source, "Forgotten", None)


def test_a_label_that_is_missing_is_named(source: Path) -> None:
    assert "takes 'c' too, and got None" in reason(source, "Labelled")


def test_a_gpu_that_is_not_there_is_named_with_the_line(source: Path) -> None:
    found = reason(source, "OldGpu")
    assert "author.py, line" in found and "asks for a GPU" in found


@pytest.mark.parametrize("name", ["OnGpu", "BuiltOnGpu"])
def test_code_that_asks_for_a_gpu_runs_on_the_device_in_use(name: str, source: Path) -> None:
    found = load(source.parent / "w.pt", IMAGES, model_class=f"{source}:{name}")
    plain = load(source.parent / "w.pt", IMAGES, model_class=f"{source}:Net")
    pixels = torch.from_numpy(IMAGES.pixels)
    torch.testing.assert_close(found.encode(pixels), plain.encode(pixels))
    torch.testing.assert_close(
        found.decode(plain.encode(pixels)), plain.decode(plain.encode(pixels))
    )
    if name == "OnGpu":
        assert any("asks for a GPU; it runs on cpu" in note.text for note in found.notes)


def test_named_halves_fail_for_the_first_reason(source: Path) -> None:
    with pytest.raises(ModelError, match=r"encode fails \(ValueError: the moon is full \(author"):
        load(
            source.parent / "w.pt",
            IMAGES,
            model_class=f"{source}:BadPart",
            encoder="encode",
            decoder="decode",
        )


def test_images_of_another_size_are_still_said_to_be_so(source: Path) -> None:
    with pytest.raises(ReportgenError, match="The images are 1×9×9"):
        load(source.parent / "w.pt", random_images((1, 9, 9)), model_class=f"{source}:Net")


def test_a_class_that_changes_its_arguments_gets_them_anew_each_time(source: Path) -> None:
    for _ in range(2):
        load(
            source.parent / "w.pt",
            IMAGES,
            model_class=f"{source}:NeedsWidth",
            model_args={"width": 2, "depth": [2]},
        )


def test_an_output_of_another_size_is_said_to_be_one(source: Path) -> None:
    torch.manual_seed(0)
    weights = {"encoder.weight": torch.randn(2, 1, 3, 3), "encoder.bias": torch.randn(2)}
    weights |= {"decoder.weight": torch.randn(2, 1, 3, 3), "decoder.bias": torch.randn(1)}
    torch.save(weights, source.parent / "off.pt")
    with pytest.raises(ModelError) as caught:
        load(source.parent / "off.pt", IMAGES, model_class=f"{source}:OffByThree")
    assert "returns 1×7×7 for an image of 1×8×8: its layers do not keep this size" in str(
        caught.value
    )
    assert "classifier" not in str(caught.value) and "fails" not in str(caught.value)
