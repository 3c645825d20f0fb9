"""Data sets that Hugging Face's `datasets` saved to disk: read, and nothing run or fetched."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.hugging_face import CLASSES, data_set
from tests.images.pictures import folder_of


def changed_state(folder: Path, **changes: object) -> None:
    path = folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("limit", [None, 4])
def test_a_saved_data_set_is_read_as_its_own_library_reads_it(
    tmp_path: Path, shards: int, limit: int | None
) -> None:
    rows, expected = data_set()
    rows.save_to_disk(tmp_path / "saved", num_shards=shards)
    images = open_images(tmp_path / "saved", limit=limit)
    captions = [int(text.removeprefix("number ")) for text in images.factors["caption"]]  # type: ignore[index,union-attr]
    assert len(captions) == (limit or 9) and captions == sorted(captions)
    np.testing.assert_allclose(images.read(slice(None)), expected[captions], atol=1e-7)
    assert images.labels == tuple(CLASSES[i % 3] for i in captions)


def test_one_of_its_files_is_read_by_itself(tmp_path: Path) -> None:
    rows, expected = data_set()
    rows.save_to_disk(tmp_path / "saved", num_shards=3)
    path = tmp_path / "saved" / "data-00001-of-00003.arrow"
    images = open_images(path)
    np.testing.assert_allclose(images.read(slice(None)), expected[3:6], atol=1e-7)
    assert images.labels == tuple(CLASSES) and images.source.name == path.name


def test_a_selection_is_saved_and_read_as_selected(tmp_path: Path) -> None:
    rows, expected = data_set()
    rows.select([5, 1, 7]).save_to_disk(tmp_path / "saved")
    read = open_images(tmp_path / "saved").read(slice(None))
    np.testing.assert_allclose(read, expected[[5, 1, 7]], atol=1e-7)


def test_one_of_several_splits_is_named(tmp_path: Path) -> None:
    (train, train_pixels), (test, test_pixels) = data_set(5), data_set(4, start=20)
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match=r"the splits test, train; .* as .*saved:test"):
        open_images(tmp_path / "saved")
    for name, expected in (("saved:train", train_pixels), ("saved/test", test_pixels)):
        read = open_images(tmp_path / name).read(slice(None))
        np.testing.assert_allclose(read, expected, atol=1e-7)
    datasets.DatasetDict({"train": train}).save_to_disk(tmp_path / "one")
    assert len(open_images(tmp_path / "one")) == len(open_images(tmp_path / "one:image")) == 5


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", "a\\b", "", None, 3])
def test_a_state_that_leads_elsewhere_is_refused(tmp_path: Path, name: object) -> None:
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(tmp_path / "secret.arrow")
    changed_state(tmp_path / "saved", _data_files=[{"filename": name}])
    with pytest.raises(DataError, match=r"does not name|does not exist"):
        open_images(tmp_path / "saved")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(DataError, match=r"names no splits|cannot be read|holds the splits"):
        open_images(tmp_path / "splits")


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"{}", b"\xff", b"[" * 10**6])
def test_a_state_that_is_no_state_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match=r"state\.json (is not|does not)"):
        open_images(tmp_path)


def test_a_file_called_state_among_images_makes_no_data_set(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    (tmp_path / "state.json").write_text("{}")
    assert len(open_images(tmp_path)) == 2


def test_rows_chosen_by_an_old_version_are_not_taken_for_all(tmp_path: Path) -> None:
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    changed_state(tmp_path / "saved", _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(DataError, match="save it again"):
        open_images(tmp_path / "saved")


def test_a_named_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    file = tmp_path / "saved" / "data-00000-of-00001.arrow"
    file.unlink()
    os.mkfifo(file)
    os.mkfifo(tmp_path / "a.parquet")
    for path in (tmp_path / "saved", tmp_path):
        with pytest.raises(DataError, match="no regular file"):
            open_images(path)


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mknod, (str(self.marker),)


def test_nothing_in_the_folder_is_run_and_nothing_is_fetched(tmp_path: Path) -> None:
    """A loading script of the folder's name, and a pickle as pyarrow once unpickled types."""
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    marker = tmp_path / "ran"
    touch = f"import os; os.mknod({str(marker)!r})"
    for name in ("saved.py", "datasets.py", "conftest.py", "sitecustomize.py"):
        (tmp_path / "saved" / name).write_text(touch)
    attack = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Touch(marker)),
    }
    file = tmp_path / "saved" / "data-00000-of-00001.arrow"
    table = pa.ipc.open_stream(file.read_bytes()).read_all()
    fields = [
        field.with_metadata(attack) if field.name == "size" else field for field in table.schema
    ]
    with pa.ipc.new_stream(file, pa.schema(fields)) as writer:
        writer.write_table(table.cast(pa.schema(fields)))
    code = (
        "import socket, sys\n"
        "def refused(*arguments, **options): raise AssertionError('a connection')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refused\n"
        "from reportgen.images import open_images\n"
        f"assert len(open_images({str(tmp_path / 'saved')!r})) == 3\n"
        "assert 'datasets' not in sys.modules and 'huggingface_hub' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=tmp_path / "saved")
    assert not marker.exists()
    pickle.loads(attack["ARROW:extension:metadata"])
    assert marker.exists(), "the attack must work where it is let"


@pytest.mark.parametrize("place", ["saved", "saved/data-00000-of-00001.arrow"])
def test_a_column_whose_name_is_no_text_is_one_sentence(tmp_path: Path, place: str) -> None:
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    file = tmp_path / "saved" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    name = content.rindex(b"caption", 0, content.index(b"number 0"))
    file.write_bytes(content[:name] + b"\x80" + content[name + 1 :])
    with pytest.raises(DataError, match="is damaged or of an unsupported kind"):
        open_images(tmp_path / place)


def test_dictionaries_which_datasets_never_writes_are_one_sentence(tmp_path: Path) -> None:
    rows, _ = data_set(3)
    rows.save_to_disk(tmp_path / "saved")
    table = pa.table({"image": [b"a", b"b"], "label": pa.array(["x", "y"]).dictionary_encode()})
    with pa.ipc.new_stream(tmp_path / "saved" / "data-00000-of-00001.arrow", table.schema) as out:
        out.write_table(table)
    with pytest.raises(DataError, match="a dictionary where a record batch was expected"):
        open_images(tmp_path / "saved")
