"""Finds the pixel scale that a model was trained on, by how well it reconstructs under each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.known_scalings import Scaling, known_scalings, parse_scaling

# A scaling wins only by this much; measured margins between right and wrong can be 7 %.
MARGIN = 0.2
# A scale is found only where the model explains this share of the images' variance on it: without
# the right one among those tried, one that explains little still comes first.
EXPLAINS = 0.5
# Two scalings whose reconstructions differ by less of the images' variance tell the same story.
SAME_STORY = 0.01
# What comes out of a model: pixels scaled as those that go in; logits, to which a sigmoid is
# applied; or, where only what goes in is scaled, pixels in [0, 1].
Output = Literal["pixels", "logits", "unit pixels"]
WORDS: dict[Output, str] = {
    "pixels": "pixels out",
    "logits": "logits out",
    "unit pixels": "[0, 1] pixels out",
}
PLAIN = "0,1 (pixels out)"
# A share of the range; what an affine model gives is exact but for rounding.
ROUNDING = 1e-4


@dataclass(frozen=True)
class PixelScale:
    """The relation of a model's pixels to the data's.

    Attributes
    ----------
    scaling : the scaling of the model's input, and of its output where `output` is "pixels".
    output : the kind of the model's output: "pixels" on its own scale, "unit pixels" in [0, 1], or
        "logits".
    text : the evidence, for the report.
    question : a question to the user where the evidence does not settle it; else None.
    """

    scaling: Scaling
    output: Output
    text: str
    question: str | None = None

    def to_model(self, images: Tensor) -> Tensor:
        """Images on the data's scale → on the model's."""
        return self.scaling.apply(images)

    def to_data(self, output: Tensor) -> Tensor:
        """The model's output → images on the data's scale."""
        if self.output == "logits":
            return torch.sigmoid(output)
        return output if self.output == "unit pixels" else self.scaling.undo(output)


@dataclass(frozen=True)
class _Candidate:
    """A pixel scale that was tried, with its reconstructions and their mean squared error.

    `place` is its place in the order in which scales were tried: the usual ones come first.
    """

    pixel_scale: PixelScale
    reconstructions: Tensor
    error: float
    place: int

    @property
    def name(self) -> str:
        """The name that is printed."""
        scale = self.pixel_scale
        return f"{scale.scaling.name} ({WORDS[scale.output]})"

    @property
    def flags(self) -> str:
        """The flags by which the user chooses it."""
        scale = self.pixel_scale
        output = " --output logits" if scale.output == "logits" else ""
        return f"--normalize {scale.scaling.name}{output}"

    def is_clearly_better(self, other: _Candidate) -> bool:
        """Tell whether the other's error is larger by more than right and wrong may differ."""
        return self.error <= (1 - MARGIN) * other.error


def find_pixel_scale(
    reconstruct: Callable[[Tensor], Tensor],
    sample: Tensor,
    normalize: str | None = None,
    output: str | None = None,
) -> PixelScale:
    """Choose the pixel scale: as told, else by reconstruction error on the data's scale.

    Parameters
    ----------
    reconstruct : the split model, images on its own scale → what it returns.
    sample : (n, C, H, W) images on the data's scale.
    normalize, output : --normalize and --output, where the user gave them.

    Raises ModelError for unknown names, and where what comes out is not finite under any scaling.
    """
    if output not in (None, "pixels", "logits"):
        raise ModelError(f"--output {output!r} is not known; give pixels or logits.")
    candidates = known_scalings(sample)
    if normalize is not None:
        candidates = [parse_scaling(normalize, sample)]
    on_unit_scale = float(sample.min()) >= 0 and float(sample.max()) <= 1
    tried: list[_Candidate] = []
    refused: ModelError | None = None
    for scaling in candidates:
        try:
            returned = reconstruct(scaling.apply(sample))
        except ModelError as own:
            # Functions that refuse numbers outside their range, as below zero.
            refused = refused or own
            continue
        if not bool(torch.isfinite(returned).all()):
            continue
        for kind in _output_kinds(scaling, output, on_unit_scale, returned):
            pixel_scale = PixelScale(scaling, kind, "")
            pixels = pixel_scale.to_data(returned)
            error = float((pixels - sample).square().mean(dtype=torch.float64))
            tried.append(_Candidate(pixel_scale, pixels, error, len(tried)))
    if not tried and refused is not None:
        raise refused
    if not tried:
        raise ModelError(
            "the model returns NaN or infinity for these images under every input scaling; check "
            "its weights, or give the scaling it was trained on with --normalize."
        )
    tried.sort(key=lambda candidate: candidate.error)
    found = _choose(tried, sample, normalize, output)
    plain = next((each for each in tried if each.name == PLAIN), None)
    if found.is_settled or normalize is not None or plain is None:
        return found.pixel_scale
    if _is_affine(reconstruct, sample):
        text = (
            "The model is affine: on every scale with one factor, its units contribute the same, "
            "and reconstructions differ by a constant picture alone. Pixel scale 0,1 (pixels out) "
            f"was taken (mean squared error {plain.error:.3g}; {tried[0].error:.3g} as "
            f"{tried[0].name})."
        )
        return replace(plain.pixel_scale, text=text)
    return found.pixel_scale


