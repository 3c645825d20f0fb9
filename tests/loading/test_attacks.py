"""Hostile files: nothing in them runs, and they are refused before memory is spent."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder
from tests.loading.attacks import CODE, RESOURCES, exported, rewrite
from tests.loading.files import ZOO
from tests.loading.image_array import random_images

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REPOSITORY = Path(__file__).parents[2]

# Loads files under an audit hook, which sees every file opened for writing, process started and
# connection made in this process, whatever the code that asks for it is called.
WATCHED = """
import json, sys
from pathlib import Path
import torch
from reportgen.errors import ReportgenError
from reportgen.loading import load_autoencoder
from tests.loading.image_array import random_images
import warnings; warnings.simplefilter("ignore")
import safetensors.torch, torch.export, torch.fx
seen, watching = [], False
def hook(event, arguments):
    if not watching:
        return
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"open {arguments[0]}")
    if event.split(".")[0] in ("subprocess", "socket", "ctypes", "shutil", "ftplib", "urllib"):
        seen.append(event)
    if event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename"):
        seen.append(event)
sys.addaudithook(hook)
images = random_images((1, 12, 12))
outcomes = {}
for path in sys.argv[1:]:
    watching = True
    try:
        load_autoencoder(path, images=images)
        outcomes[path] = "loaded"
    except ReportgenError as error:
        outcomes[path] = "refused"
    watching = False
print(json.dumps({"outcomes": outcomes, "seen": seen}))
"""


@pytest.mark.parametrize("name", CODE)
def test_the_attack_is_real(name: str, tmp_path: Path) -> None:
    write, open_as_torch_does = CODE[name]
    marker = tmp_path / "marker"
    write(tmp_path / "model.bin", marker)
    marker.unlink(missing_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            open_as_torch_does(tmp_path / "model.bin")
    except Exception:
        # What matters is what ran before it failed.
        pass
    assert marker.exists()


@pytest.mark.parametrize("name", CODE)
def test_nothing_in_the_file_runs(name: str, tmp_path: Path) -> None:
    write, _ = CODE[name]
    marker = tmp_path / "marker"
    path = tmp_path / "model.bin"
    write(path, marker)
    marker.unlink(missing_ok=True)
    images = random_images((1, 12, 12))
    for options in ({}, {"model_class": f"{ZOO}:Dense"}):
        try:
            load_autoencoder(path, images=images, **options)
        except ModelError as refusal:
            assert str(path) in str(refusal)
    assert not marker.exists()


@pytest.mark.slow
def test_a_process_under_watch_sees_no_file_written_and_nothing_started(tmp_path: Path) -> None:
    paths = []
    for place, (name, (write, _)) in enumerate(CODE.items()):
        paths.append(tmp_path / f"{place} {name}.bin")
        write(paths[-1], tmp_path / "marker")
    (tmp_path / "marker").unlink(missing_ok=True)
    exported(tmp_path / "honest.bin")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *paths, tmp_path / "honest.bin"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["seen"] == []
    assert report["outcomes"].pop(str(tmp_path / "honest.bin")) == "loaded"
    assert set(report["outcomes"].values()) <= {"loaded", "refused"}
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["example inputs", "shape expression", "guard"])
def test_a_model_whose_attack_is_never_read_still_loads(name: str, tmp_path: Path) -> None:
    CODE[name][0](tmp_path / "model.bin", tmp_path / "marker")
    found = load_autoencoder(tmp_path / "model.bin", images=random_images((1, 12, 12)))
    assert found.code_shape == (3,)


# Loads files one after the other; what each says, the memory and the time that it took.
MEASURED = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import onnx, onnxruntime, safetensors.torch, torch
from reportgen.errors import ReportgenError
from reportgen.loading import load_autoencoder
from tests.loading.image_array import random_images
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
images, outcomes = random_images((1, 12, 12)), {}
for path in sys.argv[1:]:
    before, started, said = peak(), time.process_time(), "loaded"
    try:
        load_autoencoder(path, images=images)
    except ReportgenError as error:
        said = str(error)
    outcomes[path] = (said, peak() - before, time.process_time() - started)
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    """By attack: what is said, without the file's folder; megabytes; seconds of this process."""
    folder = tmp_path_factory.mktemp("resources")
    paths = {name: folder / f"{place}.bin" for place, name in enumerate(RESOURCES)}
    for name, path in paths.items():
        RESOURCES[name](path)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *paths.values()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout.splitlines()[-1])
    return {name: outcomes[str(path)] for name, path in paths.items()}


@pytest.mark.parametrize("name", RESOURCES)
def test_what_spends_memory_or_reaches_for_python_is_refused(
    name: str, measured: dict[str, tuple[str, float, float]]
) -> None:
    said, megabytes, seconds = measured[name]
    assert ".bin" in said and "\n" not in said, said
    assert megabytes < 500
    assert seconds < 10


def test_names_in_a_graph_are_never_evaluated(tmp_path: Path) -> None:
    path, marker = tmp_path / "model.bin", tmp_path / "marker"
    exported(path)
    code = f"x=open({str(marker)!r},'w')"
    rewrite(path, {"models/model.json": lambda record: record.replace(b'"input"', _quoted(code))})
    try:
        load_autoencoder(path, images=random_images((1, 12, 12)))
    except ModelError as refusal:
        assert str(path) in str(refusal)
    assert not marker.exists()


def _quoted(code: str) -> bytes:
    return json.dumps(code).encode()


def test_trust_allows_what_is_refused_without(tmp_path: Path) -> None:
    path, marker = tmp_path / "model.bin", tmp_path / "marker"
    CODE["pickled object"][0](path, marker)
    with pytest.raises(ModelError):
        load_autoencoder(path, images=random_images((1, 12, 12)))
    assert not marker.exists()
    with pytest.raises(ModelError):
        load_autoencoder(path, images=random_images((1, 12, 12)), trust=True)
    assert marker.exists()
