"""Results that the tests of rules share; nobody changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reportgen.report.results import Results
from reportgen.report.store import image_archive, results_json
from tests.report.example import example_results, page_of


@pytest.fixture(scope="session")
def results() -> Results:
    return example_results()


@pytest.fixture(scope="session")
def folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results.json, results.npz and page.html of the same report."""
    made = tmp_path_factory.mktemp("results")
    (made / "results.json").write_text(results_json(results), encoding="utf-8")
    (made / "results.npz").write_bytes(image_archive(results))
    (made / "page.html").write_text(page_of(results).html, encoding="utf-8")
    return made
