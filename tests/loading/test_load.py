"""What loading promises besides the split: provenance, options, errors, no traces left behind."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import DataError, ModelError
from reportgen.images import open_images
from reportgen.loading import autoencoder_from_module, load_autoencoder
from tests.loading.files import FORMATS, ZOO, example, export, load
from tests.loading.image_array import ImageArray, random_images
from tests.loading.zoo import (
    MEMBERS,
    BatchNormCode,
    ConvChildren,
    Dense,
    NarrowUNet,
    SamplingListVAE,
    TupleVAE,
)

SAMPLES = Path(__file__).parents[2] / "sample_models"
GREY, COLOUR = (1, 12, 12), (3, 12, 12)


def note(found: object, topic: str) -> str:
    return next(note.text for note in found.notes if note.topic == topic)


def test_the_source_is_the_files_bytes(tmp_path: Path) -> None:
    path = tmp_path / "my model.pt2"
    export(Dense().eval(), torch.rand(2, *GREY), path)
    found = load_autoencoder(path, images=random_images(GREY))
    assert found.source is not None
    assert found.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.source.name, found.source.size) == ("my model.pt2", path.stat().st_size)
    assert found.name == "my model"


def test_notes_say_how_the_model_was_found_split_and_scaled(tmp_path: Path) -> None:
    export(Dense().eval(), torch.rand(2, *GREY), tmp_path / "model.pt2")
    found = load_autoencoder(tmp_path / "model.pt2", images=random_images(GREY))
    assert note(found, "format") == "model.pt2: torch.export archive, recognised by its content."
    assert "node linear_1 in 3, 5 numbers (5), found as the narrowest" in note(found, "code")
    assert note(found, "scaling").startswith("Pixel scale")
    assert "at most 0 of the range" in note(found, "check")


def test_a_sampling_forward_is_checked_with_its_noise_at_the_mean() -> None:
    images = random_images(COLOUR)
    pixels = torch.from_numpy(images.pixels)
    runs = []
    for _ in range(2):
        torch.manual_seed(4)
        found = autoencoder_from_module(SamplingListVAE().eval(), images, normalize="0,1")
        runs.append([found.forward(pixels), found.forward(pixels), found.encode(pixels)])
        assert "randn_like" in note(found, "sampling")
        assert "held at its mean" in note(found, "check")
        assert found.noise_held
        torch.testing.assert_close(found.decode(found.encode(pixels)), found.forward(pixels))
    assert torch.equal(runs[0][0], runs[0][1])
    for first, second in zip(*runs, strict=True):
        assert torch.equal(first, second)


def test_loading_leaves_torch_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    checks = torch.distributions.Distribution._validate_args
    allowed = set(map(str, torch.serialization.get_safe_globals()))
    modules = {name for name in sys.modules if "zoo" in name}
    torch.save(TupleVAE(), tmp_path / "model.pt")
    torch.set_rng_state(before)
    images = random_images(GREY)
    load_autoencoder(tmp_path / "model.pt", images=images, model_class=f"{ZOO}:TupleVAE")
    autoencoder_from_module(BatchNormCode().eval(), images)
    assert set(map(str, torch.serialization.get_safe_globals())) == allowed
    assert torch.distributions.Distribution._validate_args is checks
    assert torch.tensor(0.0).device.type == "cpu" and torch.is_grad_enabled()
    assert modules <= {name for name in sys.modules if "zoo" in name}
    torch.set_rng_state(before)
    load_autoencoder(tmp_path / "model.pt", images=images, model_class=f"{ZOO}:TupleVAE")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_callers_images_are_not_changed() -> None:
    """inplace=True on the first layer must not reach them."""
    module = nn.Sequential(
        nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3), nn.Linear(3, 144)
    )
    images = ImageArray(random_images(GREY).pixels - 0.5)
    found = autoencoder_from_module(module.eval(), images, normalize="0,1", output="pixels")
    pixels = torch.from_numpy(images.pixels)
    copy = pixels.clone()
    found.encode(pixels)
    found.forward(pixels)
    assert torch.equal(pixels, copy)


def test_a_node_or_submodule_can_be_named_as_the_bottleneck(tmp_path: Path) -> None:
    module = Dense().eval()
    export(module, torch.rand(2, *GREY), tmp_path / "model.pt2")
    images = random_images(GREY)
    for name in ("linear", "1", "linear in 1"):
        found = load(tmp_path / "model.pt2", images, bottleneck=name)
        assert found.code_shape == (32,)
        assert "named by you" in note(found, "code")
        expected = module[1](torch.from_numpy(images.pixels).flatten(1))
        torch.testing.assert_close(found.encode(torch.from_numpy(images.pixels)), expected)
    with pytest.raises(ModelError, match=r"no node or submodule 'code'.*linear_1 in 3"):
        load_autoencoder(tmp_path / "model.pt2", images=images, bottleneck="code")


def test_a_named_bottleneck_that_a_skip_bypasses_is_refused() -> None:
    with pytest.raises(ModelError, match="bypassed by the connection from"):
        autoencoder_from_module(NarrowUNet().eval(), random_images(COLOUR), bottleneck="deep.0")
    found = autoencoder_from_module(NarrowUNet().eval(), random_images(COLOUR), bottleneck="add")
    assert found.code_shape == (2, 6, 6)


class OddNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleDict({"front": nn.Linear(144, 8), "back": nn.Linear(8, 144)})
        self.other = nn.Linear(8, 144)

    def squeeze(self, x: Tensor) -> Tensor:
        return self.nets["front"](x.flatten(1))

    def expand(self, z: Tensor) -> Tensor:
        return self.nets["back"](z).view(-1, 1, 12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(self.squeeze(x))


def test_encoder_and_decoder_can_be_named() -> None:
    images = random_images(GREY)
    found = autoencoder_from_module(OddNames(), images, encoder="squeeze", decoder="expand")
    assert found.code_shape == (8,)
    assert "squeeze and expand" in note(found, "code")
    with pytest.raises(ModelError, match=r"no method or submodule 'shrink'.*nets"):
        autoencoder_from_module(OddNames(), images, encoder="shrink", decoder="expand")
    with pytest.raises(ModelError, match="do not reproduce"):
        autoencoder_from_module(OddNames(), images, encoder="squeeze", decoder="other")


class NeedsLabel(nn.Module):
    """forward needs a label, encode and decode do not."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 4)
        self.up = nn.Linear(4, 144)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # The second tensor reconstructs worse: only that tells them apart here.
        code = self.down(x.flatten(1))
        return code, code * 0 + 9

    def decode(self, z: Tensor) -> Tensor:
        return self.up(z).view(-1, 1, 12, 12)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0]) + label


