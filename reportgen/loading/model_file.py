"""`ModelFile`: the model that a path names, opened once for all questions about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import ModelError
from reportgen.loading.formats.halves import read_halves
from reportgen.loading.formats.reading import read_model
from reportgen.loading.formats.sniff import ModelFormat, sniff
from reportgen.loading.image_layout import fixed_size
from reportgen.loading.modules.adapter import adapter_file, is_adapter
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import refusing
from reportgen.loading.sidecar import completed, with_sidecar
from reportgen.loading.split import Model

# Only graphs say what they take; the rest would have to be run.
GRAPHS = (ModelFormat.EXPORTED, ModelFormat.EXPORTED_ZIP, ModelFormat.ONNX)


class ModelFile:
    """A file, a folder, or "file.py:function", and what is said of the model in it.

    It is opened when something is first asked that only its content can answer, and what was found
    is kept. All but `name` and `fixed_size` raise ModelError where there is no model, it is
    damaged, or what is said beside it is wrong.

    Parameters
    ----------
    given : as the user names it; of a whole diffusers pipeline, its autoencoder is taken.
    said : what the user says of it.
    """

    def __init__(self, given: str | PathLike[str], said: LoadingOptions | None = None) -> None:
        self.given = str(given)
        self._said = said or LoadingOptions()
        self._model: Model | None = None
        self._is_function = is_adapter(self.given)
        self._path = Path(given) if self._is_function else _model_in(Path(given))
        self._decoder = _file_in(self._said.decoder)
        if self._decoder is not None:
            # What is named beside it are files, and not parts of one model.
            self._path = _file_in(self._said.encoder) or self._path
            self._said = replace(self._said, encoder=None, decoder=None)

    @property
    def name(self) -> str:
        """A short name for headings."""
        if self._is_function:
            return self.given.rpartition(":")[0].rpartition("/")[2].removesuffix(".py")
        return self._path.stem

    @cached_property
    def kind(self) -> ModelFormat:
        """Its format, by its content."""
        if self._decoder is not None:
            return ModelFormat.HALVES
        return ModelFormat.FUNCTION if self._is_function else sniff(self._path)

    @cached_property
    def source(self) -> SourceFile | None:
        """Its size and SHA-256; for a folder, over the files in it in the order of their names."""
        path = adapter_file(self.given) if self._is_function else self._path
        if path is None or not path.exists():
            return None
        digest, size = hashlib.sha256(), 0
        with refusing(OSError, f"{path} cannot be read (<reason>); check its permissions."):
            whole = [path] if self._decoder is None else [path, self._decoder]
            for each in sorted(path.iterdir()) if path.is_dir() else whole:
                if each.is_file():
                    with each.open("rb") as file:
                        hashlib.file_digest(file, lambda: digest)
                        size += file.tell()
        return SourceFile(path.name, size, digest.hexdigest())

    @property
    def options(self) -> LoadingOptions:
        """The user's options, completed by the settings beside the file."""
        return self._settings[0]

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes of its format, and of the options that were read beside it."""
        if self.kind is ModelFormat.FUNCTION:
            format = f"{self.given}: a function that returns an encoder and a decoder."
        elif self._decoder is not None:
            format = f"{self._path.name} and {self._decoder.name}: {self.kind.value}."
        else:
            format = f"{self._path.name}: {self.kind.value}, recognised by its content."
        return (Note("format", format), *self._settings[1])

    @cached_property
    def _settings(self) -> tuple[LoadingOptions, tuple[Note, ...]]:
        if self.kind is ModelFormat.FUNCTION:
            return self._said.completed(LoadingOptions(normalize="0,1", output="pixels"))[0], ()
        options, notes = with_sidecar(self._path, self._said)
        if self.kind is ModelFormat.DIFFUSERS:
            from reportgen.loading.formats.diffusers_models import DIFFUSERS_SAYS
            from reportgen.loading.formats.folders import latent_scale_notes

            options, more = completed(options, DIFFUSERS_SAYS, "diffusers")
            notes += (*more, *latent_scale_notes(self._path))
        return options, notes

    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of the only images that the model takes; None where it does not say so.

        What is wrong with the file is said in full when it is read, and not here.
        """
        try:
            shape = self.options.input_shape
            if shape is not None:
                return shape[1:]
            if self.kind not in GRAPHS:
                return None
            self._model = self.read()
        except ModelError:
            return None
        return fixed_size(self._model.declared_shape or ())

    def read(self) -> Model:
        """Give the model in it to the caller, who keeps it; this object does not."""
        model, self._model = self._model, None
        if model is not None:
            return model
        with self.named():
            if self._decoder is not None:
                return read_halves(self._path, self._decoder, self.options)
            return read_model(self._path, self.kind, self.options)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put the file's path in front of a ModelError from this block that does not name it."""
        try:
            yield
        except ModelError as error:
            if self._path.name in str(error):
                raise
            raise type(error)(f"{self._path}: {error}") from error


def _file_in(said: str | None) -> Path | None:
    """The file that --encoder or --decoder names; None where that is a part of a model."""
    # Of a name that no file can have, pathlib raises an error.
    return Path(said) if said is not None and os.path.isfile(said) else None  # noqa: PTH113


def _model_in(path: Path) -> Path:
    """The autoencoder's folder in a folder of a whole diffusers pipeline; else the path itself."""
    is_pipeline = (path / "model_index.json").is_file()
    return path / "vae" if is_pipeline and (path / "vae").is_dir() else path
