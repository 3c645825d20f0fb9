"""(c) The same numbers as a user would otherwise get them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.coalition_table import shapley_weights
from reportgen.coalitions import Coalitions
from reportgen.single_moves import single_moves
from tests.benchmarks import subjects

ROWS, UNITS = 64, 10
ABLATION = "c. ablation pictures of 10 units on 64 rows, 64×64×3"
SHAPLEY = "c. exact Shapley values of 10 units, one row, 64×64×3"


@pytest.fixture(scope="module")
def study():
    return subjects.study(UNITS, rows=ROWS)


@pytest.fixture(scope="module")
def decode(study):
    return study.autoencoder.decode


@pytest.mark.benchmark(group=ABLATION)
def bench_reportgen_first_in_and_last_in(benchmark) -> None:
    def fresh():
        return (subjects.study(UNITS, rows=ROWS),), {}

    benchmark.pedantic(single_moves, setup=fresh, rounds=5)


@pytest.mark.benchmark(group=ABLATION)
def bench_notebook_loop(benchmark, study, decode) -> None:
    codes = torch.from_numpy(study.test.codes[study.rows.statistics])
    mean = torch.from_numpy(study.baseline)

    def loop() -> None:
        for code in codes:
            for unit in range(UNITS):
                without, alone = code.clone(), mean.clone()
                without[unit], alone[unit] = mean[unit], code[unit]
                (decode(code[None]) - decode(without[None])).square().sum().item()
                (decode(alone[None]) - decode(mean[None])).square().sum().item()

    benchmark.pedantic(loop, rounds=5)


@pytest.mark.benchmark(group=ABLATION)
def bench_captum_feature_ablation(benchmark, study, decode) -> None:
    from captum.attr import FeatureAblation

    codes = torch.from_numpy(study.test.codes[study.rows.statistics])
    mean = torch.from_numpy(study.baseline)[None]
    full = decode(codes)

    def squared_change(z: torch.Tensor) -> torch.Tensor:
        return (decode(z) - full.repeat(len(z) // len(full), 1, 1, 1)).square().sum((1, 2, 3))

    def both_ways() -> None:
        # Last-in, and as much work again for first-in.
        for _ in range(2):
            FeatureAblation(squared_change).attribute(codes, mean, perturbations_per_eval=2)

    benchmark.pedantic(both_ways, rounds=5)


@pytest.mark.benchmark(group=SHAPLEY)
def bench_reportgen_whole_pictures(benchmark, study) -> None:
    def fresh():
        again = subjects.study(UNITS, rows=ROWS, count=60)
        coalitions = Coalitions(again.decoder, again.players, again.baseline)
        return (coalitions, again.test.codes[0]), {}

    def pictures(coalitions: Coalitions, code: np.ndarray) -> np.ndarray:
        memberships = coalitions.every_coalition()
        return shapley_weights(memberships) @ coalitions.values(code, memberships)

    benchmark.pedantic(pictures, setup=fresh, rounds=5)


@pytest.mark.benchmark(group=SHAPLEY)
def bench_shapiq_of_one_number(benchmark, study, decode) -> None:
    from shapiq import ExactComputer, Game

    code, mean = torch.from_numpy(study.test.codes[0]), torch.from_numpy(study.baseline)

    class PixelSum(Game):
        def __init__(self) -> None:
            super().__init__(UNITS, normalize=False, normalization_value=0.0)

        def value_function(self, coalitions: np.ndarray) -> np.ndarray:
            inside = torch.from_numpy(coalitions.astype(bool))
            with torch.inference_mode():
                return decode(torch.where(inside, code, mean)).sum((1, 2, 3)).numpy()

    benchmark.pedantic(
        lambda: ExactComputer(game=PixelSum(), n_players=UNITS)("SV", order=1), rounds=5
    )


@pytest.mark.benchmark(group=SHAPLEY)
def bench_captum_shapley_sampling_of_one_number(benchmark, study, decode) -> None:
    from captum.attr import ShapleyValueSampling

    code = torch.from_numpy(study.test.codes[:1])
    mean = torch.from_numpy(study.baseline)[None]

    def pixel_sum(z: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return decode(z).sum((1, 2, 3))

    # As many decodes as the table of all 2¹⁰ coalitions.
    benchmark.pedantic(
        lambda: ShapleyValueSampling(pixel_sum).attribute(code, mean, n_samples=102), rounds=5
    )
