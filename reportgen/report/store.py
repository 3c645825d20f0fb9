"""Results to results.json and results.npz, and back: the page is made from these alone.

Arrays of images go to the .npz under the path of their field; every other number stands in the
JSON, NaN as null. Nothing is guessed when reading: field types say what each value is.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import json
import types
import typing
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import ResultsError
from reportgen.report.question import Question
from reportgen.report.results import SCHEMA_VERSION, Results
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.answers import Answers

# Earlier schemas that are read as far as they mean the same now.
OLDER_VERSIONS = "1.2", "1.3"
BUILD_AGAIN = ", by an earlier reportgen; build the report again."
OLDER_NOTE = (
    "These results are of schema {version}. Their intervals cover the test images and not the "
    "choice of fit images; what is flagged off data was judged by all units, those without effect "
    "too."
)
IMAGES_KEY = "images"
ANSWERS, EXTENSIONS = "answers", "extensions"
# What zipfile raises for members that are encrypted or of a later format.
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, NotImplementedError)


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


def image_archive(results: Results) -> bytes:
    """The image arrays as the content of results.npz: equal arrays give equal bytes."""
    buffer = io.BytesIO()
    # The time in its entries is fixed by numpy.
    np.savez_compressed(buffer, **image_arrays(results))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_results(folder: Path, questions: Iterable[Question]) -> Results:
    """Results from a folder's results.json and results.npz, as written by a build.

    Results of an earlier schema are read as far as they still mean the same. Raises ResultsError
    where they are missing, damaged, or of a schema version that is not known.
    """
    try:
        plain = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        with np.load(folder / "results.npz", allow_pickle=False) as archive:
            arrays = dict(archive)
    except (*UNREADABLE, zipfile.BadZipFile, zlib.error) as error:
        raise ResultsError(
            f"{folder} holds no readable results.json and results.npz ({error}); "
            "make them with reportgen build --results."
        ) from error
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version not in (SCHEMA_VERSION, *OLDER_VERSIONS):
        raise ResultsError(
            f"{folder / 'results.json'} has schema version {version}, and this reportgen reads "
            f"{', '.join([*OLDER_VERSIONS, SCHEMA_VERSION])}; build the report again."
        )
    try:
        if version in OLDER_VERSIONS:
            return _older_results(plain, arrays, tuple(questions))
        return _typed_results(plain, arrays, questions)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ResultsError(
            f"{folder / 'results.json'} does not follow the schema: {error!r}; "
            "build the report again."
        ) from error


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
        hints = _hints_of(type(value))
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


@functools.cache
def _hints_of(result: Any) -> dict[str, Any]:
    """The types of a dataclass' fields; reading them takes longer than its numbers."""
    return typing.get_type_hints(result, include_extras=True)


def is_image_array(hint: Any) -> bool:
    """Whether a field's type says that its array goes to results.npz."""
    return typing.get_origin(hint) is typing.Annotated and IMAGES_KEY in hint.__metadata__


def _typed_results(
    plain: dict[str, Any], arrays: dict[str, np.ndarray], questions: Iterable[Question]
) -> Results:
    """Results of these questions; answers to others, from packages that are not here, are left."""
    own: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for question in questions:
        if question.answer is None:
            continue
        kind = typing.cast(Any, question.answer) | None
        if question.template is None:
            # A question that is younger than these results has no answer in them.
            own[question.name] = _typed(plain.get(question.name), kind, arrays)
        elif question.name in plain[EXTENSIONS]:
            extensions[question.name] = _typed(plain[EXTENSIONS][question.name], kind, arrays)
    hints = _hints_of(Results)
    others = {
        field.name: _typed(plain[field.name], hints[field.name], arrays)
        for field in dataclasses.fields(Results)
        if field.name not in (ANSWERS, EXTENSIONS)
    }
    return Results(answers=Answers(own), extensions=Answers(extensions), **others)


def _older_results(
    plain: dict[str, Any], arrays: dict[str, np.ndarray], questions: tuple[Question, ...]
) -> Results:
    """Results of an earlier schema: what now means something else, or is not there, is unanswered.

    The verdict and what is said of units are made again, from what could be read.
    """
    version = plain["schema_version"]
    answers: dict[str, Any] = {}
    reasons: dict[str, str] = dict(plain["unanswered"])
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
            answers[name] = _typed(kept, question.answer, arrays)
        except (KeyError, TypeError, AttributeError, ValueError):
            reasons[name] = f"results of schema {version} lack part of it{BUILD_AGAIN}"
    current = {"verdict": [], "units": [], "extensions": {}, "unanswered": reasons}
    read = _typed_results({**plain, **current} | dict.fromkeys(answers), arrays, questions)
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


def _typed(plain: Any, hint: Any, arrays: dict[str, np.ndarray]) -> Any:
    if is_image_array(hint):
        return arrays[plain[IMAGES_KEY]]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        return _typed(plain, next(a for a in arguments if a is not type(None)), arrays)
    if hint is Estimate and isinstance(plain, float | int):
        # A share of codes had no interval in earlier schemas.
        return Estimate(float(plain), float("nan"), float("nan"))
    if dataclasses.is_dataclass(hint):
        hints = _hints_of(typing.cast(Any, hint))
        return typing.cast(Any, hint)(
            **{
                f.name: _typed(_entry(plain, f.name, hints[f.name]), hints[f.name], arrays)
                for f in _fields(hint)
                if f.name in plain or f.default is dataclasses.MISSING
            }
        )
    if hint is np.ndarray:
        return _array(plain)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_typed(entry, arguments[0], arrays) for entry in plain)
        return tuple(_typed(e, a, arrays) for e, a in zip(plain, arguments, strict=True))
    if origin is dict:
        return {key: _typed(entry, arguments[1], arrays) for key, entry in plain.items()}
    if hint is float:
        return float("nan") if plain is None else float(plain)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(plain)
    return plain


def _entry(plain: dict[str, Any], name: str, hint: Any) -> Any:
    """A field's value; of one that results of an earlier build lack None, where it may be None."""
    return plain.get(name) if type(None) in typing.get_args(hint) else plain[name]


def _fields(hint: Any) -> tuple[dataclasses.Field, ...]:
    return tuple(field for field in dataclasses.fields(hint) if field.init)


def _array(plain: list) -> np.ndarray:
    """A numeric or boolean array; null reads as NaN."""
    array = np.array(plain)
    return np.array(plain, dtype=np.float64) if array.dtype == object else array
