"""The full suite: what becomes of an analysis, and of what it leaves behind."""

from __future__ import annotations

import dataclasses

import pytest

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.errors import SettingsError
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import Ranks
from reportgen.study.study import Study
from reportgen.suite import suite
from tests.conftest import FEW
from tests.oracles import decoders


def raising(error: Exception):
    def run(study: object) -> None:
        raise error

    return run


# In place of all questions, one for each thing that can become of them.
OUTCOMES = {
    "answered": lambda study: 7,
    "unanswered": raising(UnanswerableError("too few images.")),
    "flat": raising(DoesNotApplyError("the code is flat.")),
    "broken": raising(ZeroDivisionError("planted")),
    "after": lambda study: 8,
    "control": lambda study: 9,
}


def a_study() -> Study:
    return decoders.study_of(decoders.linear(3), decoders.gaussian_codes(80, 3), settings=FEW)


def test_every_analysis_is_an_answer_a_sentence_or_a_failure() -> None:
    progress, study = QuietProgress(), a_study()
    findings = suite.analyse(study, OUTCOMES, progress)
    assert findings.found == {"answered": 7, "after": 8, "control": 9}
    assert findings.unanswered == {"unanswered": "too few images."}
    assert findings.not_applicable == {"flat": "the code is flat."}
    assert findings.failures == {"broken": "ZeroDivisionError: planted"}
    assert list(progress.seconds) == [*OUTCOMES]


def test_bad_input_stops_the_build(linear_study) -> None:
    runs = OUTCOMES | {"broken": raising(SettingsError("no such unit."))}
    with pytest.raises(SettingsError, match="no such unit"):
        suite.analyse(linear_study, runs, QuietProgress())


def test_on_several_ranks_a_failure_stops_all_of_them(linear_study) -> None:
    shared = dataclasses.replace(linear_study, ranks=Ranks(0, 2))
    with pytest.raises(ZeroDivisionError):
        suite.analyse(shared, OUTCOMES, QuietProgress())


def test_freed_memory_is_given_back_after_every_question(monkeypatch) -> None:
    done: list[str] = []
    runs = {name: lambda study, name=name: done.append(name) for name in ("first", "second")}
    runs["broken"] = raising(ZeroDivisionError("planted"))
    monkeypatch.setattr(suite, "return_freed_memory", lambda: done.append("given back"))
    suite.analyse(a_study(), runs, QuietProgress())
    assert done == ["first", "given back", "second", "given back", "given back"]
