"""Whatever happens to a file's bytes, the answer is a model or one sentence."""

from __future__ import annotations

import random
import time
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from reportgen.errors import ReportgenError
from reportgen.loading import load_autoencoder
from tests.loading.attacks import exported, small_model
from tests.loading.files import ZOO
from tests.loading.image_array import random_images
from tests.loading.test_onnx import export_onnx
from tests.loading.zoo import Dense
from tests.slow import slow_but

IMAGES = random_images((1, 12, 12), count=4)
KINDS = ("exported", "scripted", "weights", "legacy", "pickled", "safetensors", "onnx")
MOST_SECONDS = 10
ARCHIVES = ("exported", "scripted", "weights", "pickled")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    paths = {kind: folder / kind for kind in KINDS}
    exported(paths["exported"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(small_model()), paths["scripted"])
    weights = Dense().state_dict()
    torch.save(weights, paths["weights"])
    torch.save(weights, paths["legacy"], _use_new_zipfile_serialization=False)
    torch.save(small_model(), paths["pickled"])
    save_file(weights, paths["safetensors"])
    export_onnx(small_model(), torch.rand(2, 1, 12, 12), paths["onnx"])
    return paths


def opens_or_says_why(path: Path) -> bool:
    started = time.thread_time()
    opened = opens(path)
    assert time.thread_time() - started < MOST_SECONDS
    return opened


def opens(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load_autoencoder(path, images=IMAGES, model_class=f"{ZOO}:Dense")
        except ReportgenError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 1000
            return False
    return True


FEW = settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_file_opens(kind: str, originals: dict[str, Path]) -> None:
    assert opens_or_says_why(originals[kind])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(
    kind: str, share: float, originals: dict[str, Path], tmp_path: Path
) -> None:
    content = originals[kind].read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(share * len(content))])
    assert not opens_or_says_why(tmp_path / "cut")


@pytest.mark.parametrize("kind", slow_but(["exported", "scripted", "safetensors"], KINDS))
@FEW
@given(data=st.data())
def test_flipped_bytes_never_get_past_a_sentence(
    kind: str, data: st.DataObject, originals: dict[str, Path], tmp_path: Path
) -> None:
    content = bytearray(originals[kind].read_bytes())
    # Headers are at both ends; weights, in the middle, may hold any bytes.
    place = st.integers(0, min(2000, len(content) - 1))
    places = data.draw(st.lists(st.tuples(st.booleans(), place), min_size=1, max_size=8))
    for from_end, offset in places:
        content[-1 - offset if from_end else offset] ^= data.draw(st.integers(1, 255))
    (tmp_path / "flipped").write_bytes(bytes(content))
    opens_or_says_why(tmp_path / "flipped")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARCHIVES)
@FEW
@given(seed=st.integers(0, 1000), data=st.data())
def test_records_changed_inside_an_archive_never_get_past_a_sentence(
    kind: str, seed: int, data: st.DataObject, originals: dict[str, Path], tmp_path: Path
) -> None:
    """Checksums are right here: what was changed reaches the readers."""
    with zipfile.ZipFile(originals[kind]) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(records)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        record = bytearray(records[name])
        for _ in range(data.draw(st.integers(1, 6)) if record else 0):
            record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
        records[name] = bytes(record)
    if data.draw(st.booleans()):
        records.pop(data.draw(st.sampled_from(names)))
    shuffled = list(records)
    random.Random(seed).shuffle(shuffled)
    with zipfile.ZipFile(tmp_path / "changed", "w") as archive:
        for name in shuffled:
            archive.writestr(name, records[name])
    opens_or_says_why(tmp_path / "changed")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_the_order_of_records_does_not_matter(
    kind: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(originals[kind]) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "reversed", "w") as archive:
        for name in reversed(records):
            archive.writestr(name, records[name])
    assert opens_or_says_why(tmp_path / "reversed")
