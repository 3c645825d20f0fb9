"""Every number of a report by its name, as `reconstruction.r2.low` or `max(units.damage.high)`.

A name is the way to the number through results.json: names of fields behind dots, places in lists
in brackets, from 0. `verdict.additive` is the number that a line of the verdict stands on. The name
of a number with an interval stands for its value; `.value`, `.low` and `.high` are its parts.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from reportgen.errors import NumberNameError, nearest_name
from reportgen.report.name_path import (
    VERDICT,
    VERDICT_SECTIONS,
    NumberPath,
    Part,
    path_text,
    read_number,
)
from reportgen.report.number_places import (
    NOT_MEASURED,
    NamedNumber,
    Number,
    Place,
    all_numbers,
    as_estimate,
    as_number,
    check_word,
    counts,
    entries_of,
    entry_hint,
    kind_of,
    names_in,
    no_number,
    numbers_below,
)
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.report.typed import hints_of, is_image_array
from reportgen.shown import quoted
from reportgen.statistics.bootstrap import Estimate

# The weights of the page's decoder are no numbers about the model.
LEFT_OUT = frozenset({"live"})
ANSWERS, EXTENSIONS = "answers", "extensions"


@dataclass(frozen=True)
class Found:
    """The value that a name leads to.

    Attributes
    ----------
    value : a number; None where there is none.
    reason : why there is none, as a clause; "" where there is one.
    """

    value: Number | None
    reason: str = ""


class NumberNames:
    """The numbers of one report by name.

    `questions` are those that may have an answer: a name below an answer that this report lacks is
    then told from a name that there is not.
    """

    def __init__(self, results: Results, questions: Iterable[Question]) -> None:
        self._results = results
        self._kinds = {q.name: q for q in questions if q.answer is not None}

    def __iter__(self) -> Iterator[NamedNumber]:
        """All numbers in the order of results.json; those that were not measured too."""
        for name in VERDICT_SECTIONS:
            node = self._verdict_node(name)
            yield NamedNumber(f"{VERDICT}.{name}", node.value)
        for name in self._tops():
            if name not in (VERDICT, EXTENSIONS):
                yield from numbers_below(self._top(name), (name,))
        for name, answer in self._results.extensions.items():
            yield from numbers_below(Place(answer, type(answer)), (EXTENSIONS, name))

    def __getitem__(self, name: str) -> Number | None:
        """The number of this name; None where there is none. Raises NumberNameError."""
        return self.find(name).value

    def find(self, name: str) -> Found:
        """The number of this name, or why there is none.

        `count(path)`, `count(path, word)`, `min(path)`, `max(path)` and `mean(path)` look at every
        entry of the lists on the way. Raises NumberNameError for a name that there is not.
        """
        return self.look_up(read_number(name))

    def look_up(self, number: NumberPath) -> Found:
        """`find`, for a name that has been read already."""
        if number.function:
            return self._aggregated(number)
        (node,) = self._reached(number.parts, fan_out=False)
        if node.value is None:
            self._check_kind(node, number.parts)
            return Found(None, node.reason)
        value = as_number(node.value)
        if value is None:
            raise no_number(node, number.parts)
        if math.isnan(as_estimate(value).value):
            return Found(None, "it is undefined")
        return Found(value)

    def words(self, key: str) -> tuple[tuple[str, ...], str, str]:
        """The words within the interval of a line of the verdict; the line as printed; its detail.

        `key` is one of `VERDICT_SECTIONS`; where there are no words the detail says why. Raises
        NumberNameError.
        """
        line = self._line(key)
        return (tuple(map(str, line.words)), line.word, line.detail)

    def known_names(self) -> list[str]:
        """All names, also of answers that this report lacks; places in lists are `[0]`."""
        names = [f"{VERDICT}.{name}" for name in VERDICT_SECTIONS]
        names += [number.name for number in self]
        for name, question in self._kinds.items():
            if self._results.answer(name) is None:
                names += names_in(typing.cast(Any, question.answer), (name,))
        return list(dict.fromkeys(names))

    def _line(self, key: str) -> Any:
        section = VERDICT_SECTIONS.get(key)
        for line in self._results.verdict:
            if line.section == section:
                return line
        raise self._unknown(f"{VERDICT}.{key}")

    def _verdict_node(self, key: str) -> Place:
        line = self._line(key)
        return Place(line.number, Estimate, line.detail.rstrip(".") or NOT_MEASURED)

    def _tops(self) -> list[str]:
        declared = [f.name for f in fields(Results) if f.name not in (ANSWERS, *LEFT_OUT)]
        return [*declared, *self._results.answers]

    def _top(self, name: str) -> Place:
        results = self._results
        reason = NOT_MEASURED
        for reasons in (results.not_applicable, results.unanswered, results.failures):
            reason = reasons.get(name, reason).rstrip(".")
        if name in results.answers or name in self._kinds:
            answer = results.answer(name)
            kind = type(answer) if answer is not None else self._kinds[name].answer
            return Place(answer, kind, reason)
        return Place(getattr(results, name), hints_of(Results)[name], reason)

    def _start(self, parts: tuple[Part, ...]) -> tuple[Place, tuple[Part, ...]]:
        """The place that a path starts from, and what is left of the path."""
        first = parts[0]
        if first == VERDICT and len(parts) > 1 and isinstance(parts[1], str):
            return self._verdict_node(parts[1]), parts[2:]
        if first == EXTENSIONS:
            if len(parts) < 2 or parts[1] not in self._results.extensions:
                raise self._unknown(path_text(parts))
            answer = self._results.extensions[str(parts[1])]
            return Place(answer, type(answer)), parts[2:]
        if first not in self._tops() and first not in self._kinds:
            raise self._unknown(path_text(parts))
        return self._top(str(first)), parts[1:]

    def _reached(self, parts: tuple[Part, ...], *, fan_out: bool) -> list[Place]:
        """The places that a path leads to: one, or with `fan_out` one for each list entry."""
        start, rest = self._start(parts)
        nodes = [start]
        for place, part in enumerate(rest):
            behind = parts[: len(parts) - len(rest) + place]
            if fan_out and isinstance(part, str):
                nodes = [entry for node in nodes for entry in entries_of(node)]
            nodes = [self._step(node, part, parts, behind) for node in nodes]
        return nodes

    def _step(
        self, node: Place, part: Part, path: tuple[Part, ...], behind: tuple[Part, ...]
    ) -> Place:
        kind = kind_of(node)
        if isinstance(part, int):
            return self._entry(node, kind, part, path, behind)
        if is_dataclass(kind):
            hints = hints_of(typing.cast(Any, kind))
            if part not in hints:
                raise self._unknown(path_text(path))
            value = None if node.value is None else getattr(node.value, part)
            return Place(value, hints[part], node.reason)
        if typing.get_origin(kind) is dict:
            if node.value is not None and part not in node.value:
                raise self._unknown(path_text(path))
            value = None if node.value is None else node.value[part]
            return Place(value, typing.get_args(kind)[1], node.reason)
        if typing.get_origin(kind) is tuple:
            raise NumberNameError(
                f"{path_text(behind)} is a list: say {path_text((*behind, 0, part))} for its first "
                f"entry, or max({path_text((*behind, part))}) for the largest of all."
            )
        raise self._unknown(path_text(path))

    def _entry(
        self, node: Place, kind: Any, place: int, path: tuple[Part, ...], behind: tuple[Part, ...]
    ) -> Place:
        is_list = kind is np.ndarray or typing.get_origin(kind) is tuple
        if not is_list or is_image_array(node.hint):
            raise self._unknown(path_text(path))
        hint = np.ndarray if kind is np.ndarray else entry_hint(kind, place)
        if node.value is None:
            return Place(None, hint, node.reason)
        if np.ndim(node.value) == 0 and kind is np.ndarray:
            raise self._unknown(path_text(path))
        if place >= len(node.value):
            count = len(node.value)
            raise NumberNameError(
                f"{path_text(behind)} has {count} {'entry' if count == 1 else 'entries'}, counted "
                f"from 0: there is no {path_text((*behind, place))}."
            )
        return Place(node.value[place], hint, node.reason)

    def _aggregated(self, number: NumberPath) -> Found:
        nodes = self._reached(number.parts, fan_out=True)
        if number.function == "count":
            for node in nodes:
                check_word(node.hint, number.word)
            if len(nodes) == 1 and nodes[0].value is None:
                return Found(None, nodes[0].reason)
            if len(nodes) == 1:
                # Of a list itself, its entries.
                nodes = entries_of(nodes[0])
            return Found(sum(counts(node.value, number.word) for node in nodes))
        numbers = list(all_numbers(nodes))
        if not numbers:
            self._check_numeric(nodes, number.parts)
            return Found(None, nodes[0].reason if nodes else "the list is empty")
        summary: dict[str, Callable[[list[float]], float]] = {
            "min": min,
            "max": max,
            "mean": lambda values: math.fsum(values) / len(values),
        }
        return Found(float(summary[number.function](numbers)))

    def _check_numeric(self, nodes: list[Place], path: tuple[Part, ...]) -> None:
        for node in nodes:
            if node.value is not None and not isinstance(node.value, tuple | np.ndarray):
                value = as_number(node.value)
                if value is None:
                    raise no_number(node, path)

    def _check_kind(self, node: Place, path: tuple[Part, ...]) -> None:
        """Refuse a name that could be no number even if it had been measured."""
        kind = kind_of(node)
        if kind not in (Estimate, float, int, bool, np.ndarray):
            raise no_number(node, path)

    def _unknown(self, name: str) -> NumberNameError:
        found = nearest_name(name, self.known_names())
        said = f"; the nearest name is {found!r}" if found else ""
        return NumberNameError(
            f"There is no number {quoted(name)}{said}. reportgen check RESULTS --list prints all "
            "names."
        )
