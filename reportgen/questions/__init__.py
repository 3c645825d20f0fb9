"""All questions of a report: our own, and those of packages that the user has installed.

The latter follow ours but for the last ones, which describe how the report was built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Any

from reportgen.errors import ExtensionError
from reportgen.questions.own import QUESTIONS
from reportgen.report.question import ENTRY_POINTS, MovedCodes, Place, Question
from reportgen.study.study import Study
from reportgen.suite import control

__all__ = ["QUESTIONS", "MovedCodes", "Place", "Question", "all_questions", "runs_of"]


def all_questions() -> tuple[Question, ...]:
    """Our questions with those of installed packages before the ones that describe the build.

    Raises ExtensionError for a package's question that cannot be imported, is no `Question`, lacks
    what one needs, or bears a name that is taken.
    """
    asked = [question for question in QUESTIONS if question.describes != "build"]
    built = [question for question in QUESTIONS if question.describes == "build"]
    taken = {question.name: "reportgen" for question in QUESTIONS}
    for question, package in _of_packages():
        if question.name in taken:
            raise ExtensionError(
                f"Two questions are named {question.name!r}, by {taken[question.name]} and by "
                f"{package}; rename or uninstall one."
            )
        taken[question.name] = package
        asked.append(question)
    return (*asked, *built)


def _of_packages() -> Iterator[tuple[Question, str]]:
    """Each question of an installed package, with the package's name; ordered by entry point."""
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist else entry.value
        try:
            question = entry.load()
        except Exception as error:
            raise ExtensionError(
                f"The question {entry.name!r} of the package {package} cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall it."
            ) from error
        if not isinstance(question, Question):
            raise ExtensionError(
                f"The entry point {entry.name!r} of the package {package} is a "
                f"{type(question).__name__} and has to be a reportgen.questions.Question."
            )
        complete = question.title and question.run and question.answer
        if not complete or question.template is None:
            raise ExtensionError(
                f"The question {question.name!r} of the package {package} needs a title, run, "
                "answer and template."
            )
        if not question.template.is_file():
            raise ExtensionError(
                f"The question {question.name!r} of the package {package} says that its template "
                f"is {question.template}, and there is no such file; install it anew."
            )
        yield question, package


def runs_of(questions: Iterable[Question]) -> dict[str, Callable[[Study], Any]]:
    """The function that answers each question, by name, in order but for the control, the first.

    Its images take as much memory again as the model's, when nobody else has kept anything yet.
    """
    in_order = sorted(questions, key=lambda question: question.run is not control.run)
    return {question.name: question.run for question in in_order if question.run is not None}