def test_halves_that_need_no_label_are_used_and_said_to_be_unchecked() -> None:
    images = random_images(GREY)
    module = NeedsLabel()
    found = autoencoder_from_module(module, images, normalize="0,1", output="pixels")
    assert found.forward is None
    assert "needs 2 inputs (x, label)" in note(found, "check")
    with torch.no_grad():
        expected = module.down(torch.from_numpy(images.pixels).flatten(1))
    torch.testing.assert_close(found.encode(torch.from_numpy(images.pixels)), expected)


@pytest.mark.parametrize("format_name", ["in_memory", "exported", "scripted", "traced", "weights"])
def test_images_that_do_not_fit_are_named_with_what_the_model_takes(
    format_name: str, tmp_path: Path
) -> None:
    member = next(member for member in MEMBERS if member.name == "ConvChildren")
    with pytest.raises(DataError) as caught:
        FORMATS[format_name](member, tmp_path, random_images(GREY))
    sentence = str(caught.value)
    assert "1×12×12" in sentence and "3" in sentence and "\n" not in sentence


def test_images_of_another_size_are_named(tmp_path: Path) -> None:
    export(Dense().eval(), torch.rand(2, *GREY), tmp_path / "model.pt2")
    with pytest.raises(DataError, match=r"takes images of 1×12×12 and these are 1×14×14"):
        load_autoencoder(tmp_path / "model.pt2", images=random_images((1, 14, 14)))
    with pytest.raises(DataError, match=r"3×12×12 \(--input-shape\) and these are 1×12×12"):
        load_autoencoder(
            tmp_path / "model.pt2", images=random_images(GREY), input_shape=(3, 12, 12)
        )


