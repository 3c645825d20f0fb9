"""torch.export archives, read without torch's own loader.

torch's loader unpickles example inputs and evaluates shape expressions and guards from the file.
Here the graph is rebuilt from its JSON with allow-listed operators, and weights are read as bytes,
so nothing in the file is evaluated. Shapes need no symbols: sizes are computed as the graph runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reportgen.errors import ModelError, SettingsError
from reportgen.loading.formats.archive import Archive, open_archive
from reportgen.loading.formats.exported.graph import build_program
from reportgen.loading.formats.saved_records import load_tensors
from reportgen.loading.formats.tensors import check_extents, tensor_from_bytes
from reportgen.loading.graph.program import Description, Program
from reportgen.loading.options import DESCRIBED, LoadingOptions, Place
from reportgen.loading.sentences import refusing
from reportgen.shown import quoted

# Where torch.export.save puts extra files; the second until 2.6.
DESCRIPTION_RECORDS = ("extra/reportgen.json", "extra_files/reportgen.json")
JSON_LIMIT = 256 * 1024 * 1024
# What JSON that is not as it should be makes Python raise.
OFF_SCHEMA = (KeyError, TypeError, AttributeError)

# Numbers of torch._export.serde.schema.ScalarType; the file format fixes them.
DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}


def read_archive(path: Path) -> Program:
    """A torch.export archive → its program.

    Raises ModelError for damaged archives, and for everything that is not on the allow-lists.
    """
    with open_archive(path) as archive:
        _refuse_unsafe_records(archive)
        models = [name for name in archive.names if name.startswith("models/")]
        if len(models) != 1:
            raise ModelError(f"{path} holds {len(models)} exported models; export one alone.")
        name = models[0].removeprefix("models/").removesuffix(".json")
        weights = _read_payload(archive, "weights", name)
        constants = _read_payload(archive, "constants", name)
        return _program(archive, models[0], {**weights, **constants})


def read_older_archive(path: Path) -> Program:
    """Read the layout of torch 2.6 and earlier: one JSON file beside two torch.save files."""
    with open_archive(path) as archive:
        weights = _read_saved_tensors(archive, "serialized_state_dict.pt")
        constants: dict[str, Tensor] = {}
        if "serialized_constants.pt" in archive:
            constants = _read_saved_tensors(archive, "serialized_constants.pt")
        return _program(archive, "serialized_exported_program.json", {**weights, **constants})


def _program(archive: Archive, record: str, tensors: dict[str, Tensor]) -> Program:
    description = _read_description(archive)
    # `save` exports the model inside a module of its own.
    wrapper = "" if description is None else "module."
    graph = _read_json(archive, record)
    with refusing(
        (*OFF_SCHEMA, ValueError, IndexError, RecursionError),
        f"{archive.path} holds a graph that cannot be read (<kind>: <reason>); export the model "
        "again with torch.export.save.",
    ):
        program = build_program(graph, tensors, DTYPES, wrapper)
    program.description = description or Description()
    return program


def _read_description(archive: Archive) -> Description | None:
    """The description that `reportgen.save` wrote; None in files from elsewhere."""
    record = next((name for name in DESCRIPTION_RECORDS if name in archive), None)
    if record is None:
        return None
    found = _read_json(archive, record)
    damaged = f"{archive.path} is damaged at {quoted(record)}; save the model again."
    with refusing((*OFF_SCHEMA, SettingsError), damaged):
        places = found["code_output"], found["sd_output"]
        if not all(place is None or type(place) is int for place in places):
            raise TypeError("an output is no number")
        said = {key: found["options"].get(key) for key in DESCRIBED}
        said |= {"classes": list(found["classes"])}
        return Description(*places, LoadingOptions.of(said, record, Place.SAVED))


def _refuse_unsafe_records(archive: Archive) -> None:
    for name in archive.names:
        if name.startswith("data/constants/") and ("custom_obj" in name or "opaque_obj" in name):
            raise ModelError(
                f"{archive.path} holds the pickled object {quoted(name)}, which could run code "
                "when it is opened; export the model without custom objects, or pass --trust if "
                "you trust the file's origin."
            )


def _read_json(archive: Archive, name: str) -> Any:
    if archive.size(name) > JSON_LIMIT:
        raise ModelError(f"{archive.path}: {quoted(name)} is too large to be a graph; refused.")
    with refusing(
        (ValueError, RecursionError),
        f"{archive.path} is damaged at {quoted(name)}; export the model again.",
    ):
        return json.loads(archive.read(name))


def _read_payload(archive: Archive, kind: str, name: str) -> dict[str, Tensor]:
    """Weights or constants, each a record of raw bytes with its shape in a JSON file."""
    legacy = f"data/{kind}/{name}.pt"
    if legacy in archive:
        return _read_saved_tensors(archive, legacy)
    config_name = f"data/{kind}/{name}_{kind}_config.json"
    config = _read_json(archive, config_name)
    tensors = {}
    shared: dict[str, bytearray] = {}
    with refusing(
        (*OFF_SCHEMA, ValueError),
        f"{archive.path} is damaged at {quoted(config_name)} (<kind>: <reason>); export the "
        "model again.",
    ):
        for tensor_name, entry in config["config"].items():
            record = f"data/{kind}/{entry['path_name']}"
            if entry["use_pickle"]:
                tensors[tensor_name] = _read_pickled_tensor(archive, record)
                continue
            # Tied weights share one record and must go on sharing their bytes.
            if record not in shared:
                shared[record] = bytearray(archive.read(record))
            meta = entry["tensor_meta"]
            tensors[tensor_name] = tensor_from_bytes(
                shared[record],
                dtype=DTYPES[meta["dtype"]],
                size=[_fixed(size) for size in meta["sizes"]],
                stride=[_fixed(stride) for stride in meta["strides"]],
                offset=_fixed(meta["storage_offset"]),
                name=tensor_name,
            )
    return tensors


def _fixed(size: dict[str, Any]) -> int:
    value = size["as_int"]
    if not isinstance(value, int):
        raise TypeError("a size is not a number")
    return value


def _read_saved_tensors(archive: Archive, record: str) -> dict[str, Tensor]:
    """A torch.save record that must hold a dictionary of tensors and nothing else."""
    loaded = _load_weights_only(archive, record)
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise ModelError(
            f"{archive.path}: {quoted(record)} holds more than tensors; refused as unsafe."
        )
    check_extents(loaded)
    return loaded


def _read_pickled_tensor(archive: Archive, record: str) -> Tensor:
    loaded = _load_weights_only(archive, record)
    if not isinstance(loaded, Tensor):
        raise ModelError(
            f"{archive.path}: {quoted(record)} holds no plain tensor; refused as unsafe."
        )
    check_extents({record: loaded})
    return loaded


def _load_weights_only(archive: Archive, record: str) -> Any:
    # A hostile pickle makes an unpickler raise anything.
    with refusing(
        Exception,
        f"{archive.path}: {quoted(record)} is a pickle that holds more than tensors, or is damaged "
        "(<kind>); export the model again, or pass --trust if you trust the file's origin.",
    ):
        return load_tensors(archive.path, archive.read(record))
