"""A model in memory and its images, as the subject of a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from reportgen.api.arguments import Arguments, is_path
from reportgen.autoencoder import Autoencoder
from reportgen.errors import SettingsError
from reportgen.images import ImageSet, open_images, with_class_names, with_white
from reportgen.images.channels import in_all_channels, in_channels
from reportgen.images.in_memory.given_images import GivenFacts, GivenImages, open_given, with_facts
from reportgen.images.in_memory.unscaled import unscaled
from reportgen.images.label_file import LabelFile, with_labels
from reportgen.images.open_options import OpenOptions
from reportgen.images.opening import split_part
from reportgen.images.pixel_scale import PixelScale
from reportgen.loading.given import load_given
from reportgen.loading.known_scalings import parse_scaling
from reportgen.loading.load import load
from reportgen.loading.model_file import ModelFile
from reportgen.loading.options import LoadingOptions, means_and_sds
from reportgen.opening import device_of
from reportgen.settings import read_groups
from reportgen.study.subject import Subject

PIXELS = PixelScale(0, 1, (0.0, 1.0), "")


def subject_of(arguments: Arguments) -> Subject:
    """The model and the images that `build` was given, opened; a module is copied.

    Raises a ReportgenError for what is no model or no images, or does not fit.
    """
    settings = arguments.settings
    loading = LoadingOptions(
        **{**arguments.loading.said(), "device": device_of(settings.device), "input_shape": None}
    )
    opened = opened_images(arguments, arguments.images, "images")
    channels_last, as_given = opened.channels_last, _normalize_of(opened.scale)
    autoencoder, images = load_given(
        arguments.model,
        in_all_channels(opened.images),
        loading,
        as_given=as_given,
        channels_last=channels_last,
    )

    def replicate(given: Any) -> Autoencoder:
        if is_path(given):
            return load(ModelFile(given, loading), images)
        return load_given(given, [images], loading, as_given=as_given, channels_last=channels_last)[
            0
        ]

    fit_images = None
    if arguments.fit_labels is not None and arguments.fit_images is None:
        raise SettingsError("fit_labels are classes of fit_images, and there are none.")
    if arguments.fit_images is not None:
        fit_images = opened_images(arguments, arguments.fit_images, "fit_images").images
        fit_images = in_channels(fit_images, images.shape[0], "fit_images")
    return Subject(
        autoencoder,
        with_white(with_class_names(images, autoencoder.classes), autoencoder.white),
        autoencoder.name,
        arguments.command(),
        fit_images,
        tuple(map(replicate, arguments.replicates)),
        groups_of(arguments.groups),
    )


def opened_images(arguments: Arguments, given: Any, where: str) -> GivenImages:
    """Images of any kind, on the scale of pixels. Raises DataError."""
    settings = arguments.settings
    if where == "images":
        facts, labels = GivenFacts(**arguments.facts_in_memory), arguments.labels_file
    else:
        labels = arguments.fit_labels_file
        facts = GivenFacts(labels=None if labels else arguments.fit_labels)
    if is_path(given):
        if arguments.given == "model":
            raise SettingsError(f"given='model' is for images in memory, and {where} is a path.")
        opened = open_images(
            given,
            limit=settings.limit,
            seed=settings.seed,
            size=settings.image_size,
            labels=labels,
        )
        return GivenImages(with_facts(opened, facts), PIXELS)
    options = OpenOptions(settings.limit, settings.seed, size=settings.image_size)
    as_the_model_takes = arguments.given == "model"
    found = open_given(
        given,
        options,
        facts,
        where=where,
        shape=arguments.loading.input_shape,
        as_the_model_takes=as_the_model_takes,
    )
    if labels is not None:
        labelled = with_labels(found.images, LabelFile(*split_part(labels)))
        found = replace(found, images=labelled)
    if not as_the_model_takes:
        return found
    return GivenImages(_unscaled(found.images, arguments.loading), PIXELS, found.channels_last)


def groups_of(groups: Any) -> dict[str, tuple[int, ...]] | None:
    """Units that move together, by name, from a mapping or a TOML file. Raises SettingsError."""
    if groups is None:
        return None
    if is_path(groups):
        return read_groups(Path(groups))
    try:
        return {str(name): tuple(int(unit) for unit in units) for name, units in groups.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            "groups must be a mapping of names to lists of units, as {'colour': [0, 3]}."
        ) from error


def _unscaled(images: ImageSet, loading: LoadingOptions) -> ImageSet:
    name = loading.normalize
    if name is None or name == "dataset":
        raise SettingsError(
            "given='model' needs normalize: the means and standard deviations that the images were "
            "scaled with, as normalize=(0.5, 0.5)."
        )
    scaling = parse_scaling(name, torch.rand(2, images.shape[0], 2, 2))
    return unscaled(images, scaling.shift, scaling.scale, name)


def _normalize_of(scale: PixelScale) -> str:
    """The `normalize` of a model that takes numbers as they were before this scale."""
    if (scale.zero, scale.span) == (0, 1):
        return "0,1"
    return means_and_sds([-scale.zero / scale.span], [1 / scale.span])
