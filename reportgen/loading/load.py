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
from reportgen.loading.image_source import SAMPLED_ROWS, ImageSource, sample_rows
from reportgen.loading.model_file import ModelFile
from reportgen.loading.modules.labels import LabelFeed
from reportgen.loading.modules.split_parts import ModuleModel
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import first_line, shape_text
from reportgen.loading.sidecar import completed
from reportgen.loading.split import Model

Images = TypeVar("Images", bound=ImageSource)


def load(file: ModelFile, images: ImageSource, most_tried: int = SAMPLED_ROWS) -> Autoencoder:
    """The `Autoencoder` in a file; it is tried on at most so many images.

    Raises ModelError where it cannot be read, split or run, or its pixel scale is not settled;
    DataError where the images do not fit.
    """
    return load_fitting(file, [images], most_tried)[0]


def load_fitting(
    file: ModelFile, candidates: Iterable[Images], most_tried: int = SAMPLED_ROWS
) -> tuple[Autoencoder, Images]:
    """Load a file with the first of these images, in one number of channels or another, that fit.

    `candidates` are at least one set of images, made as they are asked for. Raises as `load` does,
    and where none fits, what is wrong with the first.
    """
    found, question, images = load_or_ask(file, candidates, most_tried=most_tried)
    if question is not None:
        with file.named():
            raise ModelError(question)
    return found, images


def load_or_ask(
    file: ModelFile,
    candidates: Iterable[Images],
    model: Model | None = None,
    most_tried: int = SAMPLED_ROWS,
) -> tuple[Autoencoder, str | None, Images]:
    """Load a file as `load_fitting` does; the second value is the question to the user, or None.

    The question is about its pixel scale. `model` is the model in the file, where it was read
    before.
    """
    refused: DataError | None = None
    for images in candidates:
        try:
            return *_loaded(file, images, model, most_tried), images
        except DataError as error:
            refused = refused or error
    assert refused is not None, "there is at least one candidate"
    raise refused


def _loaded(
    file: ModelFile, images: ImageSource, model: Model | None, most_tried: int
) -> tuple[Autoencoder, str | None]:
    sample = sample_of(images, file.options, most_tried)
    with file.named(), seeded():
        model = model or file.read()
        options, described = completed(file.options, model.said, "the model file itself")
        feed = feed_of(model, images, options)
        if feed is not None:
            sample = sample_of(images, options, most_tried, feed.usual)
        found, question = assemble(
            model.split(sample, options),
            sample,
            options,
            notes=(*file.notes, *described, *other_notes(options)),
            source=file.source,
            name=file.name,
        )
        return found if feed is None else feed.conditional(found, sample), question


def feed_of(model: Model, images: ImageSource, options: LoadingOptions) -> LabelFeed | None:
    """The classes that a model is to be fed; None where it is to be fed none.

    Raises ModelError for a model that cannot be fed any, DataError for images that have none.
    """
    if options.condition is None:
        return None
    if not model.takes_labels:
        raise ModelError(
            "--condition labels feeds a model the classes of its images, and this file is one "
            "graph of images alone; leave it out, or export the model with its labels as a second "
            "input."
        )
    feed = LabelFeed(getattr(images, "labels", None), options.classes, options.device)
    model.feed = feed
    return feed


def load_module(
    module: nn.Module, images: ImageSource, options: LoadingOptions, name: str
) -> Autoencoder:
    """The `Autoencoder` in a module in memory."""
    sample = sample_of(images, options)
    refuse_not_finite(named_tensors(module).items())
    model = ModuleModel(module, is_ours=False)
    feed = feed_of(model, images, options)
    if feed is not None:
        sample = sample_of(images, options, of_class=feed.usual)
    with seeded():
        found, question = assemble(
            model.split(sample, options),
            sample,
            options,
            notes=(Note("format", f"{name}: a module in memory."), *other_notes(options)),
            source=None,
            name=name,
        )
    if question is not None:
        raise ModelError(question)
    return found if feed is None else feed.conditional(found, sample)


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


def sample_of(
    images: ImageSource,
    options: LoadingOptions,
    most: int = SAMPLED_ROWS,
    of_class: str | None = None,
) -> Tensor:
    """A few images on the data's scale, all of them of one class where that is named.

    Raises DataError and ModelError where there can be none.
    """
    if len(images) == 0:
        raise DataError("There are no images; the model is studied on images like its own.")
    wanted = options.input_shape
    if wanted is not None and tuple(wanted) != tuple(images.shape):
        raise DataError(
            f"The model takes images of {shape_text(wanted)} (--input-shape) and these are "
            f"{shape_text(images.shape)}; resize or convert the images."
        )
    labels = getattr(images, "labels", None) or ()
    among = [row for row, label in enumerate(labels) if label == of_class]
    among = among or list(range(len(images)))
    rows = [among[place] for place in sample_rows(len(among), math.prod(images.shape), most)]
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
