"""results.json and results.npz: what is written is what is read, to the bit."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import struct
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from reportgen.analyses import UnanswerableError
from reportgen.analyses.health import UnitState
from reportgen.analyses.tracking import FactorKind
from reportgen.analyses.trust import Bottleneck
from reportgen.autoencoder import UnitKind
from reportgen.delivery.output import Output
from reportgen.errors import ResultsError
from reportgen.questions import QUESTIONS, runs_of
from reportgen.report.results import SCHEMA_VERSION, Results
from reportgen.report.schema import shipped_schema
from reportgen.report.store import image_archive, image_arrays, read_results, results_json
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders
from tests.report.example import example_results, page_of, with_answers

FIXTURES = Path(__file__).parent / "fixtures"


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
        "<html>", results_json(results), image_archive(results)
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
        (("trust", "tolerance"), True),
        (("trust", "tolerance"), 10**400),
        (("title",), 3),
        (("pixel_range",), [0.0, 1.0, 2.0]),
        (("provenance", "input_shape"), [1.5, 8, 8]),
        (("settings", "seed"), "7"),
        (("failures",), {"trust": 5}),
        (("nobody knows",), 1),
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


def test_results_without_what_later_builds_add_are_read_and_render(
    full: Results, tmp_path: Path
) -> None:
    """A question that was not asked yet, and a field that may be None."""
    file = written(full, tmp_path) / "results.json"
    plain = json.loads(file.read_text())
    del plain["draws"], plain["interactions"], plain["reconstruction"]["beyond_pca"]
    file.write_text(json.dumps(plain))
    read = read_results(file.parent, QUESTIONS)
    assert read.answers["draws"] is read.answers["interactions"] is None
    assert read.answers["reconstruction"].beyond_pca is None
    assert read.answers["linearity"] is not None
    assert "This question was not asked." in page_of(read).html


def older(folder: Path) -> tuple[Path, dict]:
    """The results that reportgen wrote of this example when the schema was 1.3."""
    file = Path(shutil.copytree(FIXTURES / "schema_1_3", folder / "results")) / "results.json"
    return file, json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_older_results_are_read_as_far_as_they_mean_the_same(tmp_path: Path, version: str) -> None:
    file, plain = older(tmp_path)
    file.write_text(json.dumps(plain | {"schema_version": version}))
    read = read_results(file.parent, QUESTIONS)
    redefined = {question.name for question in QUESTIONS if question.redefined_in == "2.0"}
    assert {"contributions", "subtraction", "linearity", "label_metrics"} <= redefined
    for name in redefined:
        assert read.answer(name) is None
        if plain[name] is not None:
            assert f"otherwise in results of schema {version}" in read.unanswered[name]
    for name in ("reconstruction", "additivity", "ablation", "interactions", "traversal"):
        assert read.answer(name) is not None, name
    kept = plain["reconstruction"]["r2"]
    assert dataclasses.asdict(read.answers["reconstruction"].r2) == kept
    share = read.answers["ablation"].off_data_last
    assert share.value == plain["ablation"]["off_data_last"]
    assert np.isnan(share.low) and np.isnan(share.high)


def test_older_results_render_without_a_word_that_now_means_something_else(tmp_path: Path) -> None:
    file, plain = older(tmp_path)
    read = read_results(file.parent, QUESTIONS)
    page = page_of(read)
    assert page.failures == {}
    assert "not measured then" in page.html
    assert "These results are of schema 1.3." in page.html
    said = {line.question: line.word for line in read.verdict}
    assert len(plain["verdict"]) == len(said)
    unknown = [word for question, word in said.items() if question != "Does it reconstruct?"]
    assert unknown == ["Unknown"] * 4
    assert said["Does it reconstruct?"] in ("Well", "Partly", "Partly to well", "Poorly")


def test_older_results_that_lack_a_part_leave_that_question_unanswered(tmp_path: Path) -> None:
    file, plain = older(tmp_path)
    del plain["interactions"]["matrix"]
    file.write_text(json.dumps(plain))
    read = read_results(file.parent, QUESTIONS)
    assert read.answers["interactions"] is None
    assert "lack part of it" in read.unanswered["interactions"]


def test_words_and_states_come_back_as_what_they_were(full: Results, tmp_path: Path) -> None:
    read = read_results(written(full, tmp_path), QUESTIONS)
    for one, other in zip(full.verdict, read.verdict, strict=True):
        assert [type(word) for word in other.words] == [type(word) for word in one.words]
        assert other.words == one.words
    assert type(read.answers["trust"].bottleneck) is Bottleneck
    assert type(read.answers["health"].kind) is UnitKind
    states = [state for unit in read.units for state in unit.health]
    assert all(type(state) is UnitState for state in states)
    kinds = [factor.kind for unit in read.answers["tracking"].units for factor in unit.factors]
    assert kinds and all(type(kind) is FactorKind for kind in kinds)


def test_a_word_that_is_none_is_refused(full: Results, tmp_path: Path) -> None:
    file = written(full, tmp_path) / "results.json"
    plain = json.loads(file.read_text())
    plain["trust"]["bottleneck"] = "perhaps"
    file.write_text(json.dumps(plain))
    with pytest.raises(ResultsError, match="does not follow the schema"):
        read_results(file.parent, QUESTIONS)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain, shipped_schema())


def test_what_is_wrong_is_said_with_its_place_and_escaped(full: Results, tmp_path: Path) -> None:
    plain = damaged(full, tmp_path)
    plain["one_picture"]["units"][1]["intensity_r2"] = "much"
    (tmp_path / "results.json").write_text(json.dumps(plain))
    assert "one_picture.units[1].intensity_r2 is no number" in refused(tmp_path)
    plain = damaged(full, tmp_path)
    plain["\x1b[2J" + "x" * 5000] = 1
    (tmp_path / "results.json").write_text(json.dumps(plain))
    sentence = refused(tmp_path)
    assert "\\x1b[2J" in sentence and sentence.isprintable() and len(sentence) < 1000


@pytest.mark.parametrize("change", ["cut", "of another kind", "missing"])
def test_an_array_that_is_not_what_its_name_says_is_refused(
    full: Results, tmp_path: Path, change: str
) -> None:
    archive = written(full, tmp_path) / "results.npz"
    with np.load(archive) as opened:
        arrays = dict(opened)
    array = arrays.pop("contributions/pictures")
    if change != "missing":
        arrays["contributions/pictures"] = array[:-1] if change == "cut" else array.astype("U5")
    np.savez(archive, **arrays)
    assert "contributions.pictures" in refused(tmp_path)


def test_text_that_cannot_be_encoded_is_escaped_on_the_page(full: Results, tmp_path: Path) -> None:
    plain = damaged(full, tmp_path)
    plain["title"] = "ti\udcfftle"
    plain["provenance"]["decodes"] = {"\ud800": 1}
    (tmp_path / "results.json").write_text(json.dumps(plain))
    read = read_results(tmp_path, QUESTIONS)
    assert read.title == "ti\\xfftle" and read.provenance.decodes == {"\\ud800": 1}
    assert "ti\\xfftle" in page_of(read).html.encode().decode()


def test_json_that_is_deep_is_refused(full: Results, tmp_path: Path) -> None:
    (written(full, tmp_path) / "results.json").write_text("[" * 10**6)
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


def npy(described: str, content: bytes = b"") -> bytes:
    """An .npy file with this header."""
    header = described.encode("latin-1")
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    "member",
    [
        b"no array",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (", b"1234"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", b"1234"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }", b"1234"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"12345678"),
    ],
    ids=["other bytes", "a header cut off", "an expression", "too many", "negative", "objects"],
)
def test_an_archive_of_what_is_no_array_is_refused(full, tmp_path: Path, member: bytes) -> None:
    archive = written(full, tmp_path) / "results.npz"
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("traversal/others.npy", member)
    assert "no readable results.json" in refused(tmp_path)


@pytest.mark.slow
def test_an_archive_that_opens_to_more_than_memory_is_refused(full, tmp_path: Path) -> None:
    archive = written(full, tmp_path) / "results.npz"
    with (
        zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as opened,
        opened.open("bomb.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(33):
            member.write(bytes(2**26))
    assert archive.stat().st_size < 2**24
    assert "2.1 GB" in refused(tmp_path)


def test_numbers_that_are_too_large_neither_take_long_nor_fill_memory(full, tmp_path: Path) -> None:
    """A count of components, and values of a chart, as nobody computed them."""
    plain = damaged(full, tmp_path)
    plain["reconstruction"]["pca_components"] = 10**9
    plain["reconstruction"]["largest_components"] = 10**9
    plain["reconstruction"]["curve"] = [1e300, -1e300, *plain["reconstruction"]["curve"][2:]]
    (tmp_path / "results.json").write_text(json.dumps(plain))
    started = time.thread_time()
    page = page_of(read_results(tmp_path, QUESTIONS))
    assert time.thread_time() - started < 5
    assert "reconstruction" not in page.failures


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_a_named_pipe_in_the_place_of_results_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    with pytest.raises(ResultsError, match=r"results\.json is no regular file"):
        read_results(tmp_path, QUESTIONS)
