"""(b) A whole build against the decodes it takes, at the best raw loop's rate."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.job import BuildRequest, build
from reportgen.loading import save
from reportgen.process.progress import QuietProgress
from reportgen.settings import Settings
from reportgen.suite.profile import total_cost
from sample_models.fashion_vae.model import FashionVAE
from tests.benchmarks import subjects

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
UNITS = 10
DECODES = 2_048
LOOPS = tuple(product((torch.contiguous_format, torch.channels_last), (32, 64, 128, 256)))


@dataclass(frozen=True)
class Inputs:
    """What is built, and the same decoder as its author has it."""

    model: Path
    data: Path
    engine: nn.Module


def of_sample(folder: Path) -> Inputs:
    model = SAMPLES / "fashion_vae/model.pt2"
    network = FashionVAE(UNITS)
    network.load_state_dict(torch.export.load(model).state_dict)
    return Inputs(model, SAMPLES / "fashion_images", network.engine.eval())


def of_drawn_weights(folder: Path) -> Inputs:
    modules = subjects.convolutional(UNITS)
    pixels = subjects.images(1_000)
    whole = nn.Sequential(modules["encoder"], modules["decoder"])
    example = torch.from_numpy(pixels[:4].copy())
    save(whole, folder / "model.pt2", example=example, normalize="0,1")
    np.save(folder / "images.npy", pixels)
    return Inputs(folder / "model.pt2", folder / "images.npy", modules["decoder"])


@pytest.mark.parametrize(
    ("name", "make"), [("28×28, K = 10", of_sample), ("64×64×3, K = 10", of_drawn_weights)]
)
def bench_build_and_its_decodes(benchmark, tmp_path, name, make) -> None:
    inputs = make(tmp_path)
    benchmark.group = f"b. default build, {name}"
    request = BuildRequest(inputs.model, inputs.data, tmp_path / "report.html")
    rates: list[list[float]] = []
    decodes: list[int] = []

    def raw_loops() -> None:
        # Before and after every build, because the speed of a shared machine changes within
        # minutes; three times, because the fastest of many single measurements is the luckiest.
        tried = [[_rate(inputs.engine, *loop) for loop in LOOPS] for _ in range(3)]
        rates.append(np.median(tried, axis=0).tolist())

    def once() -> None:
        outcome = build(request, Settings(), QuietProgress())
        assert outcome is not None
        decodes.append(total_cost(outcome.profile).decodes)

    # As the command line does, so that its imports are not searched for garbage.
    gc.freeze()
    benchmark.pedantic(once, setup=raw_loops, rounds=5)
    raw_loops()
    benchmark.extra_info |= {"decodes": decodes[0], "decodes_a_second": rates}


def _rate(engine: nn.Module, layout: torch.memory_format, batch: int) -> float:
    """Images a second of the loop that one would write oneself."""
    engine.to(memory_format=layout)
    codes = torch.randn(DECODES, UNITS)
    with torch.inference_mode():
        engine(codes[:batch])
        started = time.perf_counter()
        for some in codes.split(batch):
            engine(some).reshape(len(some), -1).numpy()
        return DECODES / (time.perf_counter() - started)
