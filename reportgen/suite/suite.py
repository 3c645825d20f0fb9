"""The full suite: every question asked of one study, and what became of each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.engine import Engine
from reportgen.errors import ReportgenError
from reportgen.process.heap import return_freed_memory
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import Ranks
from reportgen.study.study import Study
from reportgen.suite.answers import Answers

Run = Callable[[Study], Any]


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


def analyse(study: Study, runs: Mapping[str, Run], progress: QuietProgress) -> Findings:
    """Ask every question of a study, in order.

    A question that fails is a line in `failures`, and the others are still asked. Raises a
    ReportgenError for bad input; where ranks share the rows, any error.
    """
    findings = Findings()
    for name, run in runs.items():
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
        except ReportgenError:
            raise
        except Exception as error:
            if ranks.count > 1:
                # The other ranks may be waiting for this one's rows.
                raise
            traceback.print_exc()
            findings.failures[name] = f"{type(error).__name__}: {error}"
