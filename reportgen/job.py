"""The whole job on one page: load, study, run each analysis, draw, render, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.traversal import Traversal
from reportgen.checks.of_a_build import (
    outcomes_of_a_build,
    report_in_short,
    rules_before_a_build,
)
from reportgen.delivery.delivery import Delivery, ReportFiles
from reportgen.delivery.page_layout import PageLayout
from reportgen.images import open_images
from reportgen.images.channels import in_all_channels, in_channels
from reportgen.images.open_options import open_binary
from reportgen.live.program import LiveWalk
from reportgen.live.walk import live_walk_or_reason
from reportgen.loading import LoadingOptions
from reportgen.loading.inspection import Inspection, inspect_file
from reportgen.loading.model_file import ModelFile
from reportgen.opening import open_subject
from reportgen.outcome import BuildOutcome, deliver
from reportgen.planning import plan_subject
from reportgen.process.clock import Deadline, in_time
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import join_ranks
from reportgen.process.surroundings import Surroundings
from reportgen.questions import Question, all_questions, runs_of
from reportgen.report.encodable import with_encodable_text
from reportgen.report.fitting import page_within_size
from reportgen.report.kept_arrays import kept_arrays
from reportgen.report.off_data_panels import with_off_data
from reportgen.report.page import Page
from reportgen.report.provenance import make_provenance
from reportgen.report.report_files import report_files
from reportgen.report.results import SCHEMA_VERSION, Provenance, Results
from reportgen.report.store import read_results
from reportgen.report.terminal import answer_lines
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.request import BuildRequest
from reportgen.settings import Settings
from reportgen.study.subject import GivenSets, Subject
from reportgen.suite.answers import Answers
from reportgen.suite.profile import costs
from reportgen.suite.suite import Findings, analyse

INSPECTED_IMAGES = 64
TRUSTED = "None: with --trust the model may do whatever its user may."


@dataclass(frozen=True)
class MadeReport:
    """A report that nobody has written yet.

    Attributes
    ----------
    results : everything in it.
    files : what is to be written.
    outcome : what the terminal says of it.
    """

    results: Results
    files: ReportFiles
    outcome: BuildOutcome


def build(
    request: BuildRequest, settings: Settings, progress: QuietProgress
) -> BuildOutcome | None:
    """Make the report in this process and write it; None on ranks that do not write it.

    Only for files that are trusted; `reportgen.confined` has the same for strangers' files.

    Raises a ReportgenError for bad input, before anything is written. An analysis that fails is
    a line in the outcome, and everything else still comes out.
    """
    delivery = Delivery(request.destination, request.inputs())
    surroundings = Surroundings(
        ranks=join_ranks(), written_over=delivery.written_over, confinement=TRUSTED
    )
    with_results = request.results_folder is not None
    made = make_report(request, settings, progress, surroundings, with_results)
    return None if made is None else deliver(delivery, made.files, made.outcome, progress)


def make_report(
    request: BuildRequest,
    settings: Settings,
    progress: QuietProgress,
    surroundings: Surroundings,
    with_results: bool = True,
    given: GivenSets | None = None,
) -> MadeReport | None:
    """Make the report and write nothing; None on the ranks of a job that do not write it.

    `with_results` also makes the contents of results.json and results.npz; `given` are images that
    stand for those of the request.

    Raises a ReportgenError for bad input. An analysis that fails is a line in the results, and
    everything else still comes out; a rule that cannot be held against them is unknown.
    """
    questions = all_questions()
    rules = rules_before_a_build(request.rules, questions)
    subject = open_subject(request, settings, progress, surroundings, given or GivenSets())
    made = report_on(
        subject,
        questions,
        settings,
        progress,
        surroundings,
        request.layout,
        with_results,
        request.codes,
    )
    if made is None:
        return None
    checks = outcomes_of_a_build(rules, made.results, questions)
    summary, preview = report_in_short(
        made.results,
        checks,
        summary=request.summary is not None,
        preview=request.preview is not None,
        link=request.link,
    )
    files = replace(made.files, summary=summary, preview=preview)
    return replace(made, files=files, outcome=replace(made.outcome, checks=checks))


def report_on(
    subject: Subject,
    questions: tuple[Question, ...],
    settings: Settings,
    progress: QuietProgress,
    surroundings: Surroundings,
    layout: PageLayout = "file",
    with_results: bool = True,
    with_codes: bool = True,
) -> MadeReport | None:
    """Study what was opened, and make the report; see `make_report`.

    `with_codes` keeps the units' values of test images in results.npz.
    """
    deadline = Deadline()
    planned = plan_subject(subject, settings, progress, surroundings, questions, deadline)
    plan, subject, settings = planned.plan, planned.subject, planned.plan.build.settings
    with progress.step("codes"), in_time(settings.max_seconds):
        study = planned.study(progress, surroundings)
    findings = analyse(study, plan.runs, progress, deadline=deadline, begin=planned.schedule.begin)
    findings = findings.without(plan.left_out, runs_of(questions))
    late = findings.late_notes(settings.max_seconds)
    progress.planned(" ".join(note.text for note in late))
    with progress.step("live walk"):
        answers = findings.answers
        by_unit, by_direction = answers.of(Contributions), answers.of(DirectionContributions)
        live = live_walk_or_reason(study, answers.of(Traversal), by_unit, by_direction)
    provenance = make_provenance(
        study,
        subject.images,
        subject.fit_images,
        findings.answers,
        command=subject.command,
        notes=(*plan.notes, *late),
        confinement=surroundings.confinement,
    )
    if not surroundings.ranks.writes:
        return None
    results = _results(subject, settings, questions, findings, provenance, live)
    with progress.step("page"):
        page = page_within_size(results, questions, layout)
        results = replace(results, failures=results.failures | page.failures)
        kept = None
        if with_results:
            kept = kept_arrays(study, subject.images, results, questions, with_codes=with_codes)
        files = report_files(page, results, kept)
    outcome = BuildOutcome(
        answers=answer_lines(results),
        failed=bool(results.failures),
        page_bytes=page.size,
        section_bytes=page.section_bytes,
        profile=costs(study.engine, progress.seconds),
    )
    return MadeReport(results, files, outcome)


def _results(
    subject: Subject,
    settings: Settings,
    questions: tuple[Question, ...],
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
        title=settings.title or subject.title,
        model_name=subject.autoencoder.name,
        data_name=subject.images.source.name,
        pixel_range=subject.images.pixel_range,
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
    return with_encodable_text(with_off_data(results, questions))


def inspect(
    model: Path,
    data: Path | None,
    loading: LoadingOptions,
    size: tuple[int, int] | None = None,
    labels: Path | None = None,
    open_file: Callable[[Path], BinaryIO] = open_binary,
) -> Inspection:
    """Describe a model file and how it would be read; nothing is analysed or written.

    With a `size`, (height, width), images are scaled and cropped to it; `labels` is the file of
    --labels, `open_file` opens a picture.

    Raises a ReportgenError where DATA cannot be read; what is wrong with the model is in the
    inspection.
    """
    file = ModelFile(model, loading)
    if data is None:
        return inspect_file(file, None)
    size = size or file.fixed_size()
    images = open_images(
        data, limit=INSPECTED_IMAGES, size=size, labels=labels, open_file=open_file
    )
    found = inspect_file(file, in_all_channels(images))
    if found.input_shape is not None and found.input_shape[0] != images.shape[0]:
        images = in_channels(images, found.input_shape[0], images.source.name)
    notes = (note for note in images.notes if note.topic == "channels")
    return replace(found, notes=(*found.notes, *notes))


def render(folder: Path, layout: PageLayout = "file") -> tuple[Page, ReportFiles]:
    """The page again from a folder's results.json and results.npz; writes nothing.

    Raises ResultsError for a folder that holds no results of this version.
    """
    questions = all_questions()
    page = page_within_size(read_results(folder, questions), questions, layout)
    return page, ReportFiles(page.html.encode("utf-8"), page.files)
