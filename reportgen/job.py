"""The whole job on one page: load, study, run each analysis, draw, render, write."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from reportgen.analyses.traversal import Traversal
from reportgen.autoencoder import Autoencoder, Note
from reportgen.delivery.output import Output
from reportgen.delivery.printing import PdfPrinter
from reportgen.images import ImageSet, open_images, with_class_names
from reportgen.live.program import LiveWalk
from reportgen.live.walk import live_walk_or_reason
from reportgen.loading import LoadingOptions
from reportgen.loading.inspection import Inspection, inspect_file
from reportgen.loading.load import load
from reportgen.loading.model_file import ModelFile
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import join_ranks
from reportgen.questions import Question, all_questions, runs_of
from reportgen.report.fitting import page_within_size
from reportgen.report.off_data_panels import with_off_data
from reportgen.report.page import Page
from reportgen.report.provenance import make_provenance
from reportgen.report.results import SCHEMA_VERSION, Provenance, Results
from reportgen.report.store import image_arrays, read_results, results_json
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.settings import Settings, read_groups
from reportgen.study.assemble import make_study
from reportgen.study.plan import fit_into, plan_build
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from reportgen.suite.profile import Cost, costs
from reportgen.suite.suite import Findings, analyse

INSPECTED_IMAGES = 64
NAMES_THAT_SAY_NOTHING = {"model", "weights", "checkpoint", "best", "last", "final"}


@dataclass(frozen=True)
class BuildRequest:
    """What to report on, where to write it, and how to read the model.

    Attributes
    ----------
    model, data : file or folder each; `fit_data` optional images that statistics are fitted on.
    replicates : files of other trainings of the model, read as the model is.
    groups : a TOML file, name = [units], of units that move together.
    output : the page's path, a folder's in the layout "folder"; `layout` that or "file"; `pdf`
        where the page is also printed to, or None; `cache` a folder where codes are kept from one
        build to the next, or None; `results_folder` where results.json and
        results.npz go, or None.
    loading : how the model, and its replicates, are read.
    command : the command line, as printed in the report.
    """

    model: Path
    data: Path
    output: Path
    fit_data: Path | None = None
    replicates: tuple[Path, ...] = ()
    groups: Path | None = None
    results_folder: Path | None = None
    layout: str = "file"
    pdf: Path | None = None
    cache: Path | None = None
    loading: LoadingOptions = field(default_factory=LoadingOptions)
    command: str = ""


@dataclass(frozen=True)
class BuildOutcome:
    """A report that was written.

    Attributes
    ----------
    results : everything in it.
    page : its path; page_bytes its size with all that belongs to it; section_bytes the size of
        each section.
    profile : what each part cost, dearest first.
    """

    results: Results
    page: Path
    page_bytes: int
    section_bytes: dict[str, int]
    profile: tuple[Cost, ...]


def build(
    request: BuildRequest, settings: Settings, progress: QuietProgress
) -> BuildOutcome | None:
    """Make the report; None on the ranks of a job that do not write it.

    Raises a ReportgenError for bad input, before anything is written. An analysis that fails is
    a line in `results.failures`, and everything else still comes out.
    """
    output = Output(request.output, request.results_folder, request.layout)
    printer = PdfPrinter(request.pdf) if request.pdf else None
    groups = read_groups(request.groups) if request.groups else None
    questions = all_questions()
    ranks = join_ranks()
    loading = replace(request.loading, device=_device(settings.device))
    files = [ModelFile(path, loading) for path in (request.model, *request.replicates)]
    with progress.step("images"):
        size = settings.image_size or files[0].fixed_size()
        open_data = partial(open_images, limit=settings.limit, seed=settings.seed, size=size)
        images = open_data(request.data)
        fit_images = open_data(request.fit_data) if request.fit_data else None
    with progress.step("model"):
        autoencoder, *others = (load(file, images) for file in files)
        images = with_class_names(images, autoencoder.classes)
    with progress.step("codes"):
        study = make_study(
            autoencoder,
            images,
            settings,
            fit_images=fit_images,
            replicates=tuple(others),
            groups=groups,
            cache_folder=request.cache,
            ranks=ranks,
            on_progress=progress.decoded,
            on_encoded=progress.encoded,
        )
        study, notes = _planned(study, settings)
    findings = analyse(study, runs_of(questions), progress)
    with progress.step("live walk"):
        live = live_walk_or_reason(study, findings.answers.of(Traversal), settings.live)
    provenance = make_provenance(
        study, images, fit_images, findings.answers, command=request.command, notes=notes
    )
    if not ranks.writes:
        return None
    results = _results(
        request, settings, questions, autoencoder, images, findings, provenance, live
    )
    with progress.step("page"):
        page = page_within_size(results, questions, request.layout)
        results = replace(results, failures=results.failures | page.failures)
    with progress.step("writing"):
        kept = (results_json(results), image_arrays(results)) if output.folder else ("", {})
        output.write(page.html, *kept, page.files)
    if printer is not None:
        with progress.step("printing"):
            printer.print(output.page)
    return BuildOutcome(
        results=results,
        page=output.page,
        page_bytes=page.size,
        section_bytes=page.section_bytes,
        profile=costs(study.engine, progress.seconds),
    )


def _results(
    request: BuildRequest,
    settings: Settings,
    questions: tuple[Question, ...],
    autoencoder: Autoencoder,
    images: ImageSet,
    findings: Findings,
    provenance: Provenance,
    live: tuple[LiveWalk | None, str],
) -> Results:
    found = findings.found
    own = {q.name: found.get(q.name) for q in questions if q.run and q.template is None}
    answers = Answers(own)
    units = merge_units(answers, settings)
    reasons = findings.not_applicable | findings.unanswered | findings.failures
    results = Results(
        schema_version=SCHEMA_VERSION,
        title=settings.title or _title(request.model),
        model_name=autoencoder.name,
        data_name=images.source.name,
        pixel_range=images.pixel_range,
        verdict=verdict_of(answers, units, settings, reasons),
        units=units,
        answers=answers,
        extensions=Answers({name: found[name] for name in found if name not in own}),
        off_data=None,
        live=live[0],
        live_reason=live[1],
        unanswered=findings.unanswered,
        not_applicable=findings.not_applicable,
        failures=findings.failures,
        settings=settings,
        provenance=provenance,
    )
    return with_off_data(results, questions)


def inspect(
    model: Path,
    data: Path | None,
    loading: LoadingOptions,
    size: tuple[int, int] | None = None,
) -> Inspection:
    """What a model file is and how it would be read; nothing is analysed or written.

    With a `size`, (height, width), images are scaled and cropped to it.

    Raises a ReportgenError where DATA cannot be read; what is wrong with the model is in the
    inspection.
    """
    file = ModelFile(model, loading)
    images = None
    if data is not None:
        size = size or file.fixed_size()
        images = open_images(data, limit=INSPECTED_IMAGES, size=size)
    return inspect_file(file, images)


def render(folder: Path, page: Path, layout: str = "file") -> Page:
    """Make the page again from a folder's results.json and results.npz.

    Raises ResultsError for a folder that holds no results of this version.
    """
    output = Output(page, layout=layout)
    questions = all_questions()
    rendered = page_within_size(read_results(folder, questions), questions, layout)
    output.write(rendered.html, "", {}, rendered.files)
    return rendered


def _device(name: str) -> str:
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


def _planned(study: Study, settings: Settings) -> tuple[Study, tuple[Note, ...]]:
    if settings.max_seconds is None:
        return study, ()
    return fit_into(study, plan_build(study, settings), settings.max_seconds)
