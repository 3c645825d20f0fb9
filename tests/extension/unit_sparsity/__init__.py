"""How sparse each unit is: a question from a package of its own, as CONTRIBUTING describes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reportgen.questions import Question
from reportgen.report.results import Results
from reportgen.study.study import Study


@dataclass(frozen=True)
class UnitSparsity:
    """Lifetime sparseness of each unit that varies.

    Attributes
    ----------
    units, names : place in the code, from 0, and printed name.
    sparseness : (units,) 0 where the unit is equally far from its mean for every image, 1 where it
        is away from it for one alone.
    rows : test images behind it.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    sparseness: np.ndarray
    rows: int


def run(study: Study) -> UnitSparsity:
    """(1 − mean(|z − m|)² / mean((z − m)²)) / (1 − 1/n), Vinje & Gallant 2000, equation 1."""
    values = study.players.values(study.test.codes) - study.players.values(study.baseline[None])
    sizes, rows = np.abs(values).astype(np.float64), len(values)
    activity = sizes.mean(axis=0) ** 2 / np.square(sizes).mean(axis=0)
    return UnitSparsity(
        units=tuple(int(unit) for unit in study.player_units),
        names=tuple(study.players.names),
        sparseness=(1 - activity) / (1 - 1 / rows),
        rows=rows,
    )


def limits(answer: UnitSparsity, results: Results) -> Iterator[str]:
    """Too few images to be sparse among."""
    if answer.rows < 100:
        yield f"Of {answer.rows} images one is a large part: a sparse unit may be an accident."


QUESTION = Question(
    name="unit_sparsity",
    title="Unit sparsity",
    lead="Is each unit at work in all images, or in a few?",
    run=run,
    answer=UnitSparsity,
    limits=limits,
    describes="data",
    template=Path(__file__).parent / "unit_sparsity.html.j2",
)
