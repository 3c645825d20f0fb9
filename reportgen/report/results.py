"""Everything a report holds, as typed results: what the page shows and results.json stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reportgen.analyses.health import UnitState
from reportgen.analyses.tracking import Factor
from reportgen.autoencoder import Note, SourceFile
from reportgen.live.program import LiveWalk
from reportgen.report.numbers import NumberScale
from reportgen.report.words import Word
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

SCHEMA_VERSION = "2.0"
# Of results that were made before.
NOT_TOLD = "Not told by the reportgen that made these results."


@dataclass(frozen=True)
class VerdictLine:
    """The verdict on one question.

    Attributes
    ----------
    question : as printed.
    word : the answer as printed, with what is said beside it; "Unknown" where the analysis behind
        it could not be made.
    words : the steps of the question's scale that its number's interval touches, from the worst to
        the best; empty where there is no scale or no number.
    number : None where unknown; `measure` says what it is, `scale` how it is printed.
    section : anchor of the section behind it.
    detail : one more sentence, from the same numbers; where unknown, the reason.
    """

    question: str
    word: str
    words: tuple[Word, ...]
    number: Estimate | None
    measure: str
    scale: NumberScale
    section: str
    detail: str


@dataclass(frozen=True)
class DrawnFactor:
    """A measure of the image that a unit draws; one sd of the unit moves it by `does` of its sd."""

    name: str
    does: Estimate


@dataclass(frozen=True)
class Unit:
    """Everything measured about one unit; None where it was not measured.

    Attributes
    ----------
    index, name : its place in the code, from 0, and its printed name.
    share : of the change from the baseline to the row (contributions).
    rank, rank_low, rank_high : by share, with its 95 % interval.
    effect, solo : last-in and first-in ablation effects, mean baseline.
    damage : squared error added by the ablation, summed over pixels.
    rho_solo, rho_context : how far one picture explains it.
    intensity_r2 : how far that picture's intensity is proportional to the unit.
    health : what is the matter with it; empty when healthy.
    tracks : factors that it goes with (`named`: the whole interval passes the threshold), then
        those that it may go with (the interval crosses it), the strongest first.
    draws : measures of the image that it draws, strongest first, at most 3.
    largest_interaction : index of the unit it shares most toggle energy with.
    interaction_partners : that unit, and the others that it may be in resamples of the images.
    correlated_with : units whose values go with its own, with r.
    sentence : the above in words.
    """

    index: int
    name: str
    share: Estimate | None
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    effect: Estimate | None
    solo: Estimate | None
    damage: Estimate | None
    rho_solo: Estimate | None
    rho_context: Estimate | None
    intensity_r2: float | None
    health: tuple[UnitState, ...]
    tracks: tuple[Factor, ...]
    draws: tuple[DrawnFactor, ...]
    largest_interaction: int | None
    interaction_partners: tuple[int, ...] | None
    correlated_with: tuple[tuple[int, float], ...]
    sentence: str


@dataclass(frozen=True)
class OffDataSummary:
    """The off-data flag and what it marks.

    Attributes
    ----------
    real_codes : share of test images' codes that is flagged, likewise.
    largest_distance, largest_cycle_error : thresholds of the two flags.
    covariance_shrunk : whether Ledoit–Wolf was used.
    panels : share of flagged codes of every intervention, by its name; with an interval where a
        sample of the codes was looked at.
    """

    real_codes: Estimate
    largest_distance: float
    largest_cycle_error: float
    covariance_shrunk: bool
    panels: dict[str, Estimate]


@dataclass(frozen=True)
class Provenance:
    """The origin of a report: what was read and run, and how.

    Attributes
    ----------
    model, data, fit_data : the files read, with SHA-256.
    model_notes, data_notes : every choice made while reading them.
    skipped_images : names and reasons.
    command : the command line; versions of reportgen and of the libraries; date (UTC day).
    confinement : what the process that read the files could do, and by what it was held.
    input_shape (C, H, W), code_shape; images, fit_rows, test_rows : counts.
    picture_shape : (C, h, w) of every picture kept here: input_shape, or averaged down to at most
        64 pixels across where images have more than 128.
    decodes, encodes : by analysis; the control's are apart.
    row_names : test rows, by name, behind each kind of number.
    rows_sha256 : by kind of row, the SHA-256 of their names, a line each: of "all" (sorted), "fit",
        "test" and the kinds in `row_names`. Equal ones were made from the same rows.
    """

    model: SourceFile | None
    data: SourceFile | None
    fit_data: SourceFile | None
    model_notes: tuple[Note, ...]
    data_notes: tuple[Note, ...]
    skipped_images: tuple[tuple[str, str], ...]
    command: str
    versions: dict[str, str]
    date: str
    input_shape: tuple[int, int, int]
    picture_shape: tuple[int, int, int]
    code_shape: tuple[int, ...]
    images: int
    fit_rows: int
    test_rows: int
    decodes: dict[str, int]
    encodes: dict[str, int]
    row_names: dict[str, tuple[str, ...]]
    confinement: str = NOT_TOLD
    rows_sha256: dict[str, str] = field(default_factory=dict)

    @property
    def is_conditional(self) -> bool:
        """Tell whether the model was fed its images' classes."""
        return any(note.topic == "condition" for note in self.model_notes)


@dataclass(frozen=True)
class Results:
    """One report.

    Attributes
    ----------
    schema_version : of results.json.
    title, model_name, data_name : as printed; pixel_range of the data.
    verdict, units : what the answers say together.
    answers : by the questions' names. A question without an answer has a line in `unanswered` (it
        cannot be answered for this model and data), in `not_applicable` (it asks about something
        that they do not have) or in `failures` (a bug; the exit code is 3).
    extensions : answers to questions from packages of the user's own.
    off_data : the off-data flag; None where it was not calibrated.
    live : the decoder for the page's live walk; where it is None, `live_reason` says why.
    settings, provenance : how it was made.
    """

    schema_version: str
    title: str
    model_name: str
    data_name: str
    pixel_range: tuple[float, float]
    verdict: tuple[VerdictLine, ...]
    units: tuple[Unit, ...]
    answers: Answers
    extensions: Answers
    off_data: OffDataSummary | None
    live: LiveWalk | None
    live_reason: str
    unanswered: dict[str, str]
    not_applicable: dict[str, str]
    failures: dict[str, str]
    settings: Settings
    provenance: Provenance

    def answer(self, name: str) -> Any:
        """The answer to a question by its name; None where there is none."""
        return self.answers.get(name, self.extensions.get(name))
