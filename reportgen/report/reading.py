"""A report's numbers from wherever they are kept: a folder, its results.json, or a page."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Iterable
from gzip import GzipFile
from pathlib import Path

import numpy as np

from reportgen.errors import ResultsError
from reportgen.report.image_arrays import UNREADABLE, read_image_arrays
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.report.store import no_constant, refuse_pipe, results_of
from reportgen.report.typed import Stored
from reportgen.shown import shown

JSON_NAME, ARRAYS_NAME = "results.json", "results.npz"
# In the page of one file, and in the folder of a page.
PACKED = re.compile(rb'<script type="application/gzip" id="results">([A-Za-z0-9+/=\s]*)</script>')
BESIDE_PAGE = "assets/results.json"
LARGEST_TEXT = 2**28
WAYS = "name a folder that build --results wrote, its results.json, or a page that reportgen made"


def read_numbers(path: Path, questions: Iterable[Question]) -> Results:
    """The results at a path without their images, which are NaN.

    The path is a folder of results, the folder of a page, a results.json, or a page of one file.
    Raises ResultsError.
    """
    plain, source = _read_json(path)
    return results_of(plain, Stored(None), questions, source)


def read_report(path: Path, questions: Iterable[Question]) -> tuple[Results, dict[str, np.ndarray]]:
    """The results at a path and all arrays of results.npz.

    Without a results.npz beside the JSON, as in a page, the images are NaN and there are no arrays.
    Raises ResultsError.
    """
    folder = path if path.is_dir() else path.parent
    beside = folder / ARRAYS_NAME
    if not (folder / JSON_NAME).is_file() or not beside.is_file() or _is_page(path):
        return read_numbers(path, questions), {}
    plain, source = _read_json(path)
    try:
        arrays = read_image_arrays(beside)
    except UNREADABLE as error:
        raise ResultsError(
            f"{shown(beside)} cannot be read ({shown(error)}); build the report again."
        ) from error
    return results_of(plain, Stored(arrays), questions, source), arrays


def _is_page(path: Path) -> bool:
    return path.is_file() and path.name != JSON_NAME and path.suffix.lower() != ".json"


def _read_json(path: Path) -> tuple[object, str]:
    """The content of a results.json wherever it is, and the name of that place in sentences."""
    try:
        file = _json_in(path) if path.is_dir() else path
        content = _content(file)
        if b"<!doctype html" in content[:1000].lower():
            return _parsed(_unpacked(content, file)), shown(file)
        return _parsed(content), shown(file)
    except (*UNREADABLE, binascii.Error) as error:
        raise ResultsError(
            f"{shown(path)} holds no readable results ({shown(error)}); {WAYS}."
        ) from error


def _json_in(folder: Path) -> Path:
    for name in (JSON_NAME, BESIDE_PAGE):
        if (folder / name).is_file():
            return folder / name
    raise ResultsError(f"{shown(folder)} holds no results.json; {WAYS}.")


def _content(file: Path) -> bytes:
    refuse_pipe(file, WAYS)
    with file.open("rb") as opened:
        content = opened.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise ResultsError(f"{shown(file)} is too large to hold results; {WAYS}.")
    return content


def _unpacked(page: bytes, file: Path) -> bytes:
    """The results inside a page. Raises ResultsError, OSError, EOFError or zlib.error."""
    # Whatever a stranger's page holds besides, the results are its last script but ours.
    found = PACKED.findall(page)
    if not found:
        beside = file.parent / BESIDE_PAGE
        if beside.is_file():
            return _content(beside)
        raise ResultsError(f"{shown(file)} is a page without results; {WAYS}.")
    packed = base64.b64decode(found[-1])
    with GzipFile(fileobj=io.BytesIO(packed)) as unpacking:
        text = unpacking.read(LARGEST_TEXT + 1)
    if len(text) > LARGEST_TEXT:
        raise ResultsError(f"{shown(file)} holds more than any results; {WAYS}.")
    return text


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8"), parse_constant=no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
