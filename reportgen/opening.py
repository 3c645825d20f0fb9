"""Models and images of a request, opened: the subject of a report."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from reportgen.autoencoder import Autoencoder
from reportgen.errors import SettingsError
from reportgen.images import ImageSet, open_images, with_class_names, with_white
from reportgen.images.channels import in_all_channels, in_channels
from reportgen.images.resizing import resized
from reportgen.loading.load import load_fitting
from reportgen.loading.model_file import ModelFile
from reportgen.loading.other_channels import on_images_in
from reportgen.process.progress import QuietProgress
from reportgen.process.surroundings import Surroundings
from reportgen.request import BuildRequest
from reportgen.settings import Settings, read_groups
from reportgen.study.subject import GivenSets, Subject

# Images that a model is tried on while it is loaded.
MOST_TRIED, FEWEST_TRIED, VALUES_TRIED_A_SECOND = 64, 4, 1500
NAMES_THAT_SAY_NOTHING = {"model", "weights", "checkpoint", "best", "last", "final"}


def open_subject(
    request: BuildRequest,
    settings: Settings,
    progress: QuietProgress,
    surroundings: Surroundings,
    given: GivenSets,
) -> Subject:
    """Open what the request names, but for what is `given`. Raises a ReportgenError."""
    if request.fit_labels and not request.fit_data:
        raise SettingsError(
            "--fit-labels is a file of classes of --fit-data's images, and there is no --fit-data; "
            "for DATA's images say --labels."
        )
    groups = read_groups(request.groups) if request.groups else given.groups
    loading = replace(request.loading, device=device_of(settings.device))
    models = [ModelFile(path, loading) for path in (request.model, *request.replicates)]
    with progress.step("images"):
        size = settings.image_size or models[0].fixed_size()
        open_data = partial(
            open_images,
            limit=settings.limit,
            seed=settings.seed,
            size=size,
            written=surroundings.written_over,
            open_file=surroundings.open_file,
        )
        images, fit_images = given.images, given.fit_images
        if images is None:
            images = open_data(request.data, labels=request.labels)
        else:
            images = resized(images, size)
        if fit_images is not None:
            fit_images = resized(fit_images, size)
        elif request.fit_data:
            fit_images = open_data(request.fit_data, labels=request.fit_labels)
    with progress.step("model"):
        tried = _most_tried(settings, images)
        autoencoder, images = load_fitting(models[0], in_all_channels(images), tried)
        others = [_replicate(model, images, tried) for model in models[1:]]
        if fit_images is not None:
            fit_images = in_channels(fit_images, images.shape[0], fit_images.source.name)
        images = with_white(with_class_names(images, autoencoder.classes), autoencoder.white)
    return Subject(
        autoencoder,
        images,
        _title(request.model),
        request.command,
        fit_images,
        tuple(others),
        groups,
        request.cache,
    )


def device_of(name: str) -> str:
    """A torch device; "auto" is the first of CUDA, MPS and CPU that is there."""
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        # torchrun starts as many processes on a machine as are to share its GPUs.
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _title(model: Path) -> str:
    """The file's name without its ending, or its folder's where the file's says nothing."""
    stem = model.resolve().stem
    return model.resolve().parent.name if stem in NAMES_THAT_SAY_NOTHING else stem


def _replicate(file: ModelFile, images: ImageSet, most_tried: int) -> Autoencoder:
    """Another training of the model, on the model's own images, whatever channels it takes."""
    found, _ = load_fitting(file, in_all_channels(replace(images, with_alpha=None)), most_tried)
    return on_images_in(found, images.shape[0])


def _most_tried(settings: Settings, images: ImageSet) -> int:
    """Images that a model is tried on, before anybody knows how slow it is."""
    if settings.max_seconds is None:
        return MOST_TRIED
    afforded = settings.max_seconds * VALUES_TRIED_A_SECOND / math.prod(images.shape)
    return min(max(int(afforded), FEWEST_TRIED), MOST_TRIED)