def _output_kinds(
    scaling: Scaling, output: str | None, on_unit_scale: bool, returned: Tensor
) -> list[Output]:
    if output == "logits":
        return ["logits"]
    kinds: list[Output] = ["pixels"]
    if output is None and on_unit_scale:
        outside = float(returned.min()) < -0.5 or float(returned.max()) > 1.5
        # A sigmoid over what is already in [0, 1] would shrink it: only wide outputs are logits.
        if outside:
            kinds.append("logits")
        elif not scaling.is_identity and float(returned.min()) >= 0:
            kinds.append("unit pixels")
    return kinds


@dataclass(frozen=True)
class _Choice:
    """A pixel scale, and whether it is said or found rather than assumed or asked for."""

    pixel_scale: PixelScale
    is_settled: bool


def _is_affine(reconstruct: Callable[[Tensor], Tensor], sample: Tensor) -> bool:
    """Tell whether images between and beyond two others are reconstructed between and beyond."""
    others = sample.flip(0)
    first, second = reconstruct(sample), reconstruct(others)
    span = float((first - second).abs().max())
    if span == 0:
        return False
    return all(
        float(
            (
                reconstruct(share * sample + (1 - share) * others)
                - (share * first + (1 - share) * second)
            )
            .abs()
            .max()
        )
        <= ROUNDING * span
        for share in (0.5, 3.0)
    )


def _choose(
    ranked: list[_Candidate], sample: Tensor, normalize: str | None, output: str | None
) -> _Choice:
    """Choose the best candidate, with a question where it is not clearly best and that matters."""
    best = ranked[0]
    if normalize is not None and output is not None:
        return _settled(best, f"Pixel scale {best.name}, as given.")
    if len(ranked) == 1:
        said = "input scaling" if normalize is not None else "output"
        return _settled(best, f"Pixel scale {best.name}; the {said} as given.")
    variance = float(sample.var(dim=0, correction=0).mean(dtype=torch.float64))
    close = [each for each in ranked if not best.is_clearly_better(each)]
    # Plain [0, 1] is what most models are trained on.
    chosen = next((each for each in close if each.name == PLAIN), None)
    if chosen is None:
        alike = [each for each in close if not _differ(best, each, variance)]
        chosen = min(alike, key=lambda each: each.place)
    rivals = [each for each in close if each.flags != chosen.flags]
    others = [each for each in rivals if _differ(chosen, each, variance)]
    is_one = len(close) == 1 or (chosen.name != PLAIN and not others)
    next_best = ranked[min(len(close), len(ranked) - 1)] if is_one else ranked[1]
    evidence = (
        f"mean squared error {best.error:.3g} against {next_best.error:.3g} for {next_best.name}, "
        f"the next best; the images' variance is {variance:.3g}"
    )
    said = ""
    if normalize is not None or output is not None:
        said = f" ({'input scaling' if normalize is not None else 'output'} as given)"
    reconstructs = best.error < variance
    explains = normalize is not None or best.error <= (1 - EXPLAINS) * variance
    if reconstructs and explains and is_one:
        text = f"Pixel scale {chosen.name}{said}, found by reconstruction: {evidence}."
        return _settled(chosen, text)
    if reconstructs and (others or not explains):
        text = f"Pixel scale{said} not settled by reconstruction: {evidence}."
        question = _question([chosen, *others]) if explains else _little(ranked, variance)
        return _Choice(replace(chosen.pixel_scale, text=text, question=question), False)
    reason = (
        "those as good give the same pictures"
        if reconstructs
        else "under none is a reconstruction better than the images' mean"
    )
    text = (
        f"Pixel scale {chosen.name}{said} is assumed: reconstruction does not settle it, {reason} "
        f"({evidence}). Say which with --normalize and --output."
    )
    return _Choice(replace(chosen.pixel_scale, text=text), False)


def _settled(chosen: _Candidate, text: str) -> _Choice:
    return _Choice(replace(chosen.pixel_scale, text=text), True)


def _differ(one: _Candidate, other: _Candidate, variance: float) -> bool:
    """Tell whether a report would depend on which of the two is right."""
    gap = (one.reconstructions - other.reconstructions).square().mean(dtype=torch.float64)
    return float(gap) > SAME_STORY * variance


def _question(candidates: list[_Candidate]) -> str:
    errors = " and ".join(f"{each.error:.3g} as {each.name}" for each in candidates[:3])
    flags = " or ".join(dict.fromkeys(each.flags for each in candidates[:3]))
    return (
        f"how its pixels are scaled cannot be told from these images: the mean squared error is "
        f"{errors}, closer than {MARGIN:.0%}; say what it was trained on, such as {flags}."
    )


def _little(ranked: list[_Candidate], variance: float) -> str:
    errors = ", ".join(f"{each.error:.3g} as {each.name}" for each in ranked[:3])
    flags = " or ".join(dict.fromkeys(each.flags for each in ranked[:3]))
    return (
        f"how its pixels are scaled cannot be told from these images: on none of the usual scales "
        f"does it explain {EXPLAINS:.0%} of their variance, {variance:.3g} (the mean squared error "
        f"is {errors}); say what it was trained on, such as {flags} or --normalize 'mean=0 std=1'."
    )
