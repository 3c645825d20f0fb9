"""Inspection of a model file: its format, its shapes and its split, without a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import DataError, ModelError
from reportgen.loading.formats.sniff import ModelFormat
from reportgen.loading.image_layout import declared_images
from reportgen.loading.image_source import ImageSource
from reportgen.loading.load import load_or_ask, seeded
from reportgen.loading.model_file import ModelFile
from reportgen.loading.modules.own_errors import OwnCodeError
from reportgen.loading.sentences import shape_text
from reportgen.loading.split import Model

# Sizes tried, with 1 and 3 channels, for a model that says nothing of its images.
TRIED_SIZES = (28, 32, 64, 96, 128, 224, 256)
RANDOM_IMAGES = 4
# In one random image; the file says how large it is.
RANDOM_NUMBERS = 1 << 26


@dataclass(frozen=True)
class Inspection:
    """The facts about a model file.

    Attributes
    ----------
    source : the file's name, size and SHA-256; None where it cannot be read.
    format : the format's name, as in the report; None where the file is no model.
    parameters : how many numbers its weights hold; None where they were not read.
    input_shape : (C, H, W) of an image; code_shape that of its code; None where not known.
    is_variational : whether the posterior's spread is known.
    notes : sentences on how it was read, split and scaled.
    problem : the reason why it cannot be loaded as it is, with what to do; None where it can.
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
    """Random images in place of real ones: shapes can be found with them, pixel scales cannot."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        if math.prod(shape) > RANDOM_NUMBERS:
            raise ModelError(
                f"The model takes images of {shape_text(shape)}, too large to try; give DATA."
            )
        self.shape = shape
        self._pixels = np.random.default_rng(0).random((RANDOM_IMAGES, *shape), dtype=np.float32)

    def __len__(self) -> int:
        return RANDOM_IMAGES

    def read(self, rows: Any) -> np.ndarray:
        return self._pixels[list(rows)]


def inspect_file(file: ModelFile, images: Iterable[ImageSource] | None) -> Inspection:
    """Inspect a model file; see `reportgen.loading.inspect_model`.

    The first of the images that fit are taken, as in `load_fitting`.
    """
    source, kind, parameters = None, None, None
    try:
        source = file.source
        kind = file.kind.value
        with seeded():
            model = file.read()
        parameters = model.parameters
        if images is None:
            found = _on_random_images(file, model)
            question = None
        else:
            found, question, _ = load_or_ask(file, images, model)
    except (ModelError, DataError) as error:
        return Inspection(source, kind, parameters, None, None, False, (), str(error))
    notes = found.notes
    if images is None:
        # Random images say nothing of the scale.
        notes = tuple(note for note in notes if note.topic not in ("scaling", "check"))
        notes += (Note("scaling", "Not known without images: give DATA, or say --normalize."),)
    return Inspection(
        source,
        kind,
        parameters,
        found.input_shape,
        found.code_shape,
        found.is_variational,
        notes,
        f"{file.given}: {question}" if question else None,
    )


def _on_random_images(file: ModelFile, model: Model) -> Autoencoder:
    """Load by random images of the shape that the user says, the file declares, or the model takes.

    Raises ModelError where no shape is known.
    """
    shape = file.options.input_shape
    shapes = [shape] if shape else declared_images(model.declared_shape or ())
    if not shapes and file.kind is not ModelFormat.FUNCTION:
        shapes = [(channels, size, size) for size in TRIED_SIZES for channels in (1, 3)]
    own: OwnCodeError | None = None
    for shape in shapes:
        try:
            return load_or_ask(file, [_RandomImages(shape)], model)[0]
        except DataError:
            # This size does not fit; another may.
            continue
        except OwnCodeError as error:
            own = own or error
    if own is not None:
        raise own
    raise ModelError(
        f"{file.given} does not say what images it takes; give DATA, or --input-shape C,H,W."
    )
