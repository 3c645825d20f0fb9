"""Model files that run code, write files or spend memory when torch opens them.

Each is made from a working model, so that only the attack can be the reason for a refusal.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from tests.loading.files import export


class Touch:
    """Unpickling this creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.marker)!r}, 'w').close()",))


class Shell:
    """Unpickling this runs a shell command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.marker}",))


class HugeLayer:
    """Unpickling this builds a layer of 4 TB."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (nn.Linear, (1_000_000, 1_000_000))


def small_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(144, 3), nn.Linear(3, 144), nn.Unflatten(1, (1, 12, 12))
    ).eval()


def rewrite(path: Path, changes: dict[str, Callable[[bytes], bytes] | bytes]) -> None:
    """Change records of an archive, by the end of their names; new names are added."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    top = next(iter(records)).partition("/")[0]
    for name, change in changes.items():
        matching = [record for record in records if record.endswith(name)]
        if callable(change):
            assert matching, name
        for record in matching or [f"{top}/{name}"]:
            records[record] = change(records[record]) if callable(change) else change
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, record in records.items():
            archive.writestr(name, record)


def edit_json(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    def edit(record: bytes) -> bytes:
        parsed = json.loads(record)
        change(parsed)
        return json.dumps(parsed).encode()

    return edit


def exported(path: Path) -> None:
    export(small_model(), torch.rand(2, 1, 12, 12), path)


def saved_bytes(value: object, folder: Path) -> bytes:
    torch.save(value, folder / "part")
    return (folder / "part").read_bytes()


# Attacks: each writes `path` so that opening it as torch does creates `marker`.


def pickled_object(path: Path, marker: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}, "extra": Touch(marker)}, path)


def pickled_shell(path: Path, marker: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}, "extra": Shell(marker)}, path)


def pickled_legacy(path: Path, marker: Path) -> None:
    torch.save(Touch(marker), path, _use_new_zipfile_serialization=False)


def pickled_module_hook(path: Path, marker: Path) -> None:
    module = small_model()
    module._forward_hooks[0] = Touch(marker)  # type: ignore[assignment]
    torch.save(module, path)


def sample_inputs(path: Path, marker: Path) -> None:
    exported(path)
    payload = saved_bytes(((Touch(marker),), {}), path.parent)
    rewrite(path, {"data/sample_inputs/model.pt": payload})


def pickled_weight(path: Path, marker: Path) -> None:
    exported(path)
    payload = saved_bytes(Touch(marker), path.parent)

    def change(config: Any) -> None:
        entry = next(iter(config["config"].values()))
        entry["use_pickle"] = True
        entry["path_name"] = "weight_evil"

    rewrite(
        path,
        {"model_weights_config.json": edit_json(change), "data/weights/weight_evil": payload},
    )


def opaque_constant(path: Path, marker: Path) -> None:
    exported(path)

    def change(config: Any) -> None:
        config["config"]["evil"] = {
            "path_name": "opaque_obj_0",
            "is_param": False,
            "use_pickle": True,
            "tensor_meta": None,
        }

    payload = pickle.dumps(Touch(marker))
    changes: dict[str, Any] = {
        "model_constants_config.json": edit_json(change),
        "data/constants/opaque_obj_0": payload,
    }
    rewrite(path, changes)


def shape_expression(path: Path, marker: Path) -> None:
    exported(path)
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def change(model: Any) -> None:
        values = model["graph_module"]["graph"]["tensor_values"]
        images = next(value for value in values.values() if len(value["sizes"]) == 4)
        images["sizes"][0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}

    rewrite(path, {"models/model.json": edit_json(change)})


def guard(path: Path, marker: Path) -> None:
    exported(path)
    code = f"__import__('pathlib').Path({str(marker)!r}).touch() or True"

    def change(model: Any) -> None:
        model["guards_code"] = [code]

    rewrite(path, {"models/model.json": edit_json(change)})


def script_constructor(path: Path, marker: Path) -> None:
    """TorchScript runs __setstate__ while it loads, and torch.from_file makes a file."""

    class Restored(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            self.made = torch.zeros(1)

        @torch.jit.export
        def __getstate__(self) -> tuple[str, bool]:
            return self.name, self.training

        @torch.jit.export
        def __setstate__(self, state: tuple[str, bool]) -> None:
            self.name = state[0]
            self.training = state[1]
            self.made = torch.from_file(state[0], True, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x

    torch.jit.save(torch.jit.script(Restored(str(marker))), path)


def script_operator(path: Path, marker: Path) -> None:
    """Running the model writes a file; freezing folds the constant, and writes it at load."""

    class Writes(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.from_file(self.name, True, 1)

    torch.jit.save(torch.jit.script(Writes(str(marker))), path)


def script_alias(path: Path, marker: Path) -> None:
    """The same under another name: the source is edited to hide the call."""
    script_operator(path, marker)

    def change(source: bytes) -> bytes:
        assert b"torch.from_file" in source
        lines = source.decode().splitlines()
        place = next(i for i, line in enumerate(lines) if "torch.from_file" in line)
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines[place] = lines[place].replace("torch.from_file", "hidden")
        lines.insert(place, f"{indent}hidden = torch.from_file")
        return "\n".join(lines).encode() + b"\n"

    with zipfile.ZipFile(path) as archive:
        sources = [name for name in archive.namelist() if name.endswith(".py")]
        name = next(name for name in sources if b"torch.from_file" in archive.read(name))
    rewrite(path, {name: change})


def open_pt2(path: Path) -> None:
    with path.open("rb") as file:
        torch.export.load(file).module()(torch.rand(2, 1, 12, 12))


def open_saved(path: Path) -> None:
    torch.load(path, weights_only=False)


def open_script(path: Path) -> None:
    torch.jit.load(path)(torch.rand(1, 1, 12, 12))


# name → (writes the file, opens it as torch does by itself)
CODE: dict[str, tuple[Callable[[Path, Path], None], Callable[[Path], None]]] = {
    "pickled object": (pickled_object, open_saved),
    "pickled shell command": (pickled_shell, open_saved),
    "pickled object in the legacy layout": (pickled_legacy, open_saved),
    "hook of a pickled module": (pickled_module_hook, open_saved),
    "example inputs": (sample_inputs, open_pt2),
    "pickled weight": (pickled_weight, open_pt2),
    "opaque constant": (opaque_constant, open_pt2),
    "shape expression": (shape_expression, open_pt2),
    "guard": (guard, open_pt2),
    "TorchScript state method": (script_constructor, open_script),
    "TorchScript operator": (script_operator, open_script),
    "TorchScript operator under another name": (script_alias, open_script),
}


# Attacks on memory and on the reader; each only has to be refused.


def stride_zero_exported(path: Path) -> None:
    exported(path)

    def change(config: Any) -> None:
        meta = next(iter(config["config"].values()))["tensor_meta"]
        meta["sizes"] = [{"as_int": 200_000}, {"as_int": 200_000}]
        meta["strides"] = [{"as_int": 0}, {"as_int": 0}]

    rewrite(path, {"model_weights_config.json": edit_json(change)})


def weight_outside_its_bytes(path: Path) -> None:
    exported(path)

    def change(config: Any) -> None:
        next(iter(config["config"].values()))["tensor_meta"]["storage_offset"] = {"as_int": 10**9}

    rewrite(path, {"model_weights_config.json": edit_json(change)})


def stride_zero_saved(path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(200_000, 200_000)}, path)


def huge_layer(path: Path) -> None:
    torch.save(HugeLayer(), path)


def deflate_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("m/data.pkl", bytes(400_000_000))


def lying_size(path: Path) -> None:
    """The directory claims a terabyte for a stored record."""
    torch.save({"a": torch.zeros(3)}, path)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    path.write_bytes(bytes(data))


def huge_graph_tensor(path: Path) -> None:
    """An operator of the graph makes 10¹² numbers."""

    class Huge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.zeros(1000).sum()

    export(Huge().eval(), torch.rand(2, 1, 12, 12), path)

    def change(model: Any) -> None:
        for node in model["graph_module"]["graph"]["nodes"]:
            if node["target"].startswith("torch.ops.aten.zeros"):
                node["inputs"][0]["arg"] = {"as_ints": [1_000_000, 1_000_000]}

    rewrite(path, {"models/model.json": edit_json(change)})


def _with_operator(path: Path, target: str) -> None:
    exported(path)

    def change(model: Any) -> None:
        model["graph_module"]["graph"]["nodes"][0]["target"] = target

    rewrite(path, {"models/model.json": edit_json(change)})


def file_operator(path: Path) -> None:
    _with_operator(path, "torch.ops.aten.from_file.default")


def python_function(path: Path) -> None:
    _with_operator(path, "torch.hub.load")


def hidden_python_function(path: Path) -> None:
    _with_operator(path, "torch.ops.aten.__class__.__subclasses__")


def deep_json(path: Path) -> None:
    exported(path)
    rewrite(path, {"models/model.json": b"[" * 200_000 + b"]" * 200_000})


def two_records_of_one_name(path: Path) -> None:
    exported(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"other")


def safetensors_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{" + b" " * 100)


def _with_bomb(path: Path, ending: str) -> None:
    """Replace a record by one that opens to 400 MB."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in records if name.endswith(ending))
    with zipfile.ZipFile(path, "w") as archive:
        for other in records.keys() - {name}:
            archive.writestr(other, records[other])
        archive.writestr(name, bytes(400_000_000), zipfile.ZIP_DEFLATED, compresslevel=1)


