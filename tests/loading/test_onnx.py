"""ONNX files, as torch exports them, are split as the module's own code splits it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import DataError, ModelError
from reportgen.loading import inspect_model, load_autoencoder
from tests.loading import public_zoo, zoo
from tests.loading.files import example, load
from tests.loading.image_array import random_images
from tests.loading.zoo import REFUSED, Dense

# What torch's exporter cannot write, or writes so that onnxruntime itself refuses it.
NOT_HELD = {
    "RsampleVAE": "checks of a distribution's arguments",
    "DistributionVAE": "checks of a distribution's arguments",
    "PythaeStyle": "outputs that are no tuple",
    "DictOutput": "outputs that are no tuple",
    "ChunkVAE": "empty_like becomes a double, and Elu has no kernel for doubles",
    "NewNoiseVAE": "new becomes a double, which is multiplied by floats",
    "LatentDiffusionVAE": "outputs that are no tuple",
    "StyledAE": "instance_norm of maps whose channels it has lost count of",
}
HELD = [m for m in zoo.MEMBERS + public_zoo.MEMBERS if m.name not in NOT_HELD]


def export_onnx(module: nn.Module, given: Tensor, path: Path, dynamic: bool = True) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (given,),
            path,
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}} if dynamic else None,
            opset_version=17,
            dynamo=False,
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["InterpolatingAE", "StyledAE", "SamplingListVAE"])
def test_what_torchs_newer_exporter_writes_is_split_alike(name: str, tmp_path: Path) -> None:
    """It asks for single sizes of the image, and is torch's own choice from 2.9 on."""
    member = next(m for m in zoo.MEMBERS + public_zoo.MEMBERS if m.name == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            member.make(),
            (example(member),),
            tmp_path / "model.onnx",
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )
    compare_with_its_own_code(member, tmp_path / "model.onnx")


@pytest.mark.parametrize("member", HELD, ids=lambda member: member.name)
def test_the_split_is_that_of_the_models_own_code(member: Any, tmp_path: Path) -> None:
    export_onnx(member.make(), example(member), tmp_path / "model.bin")
    compare_with_its_own_code(member, tmp_path / "model.bin")


def compare_with_its_own_code(member: Any, path: Path) -> None:
    images = random_images(member.shape)
    found = load(path, images)
    module = member.make()
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = member.code(module, pixels)
        image = member.image(module, code).reshape(pixels.shape)
    assert found.code_shape == tuple(code.shape[1:])
    torch.testing.assert_close(found.encode(pixels), code, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=2e-6, rtol=1e-5)
    if member.sd is not None:
        with torch.no_grad():
            sd = member.sd(module, pixels)
        assert found.posterior_sd is not None, [note.text for note in found.notes]
        torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "refused",
    [entry for entry in REFUSED if entry.inputs == 1 and entry.name != "UniformNoise"],
    ids=lambda entry: entry.name,
)
def test_what_is_no_autoencoder_is_refused_with_its_reason(refused: Any, tmp_path: Path) -> None:
    export_onnx(refused.make(), torch.rand(2, 3, 12, 12), tmp_path / "model.onnx")
    with pytest.raises(ModelError) as caught:
        load_autoencoder(tmp_path / "model.onnx", images=random_images((3, 12, 12)))
    for word in refused.words:
        assert word in str(caught.value)


