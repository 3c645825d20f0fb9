"""(b) A whole build against the decodes it takes, at the best raw loop's rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.build import BuildRequest, build
from reportgen.images import open_images
from reportgen.loading import load_autoencoder, save
from reportgen.profile import total_cost
from reportgen.progress import QuietProgress
from reportgen.settings import Settings
from tests.benchmarks import subjects

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
TIMED = 4_096


@pytest.fixture(scope="module", params=["28×28, K = 10", "64×64×3, K = 10"])
def inputs(request, tmp_path_factory) -> tuple[str, Path, Path]:
    if request.param.startswith("28"):
        return request.param, SAMPLES / "fashion_vae/model.pt2", SAMPLES / "fashion_images"
    folder = tmp_path_factory.mktemp("build")
    modules = subjects.convolutional(10)
    pixels = subjects.images(1_000)
    whole = nn.Sequential(modules["encoder"], modules["decoder"])
    example = torch.from_numpy(pixels[:4].copy())
    save(whole, folder / "model.pt2", example=example, normalize="0,1")
    np.save(folder / "images.npy", pixels)
    return request.param, folder / "model.pt2", folder / "images.npy"


def bench_build_and_its_decodes(benchmark, inputs, tmp_path) -> None:
    name, model, data = inputs
    benchmark.group = f"b. default build, {name}"
    request = BuildRequest(model=model, data=data, output=tmp_path / "report.html")
    decodes: list[int] = []

    def once() -> None:
        outcome = build(request, Settings(), QuietProgress())
        assert outcome is not None
        decodes.append(total_cost(outcome.profile).decodes)

    benchmark.pedantic(once, rounds=3 if name.startswith("28") else 1)
    benchmark.extra_info["decodes"] = decodes[0]


@pytest.mark.parametrize("batch", [32, 64, 128, 256])
def bench_decodes_alone(benchmark, inputs, batch) -> None:
    name, model, data = inputs
    benchmark.group = f"b. default build, {name}"
    loaded = load_autoencoder(model, images=open_images(data))
    codes = torch.randn(TIMED, *loaded.code_shape)

    def loop() -> None:
        with torch.inference_mode():
            for some in codes.split(batch):
                loaded.decode(some).reshape(len(some), -1).numpy()

    benchmark.pedantic(loop, rounds=5, warmup_rounds=1)
    benchmark.extra_info["decodes"] = TIMED
