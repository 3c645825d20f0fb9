"""A report of a model file, made in a confined process, or with trust in the caller's own."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from reportgen.api.arguments import Arguments, is_path
from reportgen.api.objects import groups_of, opened_images
from reportgen.delivery.delivery import ReportFiles
from reportgen.errors import SettingsError
from reportgen.images import ImageSet
from reportgen.images.array_stream import ArrayHeader, RowsOnDisk
from reportgen.job import TRUSTED, make_report
from reportgen.outcome import BuildOutcome
from reportgen.process.progress import QuietProgress
from reportgen.process.surroundings import Surroundings
from reportgen.process.untouched import untouched
from reportgen.questions import all_questions
from reportgen.report.results import Results
from reportgen.report.store import results_from_bytes
from reportgen.request import BuildRequest
from reportgen.study.subject import GivenSets

WRITTEN_AT_ONCE = 256


def request_of(arguments: Arguments) -> BuildRequest:
    """The request that the command line would make; images in memory have no path in it yet."""
    for replicate in arguments.replicates:
        if not is_path(replicate):
            raise SettingsError("replicates of a model file are model files; give their paths.")
    in_memory = Path(os.devnull)
    fit_images = arguments.fit_images
    return BuildRequest(
        model=Path(arguments.model),
        data=Path(arguments.images) if is_path(arguments.images) else in_memory,
        output=arguments.page or in_memory,
        fit_data=Path(fit_images) if is_path(fit_images) else None,
        labels=arguments.labels_file if is_path(arguments.images) else None,
        fit_labels=arguments.fit_labels_file if is_path(fit_images) else None,
        replicates=tuple(Path(replicate) for replicate in arguments.replicates),
        groups=Path(arguments.groups) if is_path(arguments.groups) else None,
        results_folder=arguments.results,
        layout=arguments.layout,
        loading=replace(arguments.loading, device="cpu"),
        command=arguments.command(),
    )


def report_of_file(
    arguments: Arguments, progress: QuietProgress, written_over: frozenset[tuple[int, int]]
) -> tuple[Results, ReportFiles, BuildOutcome]:
    """Make the report; nothing is written but, for images in memory, a copy that is removed.

    Raises a ReportgenError for bad input, BugError for a fault of ours.
    """
    request = request_of(arguments)
    with ExitStack() as stack:
        if arguments.loading.trust:
            stack.enter_context(untouched(arguments.settings.seed))
        given = _given(arguments)
        if arguments.loading.trust:
            surroundings = Surroundings(written_over=written_over, confinement=TRUSTED)
            made = make_report(request, arguments.settings, progress, surroundings, given=given)
            assert made is not None, "a process alone writes its report"
            return made.results, made.files, made.outcome
        from reportgen.confined.jobs import make_report as make_confined

        if given.images is not None or given.fit_images is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reportgen-")))
            given = replace(
                given,
                images=_stored(given.images, folder / "images.npy"),
                fit_images=_stored(given.fit_images, folder / "fit_images.npy"),
            )
            request = replace(request, data=folder if given.images else request.data)
            if given.fit_images is not None:
                request = replace(request, fit_data=folder)
        confined = make_confined(
            request,
            arguments.settings,
            progress,
            written_over=written_over,
            alone=True,
            given=given,
        )
        assert confined is not None, "a process alone writes its report"
    files, outcome = confined
    results = results_from_bytes(files.results, files.images, all_questions(), "The report")
    return results, files, outcome


def _given(arguments: Arguments) -> GivenSets:
    """The images that have no path, opened, and groups of units that are in no file."""
    images = fit_images = None
    facts = (name for name, fact in arguments.facts_in_memory.items() if fact is not None)
    if is_path(arguments.images):
        if (named := next(facts, None)) is not None:
            raise SettingsError(
                f"{named} is in memory, and the model and the images are read by another process; "
                "give the path of a file of labels, or the images in memory."
            )
    else:
        images = opened_images(arguments, arguments.images, "images").images
    in_memory = arguments.fit_labels is not None and not arguments.fit_labels_file
    if in_memory and is_path(arguments.fit_images):
        raise SettingsError(
            "fit_labels are in memory, and the model and the images are read by another process; "
            "give the path of a file of labels, or the images in memory."
        )
    if arguments.fit_images is not None and not is_path(arguments.fit_images):
        fit_images = opened_images(arguments, arguments.fit_images, "fit_images").images
    groups = None if is_path(arguments.groups) else groups_of(arguments.groups)
    return GivenSets(images, fit_images, groups)


class _StoredPixels:
    """Pixels in a file of float32; see `PixelStore`. Unlike the caller's object, can be pickled."""

    def __init__(self, rows: RowsOnDisk) -> None:
        self._rows = rows

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self._rows[rows]


def _stored(images: ImageSet | None, path: Path) -> ImageSet | None:
    """The images with their pixels in a file, for a process that cannot reach the caller's."""
    if images is None:
        return None
    with path.open("wb") as file:
        for _, batch in images.batches(WRITTEN_AT_ONCE):
            file.write(np.ascontiguousarray(batch, np.float32).data)
    header = ArrayHeader((len(images), *images.shape), False, np.dtype(np.float32), 0)
    return replace(
        images, pixels=_StoredPixels(RowsOnDisk(path, header)), with_alpha=None, places=None
    )
