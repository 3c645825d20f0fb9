"""The full suite: what becomes of an analysis, and what memory the control is given."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import numpy as np
import pytest

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.path_contributions import path_shares
from reportgen.errors import SettingsError
from reportgen.process.heap import return_unreachable_memory
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import Ranks
from reportgen.study.study import Study
from reportgen.suite import control, suite
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
    assert findings.found == {"answered": 7, "after": 8}
    assert findings.unanswered == {"unanswered": "too few images."}
    assert findings.not_applicable == {"flat": "the code is flat."}
    assert findings.failures == {"broken": "ZeroDivisionError: planted"}
    suite.analyse_control([study], OUTCOMES["control"], findings, progress)
    assert findings.found["control"] == 9
    assert list(progress.seconds) == [*OUTCOMES]


def test_bad_input_stops_the_build(linear_study) -> None:
    runs = OUTCOMES | {"broken": raising(SettingsError("no such unit."))}
    with pytest.raises(SettingsError, match="no such unit"):
        suite.analyse(linear_study, runs, QuietProgress())


def test_on_several_ranks_a_failure_stops_all_of_them(linear_study) -> None:
    shared = dataclasses.replace(linear_study, ranks=Ranks(0, 2))
    with pytest.raises(ZeroDivisionError):
        suite.analyse(shared, OUTCOMES, QuietProgress())


def test_the_control_gives_up_what_the_model_s_images_and_shared_results_took(monkeypatch) -> None:
    studies = [a_study()]
    given_up = [
        studies[0].fit.reconstructions,
        studies[0].test.reconstructions,
        studies[0].shared(path_shares).table,
    ]
    references = [weakref.ref(array) for array in given_up]
    del given_up
    alive = []

    def one_picture(pca: Study) -> object:
        alive.extend(reference() is not None for reference in references)
        return original(pca)

    original = control.one_picture.run
    monkeypatch.setattr(control.one_picture, "run", one_picture)
    findings = suite.Findings()
    suite.analyse_control(studies, control.run, findings, QuietProgress())
    assert alive == [False, False, False]
    assert findings.found["control"].passed


def test_before_pca_takes_the_model_s_place_what_was_shared_is_forgotten() -> None:
    study = a_study()
    shared = weakref.ref(study.shared(path_shares).table)
    findings = suite.Findings()
    suite.analyse_control([study], lambda study: shared(), findings, QuietProgress())
    assert findings.found["control"] is None


def test_what_a_kept_error_holds_is_let_go() -> None:
    """As a library's import may leave one: an error in its own traceback's frame."""

    def fail() -> weakref.ref:
        held = np.zeros(3)
        try:
            raise ValueError("caught, and kept by its own frame")
        except ValueError as error:
            kept = error
        assert kept is not None
        return weakref.ref(held)

    gc.disable()
    try:
        held = fail()
        assert held() is not None
        return_unreachable_memory()
        assert held() is None
    finally:
        gc.enable()
