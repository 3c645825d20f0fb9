"""(d) How seconds grow with units, rows and pixels, and memory with images."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reportgen.analyses.shared.path_contributions import path_shares
from reportgen.study.single_moves import single_moves
from tests.benchmarks import subjects

PASS = """
import sys
from pathlib import Path
import numpy as np
from reportgen.images import open_images
from reportgen.engine import Engine
from reportgen.study.encoding import encode_all
from tests.benchmarks import subjects
images = open_images(Path(sys.argv[1]))
Path("/proc/self/clear_refs").write_text("5")
encode_all(images, Engine(subjects.autoencoder(10, 32, 1)), np.arange(1000))
print(Path("/proc/self/status").read_text())
"""


@pytest.mark.parametrize("units", [2, 8, 32, 128, 512])
def bench_single_moves_by_units(benchmark, units) -> None:
    def fresh():
        return (subjects.study(units, side=32, channels=1, rows=32),), {}

    benchmark.group = "d. single moves of 32 rows by units K, 32×32"
    benchmark.extra_info["size"] = units
    benchmark.pedantic(single_moves, setup=fresh, rounds=5)


@pytest.mark.parametrize("rows", [32, 64, 128, 256])
def bench_shares_by_rows(benchmark, rows) -> None:
    def fresh():
        study = subjects.study(10, side=32, channels=1, count=600)
        fewer = dataclasses.replace(study.rows, pooled=np.arange(rows))
        return (dataclasses.replace(study, rows=fewer),), {}

    benchmark.group = "d. shares by rows R, 32×32, K = 10"
    benchmark.extra_info["size"] = rows
    benchmark.pedantic(path_shares, setup=fresh, rounds=5)


@pytest.mark.parametrize("side", [32, 64, 128, 256])
def bench_single_moves_by_pixels(benchmark, side) -> None:
    def fresh():
        return (subjects.study(4, side=side, count=64, rows=16),), {}

    benchmark.group = "d. single moves of 16 rows by pixels P, K = 4"
    benchmark.extra_info["size"] = 3 * side * side
    benchmark.pedantic(single_moves, setup=fresh, rounds=5)


@pytest.mark.parametrize("count", [10_000, 100_000, 1_000_000])
def bench_pass_over_images(benchmark, count, tmp_path) -> None:
    path = tmp_path / "images.npy"
    stored = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 32, 32))
    stored[:] = (255 * subjects.images(100, 32, 1)[:, 0]).astype(np.uint8)[0]
    stored[:: max(1, count // 97)] = 90
    del stored
    peaks = []

    def once() -> None:
        finished = subprocess.run(
            [sys.executable, "-c", PASS, path],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        peaks.append(int(re.search(r"VmHWM:\s+(\d+)", finished.stdout)[1]) // 1024)

    benchmark.group = "d. pass over N images of 32×32, seconds and MiB"
    benchmark.extra_info["size"] = count
    benchmark.pedantic(once, rounds=1)
    benchmark.extra_info["peak_mebibytes"] = peaks[0]
