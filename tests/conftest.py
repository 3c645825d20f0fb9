"""Studies that several tests read; nobody changes them."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# Workers share the cores among themselves; threads of their own would only get in the way. Read
# when torch is first imported, hence before everything else.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis

from reportgen.confined import jobs
from reportgen.process.child_process import ChildProcess
from reportgen.report import templates
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders
from tests.process.in_this_process import ThreadInstead
from tests.threads_at_work import wait_for_them

# How long an example takes says more of what else the machine does than of what is tested.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# To compile the templates takes ten times as long as to fill them in: once is enough for all tests.
# A template that a test changes has another content, and is compiled again.
COMPILED = templates._Code()
templates._Code = lambda: COMPILED  # type: ignore[assignment,misc]

FEW = Settings(rows=40, table_rows=12, bootstrap_resamples=200)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Let jobs start processes of their own only in tests of that, and in the slow ones."""
    own = any(item.get_closest_marker(name) for name in ("confined", "slow"))
    jobs.ChildProcess = ChildProcess if own else ThreadInstead  # type: ignore[misc]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Begin the next test when the threads of this one are at rest."""
    yield
    wait_for_them()


@pytest.fixture(scope="session")
def linear_study() -> Study:
    return decoders.study_of(decoders.linear(4), decoders.gaussian_codes(300, 4), settings=FEW)


@pytest.fixture(scope="session")
def additive_study() -> Study:
    return decoders.study_of(decoders.additive(4), decoders.gaussian_codes(300, 4), settings=FEW)


@pytest.fixture(scope="session")
def smooth_study() -> Study:
    return decoders.study_of(
        decoders.smooth(4), decoders.gaussian_codes(300, 4), settings=FEW, noise=0.05
    )
