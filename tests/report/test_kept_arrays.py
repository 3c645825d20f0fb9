"""Arrays in results.npz by which reports are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from reportgen.analyses import linearity, reconstruction
from reportgen.comparison.comparison import compare_sources
from reportgen.comparison.differences import COMPARED
from reportgen.comparison.sources import Source
from reportgen.questions import QUESTIONS, runs_of
from reportgen.report.kept_arrays import CODES, MOST_ROWS, RESAMPLES, ROWS, kept_arrays
from reportgen.report.results import Results
from reportgen.report.store import results_json
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.statistics.bootstrap import Bootstrap, Estimate
from reportgen.statistics.fit_uncertainty import widened
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.report.example import example_results, with_answers

COMPARED_QUESTIONS = {
    "reconstruction",
    "linearity",
    "additivity",
    "subtraction",
    "contributions",
    "one_picture",
    "health",
}


@dataclass(frozen=True)
class Named:
    """Images of which only the names are known."""

    names: tuple[str, ...]


@pytest.fixture(scope="module")
def answered(linear_study: Study, results: Results) -> Results:
    return with_answers(
        results,
        reconstruction=reconstruction.run(linear_study),
        linearity=linearity.run(linear_study),
    )


def kept(study: Study, results: Results, *, with_codes: bool = True) -> dict[str, np.ndarray]:
    names = Named((*study.test.names, *study.fit.names))
    return kept_arrays(study, names, results, QUESTIONS, with_codes)  # type: ignore[arg-type]


def test_codes_are_units_values_at_their_places_among_the_sorted_names(
    linear_study: Study, answered: Results
) -> None:
    arrays = kept(linear_study, answered)
    names = sorted((*linear_study.test.names, *linear_study.fit.names))
    assert arrays[CODES].shape == (len(linear_study.test), 4)
    assert len(arrays[CODES]) <= MOST_ROWS
    assert [names[place] for place in arrays[ROWS]] == list(linear_study.test.names)
    np.testing.assert_allclose(arrays[CODES], linear_study.test.codes, rtol=1e-6)


def test_resamples_are_those_behind_the_intervals(linear_study: Study, answered: Results) -> None:
    arrays = kept(linear_study, answered)
    mse = answered.answers["reconstruction"].mse
    ends = np.percentile(arrays[f"{RESAMPLES}reconstruction.mse"], [2.5, 97.5])
    np.testing.assert_allclose(ends, [mse.low, mse.high], rtol=1e-5, atol=1e-12)
    resamples = linear_study.settings.bootstrap_resamples
    for name in ("reconstruction.r2", "reconstruction.beyond_pca", "linearity.linear"):
        assert arrays[RESAMPLES + name].shape == (resamples,)


def test_every_number_of_a_comparison_is_kept_in_its_resamples(smooth_study: Study) -> None:
    """So that a report and itself differ by exactly nothing, and its interval is of no width."""
    found: dict[str, Any] = {}
    for name, run in runs_of(QUESTIONS).items():
        if name in COMPARED_QUESTIONS:
            found[name] = run(smooth_study)
    answers, settings = Answers(found), smooth_study.settings
    units = merge_units(answers, settings)
    results = replace(
        example_results(),
        answers=answers,
        units=units,
        verdict=verdict_of(answers, units, settings, {}),
        settings=settings,
    )
    provenance = replace(results.provenance, rows_sha256={"test": "ab" * 32})
    results = replace(results, provenance=provenance)
    arrays = kept(smooth_study, results)
    sources = [Source(name, results, arrays) for name in ("one", "two")]
    pair = compare_sources(sources, QUESTIONS).pairs[0]
    compared = (*pair.differences, *(answer.difference for answer in pair.verdict))
    assert len(compared) == len(COMPARED) + 5
    for one in compared:
        assert one.paired, one.name
        assert one.difference == Estimate(0, 0, 0), one.name


def test_without_codes_there_are_resamples_alone(linear_study: Study, answered: Results) -> None:
    arrays = kept(linear_study, answered, with_codes=False)
    assert f"{RESAMPLES}reconstruction.r2" in arrays
    assert not any(name.startswith("compare/") for name in arrays)


def test_resamples_outlive_a_wider_interval_and_are_no_part_of_a_number() -> None:
    terms = np.random.default_rng(0).uniform(size=(2, 30))
    found = Bootstrap(30, 50, seed=1).ratio(*terms)
    wider = widened(found, 0.1)
    assert found.resamples is not None
    assert wider.resamples is found.resamples
    assert wider.low < found.low
    assert found == Estimate(found.value, found.low, found.high)
    assert Estimate(1.0, 0.0, 2.0).resamples is None


def test_the_json_does_not_know_resamples(answered: Results) -> None:
    assert 'resamples"' not in results_json(answered).replace('bootstrap_resamples"', "")
