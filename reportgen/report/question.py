"""A question of the report: the function that answers it, and what the page shows of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from reportgen.report.drawing import Drawing
    from reportgen.report.results import Results
    from reportgen.statistics.bootstrap import Estimate
    from reportgen.study.study import Study

# Where installed packages name questions of theirs.
ENTRY_POINTS = "reportgen.questions"

ONE_AWAY = "codes with one unit alone away from the mean"
ONE_AT_MEAN = "codes with one unit at its mean"
ONE_AT_ZERO = "codes with a zeroed unit"


class Place(StrEnum):
    """Places on the page where a section may stand, in the page's order.

    The first five are the lines of the verdict, named after the section that each is read from; a
    section there is evidence for that line, folded under it.
    """

    RECONSTRUCTS = "verdict-reconstruction"
    IS_LINEAR = "verdict-linearity"
    CAN_BE_SUMMED = "verdict-additivity"
    WHICH_MATTER = "verdict-units"
    ZEROING = "verdict-subtraction"
    UNITS = "part-units"
    WALK = "part-walk"
    PCA = "part-pca"
    APPENDIX = "appendix"


@dataclass(frozen=True)
class MovedCodes:
    """Codes that a question moved away from those of images.

    Attributes
    ----------
    name : a plural noun phrase, as "codes with one unit at its mean"; questions that look at the
        same codes name them alike.
    off_data : the share of them that either off-data flag marks, as `study.off_data_share` has it.
    """

    name: str
    off_data: Estimate


def nothing(answer: Any, results: Results) -> tuple[()]:
    """No limits, no moved codes."""
    return ()


@dataclass(frozen=True)
class Question:
    """One question, and all that the program needs to ask and to show it.

    A package of your own adds one by an entry point of the group `reportgen.questions`; see
    CONTRIBUTING.md.

    Attributes
    ----------
    name : a Python name: its key in results.json, its anchor in the page, the name of its template
        `templates/sections/NAME.html.j2`.
    title, lead : the section's heading, and the question as a reader would ask it. Without a title
        the question has no section of its own and others show its answer.
    place : where on the page the section stands; among those of one place, in the order of the
        questions.
    opened : whether the section stands open; else it is one line until it is opened.
    run : answers it for a study. Raises UnanswerableError where it has no answer for this model
        and data, DoesNotApplyError where they lack what it asks about. None for a section that is
        made of other questions' answers.
    answer : the frozen dataclass that `run` returns.
    view : the pictures and charts that the template shows, from the answer, all results and the
        report's drawing; None where the template can do with the answer alone.
    limits : sentences on what to beware of, where numbers of this answer call for them.
    moved : the codes that it moved, with their off-data shares.
    moves_units : whether it moves one unit without the others, which units that go together forbid.
    describes : what the section describes: the decoder alone (so that it stands where the model
        reconstructs nothing), the data too, or how the report was built.
    redefined_in : the schema version since which its answer means what it means now; answers of
        older results are not read.
    template : the template's file, for a question from a package of your own.
    """

    name: str
    title: str = ""
    lead: str = ""
    place: Place = Place.APPENDIX
    opened: bool = False
    run: Callable[[Study], Any] | None = None
    answer: type | None = None
    view: Callable[[Any, Results, Drawing], Any] | None = None
    limits: Callable[[Any, Results], Iterable[str]] = nothing
    moved: Callable[[Any, Results], Iterable[MovedCodes]] = nothing
    moves_units: bool = False
    describes: Literal["decoder", "data", "build"] = "decoder"
    redefined_in: str = ""
    template: Path | None = None

    @property
    def template_name(self) -> str:
        """The section's template among all templates."""
        return f"sections/{self.name}.html.j2"
