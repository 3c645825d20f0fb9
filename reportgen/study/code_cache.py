"""Codes kept between builds, so that a second build of the same model and images skips the pass.

An entry is named by a hash of the model, the images and everything that decides what the encoder
makes of them. It ends with a checksum of itself: a damaged one is made again. It is written under
another name and then renamed: builds that share a folder, or one that is killed, leave whole
entries or none.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.errors import SettingsError
from reportgen.shown import shown
from reportgen.study.code_folder import CodeFolder
from reportgen.version import __version__

if TYPE_CHECKING:
    from reportgen.images import ImageSet

Keep = Callable[[str, Iterable[bytes | memoryview]], None]
# Behind the array: these bytes, and the SHA-256 of everything before them.
MARK = b"\nsha256:"
TRAILER_BYTES = len(MARK) + 32
PIECE_BYTES = 2**24


@dataclass(frozen=True)
class CodeCache:
    """A folder of codes, for one model.

    Attributes
    ----------
    folder : where entries are; made if it is not there.
    autoencoder : the model whose codes they are.
    keep : writes an entry, by name and content in pieces; None for a file in `folder`.

    Raises SettingsError where the folder cannot be made.
    """

    folder: Path
    autoencoder: Autoencoder
    keep: Keep | None = None

    def __post_init__(self) -> None:
        """Make the folder now, so that one that cannot be made is not found out after the pass."""
        if self.keep is None:
            CodeFolder(self.folder)

    def find(self, images: ImageSet, first: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Codes (n, code_size) and fingerprints (n, 2) of these images, mapped from disk.

        None where there are none.

        `first` are the codes of the first batch as the model gives them now. They are part of the
        name, so that a model whose code has changed though its file has not finds nothing. A
        damaged entry counts as none.

        Raises SettingsError where the entry cannot be read at all.
        """
        path = self.folder / self._name(images, first)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"{shown(path)} is no cache entry but no file; remove it.")
            entry = _sound(path, status.st_size, len(images), _record(first.shape[1]))
            return None if entry is None else (entry["code"], entry["fingerprint"])
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or error
            raise SettingsError(f"{shown(path)} cannot be read: {reason}.") from error

    def store(
        self, images: ImageSet, first: np.ndarray, codes: np.ndarray, fingerprints: np.ndarray
    ) -> None:
        """Keep codes and fingerprints. Raises SettingsError where the folder cannot be written."""
        entry = np.empty(len(codes), dtype=_record(codes.shape[1]))
        entry["code"], entry["fingerprint"] = codes, fingerprints
        keep = self.keep or CodeFolder(self.folder).write
        keep(self._name(images, first), _content(entry))

    def _name(self, images: ImageSet, first: np.ndarray) -> str:
        import torch

        source = self.autoencoder.source
        numbers = self.autoencoder.numbers_of(images.labels)
        identity = {
            "reportgen": __version__,
            "torch": torch.__version__,
            "device": str(self.autoencoder.device),
            "model": None if source is None else source.sha256,
            "choices": [[note.topic, note.text] for note in self.autoencoder.notes],
            "images": images.source.sha256,
            "rows": len(images),
            "reading": [[note.topic, note.text] for note in images.notes],
            "labels": None if numbers is None else hashlib.sha256(numbers.tobytes()).hexdigest(),
            "first": hashlib.sha256(np.ascontiguousarray(first).tobytes()).hexdigest(),
        }
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"codes-{name[:32]}.npy"


def _record(code_size: int) -> np.dtype:
    """Return the type of one image's record: its code and its fingerprint."""
    return np.dtype([("code", "<f4", (code_size,)), ("fingerprint", "<i8", (2,))])


def _content(entry: np.ndarray) -> Iterator[bytes | memoryview]:
    """An .npy file of the entry (n,), in pieces, with its checksum behind it."""
    digest = hashlib.sha256()
    header = _header(len(entry), entry.dtype)
    digest.update(header)
    yield header
    rows = max(1, PIECE_BYTES // entry.itemsize)
    for start in range(0, len(entry), rows):
        piece = entry[start : start + rows].view(np.uint8).data
        digest.update(piece)
        yield piece
    yield MARK + digest.digest()


def _header(rows: int, dtype: np.dtype) -> bytes:
    buffer = io.BytesIO()
    described = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": described, "fortran_order": False, "shape": (rows,)}
    )
    return buffer.getvalue()


def _sound(path: Path, size: int, rows: int, dtype: np.dtype) -> np.ndarray | None:
    """The array in an entry; None where it holds another one, or is not as it was written."""
    header = _header(rows, dtype)
    content = len(header) + rows * dtype.itemsize
    if size != content + TRAILER_BYTES:
        return None
    with path.open("rb") as file:
        if file.read(len(header)) != header:
            return None
        digest = hashlib.sha256(header)
        while piece := file.read(min(content - file.tell(), PIECE_BYTES)):
            digest.update(piece)
        if file.read() != MARK + digest.digest():
            return None
        return np.memmap(file, dtype, mode="r", offset=len(header), shape=(rows,))
