"""Loads an `Autoencoder` from a model file or a module: the whole of loading on one page."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder, Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.assemble import assemble
from reportgen.loading.formats.tensors import named_tensors, refuse_not_finite
from reportgen.loading.image_source import ImageSource, sample_rows
from reportgen.loading.model_file import ModelFile
from reportgen.loading.modules.split_parts import ModuleModel
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import first_line, shape_text
from reportgen.loading.sidecar import completed
from reportgen.loading.split import Model

Images = TypeVar("Images", bound=ImageSource)


def load(file: ModelFile, images: ImageSource) -> Autoencoder:
    """The `Autoencoder` in a file.

    Raises ModelError where it cannot be read, split or run, or its pixel scale is not settled;
    DataError where the images do not fit.
    """
    return load_fitting(file, [images])[0]


def load_fitting(file: ModelFile, candidates: Iterable[Images]) -> tuple[Autoencoder, Images]:
    """Load a file with the first of these images, in one number of channels or another, that fit.

    `candidates` are at least one set of images, made as they are asked for. Raises as `load` does,
    and where none fits, what is wrong with the first.
    """
    found, question, images = load_or_ask(file, candidates)
    if question is not None:
        with file.named():
            raise ModelError(question)
    return found, images


def load_or_ask(
    file: ModelFile, candidates: Iterable[Images], model: Model | None = None
) -> tuple[Autoencoder, str | None, Images]:
    """Load a file as `load_fitting` does; the second value is the question to the user, or None.

    The question is about its pixel scale. `model` is the model in the file, where it was read
    before.
    """
    refused: DataError | None = None
    for images in candidates:
        try:
            return *_loaded(file, images, model), images
        except DataError as error:
            refused = refused or error
    assert refused is not None, "there is at least one candidate"
    raise refused


def _loaded(
    file: ModelFile, images: ImageSource, model: Model | None
) -> tuple[Autoencoder, str | None]:
    sample = sample_of(images, file.options)
    with file.named(), seeded():
        model = model or file.read()
        options, described = completed(file.options, model.said, "the model file itself")
        return assemble(
            model.split(sample, options),
            sample,
            options,
            notes=(*file.notes, *described, *other_notes(options)),
            source=file.source,
            name=file.name,
        )


def load_module(
    module: nn.Module, images: ImageSource, options: LoadingOptions, name: str
) -> Autoencoder:
    """The `Autoencoder` in a module in memory."""
    sample = sample_of(images, options)
    refuse_not_finite(named_tensors(module).items())
    with seeded():
        found, question = assemble(
            ModuleModel(module, is_ours=False).split(sample, options),
            sample,
            options,
            notes=(Note("format", f"{name}: a module in memory."), *other_notes(options)),
            source=None,
            name=name,
        )
    if question is not None:
        raise ModelError(question)
    return found


@contextmanager
def seeded() -> Iterator[None]:
    """Seed torch's random numbers within this block; restore all generators afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def sample_of(images: ImageSource, options: LoadingOptions) -> Tensor:
    """A few images on the data's scale; raises DataError and ModelError where there can be none."""
    if len(images) == 0:
        raise DataError("There are no images; the model is studied on images like its own.")
    wanted = options.input_shape
    if wanted is not None and tuple(wanted) != tuple(images.shape):
        raise DataError(
            f"The model takes images of {shape_text(wanted)} (--input-shape) and these are "
            f"{shape_text(images.shape)}; resize or convert the images."
        )
    rows = sample_rows(len(images), math.prod(images.shape))
    pixels = torch.from_numpy(images.read(rows).astype("float32", copy=True))
    try:
        return pixels.to(options.device)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise ModelError(f"--device {options.device} cannot be used here: {reason}") from error


def other_notes(options: LoadingOptions) -> Iterator[Note]:
    """Notes of what the user says of the model besides how it is read."""
    if options.classes:
        yield Note("classes", f"The model's classes: {', '.join(options.classes)}.")
    if options.trust:
        yield Note("trust", "Loaded with --trust: code in the file was allowed to run.")
