import numpy as np
import pytest

from reportgen.analyses import (
    ablation,
    additivity,
    contributions,
    interactions,
    partial_reconstruction,
    subtraction,
    traversal,
)
from reportgen.settings import Settings
from reportgen.study.plan import fit_into, plan_build
from reportgen.study.study import Study
from tests.oracles import decoders


@pytest.fixture(scope="module")
def study() -> Study:
    return decoders.study_of(
        decoders.squashed(6), decoders.gaussian_codes(600, 6), settings=Settings(rows=128)
    )


def test_the_plan_counts_what_the_analyses_decode(study: Study) -> None:
    plan = plan_build(study, study.settings)
    before = sum(study.engine.forwards.values())
    for analysis in (
        ablation,
        contributions,
        partial_reconstruction,
        additivity,
        subtraction,
        traversal,
        interactions,
    ):
        analysis.run(study)
    decoded = sum(study.engine.forwards.values()) - before
    assert sum(plan.decodes.values()) == pytest.approx(decoded, rel=0.2)


def test_a_plan_that_fits_changes_nothing(study: Study) -> None:
    plan = plan_build(study, study.settings)
    assert fit_into(study, plan, 10 * plan.seconds + 1) == (study, ())


def test_a_short_time_cuts_rows_to_their_floors_and_says_so(study: Study) -> None:
    plan = plan_build(study, study.settings)
    shorter, notes = fit_into(study, plan, 1e-9)
    assert (len(shorter.rows.statistics), len(shorter.rows.table)) == (32, 8)
    assert np.array_equal(shorter.rows.statistics, study.rows.statistics[:32])
    assert "32" in notes[0].text and "128" in notes[0].text
