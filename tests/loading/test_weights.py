"""Weights find their class, whatever a training script wrapped around them."""

from __future__ import annotations

import argparse
import collections
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reportgen.autoencoder import Autoencoder
from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder
from tests.loading.files import load
from tests.loading.image_array import ImageArray, random_images

SOURCE = """
import torch
from torch import nn
from neighbour import activation

class Sized(nn.Module):
    def __init__(self, units, hidden=16, pixels=144):
        super().__init__()
        self.down = nn.Sequential(nn.Linear(pixels, hidden), activation(), nn.Linear(hidden, units))
        self.up = nn.Linear(units, pixels)

    def encode(self, x):
        return self.down(x.flatten(1))

    def decode(self, z):
        return self.up(z).view(-1, 1, 12, 12)

    def forward(self, x):
        return self.decode(self.encode(x))

class Fixed(Sized):
    def __init__(self):
        super().__init__(3)

not_a_module = 5
"""


@pytest.fixture(scope="module")
def images() -> ImageArray:
    return random_images((1, 12, 12))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "neighbour.py").write_text("from torch.nn import Tanh as activation\n")
    (folder / "model.py").write_text(SOURCE)
    return folder / "model.py"


def state(units: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {
        "down.0.weight": (16, 144),
        "down.0.bias": (16,),
        "down.2.weight": (units, 16),
        "down.2.bias": (units,),
        "up.weight": (144, units),
        "up.bias": (144,),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def assert_has(found: Autoencoder, weights: dict[str, torch.Tensor], images: ImageArray) -> None:
    """Codes are those of these weights, computed by hand."""
    x = torch.from_numpy(images.pixels).flatten(1)
    hidden = torch.tanh(x @ weights["down.0.weight"].T + weights["down.0.bias"])
    code = hidden @ weights["down.2.weight"].T + weights["down.2.bias"]
    torch.testing.assert_close(
        found.encode(torch.from_numpy(images.pixels)), code, atol=1e-5, rtol=1e-5
    )


def wrap(weights: dict[str, torch.Tensor], how: str) -> object:
    optimizer = {"state": {0: {"exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]}
    match how:
        case "plain":
            return weights
        case "ordered":
            return collections.OrderedDict(weights)
        case "DataParallel":
            return {f"module.{name}": tensor for name, tensor in weights.items()}
        case "compiled":
            return {f"_orig_mod.{name}": tensor for name, tensor in weights.items()}
        case "compiled inside DDP":
            return {f"module._orig_mod.{name}": tensor for name, tensor in weights.items()}
        case "Lightning":
            named = {f"model.{name}": tensor for name, tensor in weights.items()}
            return {
                "epoch": 9,
                "pytorch-lightning_version": "2.4.0",
                "state_dict": {**named, "loss.scale": torch.ones(1)},
                "optimizer_states": [optimizer],
                "callbacks": {"ModelCheckpoint": {"best": torch.tensor(0.2)}},
                "hyper_parameters": {"units": 3, "learning_rate": 0.1},
            }
        case "training dictionary":
            return {"epoch": 3, "model_state_dict": weights, "optimizer_state_dict": optimizer}
        case "model key":
            return {"model": weights, "optimizer": optimizer, "args": argparse.Namespace(lr=0.1)}
        case "numpy beside":
            return {"state_dict": weights, "best": np.float64(0.3), "path": Path("/data")}
        case "other key":
            return {"generator_weights": weights, "step": 5}
    raise AssertionError(how)


WRAPPINGS = (
    "plain",
    "ordered",
    "DataParallel",
    "compiled",
    "compiled inside DDP",
    "Lightning",
    "training dictionary",
    "model key",
    "numpy beside",
    "other key",
)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("how", WRAPPINGS)
def test_weights_are_found_inside_what_training_scripts_save(
    how: str, zipped: bool, source: Path, images: ImageArray, tmp_path: Path
) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(wrap(state(), how), path, _use_new_zipfile_serialization=zipped)
    found = load(path, images, model_class=f"{source}:Fixed")
    assert_has(found, state(), images)


def test_safetensors_load(source: Path, images: ImageArray, tmp_path: Path) -> None:
    save_file(state(), tmp_path / "model.safetensors")
    found = load(tmp_path / "model.safetensors", images, model_class=f"{source}:Fixed")
    assert_has(found, state(), images)


def test_arguments_are_given_or_taken_from_the_checkpoint(
    source: Path, images: ImageArray, tmp_path: Path
) -> None:
    torch.save(state(7), tmp_path / "plain.pt")
    found = load_autoencoder(
        tmp_path / "plain.pt",
        images=images,
        model_class=f"{source}:Sized",
        model_args={"units": 7},
    )
    assert found.code_shape == (7,)
    torch.save(wrap(state(3), "Lightning"), tmp_path / "lightning.ckpt")
    found = load(tmp_path / "lightning.ckpt", images, model_class=f"{source}:Sized")
    assert_has(found, state(3), images)


def refusal(path: Path, images: ImageArray, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        load_autoencoder(path, images=images, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_missing_is_said(source: Path, images: ImageArray, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(state(3), path)
    assert "--model-class" in refusal(path, images)
    assert "units" in refusal(path, images, model_class=f"{source}:Sized")
    wrong = refusal(path, images, model_class=f"{source}:Sized", model_args={"units": 4})
    assert "up.weight (144×3 in the file, 144×4 in the class)" in wrong
    torch.save({"down.0.weight": state()["down.0.weight"]}, path)
    assert "lacks down.0.bias" in refusal(path, images, model_class=f"{source}:Fixed")
    torch.save({"epoch": 3, "loss": 0.1}, path)
    assert "epoch, loss" in refusal(path, images, model_class=f"{source}:Fixed")
    torch.save(torch.rand(3), path)
    assert "Tensor" in refusal(path, images)


def test_a_class_that_cannot_be_had_is_named(
    source: Path, images: ImageArray, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(state(3), path)
    assert "package.module:Class" in refusal(path, images, model_class="Sized")
    assert "Fixed, Sized" in refusal(path, images, model_class=f"{source}:Missing")
    assert "no torch.nn.Module" in refusal(path, images, model_class=f"{source}:not_a_module")
    assert "no_such_package" in refusal(path, images, model_class="no_such_package:X")
    assert "gone.py" in refusal(path, images, model_class=f"{tmp_path}/gone.py:X")
    (tmp_path / "broken.py").write_text("import torch\n1 / 0\n")
    assert "ZeroDivisionError" in refusal(path, images, model_class=f"{tmp_path}/broken.py:X")


def test_not_a_number_is_named(source: Path, images: ImageArray, tmp_path: Path) -> None:
    weights = state()
    weights["up.weight"][3, 1] = float("nan")
    torch.save(weights, tmp_path / "weights.pt")
    sentence = refusal(tmp_path / "weights.pt", images, model_class=f"{source}:Fixed")
    assert "'up.weight'" in sentence and "NaN" in sentence


def test_a_pickled_module_of_torchs_own_classes_needs_nothing(
    images: ImageArray, tmp_path: Path
) -> None:
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(144, 4), nn.GELU(), nn.Linear(4, 144), nn.Sigmoid()
    )
    for wrapped in (module, {"model": nn.DataParallel(module), "epoch": 4}):
        torch.save(wrapped, tmp_path / "model.pt")
        found = load(tmp_path / "model.pt", images)
        with torch.no_grad():
            expected = module[:3](torch.from_numpy(images.pixels))
        torch.testing.assert_close(found.encode(torch.from_numpy(images.pixels)), expected)


def test_a_pickled_module_in_the_legacy_layout_says_what_to_do(
    images: ImageArray, tmp_path: Path
) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(144, 4), nn.Linear(4, 144))
    path = tmp_path / "model.pt"
    torch.save(module, path, _use_new_zipfile_serialization=False)
    sentence = refusal(path, images)
    assert "before 1.6" in sentence and "state_dict()" in sentence
    assert load_autoencoder(path, images=images, trust=True).code_shape == (4,)


def test_torchs_own_hooks_in_a_pickled_module_are_not_asked_of_the_user(tmp_path: Path) -> None:
    layer = nn.utils.spectral_norm(nn.Linear(144, 3))
    module = nn.Sequential(nn.Flatten(), layer, nn.Linear(3, 144))
    torch.save(module, tmp_path / "model.pt")
    with pytest.raises(ModelError) as caught:
        load_autoencoder(tmp_path / "model.pt", images=random_images((1, 12, 12)))
    assert "SpectralNorm" in str(caught.value) and "state_dict" in str(caught.value)
    assert "--model-class" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "cannot be imported: ValueError: boom"),
        ("import sys; sys.exit(3)", "ends the program .* under if __name__ == '__main__'"),
        ("class Net(nn.Module):\n    def __init__(self): 1 / 0", "built with {}: ZeroDivision"),
        (
            "class Net(nn.Module):\n    def __init__(self): raise SystemExit",
            "built with {}: it ends",
        ),
        ("Net = 5", "no torch.nn.Module class, and no function"),
        (
            "class Net(nn.Module):\n    def __init__(self): nn.Linear(8, -1)",
            "built with {}: RuntimeError: .* --model-args",
        ),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("package", [False, True])
def test_what_a_class_raises_is_a_sentence(
    body: str,
    words: str,
    trust: bool,
    package: bool,
    images: ImageArray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.save(state(7), tmp_path / "plain.pt")
    (tmp_path / "raising.py").write_text(f"from torch import nn\n{body}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "raising", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    where = "raising:Net" if package else "raising.py:Net"
    with pytest.raises(ModelError, match=words) as caught:
        load_autoencoder(tmp_path / "plain.pt", images=images, model_class=where, trust=trust)
    assert "plain.pt" in str(caught.value)


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_refused_pickle_says_what_it_names_and_never_how_to_let_it_run(
    zipped: bool, images: ImageArray, tmp_path: Path
) -> None:
    torch.save(
        {"weights": state(7), "extra": _Runs()},
        tmp_path / "model.pt",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(ModelError, match=r"could run code .*it names \w+\.system\)") as caught:
        load_autoencoder(tmp_path / "model.pt", images=images)
    assert "weights_only" not in str(caught.value)


class Setting(dict):
    """A dictionary of settings with attributes, as yacs's CfgNode."""


class Layers(list):
    """A list of settings, as omegaconf's ListConfig."""


def beside() -> dict[str, object]:
    """What training scripts save beside the weights, filled."""
    settings = Setting(lr=1e-3, layers=Layers([1, 2]))
    settings.frozen = True
    return {
        "history": collections.defaultdict(list, {"loss": [1.0, 2.0]}),
        "window": collections.deque([1, 2], maxlen=5),
        "config": settings,
        "layers": Layers([1, 2]),
        "counts": collections.Counter("aab"),
        "chosen": {1, 2},
        "several": [Setting(a=Layers([Setting(b=1)])), Layers([collections.deque([3])])],
    }


@pytest.mark.parametrize("name", beside())
def test_what_stands_beside_the_weights_is_never_needed(
    name: str, source: Path, images: ImageArray, tmp_path: Path
) -> None:
    torch.save({"state_dict": state(), name: beside()[name]}, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed")
    assert_has(found, state(), images)


def test_the_weights_that_were_taken_are_said_and_others_can_be_chosen(
    source: Path, images: ImageArray, tmp_path: Path
) -> None:
    other = {name: tensor + 1 for name, tensor in state().items()}
    torch.save({"net": state(), "ema": other, "epoch": 3}, tmp_path / "model.pt")
    first = load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed")
    second = load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed", weights="ema")
    assert_has(first, state(), images)
    assert_has(second, other, images)
    (note,) = (note.text for note in first.notes if note.topic == "weights")
    assert "'net'" in note and "'ema'" in note and "--weights" in note
    with pytest.raises(ModelError, match=r"no weights under 'em' \(--weights\); it has net, ema"):
        load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed", weights="em")


def test_weights_in_a_dictionary_inside_another_are_found(
    source: Path, images: ImageArray, tmp_path: Path
) -> None:
    torch.save({"ema": {"model": state(), "decay": 0.9}}, tmp_path / "model.pt")
    assert_has(load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed"), state(), images)


@pytest.mark.parametrize("keys", [("down", "up"), ("up_state_dict", "down_state_dict"), ("E", "G")])
def test_weights_of_two_halves_in_one_file_are_put_together(
    keys: tuple[str, str], source: Path, images: ImageArray, tmp_path: Path
) -> None:
    halves = {
        part: {k.removeprefix(f"{part}."): v for k, v in state().items() if k.startswith(part)}
        for part in ("down", "up")
    }
    order = ("up", "down") if keys[0].startswith("up") else ("down", "up")
    saved = {key: halves[part] for key, part in zip(keys, order, strict=True)}
    torch.save({**saved, "epoch": 3}, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed")
    assert_has(found, state(), images)
    assert any("are put together" in note.text for note in found.notes)


MIGRATED = """
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), weight_norm(nn.Linear(144, 16)), nn.BatchNorm1d(16), nn.Linear(16, 3)
        )
        self.decoder = nn.Sequential(nn.Linear(3, 144), nn.Unflatten(1, (1, 12, 12)))

    def forward(self, x):
        return self.decoder(self.encoder(x))
"""


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("is_ordered", [True, False])
def test_torch_decides_what_fits_and_migrates_what_older_versions_saved(
    prefix: str, is_ordered: bool, images: ImageArray, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(MIGRATED)
    namespace: dict[str, Any] = {}
    exec(MIGRATED, namespace)
    torch.manual_seed(0)
    module = namespace["Net"]().eval()
    original = "parametrizations.weight.original"
    old = type(module.state_dict())() if is_ordered else {}
    for name, tensor in module.state_dict().items():
        if "num_batches_tracked" not in name:
            name = name.replace(f"{original}0", "weight_g").replace(f"{original}1", "weight_v")
            old[prefix + name] = tensor
    if is_ordered:
        # As torch 0.3 wrote it: its batch norm counted no batches.
        old._metadata = {f"{prefix}encoder.2": {"version": 1}}
    torch.save(old, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt", images, model_class=f"{tmp_path / 'net.py'}:Net")
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        torch.testing.assert_close(found.encode(pixels), module.encoder(pixels))


@pytest.mark.parametrize("flag", ["beside", "class"])
def test_a_trusted_pickle_finds_its_class_beside_it(
    flag: str, images: ImageArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the current folder, or where --model-class says, be it a training script's."""
    (tmp_path / "configs.py").write_text("UNITS = 3\n")
    code = "from configs import UNITS\n" + MIGRATED.replace(
        "weight_norm(nn.Linear(144, 16))", "nn.Linear(144, 16)"
    )
    (tmp_path / "trusted_net.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("trusted_net").Net().eval()
    if flag == "class":
        type(module).__module__ = "__main__"
        monkeypatch.setattr(sys.modules["__main__"], "Net", type(module), raising=False)
    torch.save(module, "model.pt")
    monkeypatch.delattr(sys.modules["__main__"], "Net", raising=False)
    for name in ("trusted_net", "configs"):
        sys.modules.pop(name)
    sys.path.remove(str(tmp_path))
    options: dict[str, Any] = {"model_class": "trusted_net.py:Net"} if flag == "class" else {}
    found = load(Path("model.pt"), images, trust=True, **options)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        torch.testing.assert_close(found.encode(pixels), module.encoder(pixels))


def test_a_function_that_makes_the_model_may_be_named(images: ImageArray, tmp_path: Path) -> None:
    """As where a class takes other classes, which JSON cannot say."""
    code = SOURCE.replace("from neighbour import activation", "activation = nn.Tanh")
    code += "\ndef make(kind, units):\n    return {'sized': Sized}[kind](units)\n"
    code += "def other():\n    return 5\n"
    (tmp_path / "made.py").write_text(code)
    torch.save(state(), tmp_path / "model.pt")
    made = f"{tmp_path / 'made.py'}:make"
    found = load(
        tmp_path / "model.pt", images, model_class=made, model_args={"kind": "sized", "units": 3}
    )
    assert_has(found, state(), images)
    with pytest.raises(ModelError, match="name a function that makes the model"):
        load(tmp_path / "model.pt", images, model_class=made.replace(":make", ":Sized"))
    with pytest.raises(ModelError, match="other makes a int and no module"):
        load(tmp_path / "model.pt", images, model_class=made.replace(":make", ":other"))


def test_a_script_that_reads_its_command_line_takes_its_defaults(
    images: ImageArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = SOURCE.replace("from neighbour import activation", "activation = nn.Tanh")
    code += "import argparse\nparser = argparse.ArgumentParser()\n"
    code += "parser.add_argument('--width', default=3)\nargs = parser.parse_args()\n"
    (tmp_path / "train.py").write_text(code)
    torch.save(state(), tmp_path / "model.pt")
    monkeypatch.setattr(sys, "argv", ["reportgen", "build", "model.pt", "images"])
    found = load(tmp_path / "model.pt", images, model_class=f"{tmp_path / 'train.py'}:Fixed")
    assert_has(found, state(), images)
    assert sys.argv[1] == "build"


@pytest.mark.parametrize("prefix", ["ema_model.", "whatever_wraps_it.", "a.b."])
def test_a_prefix_that_all_names_share_is_taken_off(
    prefix: str, source: Path, images: ImageArray, tmp_path: Path
) -> None:
    torch.save({prefix + name: each for name, each in state().items()}, tmp_path / "model.pt")
    assert_has(load(tmp_path / "model.pt", images, model_class=f"{source}:Fixed"), state(), images)


def test_a_file_of_a_package_is_imported_as_that(tmp_path: Path, images: ImageArray) -> None:
    package = tmp_path / "theirnets" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package / "sizes.py").write_text("UNITS = 3\n")
    (package / "net.py").write_text(
        "from torch import nn\nfrom .sizes import UNITS\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, UNITS))\n"
        "        image = nn.Unflatten(1, (1, 12, 12))\n"
        "        self.decoder = nn.Sequential(nn.Linear(UNITS, 144), image)\n"
        "    def forward(self, x):\n"
        "        return self.decoder(self.encoder(x))\n"
    )
    made = nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), nn.Sequential(nn.Linear(3, 144))
    names = ("encoder", "decoder")
    state = {
        f"{n}.{k}": v for n, m in zip(names, made, strict=True) for k, v in m.state_dict().items()
    }
    torch.save(state, tmp_path / "w.pt")
    found = load_autoencoder(
        tmp_path / "w.pt",
        images=images,
        model_class=f"{package / 'net.py'}:Net",
        normalize="0,1",
        output="pixels",
    )
    assert found.code_shape == (3,)
