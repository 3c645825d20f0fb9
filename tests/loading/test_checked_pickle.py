"""Pickles made by hand: nothing that they name is called, and none takes memory or time."""

from __future__ import annotations

import collections
import pickle
import struct
import time
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.restricted_pickle import load_restricted

# Opcodes, put together by hand: pickle itself would not write what these files hold.
EMPTY, MARK = b")", b"("


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def named(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def called(name: str, *arguments: bytes) -> bytes:
    return named(name) + listed(*arguments) + b"R"


def listed(*entries: bytes) -> bytes:
    return MARK + b"".join(entries) + b"t"


def dictionary(**entries: bytes) -> bytes:
    return b"}" + MARK + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def module(kind: str = "container.Sequential", **state: bytes) -> bytes:
    own = dict.fromkeys(("_parameters", "_buffers", "_modules"), b"}") | state
    return named(f"torch.nn.modules.{kind}") + EMPTY + b"\x81" + dictionary(**own) + b"b"


def storage(key: str = "0", count: int = 4, kind: str = "torch.FloatStorage") -> bytes:
    return listed(text("storage"), named(kind), text(key), text("cpu"), number(count)) + b"Q"


def tensor(stored: bytes, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    return called(
        "torch._utils._rebuild_tensor_v2",
        stored,
        number(offset),
        listed(*map(number, size)),
        listed(*map(number, stride)),
        b"\x89",
        called("collections.OrderedDict"),
    )


def doubled(first: bytes, pair: bytes, levels: int = 60) -> bytes:
    """What holds twice what holds twice …: 2^levels entries in a few hundred bytes."""
    return first + b"".join(b"q\x00h\x00" + pair for _ in range(levels))


def file_of(content: bytes, folder: Path, record: bytes = bytes(16)) -> Path:
    path = folder / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + content + b".")
        archive.writestr("m/byteorder", "little")
        archive.writestr("m/data/0", record)
    return path


def load(path: Path) -> object:
    return load_restricted(path, {}, is_zip=True)


PATCH = dictionary(forward=named("torch.nn.functional.tanh"))
RELU = "torch.nn.modules.activation.ReLU"
HOSTILE = {
    "a class is called": called("torch.nn.modules.linear.Linear", number(9), number(9)),
    "an object is made with arguments": named("torch.nn.modules.linear.Linear")
    + listed(number(10**9), number(10**9))
    + b"\x81",
    "a class is given attributes": named(RELU) + PATCH + b"b",
    "a class is filled like a dictionary": named(RELU) + text("forward") + EMPTY + b"s",
    "a maker is given attributes": named("torch._utils._rebuild_tensor_v2") + PATCH + b"b",
    "a subclass's hook is called": called(
        "torch._tensor._rebuild_from_type_v2",
        named("builtins.set"),
        named(RELU),
        listed(),
        PATCH,
    ),
    "what came out of the file is called": called("collections.OrderedDict") + EMPTY + b"R",
    "a module's method is replaced": module(eval=named("builtins.set")),
    "a module's property is replaced": module("rnn.LSTM", all_weights=b"]"),
    "a hook calls a function": module(
        _forward_hooks=b"}" + MARK + number(0) + named("torch.nn.functional.relu") + b"u"
    ),
    "a maker is kept as an activation": module(activation=named("torch._utils._rebuild_tensor")),
    "a child that is no module": module(_modules=dictionary(a=text("b"))),
    "a module without a state": named(RELU) + EMPTY + b"\x81" + listed() + b"b",
    "ten million layers": module("rnn.LSTM", num_layers=number(10**7)),
    "a bytearray of 6 GB": called("builtins.bytearray", number(6 * 10**9)),
    "a set of a number": called("builtins.set", number(5)),
    "a memo of 4 GB": b"Nr\xff\xff\xff\xffj\xfe\xff\xff\xff",
    "a key that hashes for ever": b"}" + doubled(EMPTY, b"\x86") + b"Ns",
    "keys that share a hash": b"}"
    + MARK
    + b"".join(number(k * (2**61 - 1)) + b"N" for k in range(1, 9))
    + b"u",
    "an entry that writes for ever": doubled(b"]", b"\x86"),
    "modules that hold one another for ever": b"]"
    + module()
    + b"q\x00a"
    + (module(_modules=dictionary(a=b"h\x00", b=b"h\x00")) + b"q\x00a") * 40,
    "a module in itself": named("torch.nn.modules.container.Sequential")
    + EMPTY
    + b"\x81q\x00"
    + dictionary(_parameters=b"}", _buffers=b"}", _modules=dictionary(a=b"h\x00"))
    + b"b",
    "a list in itself": b"]q\x00h\x00a",
    "a tensor beyond its storage": tensor(storage(), 0, (5,), (1,)),
    "a tensor before its storage": tensor(storage(), -1, (2,), (1,)),
    "a tensor of negative size": tensor(storage(), 0, (-1,), (1,)),
    "a storage of more than its record": tensor(storage(count=5), 0, (4,), (1,)),
    "a storage that is none": tensor(storage(kind="builtins.set"), 0, (4,), (1,)),
    "a record that is not there": tensor(storage(key="1"), 0, (4,), (1,)),
    "a parameter of a module": called("torch._utils._rebuild_parameter", module(), b"\x88", b"}"),
    "a size of texts": called("torch.Size", listed(text("a"))),
    "an opcode that torch does not write": b"\x8c\x01a",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_file_of_weights_does_is_refused(what: str, tmp_path: Path) -> None:
    before = {kind: dict(vars(kind)) for kind in (nn.ReLU, nn.Linear, nn.Module, Tensor, nn.LSTM)}
    path = file_of(HOSTILE[what], tmp_path)
    started = time.thread_time()
    with pytest.raises(ModelError) as caught:
        load(path)
    assert time.thread_time() - started < 5
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and len(said) < 1000
    assert all(dict(vars(kind)) == was for kind, was in before.items())


@pytest.mark.slow
def test_a_hundred_thousand_objects_are_the_most(tmp_path: Path) -> None:
    one = named(RELU) + EMPTY + b"\x81"
    path = file_of(b"]" + MARK + one * 100_001 + b"e", tmp_path)
    with pytest.raises(ModelError, match="100000 objects"):
        load(path)


def test_methods_in_a_dictionarys_state_are_left_out(tmp_path: Path) -> None:
    state = dictionary(items=text("mine"), _metadata=dictionary(a=number(1)))
    loaded = load(file_of(called("collections.OrderedDict") + state + b"b", tmp_path))
    assert isinstance(loaded, collections.OrderedDict)
    assert vars(loaded) == {"_metadata": {"a": 1}}


class Subclass(Tensor):
    """A tensor of a class of its own, as fastai's images are."""


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_tensors_of_every_type_are_those_saved(zipped: bool, tmp_path: Path) -> None:
    base = torch.arange(24.0)
    kinds = ("float64", "float16", "bfloat16", "complex64", "bool", "uint8", "int64", "int32")
    saved = {name: base.to(getattr(torch, name)) for name in kinds} | {
        "view": base.view(4, 6).t()[1:, ::2],
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(base[3:5].clone()),
        "flipped": base.view(2, 12).transpose(0, 1),
    }
    path = tmp_path / "model.pt"
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    loaded = load_restricted(path, {}, is_zip=zipped)
    assert list(loaded) == list(saved)
    for name, tensor in saved.items():
        assert loaded[name].dtype == tensor.dtype and type(loaded[name]) is type(tensor)
        torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=0)
    assert loaded["view"].stride() == saved["view"].stride()
    loaded["flipped"][0, 0] = 7.0
    assert loaded["view"].untyped_storage().data_ptr() == (
        loaded["flipped"].untyped_storage().data_ptr()
    )


def test_a_flipped_bit_among_the_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.full((64,), 3.0)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(struct.pack("<f", 3.0), struct.pack("<f", 3.0000002), 1))
    with pytest.raises(ModelError, match="data/0"):
        load(path)


