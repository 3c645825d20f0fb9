"""(a) The engine against the best loop that one can write for the same decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.engine import Engine
from tests.benchmarks import subjects

DECODES = 2_048
LAYOUTS = {"rows first": torch.contiguous_format, "channels last": torch.channels_last}


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(DECODES, 10)).astype(np.float32)


@pytest.mark.benchmark(group="a. 2,048 decodes of a 64×64×3 decoder")
def bench_engine(benchmark, codes) -> None:
    model = subjects.autoencoder(10)

    def fresh() -> tuple[tuple[Engine], dict]:
        return (Engine(model),), {}

    benchmark.pedantic(lambda engine: engine.decode(codes), setup=fresh, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("batch", [64, 128, 256])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.benchmark(group="a. 2,048 decodes of a 64×64×3 decoder")
def bench_raw_loop(benchmark, codes, layout, batch) -> None:
    engine = subjects.convolutional(10).to(memory_format=LAYOUTS[layout])["decoder"]
    out = np.empty((DECODES, 3 * 64 * 64), dtype=np.float32)

    def loop() -> None:
        with torch.inference_mode():
            for start in range(0, DECODES, batch):
                images = engine(torch.from_numpy(codes[start : start + batch]))
                out[start : start + batch] = images.reshape(len(images), -1).numpy()

    benchmark.pedantic(loop, rounds=5, warmup_rounds=1)
