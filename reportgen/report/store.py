"""Results to results.json and results.npz, and back: the page is made from these alone.

Arrays of images go to the .npz under the path of their field; every other number stands in the
JSON, NaN as null. Nothing is guessed when reading: field types say what each value is.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import ResultsError, SettingsError
from reportgen.report.encodable import with_encodable_text
from reportgen.report.image_arrays import UNREADABLE, read_image_arrays
from reportgen.report.question import Question
from reportgen.report.results import SCHEMA_VERSION, Results
from reportgen.report.typed import (
    IMAGES_KEY,
    MismatchError,
    Stored,
    at,
    hints_of,
    is_image_array,
    of_kind,
)
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.shown import shown
from reportgen.suite.answers import Answers

# Earlier schemas that are read as far as they mean the same now.
OLDER_VERSIONS = "1.2", "1.3"
BUILD_AGAIN = ", by an earlier reportgen; build the report again."
OLDER_NOTE = (
    "These results are of schema {version}. Their intervals cover the test images and not the "
    "choice of fit images; what is flagged off data was judged by all units, those without effect "
    "too."
)
ANSWERS, EXTENSIONS = "answers", "extensions"


def results_json(results: Results, indent: int | None = 1) -> str:
    """The results without image arrays: one JSON object, keys as in `Results`, NaN as null.

    Answers stand in it by their questions' names. Without an indent it is one line with no spaces.
    """
    return json.dumps(
        _plain_results(results, {}),
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=(",", ":" if indent is None else ": "),
    )


def image_arrays(results: Results) -> dict[str, np.ndarray]:
    """Every image array of the results, by the path of its field."""
    arrays: dict[str, np.ndarray] = {}
    _plain_results(results, arrays)
    return arrays


def image_archive(results: Results, more: Mapping[str, np.ndarray] | None = None) -> bytes:
    """The content of results.npz: the image arrays, and `more`. Equal arrays give equal bytes."""
    buffer = io.BytesIO()
    # The time in its entries is fixed by numpy.
    np.savez_compressed(buffer, **image_arrays(results), **(more or {}))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_results(folder: Path, questions: Iterable[Question]) -> Results:
    """Results from a folder's results.json and results.npz, as written by a build.

    Results of an earlier schema are read as far as they still mean the same. Raises ResultsError
    where they are missing, damaged, or of a schema version that is not known.
    """
    files = folder / "results.json", folder / "results.npz"
    for file in files:
        refuse_pipe(file, "build the report again")
    with _readable(shown(folder)):
        plain, images = (file.read_bytes() for file in files)
    return results_from_bytes(plain, images, questions, shown(folder))


def refuse_pipe(file: Path, advice: str) -> None:
    """Raise ResultsError for what is no regular file: opening a FIFO waits for its writer."""
    if file.exists() and not file.is_file():
        raise ResultsError(f"{shown(file)} is no regular file; {advice}.")


def results_from_bytes(
    plain_json: bytes, images: bytes, questions: Iterable[Question], where: str
) -> Results:
    """Results from the contents of results.json and results.npz, which come from `where`.

    Raises as `read_results` does.
    """
    with _readable(where):
        plain = json.loads(plain_json.decode("utf-8"), parse_constant=no_constant)
        arrays = read_image_arrays(io.BytesIO(images))
    return results_of(plain, Stored(arrays), questions, f"{where}/results.json")


def results_of(plain: Any, stored: Stored, questions: Iterable[Question], source: str) -> Results:
    """Results from the content of a results.json and the arrays beside it; `source` names it.

    Raises ResultsError.
    """
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version not in (SCHEMA_VERSION, *OLDER_VERSIONS):
        if _is_newer(version):
            raise ResultsError(
                f"{source} was written by a newer reportgen (schema {shown(version)}); update "
                "reportgen."
            )
        raise ResultsError(
            f"{source} has schema version {shown(version)}, and this reportgen reads "
            f"{', '.join([*OLDER_VERSIONS, SCHEMA_VERSION])}; build the report again."
        )
    try:
        if version in OLDER_VERSIONS:
            older = dataclasses.replace(stored, older=True)
            read = _older_results(plain, older, tuple(questions))
        else:
            read = _typed_results(plain, stored, questions)
    except (MismatchError, SettingsError) as error:
        raise ResultsError(
            f"{source} does not follow the schema: {error}; build the report again."
        ) from error
    return with_encodable_text(read)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise ResultsError(
            f"{where} holds no readable results.json and results.npz ({shown(error)}); "
            "make them with reportgen build --results."
        ) from error


def _is_newer(version: object) -> bool:
    """Tell whether a schema version is one that does not exist yet."""
    if not isinstance(version, str) or not re.fullmatch(r"\d{1,4}\.\d{1,4}", version):
        return False
    return [int(part) for part in version.split(".")] > [int(p) for p in SCHEMA_VERSION.split(".")]


def no_constant(text: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON. Raises ValueError."""
    raise ValueError(f"{text} is no number in JSON")


