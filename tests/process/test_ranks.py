"""One report from several processes, as torchrun starts them (gloo)."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.loading import save
from reportgen.process.ranks import Ranks

FEW = ("--effort", "quick", "--no-live", "--seed", "3")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder with model.pt2, a small untrained autoencoder, and images.npy."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.manual_seed(4)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    decoder = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 36), nn.Sigmoid())
    model = nn.Sequential(encoder, decoder, nn.Unflatten(1, (1, 6, 6)))
    images = torch.rand(300, 1, 6, 6)
    save(model.eval(), folder / "model.pt2", example=images[:4].clone(), normalize="0,1")
    np.save(folder / "images.npy", images.numpy())
    return folder


def files(inputs: Path) -> tuple[Path, Path]:
    return inputs / "model.pt2", inputs / "images.npy"


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "SOURCE_DATE_EPOCH": "0", **variables}


def build(inputs: Path, out: Path, ranks: int) -> subprocess.CompletedProcess:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command = [sys.executable, *(launcher if ranks > 1 else []), "-m", "reportgen", "build"]
    return subprocess.run(
        [*command, *files(inputs), "-o", out / "report.html", "--results", out, *FEW],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("alone")
    finished = build(inputs, out, 1)
    assert finished.returncode == 0, finished.stderr
    return json.loads((out / "results.json").read_text())


def differences(first, second, path="") -> list[str]:
    """Where two JSON values differ by more than printing shows: four digits of the number."""
    if isinstance(first, dict) and isinstance(second, dict):
        assert first.keys() == second.keys(), path
        pairs = [(f"{path}.{key}", first[key], second[key]) for key in first]
    elif isinstance(first, list) and isinstance(second, list):
        assert len(first) == len(second), path
        pairs = [(f"{path}[{n}]", *both) for n, both in enumerate(zip(first, second, strict=True))]
    elif isinstance(first, float) and isinstance(second, float):
        return [] if math.isclose(first, second, rel_tol=1e-4, abs_tol=1e-6) else [path]
    else:
        return [] if first == second else [path]
    return [found for where, a, b in pairs for found in differences(a, b, where)]


@pytest.mark.slow
def test_the_report_of_three_ranks_is_the_report_of_one(inputs, alone, tmp_path) -> None:
    ranks = 3
    finished = build(inputs, tmp_path, ranks)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("Does it reconstruct?") == 1, "only one rank speaks"
    together = json.loads((tmp_path / "results.json").read_text())
    notes = [note["text"] for note in together["provenance"]["data_notes"]]
    assert any(text.startswith(f"{ranks} processes shared the rows") for text in notes)
    # Where rounding is all there is, the control's errors are noise; they still have to pass. What
    # is decoded for it is shared.
    assert together["control"]["passed"]
    noise = {"checks": [], "completeness_error": 0.0, "decodes": 0}
    for results in (alone, together):
        results["control"] = {**results["control"], **noise}
    kept = [key for key in alone if key != "provenance"]
    assert [d for key in kept for d in differences(alone[key], together[key], key)] == []


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_job_with_one_sentence_and_no_file(inputs, tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    job = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dying = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, reportgen.process.ranks as r; r.join_ranks(); os._exit(9)",
        ],
        env=environment(**job, RANK="1"),
    )
    report = tmp_path / "report.html"
    alive = subprocess.run(
        [sys.executable, "-m", "reportgen", "build", *files(inputs), "-o", report, *FEW],
        env=environment(**job, RANK="0"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert dying.wait(60) == 9
    assert alive.returncode == 2
    assert "Rank 0 of 2 lost another rank" in alive.stderr
    assert "Traceback" not in alive.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_place_belongs_to_exactly_one_rank(count) -> None:
    taken = np.concatenate([Ranks(rank, count).mine(11) for rank in range(count)])
    assert sorted(taken) == list(range(11))


@pytest.mark.parametrize(
    ("own", "other", "expected"), [(1.0, 2.0, 2.0), (float("nan"), 2.0, float("nan"))]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_largest_of_ranks_is_no_number_where_one_has_none(
    monkeypatch, own, other, expected, swapped: bool
) -> None:
    if swapped:
        own, other = other, own
    sent = []

    def reduce(self: Ranks, arrays: tuple[np.ndarray, ...], how: str) -> None:
        assert how == "MAX"
        sent.append(arrays[0].copy())
        if len(sent) == 2:
            np.fmax(*sent, out=arrays[0])

    monkeypatch.setattr(Ranks, "_reduce", reduce)
    Ranks(1, 2).largest(other)
    np.testing.assert_equal(Ranks(0, 2).largest(own), expected)
