"""Finds the pixel scale that a model was trained on, by how well it reconstructs under each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from reportgen.errors import ModelError

# A scaling wins only by this much; measured margins between right and wrong can be 7 %.
MARGIN = 0.2
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
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Scaling:
    """Pixels on the data's scale → (pixels − shift) / scale, what the model was trained on.

    Attributes
    ----------
    name : as printed, and as --normalize takes it.
    shift, scale : one number, or one for each channel.
    """

    name: str
    shift: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    @property
    def is_identity(self) -> bool:
        """Tell whether it changes nothing."""
        return self.shift == (0.0,) and self.scale == (1.0,)

    def apply(self, images: Tensor) -> Tensor:
        """Data's scale → model's scale."""
        if self.is_identity:
            return images
        return (images - self._per_channel(self.shift, images)) / self._per_channel(
            self.scale, images
        )

    def undo(self, images: Tensor) -> Tensor:
        """Model's scale → data's scale."""
        if self.is_identity:
            return images
        return images * self._per_channel(self.scale, images) + self._per_channel(
            self.shift, images
        )

    @staticmethod
    def _per_channel(numbers: tuple[float, ...], images: Tensor) -> Tensor:
        return torch.tensor(numbers, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)


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
    """A pixel scale that was tried, with its reconstructions and their mean squared error."""

    pixel_scale: PixelScale
    reconstructions: Tensor
    error: float

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


def known_scalings(sample: Tensor) -> list[Scaling]:
    """The pixel scalings that models are usually trained with, for images of this kind."""
    channels = sample.shape[1]
    mean = sample.mean(dim=(0, 2, 3), dtype=torch.float64)
    sd = sample.to(torch.float64).std(dim=(0, 2, 3), correction=0)
    scalings = [
        Scaling("0,1"),
        Scaling("-1,1", (0.5,), (0.5,)),
        Scaling("0,255", (0.0,), (1 / 255,)),
    ]
    if channels == 3:
        scalings.append(Scaling("imagenet", IMAGENET_MEAN, IMAGENET_SD))
    if bool((sd > 0).all()):
        scalings.append(Scaling("dataset", tuple(mean.tolist()), tuple(sd.tolist())))
    return scalings


def parse_scaling(text: str, sample: Tensor) -> Scaling:
    """The scaling that --normalize names. Raises ModelError with the choices."""
    for scaling in known_scalings(sample):
        if scaling.name == text.strip().lower():
            return scaling
    parts = dict(part.split("=", 1) for part in text.split() if "=" in part)
    try:
        if set(parts) != {"mean", "std"}:
            raise ValueError
        mean = tuple(float(number) for number in parts["mean"].split(","))
        sd = tuple(float(number) for number in parts["std"].split(","))
        if not all(number > 0 for number in sd):
            raise ValueError
    except ValueError as error:
        raise ModelError(
            f"--normalize {text!r} is not known; give 0,1 · -1,1 · 0,255 · imagenet · dataset, or "
            "mean=0.5,0.5,0.5 std=0.5,0.5,0.5."
        ) from error
    channels = int(sample.shape[1])
    if {len(mean), len(sd)} - {1, channels}:
        raise ModelError(
            f"--normalize {text!r} has {len(mean)} means for images with {channels} channels."
        )
    return Scaling(text, mean, sd)


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
    tried = []
    for scaling in candidates:
        returned = reconstruct(scaling.apply(sample))
        if not bool(torch.isfinite(returned).all()):
            continue
        for kind in _output_kinds(scaling, output, on_unit_scale, returned):
            pixel_scale = PixelScale(scaling, kind, "")
            pixels = pixel_scale.to_data(returned)
            error = float((pixels - sample).square().mean(dtype=torch.float64))
            tried.append(_Candidate(pixel_scale, pixels, error))
    if not tried:
        raise ModelError(
            "the model returns NaN or infinity for these images under every input scaling; check "
            "its weights, or give the scaling it was trained on with --normalize."
        )
    tried.sort(key=lambda candidate: candidate.error)
    return _choose(tried, sample, normalize, output)


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


def _choose(
    ranked: list[_Candidate], sample: Tensor, normalize: str | None, output: str | None
) -> PixelScale:
    """Choose the best candidate, with a question where it is not clearly best and that matters."""
    best = ranked[0]
    if normalize is not None and output is not None:
        return replace(best.pixel_scale, text=f"Pixel scale {best.name}, as given.")
    if len(ranked) == 1:
        said = "input scaling" if normalize is not None else "output"
        return replace(best.pixel_scale, text=f"Pixel scale {best.name}; the {said} as given.")
    variance = float(sample.var(dim=0, correction=0).mean(dtype=torch.float64))
    evidence = (
        f"mean squared error {best.error:.3g} against {ranked[1].error:.3g} for {ranked[1].name}, "
        f"the next best; the images' variance is {variance:.3g}"
    )
    said = ""
    if normalize is not None or output is not None:
        said = f" ({'input scaling' if normalize is not None else 'output'} as given)"
    close = [each for each in ranked if best.error > (1 - MARGIN) * each.error]
    reconstructs = best.error < variance
    if len(close) < 2 and reconstructs:
        text = f"Pixel scale {best.name}{said}, found by reconstruction: {evidence}."
        return replace(best.pixel_scale, text=text)
    # Plain [0, 1] is what most models are trained on.
    chosen = next((each for each in close if each.name == PLAIN), best)
    rivals = [each for each in close if each.flags != chosen.flags]
    if reconstructs and any(_differ(chosen, rival, variance) for rival in rivals):
        text = f"Pixel scale{said} not settled by reconstruction: {evidence}."
        return replace(chosen.pixel_scale, text=text, question=_question([chosen, *rivals]))
    reason = (
        "those as good give the same pictures"
        if reconstructs
        else "under none is a reconstruction better than the images' mean"
    )
    text = (
        f"Pixel scale {chosen.name}{said} is assumed: reconstruction does not settle it, {reason} "
        f"({evidence}). Say which with --normalize and --output."
    )
    return replace(chosen.pixel_scale, text=text)


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
