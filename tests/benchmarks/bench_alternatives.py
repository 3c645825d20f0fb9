"""(c) The same numbers as a user would get them, from the decoder as its author has it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.analyses.shared.coalition_table import shapley_weights
from reportgen.engine import Coalitions, Engine
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study
from tests.benchmarks import subjects

ROWS, UNITS = 64, 10
ABLATION = "c. ablation pictures of 10 units on 64 rows"
SUBJECTS = {
    "convolutional": {"side": 64, "channels": 3},
    "fully connected": {"side": 28, "channels": 1, "layers": subjects.fully_connected},
}
SHAPLEY = "c. exact Shapley values of 10 units, one row, 64×64×3"


@pytest.fixture(scope="module")
def study():
    return subjects.study(UNITS, rows=ROWS)


@pytest.fixture(scope="module")
def decode():
    return subjects.convolutional(UNITS)["decoder"]


@pytest.fixture(scope="module", autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@dataclass(frozen=True)
class Subject:
    """A decoder as its author has it, a fresh study of it, and the codes that are studied."""

    decode: nn.Module
    study: Study
    codes: torch.Tensor
    mean: torch.Tensor


@pytest.fixture(params=SUBJECTS)
def ablated(request, benchmark, monkeypatch):
    """A subject, which the group names.

    Without its last squash, and without the directions that lead in the moves: pre-activations and
    singular values are numbers that the alternatives do not compute.
    """
    monkeypatch.setattr("reportgen.study.single_moves.leading_directions", lambda moves: None)
    subject = SUBJECTS[request.param]
    shape = f"{subject['side']}×{subject['side']}×{subject['channels']}"
    benchmark.group = f"{ABLATION}, {shape}, {request.param}"
    study = dataclasses.replace(subjects.study(UNITS, rows=ROWS, **subject), squash=None)
    layers = subject.get("layers", subjects.convolutional)
    modules = layers(UNITS, subject["side"], subject["channels"])
    codes = torch.from_numpy(study.test.codes[study.rows.statistics])
    return Subject(modules["decoder"], study, codes, torch.from_numpy(study.baseline))


def bench_reportgen_first_in_and_last_in(benchmark, ablated) -> None:
    def fresh():
        engine = Engine(ablated.study.autoencoder)
        return (dataclasses.replace(ablated.study, engine=engine, _shared={}),), {}

    benchmark.pedantic(single_moves, setup=fresh, rounds=5)


def bench_notebook_loop(benchmark, ablated) -> None:
    benchmark.pedantic(lambda: _loop(ablated, keeps=False), rounds=5)


def bench_notebook_loop_that_keeps_unchanged_images(benchmark, ablated) -> None:
    benchmark.pedantic(lambda: _loop(ablated, keeps=True), rounds=5)


def _loop(ablated: Subject, *, keeps: bool) -> None:
    decode, codes, mean = ablated.decode, ablated.codes, ablated.mean
    nobody = decode(mean[None])
    for code in codes:
        whole = decode(code[None])
        for unit in range(UNITS):
            without, alone = code.clone(), mean.clone()
            without[unit], alone[unit] = mean[unit], code[unit]
            if not keeps:
                whole, nobody = decode(code[None]), decode(mean[None])
            (whole - decode(without[None])).square().sum().item()
            (decode(alone[None]) - nobody).square().sum().item()


def bench_captum_feature_ablation(benchmark, ablated) -> None:
    from captum.attr import FeatureAblation

    decode, codes, mean = ablated.decode, ablated.codes, ablated.mean[None]
    full = decode(codes)

    def squared_change(z: torch.Tensor) -> torch.Tensor:
        return (decode(z) - full.repeat(len(z) // len(full), 1, 1, 1)).square().sum((1, 2, 3))

    def both_ways() -> None:
        # Last-in, and as much work again for first-in.
        for _ in range(2):
            FeatureAblation(squared_change).attribute(codes, mean, perturbations_per_eval=2)

    benchmark.pedantic(both_ways, rounds=5)


def bench_captum_one_row_at_a_time(benchmark, ablated) -> None:
    """As captum's own examples call it, with `perturbations_per_eval` left alone."""
    from captum.attr import FeatureAblation

    decode, codes, mean = ablated.decode, ablated.codes, ablated.mean[None]

    def loop() -> None:
        for code in codes:
            whole, nobody = decode(code[None]), decode(mean)
            for moved, start, end in ((code[None], mean, whole), (mean, code[None], nobody)):

                def squared_change(z: torch.Tensor, end: torch.Tensor = end) -> torch.Tensor:
                    return (decode(z) - end).square().sum((1, 2, 3))

                FeatureAblation(squared_change).attribute(moved, start)

    benchmark.pedantic(loop, rounds=5)


@pytest.mark.benchmark(group=SHAPLEY)
def bench_reportgen_whole_pictures(benchmark, study) -> None:
    def fresh():
        again = subjects.study(UNITS, rows=ROWS, count=60)
        coalitions = Coalitions(again.engine, again.players, again.baseline)
        return (coalitions, again.test.codes[0]), {}

    def pictures(coalitions: Coalitions, code: np.ndarray) -> np.ndarray:
        memberships = coalitions.every_coalition()
        return shapley_weights(memberships) @ coalitions.values(code, memberships)

    benchmark.pedantic(pictures, setup=fresh, rounds=5)


@pytest.mark.benchmark(group=SHAPLEY)
@pytest.mark.parametrize("remembers", [False, True], ids=["as defined", "each coalition once"])
def bench_notebook_loop_of_whole_pictures(benchmark, study, decode, remembers) -> None:
    """By Shapley's definition (1953): a unit's mean change of the image, over orders of units."""
    code, mean = torch.from_numpy(study.test.codes[0]), torch.from_numpy(study.baseline)

    def image(coalition: frozenset[int]) -> torch.Tensor:
        inside = torch.tensor([unit in coalition for unit in range(UNITS)])
        return decode(torch.where(inside, code, mean)[None])

    def pictures() -> list[torch.Tensor]:
        value, totals = cache(image) if remembers else image, []
        for unit in range(UNITS):
            others = [other for other in range(UNITS) if other != unit]
            total = torch.zeros(1)
            for size in range(UNITS):
                share = 1 / (UNITS * math.comb(UNITS - 1, size))
                for before in map(frozenset, combinations(others, size)):
                    total = total + share * (value(before | {unit}) - value(before))
            totals.append(total)
        return totals

    benchmark.pedantic(pictures, rounds=5)


@pytest.mark.benchmark(group=SHAPLEY)
def bench_shapiq_of_one_number(benchmark, study, decode) -> None:
    from shapiq import ExactComputer, Game

    code, mean = torch.from_numpy(study.test.codes[0]), torch.from_numpy(study.baseline)

    class PixelSum(Game):
        def __init__(self) -> None:
            super().__init__(UNITS, normalize=False, normalization_value=0.0)

        def value_function(self, coalitions: np.ndarray) -> np.ndarray:
            inside = torch.from_numpy(coalitions.astype(bool))
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
        return decode(z).sum((1, 2, 3))

    # As many decodes as the table of all 2¹⁰ coalitions.
    benchmark.pedantic(
        lambda: ShapleyValueSampling(pixel_sum).attribute(code, mean, n_samples=102), rounds=5
    )
