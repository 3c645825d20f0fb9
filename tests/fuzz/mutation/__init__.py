"""Small changes to files: of their bytes, and of what their formats are made of.

Each function takes random numbers and content, and returns changed content. Only the original
files, which are ours, are parsed here.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.mutation.archives import changed_tar, changed_tar_gz, changed_zip
from tests.fuzz.mutation.arrays import changed_idx, changed_npy, changed_safetensors
from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.messages import changed_message
from tests.fuzz.mutation.pickles import changed_pickle
from tests.fuzz.mutation.pictures import changed_jpeg, changed_png, changed_riff, changed_tiff
from tests.fuzz.mutation.scans import (
    changed_dicom,
    changed_fits,
    changed_nifti,
    changed_packed_nifti,
)
from tests.fuzz.mutation.tables import changed_arrow, changed_parquet, changed_table
from tests.fuzz.mutation.texts import changed_json, changed_lines, changed_source, changed_toml

BY_BYTES = 0.25
# Some changes show only beside another.
ANOTHER = 0.3

Change = Callable[[random.Random, bytes], bytes]
CHANGES: dict[str, Change] = {
    "json": changed_json,
    "jsonl": changed_lines,
    "toml": changed_toml,
    "csv": changed_table,
    "source": changed_source,
    "pickle": changed_pickle,
    "png": changed_png,
    "riff": changed_riff,
    "jpeg": changed_jpeg,
    "tiff": changed_tiff,
    "npy": changed_npy,
    "idx": changed_idx,
    "safetensors": changed_safetensors,
    "message": changed_message,
    "parquet": changed_parquet,
    "arrow": changed_arrow,
    "tar": changed_tar,
    "tar.gz": changed_tar_gz,
    "dicom": changed_dicom,
    "fits": changed_fits,
    "nifti": changed_nifti,
    "nifti.gz": changed_packed_nifti,
    "bytes": changed_bytes,
}
ENDINGS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".toml": "toml",
    ".csv": "csv",
    ".tsv": "csv",
    ".py": "source",
    ".pkl": "pickle",
    ".png": "png",
    ".webp": "riff",
    ".jpg": "jpeg",
    ".tif": "tiff",
    ".npy": "npy",
    ".safetensors": "safetensors",
    ".onnx": "message",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".tar": "tar",
    ".tar.gz": "tar.gz",
    ".idx": "idx",
    "_batch": "pickle",
    ".meta": "pickle",
    ".zip": "zip",
    ".npz": "zip",
    ".pt": "zip",
    ".pt2": "zip",
    ".pkl.pt": "pickle",
    ".bin": "zip",
    ".dcm": "dicom",
    ".fits": "fits",
    ".nii": "nifti",
    ".nii.gz": "nifti.gz",
}


def kind_of(name: str) -> str:
    """The format that a file's name ends with; "bytes" for none that has changes of its own."""
    found = [ending for ending in ENDINGS if name.endswith(ending)]
    return ENDINGS[max(found, key=len)] if found else "bytes"


def changed(generator: random.Random, name: str, content: bytes) -> bytes:
    """The content of a file of this name, changed once or a few times."""
    content = _changed_once(generator, kind_of(name), content)
    while generator.random() < ANOTHER:
        content = _changed_once(generator, kind_of(name), content)
    return content


def _changed_once(generator: random.Random, kind: str, content: bytes) -> bytes:
    if generator.random() < BY_BYTES or kind == "bytes":
        return changed_bytes(generator, content)
    # What was changed before may be no file of its format any more, in any way.
    with contextlib.suppress(Exception):
        return _by_structure(kind)(generator, content)
    return changed_bytes(generator, content)


def _by_structure(kind: str) -> Any:
    if kind == "zip":
        return lambda generator, content: changed_zip(generator, content, changed)
    return CHANGES[kind]
