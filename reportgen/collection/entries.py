"""One report's line in the index, read from its results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportgen.checks.outcomes import Checker
from reportgen.checks.rules import Rule
from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import ReportgenError
from reportgen.questions import all_questions
from reportgen.report.fitting import page_within_size
from reportgen.report.number_names import NumberNames
from reportgen.report.number_places import as_estimate
from reportgen.report.preview import preview_of
from reportgen.report.reading import read_numbers, read_report
from reportgen.report.results import Results
from reportgen.shown import shown
from reportgen.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class EntryRequest:
    """A request for one report's entry.

    Attributes
    ----------
    folder : of its results.
    numbers : names of the numbers that the index shows.
    rules : held against it.
    renders : whether its page is wanted; `layout` of the page.
    """

    folder: Path
    numbers: tuple[str, ...]
    rules: tuple[Rule, ...]
    renders: bool
    layout: PageLayout


@dataclass(frozen=True)
class Entry:
    """One report in the index.

    Attributes
    ----------
    title, model, data, date : as printed; all but the first empty for a damaged report.
    words : what the verdict says, question by question.
    numbers : of the names that were asked for; NaN where there is none.
    kept, rules : how many rules are kept, of how many.
    error : why the report cannot be read; "" where it can.
    """

    title: str
    model: str = ""
    data: str = ""
    date: str = ""
    words: tuple[str, ...] = ()
    numbers: tuple[Estimate, ...] = ()
    kept: int = 0
    rules: int = 0
    error: str = ""

    def as_plain(self) -> dict[str, Any]:
        """The entry as JSON has it; NaN as null."""
        ends = [[number.value, number.low, number.high] for number in self.numbers]
        plain = [[end if math.isfinite(end) else None for end in number] for number in ends]
        return {**vars(self), "words": list(self.words), "numbers": plain}


def entry_of_plain(plain: Any) -> Entry:
    """The entry again. Raises ValueError for anything else."""
    try:
        numbers = tuple(
            Estimate(*(math.nan if end is None else float(end) for end in number))
            for number in plain["numbers"]
        )
        texts = {name: shown(plain[name]) for name in ("title", "model", "data", "date")}
        return Entry(
            **texts,
            words=tuple(shown(word) for word in plain["words"]),
            numbers=numbers,
            kept=int(plain["kept"]),
            rules=int(plain["rules"]),
            error=shown(plain["error"], 400),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("this is no entry of an index") from error


@dataclass(frozen=True)
class ReadEntry:
    """An entry with its files: the picture, and the page where it was wanted, by relative path."""

    entry: Entry
    files: dict[str, bytes]


def read_entry(request: EntryRequest) -> ReadEntry:
    """Read one report; one that is damaged is an entry with the reason."""
    questions = all_questions()
    try:
        try:
            results, arrays = read_report(request.folder, questions)
        except ReportgenError:
            # Numbers may be whole where pictures are not.
            results, arrays = read_numbers(request.folder, questions), {}
        names = NumberNames(results, questions)
        numbers = tuple(as_estimate(names.find(name).value) for name in request.numbers)
        files = {"preview.png": preview_of(results, has_pictures=bool(arrays))}
        if request.renders and arrays:
            page = page_within_size(results, questions, request.layout)
            files |= {"index.html": page.html.encode("utf-8"), **page.files}
    except ReportgenError as error:
        return ReadEntry(Entry(shown(request.folder.name), error=shown(error, 400)), {})
    return ReadEntry(_entry(results, numbers, request.rules), files)


def _entry(results: Results, numbers: tuple[Estimate, ...], rules: Sequence[Rule]) -> Entry:
    checker = Checker(results, all_questions())
    outcomes = [checker.check_or_say_why(rule) for rule in rules]
    return Entry(
        title=shown(results.title),
        model=shown(results.model_name),
        data=shown(results.data_name),
        date=shown(results.provenance.date),
        words=tuple(shown(line.word) for line in results.verdict),
        numbers=numbers,
        kept=sum(not outcome.broken for outcome in outcomes),
        rules=len(outcomes),
    )
