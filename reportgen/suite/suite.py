"""The full suite: every question asked of one study, and what became of each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.autoencoder import Note
from reportgen.engine import Engine
from reportgen.errors import ReportgenError
from reportgen.process.clock import Deadline, OutOfTimeError
from reportgen.process.heap import return_freed_memory
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import Ranks
from reportgen.study.study import Study
from reportgen.suite.answers import Answers

Run = Callable[[Study], Any]
OUT_OF_TIME = "the time of --max-seconds was over before it was answered."


@dataclass(frozen=True)
class Findings:
    """Answers by question; and by question why there is none.

    Attributes
    ----------
    found : the answers.
    unanswered, not_applicable : the sentence of its UnanswerableError or DoesNotApplyError.
    failures : any other error; a fault of ours.
    """

    found: dict[str, Any] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    not_applicable: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> Answers:
        """The answers found so far."""
        return Answers(self.found)

    def without(self, left_out: Mapping[str, str], order: Iterable[str]) -> Findings:
        """With the questions that were left out and why, and answers in the order given."""
        found = {name: self.found[name] for name in order if name in self.found}
        return replace(self, found=found, not_applicable=self.not_applicable | dict(left_out))

    def late_notes(self, seconds: float | None) -> tuple[Note, ...]:
        """Note the questions for which so many seconds were too few."""
        late = [name for name, reason in self.not_applicable.items() if reason == OUT_OF_TIME]
        if not late:
            return ()
        names = ", ".join(name.replace("_", " ") for name in late)
        said = f"--max-seconds {seconds:g} was over before these were answered: {names}."
        return (Note("time", said),)


def analyse(
    study: Study,
    runs: Mapping[str, Run],
    progress: QuietProgress,
    *,
    deadline: Deadline | None = None,
    begin: Callable[[str], None] = lambda name: None,
) -> Findings:
    """Ask every question of a study, in order; `begin` is told of each.

    A question that fails is a line in `failures`, and the others are still asked. Those that are
    not answered by the deadline are told from the others in `not_applicable`. Raises a
    ReportgenError for bad input; where ranks share the rows, any error.
    """
    findings = Findings()
    for name, run in runs.items():
        # All ranks ask the same questions.
        if deadline is not None and study.ranks.largest(float(deadline.is_past)):
            findings.not_applicable[name] = OUT_OF_TIME
            continue
        begin(name)
        _run(findings, progress, study.engine, study.ranks, name, partial(run, study))
        # The one place where memory is given back: what an analysis took is free at its end.
        return_freed_memory()
    return findings


def _run(
    findings: Findings,
    progress: QuietProgress,
    engine: Engine,
    ranks: Ranks,
    name: str,
    compute: Callable[[], Any],
) -> None:
    with progress.step(name.replace("_", " ")), engine.charged_to(name):
        try:
            findings.found[name] = compute()
        except DoesNotApplyError as reason:
            findings.not_applicable[name] = str(reason)
        except UnanswerableError as reason:
            findings.unanswered[name] = str(reason)
        except OutOfTimeError:
            findings.not_applicable[name] = OUT_OF_TIME
        except ReportgenError:
            raise
        except Exception as error:
            if ranks.count > 1:
                # The other ranks may be waiting for this one's rows.
                raise
            traceback.print_exc()
            findings.failures[name] = f"{type(error).__name__}: {error}"
