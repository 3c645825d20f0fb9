"""The full suite: what becomes of an analysis, and of what it leaves behind."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import numpy as np
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


def test_what_an_analysis_leaves_behind_is_let_go_before_the_next() -> None:
    """As a library's import may leave it: an error in its own traceback's frame."""
    left: list[weakref.ref] = []

    def leaving(study: Study) -> None:
        held = np.zeros(3)
        try:
            raise ValueError("caught, and kept by its own frame")
        except ValueError as error:
            kept = error
        assert kept is not None
        left.append(weakref.ref(held))

    runs = {"leaving": leaving, "gone": lambda study: left[0]() is None}
    gc.disable()
    try:
        assert suite.analyse(a_study(), runs, QuietProgress()).found["gone"]
    finally:
        gc.enable()
