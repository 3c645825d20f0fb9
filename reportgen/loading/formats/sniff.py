"""The format of a model file, told from its content and never from its name."""

from __future__ import annotations

import struct
from enum import Enum
from pathlib import Path

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import records_of

HEAD_BYTES = 4096
LEGACY_TORCH_SAVE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"
# What may follow an ONNX file's version: producer, its version, domain, graph, operator sets.
ONNX_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42")
SAFETENSORS_HEADER_LIMIT = 100_000_000


class ModelFormat(Enum):
    """The formats of model files; a format's value is its name in the report."""

    EXPORTED = "torch.export archive"
    EXPORTED_ZIP = "torch.export archive of torch 2.6 or earlier"
    TORCHSCRIPT = "TorchScript"
    TORCH_SAVE = "torch.save file"
    LEGACY_TORCH_SAVE = "torch.save file in the legacy layout"
    SAFETENSORS = "safetensors"
    AOT_INDUCTOR = "AOTInductor package"
    ONNX = "ONNX"
    DIFFUSERS = "diffusers folder"
    PYTHAE = "pythae folder"
    FUNCTION = "function"
    HALVES = "encoder and decoder in two files"


_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the real file with `git lfs pull`"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture; give the model first and the images second"),
    (b"\xff\xd8\xff", "a JPEG picture; give the model first and the images second"),
    (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, as Keras writes; convert the model to ONNX with tf2onnx",
    ),
    (b"\x93NUMPY", "a NumPy array; give the model first and the images second"),
    (b"\x1f\x8b", "gzip-compressed; unpack it first"),
    (b"BZh", "bzip2-compressed; unpack it first"),
    (b"\xfd7zXZ\x00", "xz-compressed; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"%PDF", "a PDF document, not a model"),
)


def sniff(path: Path) -> ModelFormat:
    """Name the format of a file.

    Raises ModelError, with what the file is instead, for anything that is no model.
    """
    if path.is_dir():
        return _sniff_folder(path)
    head = _read_head(path)
    for magic, description in _OTHER_FILES:
        if head.startswith(magic):
            raise ModelError(f"{path} is {description}.")
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    if head.startswith(LEGACY_TORCH_SAVE):
        return ModelFormat.LEGACY_TORCH_SAVE
    if _is_safetensors(path, head):
        return ModelFormat.SAFETENSORS
    if head[:1] == b"\x08" and head[2:3] in ONNX_FIELDS:
        return ModelFormat.ONNX
    if _is_html(head):
        raise ModelError(
            f"{path} is a web page, often saved in place of a download; "
            "download the model file itself."
        )
    if _is_text(head):
        raise ModelError(
            f"{path} is a text file, not a model; "
            "save one with torch.export.save, torch.jit.save or torch.save."
        )
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        raise ModelError(
            f"{path} is a plain Python pickle, which could run code when it is opened; "
            "save the model with torch.save or torch.export.save instead."
        )
    raise ModelError(
        f"{path} is in no format that is known here; "
        "save the model with torch.export.save, torch.jit.save or torch.save."
    )


def _read_head(path: Path) -> bytes:
    if not path.exists():
        raise ModelError(f"There is no model file {path}; check the path.")
    if not path.is_file():
        raise ModelError(f"{path} is not a regular file; copy the model to one.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"{path} cannot be read: {reason}; check its permissions.") from error
    if not head:
        raise ModelError(f"{path} is empty; save or download the model again.")
    return head


def _sniff_folder(path: Path) -> ModelFormat:
    if (path / "model_config.json").is_file():
        return ModelFormat.PYTHAE
    config = path / "config.json"
    try:
        if config.is_file() and b'"_class_name"' in config.read_bytes()[: 1 << 20]:
            return ModelFormat.DIFFUSERS
    except OSError as error:
        raise ModelError(f"{config} cannot be read: {error.strerror}.") from error
    if (path / "saved_model.pb").is_file():
        raise ModelError(f"{path} is a TensorFlow SavedModel; convert it to ONNX with tf2onnx.")
    raise ModelError(f"{path} is a folder, not a model file; name the file inside it.")


def _sniff_zip(path: Path) -> ModelFormat:
    names = records_of(path)
    if any(name.startswith("data/aotinductor/") for name in names):
        return ModelFormat.AOT_INDUCTOR
    if "archive_format" in names and any(name.startswith("models/") for name in names):
        return ModelFormat.EXPORTED
    if "serialized_exported_program.json" in names:
        return ModelFormat.EXPORTED_ZIP
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return ModelFormat.TORCHSCRIPT
    if "data.pkl" in names:
        return ModelFormat.TORCH_SAVE
    if "model.weights.h5" in names:
        raise ModelError(f"{path} is a Keras model; convert it to ONNX with tf2onnx.")
    if names and all(name.endswith(".npy") for name in names):
        raise ModelError(f"{path} is a NumPy array file; give the model first and the data second.")
    raise ModelError(
        f"{path} is a zip archive without a model in it; unpack it and name the model file inside."
    )


def _is_safetensors(path: Path, head: bytes) -> bool:
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if length > SAFETENSORS_HEADER_LIMIT:
        return False
    if 8 + length > path.stat().st_size:
        raise ModelError(f"{path} is a truncated safetensors file; save or download it again.")
    return True


def _is_html(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml"))


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut at the end of what was read.
        if error.start < len(head) - 4:
            return False
    printable = sum(byte >= 32 or byte in b"\t\r\n\x0c" for byte in head)
    return printable > 0.98 * len(head)
