"""What a model file is and how it would be split, without a report."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import DataError, ModelError
from reportgen.loading.formats.module_tensors import named_tensors
from reportgen.loading.formats.reading import read_model
from reportgen.loading.formats.sniff import sniff
from reportgen.loading.graph.program import Program
from reportgen.loading.image_layout import text
from reportgen.loading.image_source import ImageSource
from reportgen.loading.load import load, source_of
from reportgen.loading.modules.adapter import is_adapter
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.options import LoadingOptions, with_sidecar

if TYPE_CHECKING:
    from reportgen.loading.formats.reading import LoadedModel

# Sizes tried, with 1 and 3 channels, for a model that says nothing of its images.
TRIED_SIZES = (28, 32, 64, 96, 128, 224, 256)
RANDOM_IMAGES = 4
ADAPTER = "function"
# In one random image; the file says how large it is.
RANDOM_NUMBERS = 1 << 26


@dataclass(frozen=True)
class Inspection:
    """What is known of a model file.

    Attributes
    ----------
    source : the file.
    format : as the report names it; None where it is no model.
    parameters : how many numbers its weights hold; None where they were not read.
    input_shape : (C, H, W); code_shape of one code; None where they are not known.
    is_variational : whether the posterior's spread is known.
    notes : how it was found, split and scaled.
    problem : why it cannot be loaded as it is, with what to do; None where it can.
    """

    source: SourceFile | None
    format: str | None
    parameters: int | None
    input_shape: tuple[int, int, int] | None
    code_shape: tuple[int, ...] | None
    is_variational: bool
    notes: tuple[Note, ...]
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """Plain values under the names of the attributes."""
        return dataclasses.asdict(self)


class _RandomImages:
    """Stands for images where there are none: shapes can be found, scales cannot."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        if math.prod(shape) > RANDOM_NUMBERS:
            raise ModelError(
                f"The model takes images of {text(shape)}, too large to try; give DATA."
            )
        self.shape = shape
        self.names = tuple(f"random {row}" for row in range(RANDOM_IMAGES))
        self._pixels = np.random.default_rng(0).random((RANDOM_IMAGES, *shape), dtype=np.float32)

    def __len__(self) -> int:
        return RANDOM_IMAGES

    def read(self, rows: Any) -> np.ndarray:
        return self._pixels[list(rows)]


def inspect_file(
    path: str | PathLike[str], images: ImageSource | None, options: LoadingOptions
) -> Inspection:
    """See `reportgen.loading.inspect_model`."""
    if is_adapter(str(path)):
        return _inspect_adapter(str(path), images, options)
    path = Path(path)
    source = source_of(path) if path.exists() else None
    try:
        kind = sniff(path)
    except ModelError as error:
        return Inspection(source, None, None, None, None, False, (), str(error))
    parameters = None
    try:
        completed, _ = with_sidecar(path, options)
        model = read_model(path, kind, completed)
        parameters = _parameters(model)
        given = images or _stand_in(path, model, completed)
        found = load(path, given, options, asks=False)
    except (ModelError, DataError) as error:
        return Inspection(source, kind.value, parameters, None, None, False, (), str(error))
    return _described(path, found, kind.value, parameters, has_images=images is not None)


def _inspect_adapter(spec: str, images: ImageSource | None, options: LoadingOptions) -> Inspection:
    """Like a file, for a function that returns an encoder and a decoder."""
    try:
        if images is not None:
            found = load(spec, images, options, asks=False)
        elif options.input_shape is not None:
            found = load(spec, _RandomImages(options.input_shape), options, asks=False)
        else:
            raise ModelError(
                f"{spec} does not say what images it takes; give DATA, or --input-shape C,H,W."
            )
    except (ModelError, DataError) as error:
        return Inspection(None, ADAPTER, None, None, None, False, (), str(error))
    return _described(spec, found, ADAPTER, None, has_images=images is not None)


def _described(
    path: str | Path,
    found: Autoencoder,
    kind: str,
    parameters: int | None,
    *,
    has_images: bool,
) -> Inspection:
    """What is known of a model that was loaded."""
    questions = [note.text for note in found.notes if note.topic == "question"]
    notes = tuple(note for note in found.notes if note.topic != "question")
    if not has_images:
        # Random images say nothing of the scale.
        questions = []
        notes = tuple(note for note in notes if note.topic not in ("scaling", "check"))
        notes += (Note("scaling", "Not known without images: give DATA, or say --normalize."),)
    return Inspection(
        found.source,
        kind,
        parameters,
        found.input_shape,
        found.code_shape,
        found.is_variational,
        notes,
        f"{path}: {questions[0]}" if questions else None,
    )


def _parameters(model: LoadedModel) -> int | None:
    if isinstance(model, Program):
        return sum(tensor.numel() for tensor in model.root.buffers())
    if isinstance(model, nn.Module):
        return sum(tensor.numel() for _, tensor in named_tensors(model))
    return None


def _stand_in(path: Path, model: LoadedModel, options: LoadingOptions) -> ImageSource:
    """Random images of the shape that the model takes: as it says, as it was told, or as fits.

    Raises ModelError where no shape is known.
    """
    shapes = [options.input_shape] if options.input_shape else _declared(model)
    if not shapes:
        shapes = [(channels, size, size) for size in TRIED_SIZES for channels in (1, 3)]
    for shape in shapes:
        stand_in = _RandomImages(shape)
        try:
            load(path, stand_in, options, asks=False)
        except DataError:
            # This size does not fit; another may.
            continue
        return stand_in
    raise ModelError(
        f"{path} does not say what images it takes; give DATA, or --input-shape C,H,W."
    )


def _declared(model: LoadedModel) -> list[tuple[int, int, int]]:
    declared = None
    if isinstance(model, Program):
        declared = model.declared_shape
    elif not isinstance(model, ModelParts | nn.Module):
        declared = model.declared_shape()
    if declared is None:
        return []
    sizes = declared[1:]
    if any(size is None for size in sizes):
        return []
    known = [int(size) for size in sizes if size is not None]
    if len(known) == 3:
        return [(known[0], known[1], known[2])]
    if len(known) == 2:
        return [(1, known[0], known[1])]
    if len(known) == 1:
        return _images_of(known[0])
    return []


def _images_of(size: int) -> list[tuple[int, int, int]]:
    """Square images with this many numbers."""
    found = []
    for channels in (1, 3, 4):
        side = round((size / channels) ** 0.5)
        if channels * side * side == size:
            found.append((channels, side, side))
    return found or [(1, 1, size)]
