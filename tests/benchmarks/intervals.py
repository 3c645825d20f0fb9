"""How often 95 % intervals cover the truth: data sets drawn from populations that are known.

`python -m tests.benchmarks.intervals --sets 400` prints two tables in Markdown. Each data set has a
fit half of its own. The truth is the same number of the population, from its mean code. R², k′, the
linear share and the miss are the population's own: its second moments give the first three without
a sample of test images, on average over fit halves as large as the data sets'; the miss is that of
many images. All others are means over large samples, and so are those four in the second table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

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
MOMENT_ROWS, MISS_ROWS, MISS_STEPS, FITS = 400_000, 40_000, 8, 200
CENTRES = np.random.default_rng(1).normal(size=(5, UNITS)) * 1.5
SIZES, NOISE, SHOWN = [0.4, 0.3, 0.15, 0.1, 0.05], 0.3, decoders.PIXELS - UNITS


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
    chosen = generator.choice(5, size=rows, p=SIZES)
    return CENTRES[chosen] + 0.3 * generator.normal(size=(rows, UNITS))


def heavy(rows: int, generator: np.random.Generator) -> np.ndarray:
    """Student's t with 2.5 degrees of freedom."""
    return 0.5 * generator.standard_t(2.5, size=(rows, UNITS))


Population = Callable[[int, np.random.Generator], np.ndarray]
POPULATIONS = (normal, correlated, clustered, heavy)
# Of codes: of heavy tails no sample has them.
COVARIANCES = {
    normal: np.eye(UNITS),
    correlated: 0.1 * np.eye(UNITS) + 0.9,
    clustered: 0.09 * np.eye(UNITS) + np.cov(CENTRES.T, aweights=SIZES, ddof=0),
    heavy: 0.25 * 2.5 / (2.5 - 2) * np.eye(UNITS),
}
# Numbers that know nothing of the images.
OF_CODES: dict[str, Callable[[Study], Estimate]] = {
    "linear": lambda study: linearity.run(study).linear,
    "gap up": lambda study: additivity.run(study).up.gap,
    "ρ solo": lambda study: one_picture.run(study).pooled_solo,
    "ρ context": lambda study: one_picture.run(study).pooled_context,
    "share of unit 0": lambda study: next(
        share.share for share in contributions.unit_shares(study) if share.unit == 0
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


def shown(codes: torch.Tensor) -> torch.Tensor:
    """(n, P) images that show their code in the first pixels, and in the others a picture."""
    return torch.cat([codes, decoders.smooth(UNITS)(codes)[:, UNITS:]], dim=1)


def noisy(codes: np.ndarray, seed: int, half: int) -> np.ndarray:
    """(n, P) what is shown, the picture with noise."""
    pixels = shown(torch.from_numpy(codes)).numpy()
    noise = np.random.default_rng([22, seed, half]).normal(size=pixels.shape) * NOISE
    pixels[:, UNITS:] += noise[:, UNITS:]
    return pixels


def study_of_images(
    codes: np.ndarray, settings: Settings, seed: int, fit_codes: np.ndarray | None = None
) -> Study:
    """Noisy images and the model that knows what they show."""
    return decoders.of_pixels(
        noisy(codes, seed, 0),
        fit_pixels=None if fit_codes is None else noisy(fit_codes, seed, 1),
        encode=lambda images: images.reshape(len(images), -1)[:, :UNITS],
        decode=lambda z: shown(z).reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH),
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


def own_truth(population: Population, images: int) -> dict[str, float]:
    """R², k′, the linear share and the miss of the population itself, with NumPy alone."""
    codes = drawn(population, TRUTH_SEED - 1, MOMENT_ROWS)
    bent = decoders.smooth(UNITS)(torch.from_numpy(codes)).numpy()
    # Pixels: the code, the reconstruction of a study of codes.
    joint = np.cov(np.hstack([codes, bent]).T)
    joint[:UNITS, :UNITS] = COVARIANCES[population]
    mean = np.append(codes.mean(axis=0), bent.mean(axis=0))
    of_image = np.r_[:UNITS, 2 * UNITS : UNITS + decoders.PIXELS]
    seen, centre = joint[np.ix_(of_image, of_image)], mean[of_image]
    missed = NOISE**2 * SHOWN
    seen = seen + np.diag(np.repeat([0, NOISE**2], [UNITS, SHOWN]))
    values: list[tuple[float, float, float]] = []
    for seed in range(TRUTH_SEED, TRUTH_SEED + FITS):
        fit = drawn(population, seed, images // 2)
        errors = _pca_errors(noisy(fit, seed, 1).astype(np.float64), seen, centre)
        components = np.interp(-missed, -errors, np.arange(len(errors)))
        values.append((1 - missed / errors[0], components, _linear(fit, joint, mean)))
    found = dict(zip(("R²", "k′", "linear"), np.mean(values, axis=0), strict=True))
    return found | {"miss from the mean": _miss(codes[:MISS_ROWS], mean[:UNITS])}


def _pca_errors(fit: np.ndarray, seen: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(P + 1,) E‖x − x̂‖² of images with such moments, by components of the fit images."""
    about = centre - fit.mean(axis=0)
    squares = seen + np.outer(about, about)
    components = np.linalg.eigh(np.cov(fit.T))[1][:, ::-1]
    along = np.einsum("pk,pq,qk->k", components, squares, components)
    return np.append(np.trace(squares), np.trace(squares) - np.cumsum(along))


def _linear(fit: np.ndarray, joint: np.ndarray, mean: np.ndarray) -> float:
    """R² of the regression of reconstructions on these codes, over the population."""
    bent = decoders.smooth(UNITS)(torch.from_numpy(fit)).numpy()
    design = np.pad(fit.astype(np.float64), ((0, 0), (1, 0)), constant_values=1)
    offset, *slopes = np.linalg.lstsq(design, bent, rcond=None)[0]
    # x̂ − zA as a sum over both.
    left = np.vstack([-np.array(slopes), np.eye(decoders.PIXELS)])
    missed = np.trace(left.T @ joint @ left) + np.square(mean @ left - offset).sum()
    return float(1 - missed / np.trace(joint[UNITS:, UNITS:]))


def _miss(codes: np.ndarray, baseline: np.ndarray) -> float:
    """√(Σ‖D − φ‖² / Σ‖φ‖²), every image's path walked both ways in an order of its own."""

    def decode(z: np.ndarray) -> np.ndarray:
        return decoders.smooth(UNITS)(torch.from_numpy(z.astype(np.float32))).numpy()

    rows = np.arange(len(codes))
    order = np.random.default_rng(23).permuted(np.tile(np.arange(UNITS), (len(codes), 1)), axis=1)
    parts = np.zeros((UNITS, len(codes), decoders.PIXELS))
    for walk in range(2):
        at = np.tile(baseline, (len(codes), 1))
        before = decode(at)
        for step in range(MISS_STEPS):
            for place in range(UNITS)[:: 1 - 2 * ((step + walk) % 2)]:
                unit = order[:, place]
                at[rows, unit] += (codes[rows, unit] - baseline[unit]) / MISS_STEPS
                after = decode(at)
                parts[unit, rows] += (after - before) / 2
                before = after
    missed, whole = 0.0, decode(codes)
    for unit, part in enumerate(parts):
        without = np.where(np.arange(UNITS) == unit, baseline, codes)
        missed += np.square(whole - decode(without) - part).sum()
    return float(np.sqrt(missed / np.square(parts).sum()))


def intervals(population: Population, sets: int, images: int) -> dict[str, list[Estimate]]:
    """Every number of each of so many data sets of so many images."""
    found: dict[str, list[Estimate]] = {name: [] for name in NUMBERS}
    for seed in range(sets):
        codes, settings = drawn(population, seed, images), Settings()
        of_set = estimates(study_of_images(codes, settings, seed), study_of_codes(codes, settings))
        for name, estimate in of_set.items():
            found[name].append(estimate)
    return found


def row(population: Population, found: dict[str, list[Estimate]], true: dict[str, float]) -> str:
    """A row of a table: of each number that has a truth, the share of intervals that hold it."""
    held = [np.mean([e.low <= true[name] <= e.high for e in found[name]]) for name in true]
    return f"| {population.__name__} | " + " | ".join(f"{h:.2f}".lstrip("0") for h in held) + " |"


def print_table(title: str, numbers: Iterable[str], rows: Iterable[str]) -> None:
    """Print it in Markdown."""
    names = [title, *numbers]
    print(f"| {' | '.join(names)} |", "|---" * len(names) + "|", *rows, sep="\n", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--images", type=int, default=1000)
    names = [population.__name__ for population in POPULATIONS]
    parser.add_argument("--populations", nargs="+", choices=names, default=names)
    asked = parser.parse_args()
    first, second = [], []
    for population in POPULATIONS:
        if population.__name__ not in asked.populations:
            continue
        found = intervals(population, asked.sets, asked.images)
        of_samples, own = truth(population, asked.images), own_truth(population, asked.images)
        first.append(row(population, found, of_samples | own))
        second.append(row(population, found, {name: of_samples[name] for name in own}))
        print(population.__name__, file=sys.stderr, flush=True)
    print_table(f"codes, {asked.images} images, {asked.sets} sets", NUMBERS, first)
    print_table("truth as the mean of samples", own, second)


if __name__ == "__main__":
    main()