def _plain_results(results: Results, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(results):
        value = getattr(results, field.name)
        if field.name == ANSWERS:
            plain |= {name: _plain(answer, name, arrays) for name, answer in value.items()}
        else:
            plain[field.name] = _plain(value, field.name, arrays)
    return plain


def _plain(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = hints_of(type(value))
        plain = {}
        for field in dataclasses.fields(value):
            entry, where = getattr(value, field.name), f"{path}/{field.name}".lstrip("/")
            if is_image_array(hints[field.name]):
                arrays[where] = entry
                plain[field.name] = {IMAGES_KEY: where, "shape": list(entry.shape)}
            else:
                plain[field.name] = _plain(entry, where, arrays)
        return plain
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biu" or (value.dtype == np.float64 and np.isfinite(value).all()):
            return value.tolist()
        return _plain(value.tolist(), path, arrays)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, f"{path}/{key}", arrays) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry, f"{path}/{place}", arrays) for place, entry in enumerate(value)]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def _typed_results(plain: Any, stored: Stored, questions: Iterable[Question]) -> Results:
    """Results of these questions; answers to others, from packages that are not here, are left.

    Raises MismatchError.
    """
    asked = [question for question in questions if question.answer is not None]
    own = {question.name: question for question in asked if question.template is None}
    declared = [field.name for field in dataclasses.fields(Results) if field.name != ANSWERS]
    # A question that is younger than these results has no answer in them.
    found = stored.fields(plain, set(declared), set(own))
    with at(EXTENSIONS):
        extensions = of_kind(found[EXTENSIONS], dict, "an object")
        others = {q.name: q for q in asked if q.template and q.name in extensions}
        answered_by_others = _answers(extensions, others, stored)
    hints = hints_of(Results)
    read: dict[str, Any] = {}
    for name in declared:
        if name != EXTENSIONS:
            with at(f".{name}"):
                read[name] = stored.typed(found[name], hints[name])
    return Results(
        answers=Answers(_answers(found, own, stored)),
        extensions=Answers(answered_by_others),
        **read,
    )


def _answers(
    found: Mapping[str, Any], questions: Mapping[str, Question], stored: Stored
) -> dict[str, Any]:
    answers = {}
    for name, question in questions.items():
        with at(f".{name}"):
            kind = typing.cast(Any, question.answer) | None
            answers[name] = stored.typed(found.get(name), kind)
    return answers


def _older_results(
    plain: dict[str, Any], stored: Stored, questions: tuple[Question, ...]
) -> Results:
    """Results of an earlier schema: what now means something else, or is not there, is unanswered.

    The verdict and what is said of units are made again, from what could be read.
    """
    version = plain["schema_version"]
    answers: dict[str, Any] = {}
    with at("unanswered"):
        reasons = dict(stored.typed(plain.get("unanswered"), dict[str, str]))
    for question in questions:
        name, kept = question.name, plain.get(question.name)
        if question.answer is None or question.template is not None:
            continue
        answers[name] = None
        if kept is None:
            continue
        if question.redefined_in > version:
            reasons[name] = f"it was measured otherwise in results of schema {version}{BUILD_AGAIN}"
            continue
        try:
            answers[name] = stored.typed(kept, question.answer)
        except MismatchError:
            reasons[name] = f"results of schema {version} lack part of it{BUILD_AGAIN}"
    current: dict[str, Any] = {"verdict": [], "units": [], "extensions": {}, "unanswered": reasons}
    read = _typed_results({**plain, **current} | dict.fromkeys(answers), stored, questions)
    known = Answers(answers)
    units = merge_units(known, read.settings)
    note = Note("results", OLDER_NOTE.format(version=version))
    provenance = read.provenance
    return dataclasses.replace(
        read,
        answers=known,
        units=units,
        verdict=verdict_of(known, units, read.settings, reasons),
        provenance=dataclasses.replace(provenance, data_notes=(*provenance.data_notes, note)),
    )
