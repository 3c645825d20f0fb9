"""The origin of a report: files, choices, versions, rows and decodes."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.autoencoder import Note
from reportgen.images import ImageSet
from reportgen.report.results import Provenance
from reportgen.statistics.pictures import picture_shape
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from reportgen.version import __version__

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "matplotlib", "pillow", "jinja2")


def make_provenance(
    study: Study,
    images: ImageSet,
    fit_images: ImageSet | None,
    answers: Answers,
    *,
    command: str,
    notes: tuple[Note, ...],
    confinement: str = "",
) -> Provenance:
    """Describe what was read and how, after all analyses; `notes` are added to the data's."""
    autoencoder = study.autoencoder
    rows, shares = study.rows, answers.of(Contributions)
    kinds = {
        "pictures": rows.pictures,
        "statistics": rows.statistics,
        "pooled shares": rows.pooled[: 0 if shares is None else shares.rows],
        "coalition table": rows.table,
        "units a little more and less": rows.shifts,
    }
    row_names = {
        kind: tuple(study.test.names[row] for row in chosen) for kind, chosen in kinds.items()
    }
    return Provenance(
        model=autoencoder.source,
        data=images.source,
        fit_data=fit_images.source if fit_images else None,
        model_notes=autoencoder.notes,
        data_notes=(*images.notes, *_copies(study), *_kept(study), *_shared(study), *notes),
        skipped_images=tuple((skipped.name, skipped.reason) for skipped in images.skipped),
        command=command,
        confinement=confinement,
        versions={"reportgen": __version__, "python": platform.python_version()}
        | {library: metadata.version(library) for library in LIBRARIES},
        date=today(),
        input_shape=autoencoder.input_shape,
        picture_shape=picture_shape(autoencoder.input_shape),
        code_shape=autoencoder.code_shape,
        images=len(images),
        fit_rows=len(study.fit),
        test_rows=len(study.test),
        decodes=dict(study.engine.forwards),
        encodes=dict(study.engine.encodes),
        row_names=row_names,
        rows_sha256={
            kind: _sha256_of(names)
            for kind, names in {
                "all": sorted(images.names),
                "fit": study.fit.names,
                "test": study.test.names,
                **row_names,
            }.items()
        },
    )


def _sha256_of(names: Iterable[str]) -> str:
    text = "\n".join(names).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


def _copies(study: Study) -> Iterator[Note]:
    """Images with equal pixels: where they went."""
    samples = (study.fit,) if study.in_sample else (study.fit, study.test)
    firsts = [sample.every_copy_of for sample in samples]
    count = sum(len(first) for first in firsts)
    copies = count - sum(len(np.unique(first)) for first in firsts)
    if copies:
        placed = "" if study.in_sample else "All copies of an image are in one half, and they"
        yield Note(
            "copies",
            f"{copies:,} of the {count:,} images {'has' if copies == 1 else 'have'} the same "
            f"pixels as another. {placed or 'Copies'} are resampled together.",
        )
    if not study.in_sample:
        known = set(map(tuple, study.fit.every_fingerprint.tolist()))
        seen = sum(tuple(one) in known for one in study.test.every_fingerprint.tolist())
        if seen:
            yield Note(
                "copies",
                f"{seen:,} of the {len(study.test.every_code):,} images are among those of "
                "--fit-data too: of them every number is in sample.",
            )


def _kept(study: Study) -> tuple[Note, ...]:
    """Note what --memory had no room for."""
    every = len(study.fit.every_code), len(study.test.every_code)
    if every == (len(study.fit), len(study.test)):
        return ()
    return (
        Note(
            "memory",
            "Units' values (means, standard deviations, quantiles, histograms, correlations, R² "
            f"on the others) and the off-data thresholds come from all {every[0]:,} fit and "
            f"{every[1]:,} test images. The pixels of {len(study.fit):,} and "
            f"{len(study.test):,} of them, chosen at random (seed {study.settings.seed}), fit into "
            f"--memory {study.settings.memory:g}; everything else comes from these.",
        ),
    )


def _shared(study: Study) -> tuple[Note, ...]:
    """Note how many processes made the report."""
    count = study.ranks.count
    if count == 1:
        return ()
    return (Note("ranks", f"{count} processes shared the rows; decodes are those of the first."),)


def today() -> str:
    """The day in UTC; SOURCE_DATE_EPOCH, where set, makes builds on different days identical."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.date().isoformat()
