"""Results that the page's tests share; nobody changes them."""

from __future__ import annotations

import pytest

from reportgen.report.results import Results
from tests.report.example import example_results


@pytest.fixture(scope="session")
def results() -> Results:
    return example_results()
