"""Reports that differ in ways that are known; nobody changes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from reportgen.autoencoder import SourceFile
from reportgen.comparison.sources import Source
from reportgen.report.kept_arrays import CODES, RESAMPLES, ROWS
from reportgen.report.results import Results
from reportgen.report.store import image_arrays
from tests.report.example import example_results

ROW_COUNT, UNITS = 120, 4
Make = Callable[..., Source]


@pytest.fixture(scope="session")
def results() -> Results:
    made = example_results()
    return replace(made, provenance=replace(made.provenance, rows_sha256={"test": "ab" * 32}))


@pytest.fixture(scope="session")
def codes() -> np.ndarray:
    return np.random.default_rng(8).normal(size=(ROW_COUNT, UNITS)).astype(np.float32)


@pytest.fixture(scope="session")
def make(results: Results, codes: np.ndarray) -> Make:
    """A report with these codes, and resamples of R² around its value, shifted."""

    def made(
        name: str,
        values: np.ndarray | None = None,
        *,
        shift: float = 0.0,
        other_images: bool = False,
    ) -> Source:
        r2 = results.answers["reconstruction"].r2
        noise = np.random.default_rng(5).normal(scale=0.02, size=100)
        provenance = results.provenance
        if other_images:
            provenance = replace(provenance, data=SourceFile("others", 1, "ef" * 32))
        arrays = {
            **image_arrays(results),
            CODES: codes if values is None else values,
            ROWS: np.arange(ROW_COUNT),
            f"{RESAMPLES}reconstruction.r2": (r2.value + noise + shift).astype(np.float32),
        }
        return Source(name, replace(results, provenance=provenance), arrays)

    return made
