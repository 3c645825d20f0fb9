"""Codes kept between builds, so that a second build of the same model and images skips the pass.

An entry is named by a hash of the model, the images and everything that decides what the encoder
makes of them. It is written under another name and then renamed: builds that share a folder, or
one that is killed, leave whole entries or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reportgen import __version__
from reportgen.autoencoder import Autoencoder
from reportgen.errors import SettingsError

if TYPE_CHECKING:
    from reportgen.images import ImageSet


@dataclass(frozen=True)
class CodeCache:
    """A folder of codes, for one model.

    Attributes
    ----------
    folder : where entries are; made if it is not there.
    autoencoder : the model whose codes they are.

    Raises SettingsError where the folder cannot be made.
    """

    folder: Path
    autoencoder: Autoencoder

    def __post_init__(self) -> None:
        """Make the folder now, so that one that cannot be made is not found out after the pass."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def find(self, images: ImageSet, first: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Codes (n, code_size) and fingerprints (n, 2) of these images, mapped from disk.

        None where there are none.

        `first` are the codes of the first batch as the model gives them now. They are part of the
        name, so that a model whose code has changed though its file has not finds nothing.
        """
        path = self._entry(images, first)
        try:
            entry = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} is no cache entry ({error}); delete it.") from error
        if entry.shape != (len(images),) or entry.dtype != _record(first.shape[1]):
            raise SettingsError(f"{path} does not hold these images' codes; delete it.")
        return entry["code"], entry["fingerprint"]

    def store(
        self, images: ImageSet, first: np.ndarray, codes: np.ndarray, fingerprints: np.ndarray
    ) -> None:
        """Keep codes and fingerprints. Raises SettingsError where the folder cannot be written."""
        path = self._entry(images, first)
        entry = np.empty(len(codes), dtype=_record(codes.shape[1]))
        entry["code"], entry["fingerprint"] = codes, fingerprints
        try:
            handle, unfinished = tempfile.mkstemp(dir=self.folder, suffix=".unfinished")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.save(file, entry, allow_pickle=False)
                Path(unfinished).replace(path)
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> SettingsError:
        reason = error.strerror or error
        return SettingsError(f"The cache {self.folder} cannot be written: {reason}.")

    def _entry(self, images: ImageSet, first: np.ndarray) -> Path:
        import torch

        source = self.autoencoder.source
        identity = {
            "reportgen": __version__,
            "torch": torch.__version__,
            "device": str(self.autoencoder.device),
            "model": None if source is None else source.sha256,
            "choices": [[note.topic, note.text] for note in self.autoencoder.notes],
            "images": images.source.sha256,
            "rows": len(images),
            "reading": [[note.topic, note.text] for note in images.notes],
            "first": hashlib.sha256(np.ascontiguousarray(first).tobytes()).hexdigest(),
        }
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return self.folder / f"codes-{name[:32]}.npy"


def _record(code_size: int) -> np.dtype:
    """What is kept of one image."""
    return np.dtype([("code", np.float32, (code_size,)), ("fingerprint", np.int64, (2,))])
