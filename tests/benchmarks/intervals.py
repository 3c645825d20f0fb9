"""How often 95 % intervals cover the truth: data sets drawn from populations that are known.

`python -m tests.benchmarks.intervals --sets 400` prints a table in Markdown. Each data set has a
fit half of its own. The truth is the same number of the population, a mean over large samples of
it: from the population's mean code; for k′ beside a PCA of as many images as the data sets' fit
halves have, which is what the page says of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch

from reportgen.analyses import (
    ablation,
    additivity,
    contributions,
    linearity,
    one_picture,
    reconstruction,
    subtraction,
)
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study
from tests.oracles import decoders

POPULATION, TRUTH_ROWS, TRUTH_SEED, TRUTHS, UNITS = 20_000, 1_000, 1_000_000, 30, 4


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


Population = Callable[[int, np.random.Generator], np.ndarray]
POPULATIONS = (normal, correlated, clustered, heavy)
# Numbers that know nothing of the images.
OF_CODES: dict[str, Callable[[Study], Estimate]] = {
    "linear": lambda study: linearity.run(study).linear,
    "gap up": lambda study: additivity.run(study).up.gap,
    "ρ solo": lambda study: one_picture.run(study).pooled_solo,
    "ρ context": lambda study: one_picture.run(study).pooled_context,
    "share of unit 0": lambda study: next(
        share.share for share in contributions.run(study).shares if share.unit == 0
    ),
    "effect of unit 0": lambda study: ablation.run(study).effects[0].effect,
    "miss from the mean": lambda study: subtraction.run(study).miss_mean,
}
# Numbers that compare images with their reconstructions.
OF_IMAGES: dict[str, Callable[[Study], Estimate | None]] = {
    "R²": lambda study: reconstruction.run(study).r2,
    "k′": lambda study: reconstruction.run(study).equivalent_components,
}
NUMBERS = {**OF_IMAGES, **OF_CODES}


def study_of_codes(codes: np.ndarray, settings: Settings) -> Study:
    """A study in which only the codes matter."""
    return decoders.carrying(decoders.smooth(UNITS), codes, settings=settings)


def study_of_images(
    codes: np.ndarray, settings: Settings, seed: int, fit_codes: np.ndarray | None = None
) -> Study:
    """Images that show their code in the first pixels, and in the others a picture with noise."""
    bent = decoders.smooth(UNITS)

    def decode(z: torch.Tensor) -> torch.Tensor:
        flat = torch.cat([z, bent(z)[:, UNITS:]], dim=1)
        return flat.reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH)

    def images(known: np.ndarray, half: int) -> np.ndarray:
        pixels = decode(torch.from_numpy(known)).reshape(len(known), -1).numpy()
        noise = np.random.default_rng([22, seed, half]).normal(size=pixels.shape) * 0.3
        pixels[:, UNITS:] += noise[:, UNITS:]
        return pixels

    return decoders.of_pixels(
        images(codes, 0),
        fit_pixels=None if fit_codes is None else images(fit_codes, 1),
        encode=lambda images: images.reshape(len(images), -1)[:, :UNITS],
        decode=decode,
        code_shape=(UNITS,),
        settings=settings,
    )


def drawn(population: Population, seed: int, rows: int) -> np.ndarray:
    """So many codes."""
    return population(rows, np.random.default_rng([21, seed])).astype(np.float32)


def estimates(of_images: Study, of_codes: Study) -> dict[str, Estimate]:
    """Every number of one data set that has a value."""
    found = {name: number(of_images) for name, number in OF_IMAGES.items()} | {
        name: number(of_codes) for name, number in OF_CODES.items()
    }
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def truth(population: Population, images: int) -> dict[str, float]:
    """Every number of the population, beside PCA of half of so many images."""
    whole = Settings(rows=TRUTH_ROWS, effort="thorough", bootstrap_resamples=100)
    values: dict[str, list[float]] = {}
    for seed in range(TRUTH_SEED, TRUTH_SEED + TRUTHS):
        codes = drawn(population, seed, POPULATION)
        test, fit = codes[: POPULATION // 5], codes[-(images // 2) :]
        of_images = study_of_images(test, whole, seed, fit)
        for name, found in estimates(of_images, study_of_codes(codes, whole)).items():
            values.setdefault(name, []).append(found.value)
    return {name: float(np.mean(found)) for name, found in values.items()}


def coverage(population: Population, sets: int, images: int) -> dict[str, float]:
    """Share of data sets, of so many images, whose interval holds the truth, for each number."""
    true = truth(population, images)
    held: dict[str, list[bool]] = {name: [] for name in NUMBERS}
    for seed in range(sets):
        codes, settings = drawn(population, seed, images), Settings(bootstrap_resamples=300)
        found = estimates(study_of_images(codes, settings, seed), study_of_codes(codes, settings))
        for name, estimate in found.items():
            held[name].append(estimate.low <= true[name] <= estimate.high)
    return {name: float(np.mean(inside)) for name, inside in held.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--images", type=int, default=1000)
    names = [population.__name__ for population in POPULATIONS]
    parser.add_argument("--populations", nargs="+", choices=names, default=names)
    asked = parser.parse_args()
    print(f"| codes, {asked.images} images, {asked.sets} sets | {' | '.join(NUMBERS)} |")
    print("|---" * (1 + len(NUMBERS)) + "|")
    for population in POPULATIONS:
        if population.__name__ not in asked.populations:
            continue
        found = coverage(population, asked.sets, asked.images)
        cells = " | ".join(f"{share:.2f}".lstrip("0") for share in found.values())
        print(f"| {population.__name__} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