def test_a_tensor_of_a_subclass_is_its_numbers(tmp_path: Path) -> None:
    tensor = torch.ones(3).as_subclass(Subclass)
    torch.save({"a": tensor}, tmp_path / "model.pt")
    loaded = load(tmp_path / "model.pt")
    assert isinstance(loaded, dict) and type(loaded["a"]) is Tensor
    torch.testing.assert_close(loaded["a"], torch.ones(3))


def test_a_parameter_with_attributes_is_its_numbers(tmp_path: Path) -> None:
    parameter = nn.Parameter(torch.ones(3))
    parameter.detach_ = "mine"  # type: ignore[assignment,method-assign]
    torch.save({"a": parameter}, tmp_path / "model.pt")
    loaded = load(tmp_path / "model.pt")
    assert isinstance(loaded, dict) and callable(loaded["a"].detach_)


def test_modules_compute_what_they_did(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(144, 8),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
    ).eval()
    torch.save(made, tmp_path / "model.pt")
    loaded = load(tmp_path / "model.pt")
    assert isinstance(loaded, nn.Module)
    images = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), made(images), rtol=0, atol=0)


def test_a_legacy_file_that_is_cut_or_claims_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.arange(50.0)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for damaged in (whole[:-4], whole.replace(b"K2", b"J\xff\xff\xff\x7f")):
        assert damaged != whole
        path.write_bytes(damaged)
        with pytest.raises(ModelError):
            load_restricted(path, {}, is_zip=False)
