"""Real results of a small random decoder, in memory: what the page's tests render."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.live.program import LiveWalk
from reportgen.live.walk import live_walk
from reportgen.questions import QUESTIONS, runs_of
from reportgen.report.page import Page, PageRenderer
from reportgen.report.question import Question
from reportgen.report.results import SCHEMA_VERSION, OffDataSummary, Provenance, Results
from reportgen.report.thinning import WHOLE, Thinning
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.settings import Settings
from reportgen.statistics.pictures import picture_shape
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.oracles.decoders import ArrayImages

FEW = Settings(
    rows=16, table_rows=4, bootstrap_resamples=100, path_steps=2, table_players=4, picture_rows=5
)


@dataclass(frozen=True)
class NamedImages(ArrayImages):
    """Images whose names a test chooses."""

    chosen: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.chosen or super().names


@functools.cache
def example_results(
    *,
    units: int = 4,
    channels: int = 1,
    side: int = 8,
    code_sites: int = 1,
    images: int = 160,
    prefix: str = "image",
    name: str = "example",
    classes: tuple[str, str] = ("odd", "even"),
    encoder_gain: float = 1.0,
    settings: Settings = FEW,
    live: bool = False,
) -> Results:
    """Results of x̂ = σ(tanh(.3 z W) V) on images it made itself, with noise; seeded.

    Made once for the same choices; nobody changes them.

    The encoder is the least-squares map back to the codes, times `encoder_gain`: −1 gives a
    model that reconstructs worse than the mean image.
    """
    generator = np.random.default_rng(5)
    size = units * code_sites**2
    pixels = channels * side * side
    first = torch.from_numpy(generator.normal(size=(size, 12)).astype(np.float32))
    second = torch.from_numpy(generator.normal(size=(12, pixels)).astype(np.float32))
    code_shape = (units,) if code_sites == 1 else (units, code_sites, code_sites)
    shape = (channels, side, side)

    def decode(codes: torch.Tensor) -> torch.Tensor:
        flat = codes.reshape(len(codes), -1)
        return torch.sigmoid(torch.tanh(0.3 * flat @ first) @ second).reshape(-1, *shape)

    def encode(pictures: torch.Tensor) -> torch.Tensor:
        return ((pictures.reshape(len(pictures), -1) - 0.5) @ inverse).reshape(-1, *code_shape)

    def forward(pictures: torch.Tensor) -> torch.Tensor:
        return decode(encode(pictures))

    codes = torch.from_numpy(generator.normal(size=(images, size)).astype(np.float32))
    flat = decode(codes).reshape(images, -1) - 0.5
    inverse = encoder_gain * torch.linalg.lstsq(flat.double(), codes.double()).solution.float()
    made = decode(codes).numpy() + 0.02 * generator.normal(size=(images, *shape))
    data = NamedImages(
        made.astype(np.float32),
        labels=tuple(classes[row % 2] for row in range(images)),
        source=SourceFile(f"{prefix}s", 1234, "ab" * 32),
        chosen=tuple(f"{prefix}[{row}]" for row in range(images)),
    )
    model = Autoencoder(
        encode=encode,
        decode=decode,
        input_shape=shape,
        code_shape=code_shape,
        forward=forward,
        posterior_sd=lambda pictures: torch.full((len(pictures), *code_shape), 0.3),
        notes=(Note("format", f"Read as {name}."),),
        source=SourceFile(f"{name}.pt2", 4321, "cd" * 32),
        name=name,
    )
    study = make_study(model, data, settings)  # type: ignore[arg-type]
    parts, unanswered, not_applicable = {}, {}, {}
    for analysis, run in runs_of(QUESTIONS).items():
        try:
            parts[analysis] = run(study)
        except DoesNotApplyError as reason:
            not_applicable[analysis] = str(reason)
        except UnanswerableError as reason:
            unanswered[analysis] = str(reason)
    asked = [q.name for q in QUESTIONS if q.run is not None]
    answers = Answers({name: parts.get(name) for name in asked})
    summary = merge_units(answers, settings)
    trust = parts["trust"]
    return Results(
        schema_version=SCHEMA_VERSION,
        title=name,
        model_name=name,
        data_name=f"{prefix}s",
        pixel_range=(0.0, 1.0),
        verdict=verdict_of(answers, summary, settings, not_applicable | unanswered),
        units=summary,
        answers=answers,
        extensions=Answers({}),
        off_data=OffDataSummary(
            real_codes=trust.real_codes_flagged,
            largest_distance=trust.largest_distance,
            largest_cycle_error=trust.largest_cycle_error,
            covariance_shrunk=trust.covariance_shrunk,
            panels={"last-in ablation": parts["ablation"].off_data_last},
        ),
        live=_live(study, parts) if live else None,
        live_reason="" if live else "this example has none",
        unanswered=unanswered,
        not_applicable=not_applicable,
        failures={},
        settings=settings,
        provenance=Provenance(
            confinement="Could read the inputs alone (held by Landlock 7 and seccomp).",
            model=model.source,
            data=data.source,
            fit_data=None,
            model_notes=model.notes,
            data_notes=(),
            skipped_images=((f"{prefix}-broken.png", "not a picture"),),
            command=f"reportgen build {name}.pt2 {prefix}s",
            versions={"reportgen": "0", "python": "3"},
            date="2026-01-01",
            input_shape=shape,
            picture_shape=picture_shape(shape),
            code_shape=code_shape,
            images=images,
            fit_rows=len(study.fit),
            test_rows=len(study.test),
            decodes=dict(study.engine.forwards),
            encodes=dict(study.engine.encodes),
            row_names={"pictures": tuple(study.test.names[row] for row in study.rows.pictures)},
        ),
    )


def _live(study: Study, parts: dict[str, Any]) -> LiveWalk:
    named = ("traversal", "contributions", "direction_contributions")
    return live_walk(study, *(parts.get(name) for name in named))


def page_of(results: Results, layout: str = "file", thinning: Thinning = WHOLE) -> Page:
    """The page of these results, all our questions asked."""
    return PageRenderer(results, QUESTIONS, layout).render(thinning)


def with_answers(results: Results, **changed: Any) -> Results:
    """The same results with other answers to some questions."""
    return replace(results, answers=Answers(dict(results.answers) | changed))


def question_named(name: str) -> Question:
    """One of our questions."""
    return next(question for question in QUESTIONS if question.name == name)


def without(results: Results, *analyses: str) -> Results:
    """The same results with some analyses unanswered, and the verdict that follows from them."""
    removed = replace(
        with_answers(results, **dict.fromkeys(analyses)),
        not_applicable={},
        unanswered=results.unanswered | {name: f"no {name} here." for name in analyses},
    )
    units = merge_units(removed.answers, results.settings)
    verdict = verdict_of(removed.answers, units, results.settings, removed.unanswered)
    return replace(removed, units=units, verdict=verdict)