def test_images_that_a_fixed_view_cuts_in_pieces_are_refused() -> None:
    with pytest.raises(DataError, match="32 rows of 8 images of 1×24×24"):
        autoencoder_from_module(TupleVAE().eval(), random_images((1, 24, 24)))


def test_an_export_of_one_batch_size_is_run_in_padded_chunks(tmp_path: Path) -> None:
    class Baked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(144, 3), nn.Linear(3, 144)

        def forward(self, x: Tensor) -> Tensor:
            code = self.down(torch.reshape(x, (4, 144)))
            return torch.reshape(self.up(code), (4, 1, 12, 12))

    torch.manual_seed(0)
    module = Baked().eval()
    export(module, torch.rand(4, *GREY), tmp_path / "model.pt2", dynamic=False)
    images = random_images(GREY, count=11)
    found = load(tmp_path / "model.pt2", images)
    assert "fixed the batch size at 4" in note(found, "batch")
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = module.down(pixels.flatten(1))
        image = module.up(code).view(-1, *GREY)
    for rows in (slice(0, 1), slice(0, 4), slice(0, 11)):
        torch.testing.assert_close(found.encode(pixels[rows]), code[rows])
        torch.testing.assert_close(found.decode(code[rows]), image[rows])


def test_an_output_that_is_not_finite_is_refused() -> None:
    class Divides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(144, 3), nn.Linear(3, 144)

        def forward(self, x: Tensor) -> Tensor:
            return (self.up(self.down(x.flatten(1))) / 0).view(x.shape)

    with pytest.raises(ModelError, match=r"NaN or infinity"):
        autoencoder_from_module(Divides(), random_images(GREY))


def test_masks_of_minus_infinity_in_buffers_are_no_fault() -> None:
    module = ConvChildren().eval()
    module.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    assert autoencoder_from_module(module, random_images(COLOUR)).code_shape == (2, 3, 3)


def test_double_and_half_precision_models_run_in_single(tmp_path: Path) -> None:
    for dtype in (torch.float64, torch.float16):
        module = Dense().eval().to(dtype)
        export(module, torch.rand(2, *GREY, dtype=dtype), tmp_path / "model.pt2")
        found = load_autoencoder(tmp_path / "model.pt2", images=random_images(GREY))
        code = found.encode(torch.from_numpy(random_images(GREY).pixels))
        assert code.dtype == torch.float32 and code.shape[1:] == (5,)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("folder", "file", "data", "code_shape", "is_variational"),
    [
        ("fashion_vae", "model.pt2", "fashion_images", (10,), True),
        ("fashion_autoencoder", "model.pt", "fashion_images", (8,), False),
        ("shapes", "model.pt2", "shapes/images", (6,), True),
    ],
)
def test_the_samples_load_with_their_scale_found(
    folder: str, file: str, data: str, code_shape: tuple[int, ...], is_variational: bool
) -> None:
    images = open_images(SAMPLES / data)
    found = load_autoencoder(SAMPLES / folder / file, images=images)
    assert found.code_shape == code_shape and found.is_variational is is_variational
    assert "Pixel scale 0,1 (pixels out), found by reconstruction" in note(found, "scaling")
    assert "at most 0 of the range" in note(found, "check")


def test_a_sidecar_of_images_is_read_sparsely() -> None:
    class Counting(ImageArray):
        rows_read = 0

        def read(self, rows: object) -> np.ndarray:
            Counting.rows_read += len(list(rows))
            return super().read(rows)

    images = Counting(random_images(GREY, count=1000).pixels)
    autoencoder_from_module(Dense().eval(), images)
    assert Counting.rows_read <= 64


def test_importing_the_room_does_not_import_torch() -> None:
    import subprocess

    code = "import sys, reportgen.loading; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_member_has_an_example_that_it_takes() -> None:
    for member in MEMBERS:
        with torch.no_grad():
            member.make()(example(member))
