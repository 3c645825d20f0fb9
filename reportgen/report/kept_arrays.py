"""Arrays in results.npz by which two reports are compared: codes, their rows, and resamples."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reportgen.images import ImageSet
from reportgen.report.number_names import NumberNames
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study

CODES, ROWS, RESAMPLES = "compare/codes", "compare/rows", "bootstrap/"
MOST_ROWS, MOST_VALUES = 2000, 2_000_000
# Of codes so wide that 2,000 rows would be too much to keep.
FEWEST_ROWS = 200
# Numbers whose difference between two reports is taken resample by resample.
HEADLINE = (
    "reconstruction.r2",
    "reconstruction.mse",
    "reconstruction.pca_r2",
    "reconstruction.pca_mse",
    "reconstruction.beyond_pca",
    "reconstruction.equivalent_components",
    "linearity.linear",
    "linearity.curved",
    "linearity.not_additive",
    "additivity.up.gap",
    "additivity.up.r2_sum",
    "additivity.down.gap",
    "additivity.down.r2_sum",
    "subtraction.miss_zero",
    "subtraction.miss_mean",
    "pre_activation.gap_up",
    "one_picture.pooled_solo",
    "one_picture.pooled_context",
    "verdict.additive",
    "verdict.units",
)


def kept_arrays(
    study: Study,
    images: ImageSet,
    results: Results,
    questions: Iterable[Question],
    with_codes: bool,
) -> dict[str, np.ndarray]:
    """The arrays by their names in results.npz.

    `compare/codes` (n, K) float32: units' values, of a channel the mean over its sites, of at most
    2,000 test rows; `compare/rows` (n,) int64: the rows' places among the data's sorted names;
    `bootstrap/NAME` (resamples,) float32: a headline number in each resample of its rows.
    """
    arrays: dict[str, np.ndarray] = {}
    if with_codes:
        count = len(study.test)
        most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_VALUES // len(study.units)))
        chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
        values = study.units.values(study.test.codes[chosen])
        places = {name: place for place, name in enumerate(sorted(images.names))}
        arrays[CODES] = values.astype(np.float32)
        arrays[ROWS] = np.array([places[study.test.names[row]] for row in chosen], dtype=np.int64)
    names = NumberNames(results, questions)
    for name in HEADLINE:
        number = names.find(name).value
        if isinstance(number, Estimate) and number.resamples is not None:
            arrays[RESAMPLES + name] = number.resamples
    return arrays
