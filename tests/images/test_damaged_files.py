"""Any damage to any kind of file is one sentence, or the file is read; never a crash or a wait."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import resource
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from reportgen.errors import ReportgenError
from reportgen.images import open_images
from tests.images.hugging_face import data_set
from tests.images.pictures import noise
from tests.images.test_tensors import idx

MOST_SECONDS = 10
MOST_BYTES = 2**30


def _members() -> dict[str, bytes]:
    members = {"labels.csv": b"file,size\n" + b"".join(b"%d.png,%d\n" % (i, i) for i in range(5))}
    for i in range(5):
        buffer = io.BytesIO()
        Image.fromarray(noise(5, 5, seed=i)).save(buffer, "PNG")
        members[f"{i}.png"] = buffer.getvalue()
        members[f"{i}.cls"] = b"%d" % i
    return members


def _zip(members: list[tuple[str, bytes]], method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(members: list[tuple[str, bytes]], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _numpy(write: Callable[..., None], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    write(buffer, *arrays, **named)
    return buffer.getvalue()


def _torch() -> bytes:
    buffer = io.BytesIO()
    torch.save({"images": torch.from_numpy(noise(5, 1, 5, 5)), "y": torch.arange(5)}, buffer)
    return buffer.getvalue()


def _parquet(rows_in_a_group: int, compression: str) -> bytes:
    buffer = io.BytesIO()
    table = data_set(6)[0].data.table
    parquet.write_table(table, buffer, row_group_size=rows_in_a_group, compression=compression)
    return buffer.getvalue()


ORDERED = list(_members().items())
ARRAYS = {"images": noise(5, 5, 5), "labels": np.arange(5)}
KINDS: dict[str, bytes] = {
    "stored.zip": _zip(ORDERED, zipfile.ZIP_STORED),
    "deflated.zip": _zip(ORDERED, zipfile.ZIP_DEFLATED),
    "plain.tar": _tar(ORDERED, "w"),
    "packed.tar.gz": _tar(ORDERED, "w:gz"),
    "packed.tar.xz": _tar(ORDERED, "w:xz"),
    "array.npy": _numpy(np.save, ARRAYS["images"]),
    "columns.npy": _numpy(np.save, np.asfortranarray(ARRAYS["images"])),
    "stored.npz": _numpy(np.savez, **ARRAYS),
    "deflated.npz": _numpy(np.savez_compressed, **ARRAYS),
    "array.idx": idx(ARRAYS["images"], 0x08),
    "array.idx.gz": gzip.compress(idx(ARRAYS["images"], 0x08)),
    "tensors.pt": _torch(),
    "one_group.parquet": _parquet(100, "none"),
    "packed_groups.parquet": _parquet(2, "zstd"),
}


def is_read_or_one_sentence(path: Path) -> None:
    """Open and read all; what is wrong must be a ReportgenError that names the file."""
    started, before = time.thread_time(), most_memory()
    try:
        for _ in open_images(path).batches(4):
            pass
    except ReportgenError as error:
        assert path.name in str(error) and "\n" not in str(error)
    assert time.thread_time() - started < MOST_SECONDS
    assert most_memory() - before < MOST_BYTES


def most_memory() -> int:
    """The most bytes that this process has had at once so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


FEW = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Writes a file under a new name each time: torch maps its file, which must not shrink."""

    numbers = itertools.count()

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / f"{next(numbers)}-{name}"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_file_is_read(place: Callable[[str, bytes], Path], kind: str) -> None:
    images = open_images(place(kind, KINDS[kind]))
    assert len(images) >= 5 and images.skipped == ()


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_at_any_byte_is_one_sentence(
    place: Callable[[str, bytes], Path], kind: str, share: float
) -> None:
    is_read_or_one_sentence(place(kind, KINDS[kind][: int(share * len(KINDS[kind]))]))


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)
)
def test_a_file_with_any_bytes_changed_is_read_or_one_sentence(
    place: Callable[[str, bytes], Path], kind: str, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(KINDS[kind])
    for share, value in flips:
        content[int(share * len(content))] = value
    is_read_or_one_sentence(place(kind, bytes(content)))


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(cuts=st.tuples(*(st.floats(0, 1),) * 4))
def test_a_file_with_parts_exchanged_is_read_or_one_sentence(
    place: Callable[[str, bytes], Path], kind: str, cuts: tuple[float, ...]
) -> None:
    whole = KINDS[kind]
    a, b, c, d = sorted(int(share * len(whole)) for share in cuts)
    content = whole[:a] + whole[c:d] + whole[b:c] + whole[a:b] + whole[d:]
    is_read_or_one_sentence(place(kind, content))


@FEW
@given(
    share=st.floats(0, 1),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
def test_a_saved_data_set_that_is_damaged_is_read_or_one_sentence(
    tmp_path: Path, share: float, flips: list[tuple[float, int]]
) -> None:
    folder = tmp_path / f"saved{len(list(tmp_path.iterdir()))}"
    data_set(6)[0].save_to_disk(folder)
    file = folder / "data-00000-of-00001.arrow"
    content = bytearray(file.read_bytes())
    for place, value in flips:
        content[int(place * len(content))] = value
    for damaged in (bytes(content), bytes(content[: int(share * len(content))])):
        file.write_bytes(damaged)
        is_read_or_one_sentence(folder)


@FEW
@given(seed=st.integers(0, 2**32))
def test_members_in_any_order_make_the_same_images(
    place: Callable[[str, bytes], Path], seed: int
) -> None:
    members = ORDERED[:]
    random.Random(seed).shuffle(members)
    expected = open_images(place("ordered.zip", KINDS["stored.zip"]))
    for name, content in (
        ("shuffled.zip", _zip(members, zipfile.ZIP_DEFLATED)),
        ("shuffled.tar", _tar(members, "w")),
        ("shuffled.tar.gz", _tar(members, "w:gz")),
    ):
        images = open_images(place(name, content))
        assert images.names == expected.names and images.factors == expected.factors
        np.testing.assert_array_equal(images.read(slice(None)), expected.read(slice(None)))


@FEW
@given(
    content=st.one_of(
        st.binary(max_size=600),
        st.sampled_from(
            [
                b"PK\x03\x04",
                b"PK\x05\x06",
                b"PAR1",
                b"\x93NUMPY",
                b"\x1f\x8b",
                b"BZh9",
                b"\0\0\x08\3",
            ]
        ).flatmap(lambda mark: st.binary(max_size=300).map(lambda rest: mark + rest)),
        st.binary(max_size=300).map(lambda middle: b"PAR1" + middle + b"PAR1"),
    ),
    suffix=st.sampled_from(["zip", "csv", "tsv", "jsonl", "npy", "parquet", "tar"]),
)
def test_any_bytes_under_any_name_are_one_sentence(
    place: Callable[[str, bytes], Path], content: bytes, suffix: str
) -> None:
    is_read_or_one_sentence(place(f"any.{suffix}", content))