def test_a_fixed_batch_size_is_run_in_padded_chunks(tmp_path: Path) -> None:
    module = Dense().eval()
    export_onnx(module, torch.rand(4, 1, 12, 12), tmp_path / "model.onnx", dynamic=False)
    images = random_images((1, 12, 12), count=11)
    found = load(tmp_path / "model.onnx", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        expected = module(pixels)
    torch.testing.assert_close(found.decode(found.encode(pixels)), expected)


class ChannelsLast(nn.Module):
    """Takes and returns (n, H, W, C), as models from TensorFlow do."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 2, 4, 4)
        self.up = nn.ConvTranspose2d(2, 3, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)


def test_images_with_their_channels_last_are_rearranged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = ChannelsLast().eval()
    export_onnx(module, torch.rand(2, 12, 12, 3), tmp_path / "model.onnx")
    images = random_images((3, 12, 12))
    found = load(tmp_path / "model.onnx", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = module.down(pixels)
        image = module.up(code)
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=1e-6, rtol=1e-5)
    assert any("channels last" in note.text for note in found.notes)


def test_images_of_another_size_are_named(tmp_path: Path) -> None:
    export_onnx(Dense().eval(), torch.rand(2, 1, 12, 12), tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"takes images of 1×12×12 and these are 3×12×12"):
        load_autoencoder(tmp_path / "model.onnx", images=random_images((3, 12, 12)))
    assert inspect_model(tmp_path / "model.onnx").code_shape == (5,)


def changed(path: Path, change: Any) -> str:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        load_autoencoder(path, images=random_images((1, 12, 12)))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_what_could_do_more_than_compute_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"

    def export_anew() -> None:
        export_onnx(Dense().eval(), torch.rand(2, 1, 12, 12), path)

    def set_domain(model: Any) -> None:
        model.graph.node[0].domain = "evil"

    def add_loop(model: Any) -> None:
        model.graph.node[0].op_type = "Loop"

    def move_weights(model: Any) -> None:
        weight = model.graph.initializer[0]
        weight.data_location = onnx.TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "../../etc/passwd"

    def spoil(model: Any) -> None:
        weight = model.graph.initializer[0]
        array = onnx.numpy_helper.to_array(weight).copy()
        array.flat[0] = float("nan")
        weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))

    def add_sparse_weight(model: Any) -> None:
        model.graph.sparse_initializer.add().values.name = "elsewhere"

    def add_sparse_constant(model: Any) -> None:
        node = model.graph.node.add(op_type="Constant", output=["elsewhere"])
        node.attribute.add(name="sparse_value", type=11).sparse_tensor.dims.append(4)

    for change, words in (
        (set_domain, "evil.Flatten"),
        (add_sparse_weight, "sparse tensors"),
        (add_sparse_constant, "sparse tensors"),
        (add_loop, "Loop"),
        (move_weights, "other files"),
        (spoil, "NaN"),
    ):
        export_anew()
        assert words in changed(path, change)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(Dense().eval(), torch.rand(2, 1, 12, 12), path)
    content = path.read_bytes()
    for length in (10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError):
            load_autoencoder(path, images=random_images((1, 12, 12)))


@pytest.mark.parametrize("kind", [*onnx.TensorProto.DataType.keys(), "unknown"])
def test_weights_of_any_type_are_read_or_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    """Of each type in the standard, beside those in use: texts, 4-bit numbers, and what is none."""
    path = tmp_path / "model.onnx"
    export_onnx(Dense().eval(), torch.rand(2, 1, 12, 12), path)
    model = onnx.load(path)
    number = onnx.TensorProto.DataType.Value(kind) if kind != "unknown" else 99
    beside = model.graph.initializer.add(name="beside\x1b[2J", data_type=number, dims=[2])
    if kind == "STRING":
        beside.string_data.extend([b"a", b"b"])
    else:
        bits = int("".join(filter(str.isdigit, kind.partition("E")[0])) or 32)
        wide = {"DOUBLE": 64, "COMPLEX64": 64, "COMPLEX128": 128, "BOOL": 8}
        beside.raw_data = bytes(max(1, wide.get(kind, bits) * 2 // 8))
    path.write_bytes(model.SerializeToString())
    try:
        found = load(path, random_images((1, 12, 12)))
    except ModelError as error:
        assert kind in ("UNDEFINED", "unknown") or "damaged" in str(error) or "valid" in str(error)
        assert "\n" not in str(error)
    else:
        assert found.decode is not None


def test_names_that_are_not_utf_8_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    torch.onnx.export(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)),
        (torch.zeros(1, 1, 2, 2),),
        path,
        dynamo=False,
    )
    content = path.read_bytes()
    assert content.count(b"/0/Flatten") >= 1
    path.write_bytes(content.replace(b"/0/Flatten", b"/0/Fl\xfftten"))
    with pytest.raises(ModelError, match=r"UTF-8|no valid ONNX"):
        load_autoencoder(path, images=random_images((1, 2, 2)))
