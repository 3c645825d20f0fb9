"""The command never writes over what it reads, and never mixes what it prints with a page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from reportgen.command.cli import main

FEW = ("--rows", "8", "--no-live")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with model.pt, model.toml, net.py, 30 images in data, and table.csv of them."""
    torch.manual_seed(0)
    module = torch.nn.Sequential()
    module.add_module("encoder", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    decoder = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    module.add_module("decoder", decoder)
    torch.save(module, tmp_path / "model.pt")
    (tmp_path / "model.toml").write_text('normalize = "0,1"\n')
    (tmp_path / "reportgen.toml").write_text("seed = 3\n")
    (tmp_path / "groups.toml").write_text("both = [0, 1]\n")
    (tmp_path / "net.py").write_text("from torch import nn\nclass Net(nn.Module): ...\n")
    (tmp_path / "data").mkdir()
    generator = np.random.default_rng(0)
    for number in range(30):
        pixels = generator.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number:02}.png")
    rows = "".join(f"data/{number:02}.png,{number}\n" for number in range(30))
    (tmp_path / "table.csv").write_text(f"file,number\n{rows}")
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def build(work: Path, *words: str, data: str = "data", **process) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "reportgen", "build", "model.pt", data, *FEW, *words]
    repository = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | process
    return subprocess.run([*command], cwd=work, env=environment, timeout=240, **pipes)


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "model.pt"),
        ("-o", "data/03.png"),
        ("-o", "data/../model.toml"),
        ("-o", "reportgen.toml"),
        ("-o", "groups.toml", "--groups", "groups.toml"),
        ("-o", "net.py", "--model-class", "net.py:Net"),
        ("-o", "nets/net.py", "--model-class", "nets.net:Net"),
        ("-o", "fit.npy", "--fit-data", "fit.npy"),
        ("-o", "other.pt", "--replicates", "other.pt"),
        ("--results", "data"),
        ("--cache", "data"),
        ("-o", "data", "--layout", "folder"),
        ("-o", "r.html", "--results", "r.html"),
        ("-o", "x" * 300),
        ("-o", "/proc/self/mem"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_an_input_as_an_output_is_one_sentence_and_all_is_as_it_was(
    work: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "fit.npy").write_bytes(b"images")
    (work / "nets").mkdir()
    (work / "nets" / "net.py").write_text("class Net: ...\n")
    (work / "other.pt").write_bytes(b"a model")
    before = content(work)
    monkeypatch.chdir(work)
    done = CliRunner().invoke(main, ["build", "model.pt", "data", *FEW, *words])
    assert done.exit_code == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("reportgen: ")
    assert content(work) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data/07.png", "twin.html"])
def test_an_image_that_a_table_lists_is_not_written_over(work: Path, name: str) -> None:
    if name == "twin.html":
        (work / name).hardlink_to(work / "data" / "07.png")
    before = content(work)
    done = build(work, "-o", name, data="table.csv")
    assert done.returncode == 2
    assert b"one of the images" in done.stderr and done.stderr.count(b"\n") == 1
    assert content(work) == before


@pytest.mark.slow
def test_a_page_for_standard_output_has_it_to_itself(work: Path) -> None:
    done = build(work, "-o", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"<!DOCTYPE html>") and done.stdout.rstrip().endswith(b"</html>")
    assert b"Does it reconstruct?" in done.stderr


@pytest.mark.slow
def test_standard_output_without_room_is_one_sentence_after_the_report(work: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = build(work, stdout=full)
    assert done.returncode == 2
    (line,) = done.stderr.decode().strip().splitlines()
    assert "No space left on device" in line
    assert (work / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("words", [["--help"], ["build", "--help"], ["--version"]])
def test_help_without_room_is_one_sentence(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reportgen", *words], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_an_earlier_report_is_written_over_also_among_the_images(work: Path) -> None:
    for _ in range(2):
        done = build(work, "-o", "data/report.html", "--results", ".")
        assert done.returncode == 0, done.stderr
