"""`build`: a report of any model and any images, from Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from reportgen.api.arguments import (
    Arguments,
    Given,
    build_settings,
    choice,
    is_path,
    loading_options,
)
from reportgen.api.progress import progress_of
from reportgen.api.report import Report
from reportgen.api.sentences import said_in_keywords
from reportgen.delivery.collisions import Input
from reportgen.delivery.delivery import Delivery, Destination, ReportFiles
from reportgen.delivery.page_layout import LAYOUTS, PageLayout
from reportgen.delivery.results_folder import ResultsFolder
from reportgen.errors import SettingsError
from reportgen.outcome import BuildOutcome, deliver
from reportgen.process.progress import QuietProgress
from reportgen.report.results import Results

GIVEN: tuple[Given, ...] = ("pixels", "model")
IN_THE_CALLERS_PROCESS = "None: the model and the images are the caller's own objects."


def build(
    model: Any,
    images: Any,
    page: str | PathLike[str] | None = None,
    *,
    labels: Any = None,
    factors: Any = None,
    factor_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    given: Given = "pixels",
    fit_images: Any = None,
    fit_labels: Any = None,
    replicates: Sequence[Any] = (),
    groups: Mapping[str, Sequence[int]] | str | PathLike[str] | None = None,
    results: str | PathLike[str] | None = None,
    layout: PageLayout = "file",
    progress: bool | Callable[[str], object] | None = None,
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
    condition: str | None = None,
    input_shape: tuple[int, int, int] | None = None,
    normalize: str | tuple[Any, Any] | None = None,
    output: str | None = None,
    classes: Sequence[str] = (),
    model_class: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    weights: str | None = None,
    trust: bool = False,
    **settings: Any,
) -> Report:
    """Report on a trained autoencoder, or on anything else that encodes and decodes images.

    The caller's objects stay as they were: a module is studied as a copy, in evaluation mode.
    Random numbers, threads and torch's modes are what they were before. A model file is read in a
    process that can read the inputs and little else.

    Parameters
    ----------
    model : a `torch.nn.Module`, scripted or not, or an exported program; functions
        `(encode, decode)` or `(encode, decode, forward)` on (n, C, H, W) float32 tensors or arrays;
        a fitted object with `transform` and `inverse_transform`, such as PCA, NMF or a pipeline of
        scikit-learn; an object with `encode` and `decode`; or the path of a model file, as on the
        command line.
    images : an array or tensor (n, H, W), (n, H, W, C), (n, C, H, W) or (n, C·H·W), in memory, in
        HDF5 or in Zarr; a list of Pillow pictures or arrays; a data set whose items are an image,
        (image, label) or {"image": …, "label": …}, torch's or Hugging Face's; a data loader; or the
        path of a file or folder.
    page : where to write the page; None for nowhere.
    labels : (n,) class of each image, whole numbers or words.
    factors : {name: (n,) numbers or words}, a table with named columns, or (n, F) numbers, whose
        columns are called `factor_names`.
    names : (n,) name of each image.
    given : "pixels", or "model" for images as the model takes them, which were scaled as
        `normalize` says.
    fit_images : images that means, PCA and regressions are fitted on, instead of half of `images`;
        `fit_labels` (n,) their classes.
    replicates : other trainings of the model.
    groups : {name: units that move together}.
    results : folder for results.json and results.npz.
    layout : "file", or "folder" for a page with its pictures beside it.
    progress : True for lines on standard error, or a function that is called with each step's name.
    encoder, decoder, bottleneck, condition, input_shape, normalize, output, classes : how the model
        is read, as in docs/models.md; `normalize` may be (means, sds), and condition="labels" feeds
        a conditional model the images' classes.
    model_class, model_args, weights, trust : of a model file alone, likewise.
    settings : any setting of `reportgen.toml`, as effort="quick" or seed=1.

    Raises
    ------
    ModelError : the model cannot be split or run; what its own code raised is the cause.
    DataError : the images cannot be read, or do not fit the model.
    SettingsError : a keyword is not known, or its value is of another kind.
    OutputError : the page or the results cannot be written; nothing is left half-written.
    """
    reading = {
        **{"encoder": encoder, "decoder": decoder, "bottleneck": bottleneck, "output": output},
        "condition": condition,
        **{"input_shape": input_shape, "normalize": normalize, "classes": tuple(classes)},
        **{"model_class": model_class, "model_args": model_args, "weights": weights},
        "trust": trust,
    }
    facts = {"labels": labels, "factors": factors, "factor_names": factor_names, "names": names}
    with said_in_keywords():
        arguments = Arguments(
            model=model,
            images=images,
            page=None if page is None else Path(page),
            results=None if results is None else Path(results),
            layout=choice("layout", layout, LAYOUTS),
            given=choice("given", given, GIVEN),
            facts=facts,
            fit_images=fit_images,
            fit_labels=fit_labels,
            replicates=tuple(replicates),
            groups=groups,
            loading=loading_options(reading),
            settings=build_settings(settings, KEYWORDS),
            said={name: value for name, value in settings.items() if value is not None},
        )
        return _built(arguments, progress_of(progress))


KEYWORDS = frozenset(inspect.signature(build).parameters) - {"settings"}


def _built(arguments: Arguments, progress: QuietProgress) -> Report:
    """Check what is to be written, make the report, and write it."""
    if is_path(arguments.model):
        from reportgen.api.files import report_of_file, request_of

        inputs = request_of(arguments).inputs()
    else:
        _refuse_options_of_files(arguments)
        paths = ("images", "fit_images")
        given = {name: getattr(arguments, name) for name in paths}
        inputs = tuple(Input(name, Path(path)) for name, path in given.items() if is_path(path))
    delivery = folder = None
    if arguments.page is not None:
        destination = Destination(arguments.page, arguments.layout, arguments.results)
        delivery = Delivery(destination, inputs)
    elif arguments.results is not None:
        folder = ResultsFolder(arguments.results, inputs)
    written_over = frozenset() if delivery is None else delivery.written_over
    if is_path(arguments.model):
        found, files, outcome = report_of_file(arguments, progress, written_over)
    else:
        found, files, outcome = _report_of_object(arguments, progress)
    if delivery is not None:
        deliver(delivery, files, outcome, progress)
    if folder is not None:
        folder.write(files.results, files.images)
    html = files.html.decode("utf-8") if arguments.layout == "file" else None
    return Report(found, html, (files.results, files.images))


def _report_of_object(
    arguments: Arguments, progress: QuietProgress
) -> tuple[Results, ReportFiles, BuildOutcome]:
    from reportgen.api.objects import subject_of
    from reportgen.job import report_on
    from reportgen.process.surroundings import Surroundings
    from reportgen.process.untouched import untouched
    from reportgen.questions import all_questions

    with untouched(arguments.settings.seed):
        with progress.step("model"):
            subject = subject_of(arguments)
        surroundings = Surroundings(confinement=IN_THE_CALLERS_PROCESS)
        made = report_on(
            subject,
            all_questions(),
            arguments.settings,
            progress,
            surroundings,
            arguments.layout,
        )
    assert made is not None, "a process alone writes its report"
    return made.results, made.files, made.outcome


def _refuse_options_of_files(arguments: Arguments) -> None:
    """Raise SettingsError for options that only a model file has a use for."""
    loading = arguments.loading
    for name in ("model_class", "model_args", "weights", "trust"):
        if getattr(loading, name):
            raise SettingsError(
                f"{name} is for model files, and this model is in memory; leave it out."
            )
