"""The answers to the questions of a report, by the questions' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

Kind = TypeVar("Kind")


class Answers(Mapping[str, Any]):
    """One frozen dataclass for each question; None where the question went unanswered."""

    def __init__(self, by_name: Mapping[str, Any]) -> None:
        self._by_name = dict(by_name)

    def __getitem__(self, name: str) -> Any:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, kind: type[Kind]) -> Kind | None:
        """The answer of this type, or None: `answers.of(Linearity)`."""
        return next((answer for answer in self.values() if isinstance(answer, kind)), None)
