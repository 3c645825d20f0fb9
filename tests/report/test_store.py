"""results.json and results.npz: what is written is what is read, to the bit."""

from __future__ import annotations

import dataclasses
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from reportgen.analyses import UnanswerableError
from reportgen.delivery.output import Output
from reportgen.errors import ResultsError
from reportgen.questions import QUESTIONS, runs_of
from reportgen.report.results import SCHEMA_VERSION, Results
from reportgen.report.schema import shipped_schema
from reportgen.report.store import image_arrays, read_results, results_json
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders
from tests.report.example import example_results, with_answers


def with_analyses_of(study: Study, results: Results) -> Results:
    """The results with every analysis' part from another study, None where it has no answer."""
    parts = {}
    for name, run in runs_of(QUESTIONS).items():
        try:
            parts[name] = run(study)
        except UnanswerableError:
            parts[name] = None
    return with_answers(results, **parts)


@pytest.fixture(scope="module")
def full() -> Results:
    return example_results(images=120)


@pytest.fixture(scope="module")
def undefined(full: Results) -> Results:
    """With a dead unit, whose ρ is NaN, and a row outside the walked range."""
    decode = decoders.linear(2)
    study = decoders.carrying(
        lambda z: decode(z[:, :2]), decoders.gaussian_codes(80, 3), settings=FEW
    )
    return with_analyses_of(study, full)


@pytest.fixture(scope="module")
def degenerate(full: Results) -> Results:
    """Constant codes: most questions have no answer, thresholds are infinite."""
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32), settings=FEW)
    return with_analyses_of(study, full)


def written(results: Results, folder: Path) -> Path:
    Output(folder / "report.html", folder).write(
        "<html>", results_json(results), image_arrays(results)
    )
    return folder


def same(one: object, other: object, where: str = "") -> None:
    """Fails with the field's path where two results differ in type or value; NaN equals NaN."""
    if dataclasses.is_dataclass(one):
        assert type(one) is type(other), where
        for field in dataclasses.fields(one):
            same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray), where
        assert one.shape == other.shape, where
        assert one.dtype.kind == other.dtype.kind, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif isinstance(one, tuple | list):
        assert type(one) is type(other) and len(one) == len(other), where
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{where}[{place}]")
    elif isinstance(one, Mapping):
        assert list(one) == list(other), where
        for key in one:
            same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, float):
        assert isinstance(other, float) and (one == other or (one != one and other != other)), (
            where,
            one,
            other,
        )
    else:
        assert type(one) is type(other) and one == other, (where, one, other)


