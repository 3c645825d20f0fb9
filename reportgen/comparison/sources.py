"""Reports that are compared, and what about them is the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from reportgen.errors import ComparisonError
from reportgen.report import numbers
from reportgen.report.kept_arrays import CODES, ROWS
from reportgen.report.question import Question
from reportgen.report.reading import read_report
from reportgen.report.results import Results
from reportgen.shown import shown

# Settings that change no number.
OF_NO_EFFECT = {"title", "live", "max_page_megabytes", "device", "memory", "max_seconds"}

ROWS_BEHIND_NUMBERS = "fit", "test", "statistics", "coalition table"


@dataclass(frozen=True)
class Source:
    """One report.

    Attributes
    ----------
    name : by which it is called in the comparison.
    results : its results; without a results.npz their images are NaN.
    arrays : those of results.npz.
    """

    name: str
    results: Results
    arrays: dict[str, np.ndarray]

    @property
    def has_pictures(self) -> bool:
        """Tell whether its images are there."""
        return any(not name.startswith(("compare/", "bootstrap/")) for name in self.arrays)

    @property
    def codes(self) -> np.ndarray | None:
        """(n, K) units' values of test rows; None where they were not kept."""
        codes, rows = self.arrays.get(CODES), self.arrays.get(ROWS)
        if codes is None or rows is None or codes.ndim != 2 or rows.shape != codes.shape[:1]:
            return None
        return np.asarray(codes, dtype=np.float64)

    @property
    def rows(self) -> np.ndarray:
        """(n,) the rows of `codes`: places among the data's sorted names."""
        return self.arrays[ROWS]


@dataclass(frozen=True)
class Condition:
    """One thing that has to be the same for two reports to be compared.

    Attributes
    ----------
    what : the thing.
    same : whether it is.
    found : what it is in both, or in each.
    forbids : what cannot be said where it differs; "" where nothing is lost.
    """

    what: str
    same: bool
    found: str
    forbids: str


def read_sources(
    paths: Iterable[Path], names: Iterable[str], questions: Iterable[Question]
) -> tuple[Source, ...]:
    """The reports at these paths.

    Raises ResultsError, and ComparisonError where their images are of two shapes.
    """
    asked = tuple(questions)
    sources = tuple(
        Source(name, *read_report(path, asked)) for path, name in zip(paths, names, strict=True)
    )
    first = sources[0]
    for other in sources[1:]:
        shapes = [s.results.provenance.input_shape for s in (first, other)]
        if shapes[0] != shapes[1]:
            one, two = (" × ".join(map(str, shape)) for shape in shapes)
            raise ComparisonError(
                f"{shown(first.name)} was made from images of {one} and {shown(other.name)} from "
                f"images of {two}; reports are compared on images of one shape."
            )
    return sources


def conditions_of(first: Source, second: Source) -> tuple[Condition, ...]:
    """Compare what two reports were made from and with, a line each."""
    return tuple(_conditions(first, second))


def same_images(first: Source, second: Source) -> bool:
    """Tell whether two reports were made from the same images."""
    one, two = (source.results.provenance for source in (first, second))
    if one.data is None or two.data is None or one.data.sha256 != two.data.sha256:
        return False
    # A limit may have taken others of them.
    names = one.rows_sha256.get("all"), two.rows_sha256.get("all")
    return names[0] == names[1] and one.images == two.images


def same_rows(first: Source, second: Source, kind: str | None = None) -> bool:
    """Tell whether two reports were made from the same rows, split and resampled alike.

    `kind` names rows that have to be the same too, of those that a model or its code decides.
    """
    one, two = first.results, second.results
    hashes = [r.provenance.rows_sha256 for r in (one, two)]
    known = [_rows_behind_numbers(some) for some in hashes]
    own = [None if kind is None else some.get(kind) for some in hashes]
    resampled = [(r.settings.seed, r.settings.bootstrap_resamples) for r in (one, two)]
    return (
        same_images(first, second)
        and bool(known[0])
        and known[0] == known[1]
        and own[0] == own[1]
        and resampled[0] == resampled[1]
    )


def _rows_behind_numbers(hashes: dict[str, str]) -> dict[str, str]:
    """Those of the rows that every headline number comes from; pictures are chosen by the model."""
    return {kind: hashes[kind] for kind in ROWS_BEHIND_NUMBERS if kind in hashes}


def _conditions(first: Source, second: Source) -> Iterator[Condition]:
    one, two = first.results, second.results
    hashes = [
        r.provenance.model.sha256[:12] if r.provenance.model else "in memory" for r in (one, two)
    ]
    same_model = hashes[0] == hashes[1] != "in memory"
    found = f"one file, {hashes[0]}" if same_model else f"two, {hashes[0]} and {hashes[1]}"
    yield Condition("Model files", same_model, found, "")
    images = same_images(first, second)
    counts = [numbers.count(r.provenance.images) for r in (one, two)]
    yield Condition(
        "Images",
        images,
        f"{counts[0]} from {shown(one.data_name)}"
        if images
        else f"{counts[0]} from {shown(one.data_name)}, {counts[1]} from {shown(two.data_name)}",
        ""
        if images
        else "no units are matched, no pictures stand side by side, and differences "
        "are those of two samples",
    )
    rows = same_rows(first, second)
    yield Condition(
        "Rows and resamples",
        rows,
        f"{one.provenance.fit_rows} fit and {one.provenance.test_rows} test images"
        if rows
        else "not the same, or not told",
        "" if rows else "differences are those of independent samples, with wider intervals",
    )
    differing = [
        field.name
        for field in fields(one.settings)
        if field.name not in OF_NO_EFFECT
        and getattr(one.settings, field.name) != getattr(two.settings, field.name)
    ]
    yield Condition(
        "Settings",
        not differing,
        "the same" if not differing else f"{numbers.listed(differing)} differ",
        "" if not differing else "a difference may be that of the settings",
    )
    versions = [r.provenance.versions for r in (one, two)]
    other = [
        n for n in sorted({*versions[0], *versions[1]}) if versions[0].get(n) != versions[1].get(n)
    ]
    yield Condition(
        "Versions",
        not other,
        "the same" if not other else f"of {numbers.listed(other)} not the same",
        "" if not other else "a difference may be that of the versions",
    )
    shapes = [" × ".join(map(str, r.provenance.code_shape)) for r in (one, two)]
    yield Condition(
        "Codes",
        shapes[0] == shapes[1],
        shapes[0] if shapes[0] == shapes[1] else f"{shapes[0]} and {shapes[1]}",
        "" if shapes[0] == shapes[1] else "some units have no partner",
    )