def graph_bomb(path: Path) -> None:
    exported(path)
    _with_bomb(path, "models/model.json")


def weight_bomb(path: Path) -> None:
    exported(path)
    _with_bomb(path, "weight_0")


def source_bomb(path: Path) -> None:
    torch.jit.save(torch.jit.script(small_model()), path)
    _with_bomb(path, ".py")


def storage_of_terabytes(path: Path) -> None:
    """The pickle claims 10¹² numbers for a record of three."""
    torch.save({"a": torch.zeros(3)}, path)
    claimed = b"\x8a\x06" + (10**12).to_bytes(6, "little") + b"t"
    rewrite(path, {"data.pkl": lambda record: record.replace(b"K\x03t", claimed)})


def doubling_tuples(path: Path) -> None:
    """A pickle of 400 bytes whose object has 2⁶⁰ leaves."""
    steps = b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02K\x01q\x00" + steps + b".")
        archive.writestr("m/version", "3\n")


def archive_behind_junk(path: Path) -> None:
    """A zip reader finds it from the end; it is no model that starts here."""
    exported(path)
    path.write_bytes(b"\x01\x02\xff" * 100 + path.read_bytes())


def archive_in_an_archive(path: Path) -> None:
    exported(path)
    inner = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data/model.pt2", inner)


