"""How often 95 % intervals cover the truth: data sets drawn from populations that are known.

`python -m tests.benchmarks.intervals --sets 400` prints a table in Markdown. The truth is the same
number of the whole population, from its own mean code; each data set has a fit half of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from reportgen.analyses import additivity, contributions, linearity, one_picture
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study
from tests.oracles import decoders

POPULATION, TRUTH_ROWS, TRUTH_SEED, UNITS = 20_000, 1_000, 1_000_000, 4


def normal(rows: int, generator: np.random.Generator) -> np.ndarray:
    """Independent units."""
    return generator.normal(size=(rows, UNITS))


def correlated(rows: int, generator: np.random.Generator) -> np.ndarray:
    """Units that go together, r .9."""
    return generator.normal(size=(rows, UNITS)) * 0.1**0.5 + generator.normal(size=(rows, 1)) * (
        0.9**0.5
    )


def clustered(rows: int, generator: np.random.Generator) -> np.ndarray:
    """Five clusters, whose sizes differ."""
    centres = np.random.default_rng(1).normal(size=(5, UNITS)) * 1.5
    chosen = generator.choice(5, size=rows, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    return centres[chosen] + 0.3 * generator.normal(size=(rows, UNITS))


def heavy(rows: int, generator: np.random.Generator) -> np.ndarray:
    """Student's t with 2.5 degrees of freedom."""
    return 0.5 * generator.standard_t(2.5, size=(rows, UNITS))


POPULATIONS = (normal, correlated, clustered, heavy)
NUMBERS: dict[str, Callable[[Study], Estimate]] = {
    "linear": lambda study: linearity.run(study).linear,
    "gap up": lambda study: additivity.run(study).up.gap,
    "ρ solo": lambda study: one_picture.run(study).pooled_solo,
    "ρ context": lambda study: one_picture.run(study).pooled_context,
    "share of unit 0": lambda study: next(
        share.share for share in contributions.run(study).shares if share.unit == 0
    ),
}


def coverage(
    population: Callable[[int, np.random.Generator], np.ndarray], sets: int, images: int
) -> dict[str, float]:
    """Share of data sets, of so many images, whose interval holds the truth, for each number."""

    def study(number: int, rows: int, settings: Settings) -> Study:
        codes = population(rows, np.random.default_rng([21, number])).astype(np.float32)
        return decoders.carrying(decoders.smooth(UNITS), codes, settings=settings)

    whole = study(
        TRUTH_SEED,
        POPULATION,
        Settings(rows=TRUTH_ROWS, effort="thorough", bootstrap_resamples=100),
    )
    truth = {name: number(whole).value for name, number in NUMBERS.items()}
    held = dict.fromkeys(NUMBERS, 0)
    for number in range(sets):
        drawn = study(number, images, Settings(bootstrap_resamples=300))
        for name, of in NUMBERS.items():
            found = of(drawn)
            held[name] += found.low <= truth[name] <= found.high
    return {name: count / sets for name, count in held.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--images", type=int, default=1000)
    asked = parser.parse_args()
    print(f"| codes, {asked.images} images, {asked.sets} sets | {' | '.join(NUMBERS)} |")
    print("|---" * (1 + len(NUMBERS)) + "|")
    for population in POPULATIONS:
        found = coverage(population, asked.sets, asked.images)
        cells = " | ".join(f"{share:.2f}".lstrip("0") for share in found.values())
        print(f"| {population.__name__} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