@pytest.mark.parametrize("which", ["full", "undefined", "degenerate"])
def test_results_read_back_are_the_results_written(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    results = request.getfixturevalue(which)
    same(results, read_results(written(results, tmp_path), QUESTIONS))


@pytest.mark.parametrize("which", ["full", "undefined", "degenerate"])
def test_every_number_written_follows_the_schema(
    which: str, request: pytest.FixtureRequest
) -> None:
    results = request.getfixturevalue(which)
    jsonschema.validate(json.loads(results_json(results)), shipped_schema())


def test_a_number_that_is_not_defined_is_null(undefined: Results) -> None:
    plain = json.loads(results_json(undefined))
    dead = plain["one_picture"]["units"][2]
    assert dead["rho_solo"] == {"value": None, "low": None, "high": None}
    assert dead["intensity_r2"] is None


def test_json_holds_no_token_that_json_does_not_have(undefined, degenerate) -> None:
    def refuse(token: str) -> None:
        raise AssertionError(token)

    for results in (undefined, degenerate):
        json.loads(results_json(results), parse_constant=refuse)


def test_images_are_in_the_archive_and_named_in_the_json(full: Results) -> None:
    plain, arrays = json.loads(results_json(full)), image_arrays(full)
    entry = plain["contributions"]["pictures"]
    np.testing.assert_array_equal(arrays[entry["images"]], full.answers["contributions"].pictures)
    assert entry["shape"] == list(full.answers["contributions"].pictures.shape)
    assert len(results_json(full)) < 2e6


def test_the_same_results_give_the_same_bytes(full: Results, tmp_path: Path) -> None:
    folders = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        folder = written(full, tmp_path / name)
        folders.append([(folder / f).read_bytes() for f in ("results.json", "results.npz")])
    assert folders[0] == folders[1]


def test_words_in_any_script_survive(full: Results, tmp_path: Path) -> None:
    named = dataclasses.replace(full, title='Ünïts – "左" </script> \u2028')
    assert read_results(written(named, tmp_path), QUESTIONS).title == named.title


def damaged(full: Results, folder: Path) -> dict:
    return json.loads((written(full, folder) / "results.json").read_text(encoding="utf-8"))


def refused(folder: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        read_results(folder, QUESTIONS)
    return str(caught.value)


def test_an_empty_folder_is_refused_with_its_name(tmp_path: Path) -> None:
    assert tmp_path.name in refused(tmp_path)


def test_a_missing_archive_is_refused(full: Results, tmp_path: Path) -> None:
    (written(full, tmp_path) / "results.npz").unlink()
    assert "results.npz" in refused(tmp_path)


def test_another_version_is_refused_with_both_numbers(full: Results, tmp_path: Path) -> None:
    plain = damaged(full, tmp_path) | {"schema_version": "0.3"}
    (tmp_path / "results.json").write_text(json.dumps(plain))
    sentence = refused(tmp_path)
    assert "0.3" in sentence and SCHEMA_VERSION in sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"schema_version": "1.1"}', "\x00"])
def test_json_that_is_no_report_is_refused(full: Results, tmp_path: Path, text: str) -> None:
    (written(full, tmp_path) / "results.json").write_text(text)
    refused(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("provenance", "input_shape"), [3, 8]),
        (("provenance",), None),
        (("pixel_range",), "wide"),
        (("trust", "tolerance"), "small"),
        (("trust", "tolerance"), []),
        (("units",), 5),
        (("contributions", "pictures"), {"images": "nowhere", "shape": []}),
        (("reconstruction", "curve"), [[1], [1, 2]]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(full, tmp_path: Path, path, value) -> None:
    plain = damaged(full, tmp_path)
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (tmp_path / "results.json").write_text(json.dumps(plain))
    refused(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_damaged_or_cut_archive_is_refused(full: Results, tmp_path: Path, part: float) -> None:
    archive = written(full, tmp_path) / "results.npz"
    content = bytearray(archive.read_bytes())
    place = int(part * len(content))
    content[place : place + 40] = bytes(40)
    archive.write_bytes(content)
    refused(tmp_path)
    archive.write_bytes(content[:place])
    refused(tmp_path)


def spoilt_stream(content: bytearray, entry: zipfile.ZipInfo) -> None:
    """The first block of the entry's deflate stream has a type that does not exist."""
    name, extra = struct.unpack("<HH", content[entry.header_offset + 26 : entry.header_offset + 30])
    content[entry.header_offset + 30 + name + extra] = 0xFF


def spoilt_field(offset: int, value: int):
    """A two-byte field of the entry's header in the central directory."""

    def spoil(content: bytearray, entry: zipfile.ZipInfo) -> None:
        place = content.rindex(b"PK\x01\x02", 0, content.rindex(entry.filename.encode()))
        struct.pack_into("<H", content, place + offset, value)

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [spoilt_stream, spoilt_field(6, 70), spoilt_field(8, 1)],
    ids=["deflate stream", "version of zip", "encryption"],
)
def test_an_archive_that_cannot_be_unpacked_is_refused(full, tmp_path: Path, spoil) -> None:
    archive = written(full, tmp_path) / "results.npz"
    with zipfile.ZipFile(archive) as opened:
        entry = max(opened.infolist(), key=lambda info: info.compress_size)
    content = bytearray(archive.read_bytes())
    spoil(content, entry)
    archive.write_bytes(content)
    refused(tmp_path)


def test_an_archive_that_holds_pickles_is_refused_unopened(full: Results, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    folder = written(full, tmp_path)
    np.savez(folder / "results.npz", trap=np.array([Trap()], dtype=object))
    refused(folder)
    assert not (tmp_path / "sprung").exists()
