"""A `Split` and its pixel scale → an `Autoencoder` on the data's scale."""

from __future__ import annotations

import torch
from torch import Tensor

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import ModelError
from reportgen.loading.scaling import PixelScale, find_pixel_scale
from reportgen.loading.split import (
    ImageMap,
    SeededCalls,
    Split,
    exact_arithmetic,
    relative_difference,
    without_single_sites,
)

# A share of the range; rounding differs between batch sizes by some 1e-6 of it.
MIXING = 1e-3


def assemble(
    split: Split,
    sample: Tensor,
    device: str,
    *,
    normalize: str | None,
    output: str | None,
    notes: tuple[Note, ...],
    source: SourceFile | None,
    name: str,
    classes: tuple[str, ...] = (),
    asks: bool = True,
) -> Autoencoder:
    """Put the pixel scale into the split model, and check the result on the sample.

    `asks` is whether a pixel scale that is not settled is an error; else a note of the topic
    "question" says it.

    Raises ModelError where codes or reconstructions are not finite, or depend on the batch.
    """
    split = without_single_sites(split)
    with exact_arithmetic(device):
        pixel_scale = find_pixel_scale(
            lambda images: split.decode(split.encode(images)), sample, normalize, output
        )
    if pixel_scale.question is not None:
        if asks:
            raise ModelError(pixel_scale.question)
        notes = (*notes, Note("question", pixel_scale.question))
    encode = _on_device(lambda images: split.encode(pixel_scale.to_model(images)), device)
    decode = _on_device(lambda code: pixel_scale.to_data(split.decode(code)), device)
    forward = None
    if split.quiet_forward is not None:
        forward = _whole(split.quiet_forward, pixel_scale, device)
        if split.is_stochastic and not split.concurrent:
            # Noise that is not Gaussian is still drawn by the author's own code; a graph with any
            # is refused.
            forward = SeededCalls(forward, device)
    posterior_sd = None
    if split.posterior_sd is not None:
        sd = split.posterior_sd
        posterior_sd = _on_device(lambda images: sd(pixel_scale.to_model(images)), device)
    codes = encode(sample)
    reconstructions = decode(codes)
    _refuse_not_finite(codes, "codes")
    _refuse_not_finite(reconstructions, "reconstructions")
    _refuse_mixing(encode, decode, sample, codes, reconstructions)
    check = _check_note(split, pixel_scale, device, sample, reconstructions)
    return Autoencoder(
        encode=encode,
        decode=decode,
        input_shape=(int(sample.shape[1]), int(sample.shape[2]), int(sample.shape[3])),
        code_shape=split.code_shape,
        forward=forward,
        posterior_sd=posterior_sd,
        notes=(*notes, *split.notes, Note("scaling", pixel_scale.text), *check),
        source=source,
        name=name,
        device=device,
        noise_held=split.is_stochastic,
        classes=classes,
        concurrent=split.concurrent and device == "cpu",
        fixed_batch=split.fixed_batch,
    )


def _refuse_mixing(
    encode: ImageMap, decode: ImageMap, sample: Tensor, codes: Tensor, reconstructions: Tensor
) -> None:
    """Raise ModelError where what is computed for an image depends on the images beside it."""
    if len(sample) < 2:
        return
    for what, alone, among in (
        ("code", encode(sample[:1]), codes),
        ("reconstruction", decode(codes[:1]), reconstructions),
    ):
        span = float(among.max() - among.min())
        if float((alone - among[:1]).abs().max()) > MIXING * span:
            raise ModelError(
                f"the model's {what} of an image depends on the other images in its batch, as with "
                "batch normalisation that keeps no running statistics; such a model has no "
                "numbers of its own for an image. Train it with running statistics, or with group "
                "or instance normalisation."
            )


def _on_device(function: ImageMap, device: str) -> ImageMap:
    def run(values: Tensor) -> Tensor:
        with exact_arithmetic(device):
            return function(values).contiguous()

    return run


def _whole(forward: ImageMap, pixel_scale: PixelScale, device: str) -> ImageMap:
    return _on_device(
        lambda images: pixel_scale.to_data(forward(pixel_scale.to_model(images))), device
    )


def _refuse_not_finite(values: Tensor, what: str) -> None:
    if not bool(torch.isfinite(values).all()):
        kind = "NaN" if bool(torch.isnan(values).any()) else "infinity"
        raise ModelError(
            f"the model's {what} hold {kind} for these images; check its weights and, with "
            "--normalize, the input scaling."
        )


def _check_note(
    split: Split, pixel_scale: PixelScale, device: str, sample: Tensor, reconstructions: Tensor
) -> tuple[Note, ...]:
    """How far decode(encode(x)) is from the model's own output, sampling noise held at its mean."""
    if split.quiet_forward is None:
        return ()
    whole = _whole(split.quiet_forward, pixel_scale, device)(sample)
    difference = relative_difference(reconstructions, whole)
    noise = ", its sampling noise held at its mean," if split.is_stochastic else ""
    text = (
        f"decode(encode(x)) differs from the model's own output{noise} by at most "
        f"{difference:.2g} of the range, on {len(sample)} images."
    )
    return (Note("check", text),)