def named_pipe(path: Path) -> None:
    """Opening it would wait for ever."""
    os.mkfifo(path)


def links_in_a_circle(path: Path) -> None:
    other = path.with_name("other")
    other.symlink_to(path)
    path.symlink_to(other)


def _onnx(path: Path, nodes: list[Any], weights: list[Any]) -> None:
    kind = onnx.TensorProto.FLOAT
    ends = [onnx.helper.make_tensor_value_info(name, kind, ["n", 1, 12, 12]) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights)
    opset = onnx.helper.make_opsetid("", 17)
    path.write_bytes(onnx.helper.make_model(graph, opset_imports=[opset]).SerializeToString())


def onnx_tensor_of_14_gigabytes(path: Path) -> None:
    make = onnx.helper.make_node
    sizes = onnx.helper.make_tensor("value", onnx.TensorProto.INT64, [2], [60_000, 60_000])
    nodes = [
        make("Constant", [], ["sizes"], value=sizes),
        make("ConstantOfShape", ["sizes"], ["zeros"]),
        make("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        make("Add", ["x", "sum"], ["y"]),
    ]
    _onnx(path, nodes, [])


def onnx_weight_of_terabytes(path: Path) -> None:
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [0.0])
    weight.dims[0] = 10**12
    _onnx(path, [onnx.helper.make_node("Add", ["x", "w"], ["y"])], [weight])


RESOURCES: dict[str, Callable[[Path], None]] = {
    "stride zero in an exported weight": stride_zero_exported,
    "weight outside its bytes": weight_outside_its_bytes,
    "stride zero in a saved tensor": stride_zero_saved,
    "huge layer built by a pickle": huge_layer,
    "deflate bomb": deflate_bomb,
    "archive that lies about sizes": lying_size,
    "huge tensor made by the graph": huge_graph_tensor,
    "operator that opens files": file_operator,
    "function of torch as operator": python_function,
    "attribute walk as operator": hidden_python_function,
    "deeply nested JSON": deep_json,
    "two records of one name": two_records_of_one_name,
    "safetensors header of 4 exabytes": safetensors_header,
    "deflate bomb as a graph": graph_bomb,
    "deflate bomb as a weight": weight_bomb,
    "deflate bomb as TorchScript source": source_bomb,
    "storage that claims terabytes": storage_of_terabytes,
    "tuples that double sixty times": doubling_tuples,
    "archive behind junk": archive_behind_junk,
    "archive in an archive": archive_in_an_archive,
    "named pipe": named_pipe,
    "links in a circle": links_in_a_circle,
    "ONNX tensor of 14 GB": onnx_tensor_of_14_gigabytes,
    "ONNX weight that claims terabytes": onnx_weight_of_terabytes,
}
