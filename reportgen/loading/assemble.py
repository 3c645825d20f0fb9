"""Makes an `Autoencoder` on the data's scale of a `Split` and its pixel scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import ModelError
from reportgen.loading.image_layout import image_shape
from reportgen.loading.modules.own_errors import own_errors
from reportgen.loading.options import LoadingOptions
from reportgen.loading.scaling import find_pixel_scale
from reportgen.loading.split import (
    ImageMap,
    Split,
    exact_arithmetic,
    relative_difference,
    seeded_calls,
    without_single_sites,
)

# A share of the range; rounding differs between batch sizes by some 1e-6 of it.
MIXING = 1e-3


def assemble(
    split: Split,
    sample: Tensor,
    options: LoadingOptions,
    *,
    notes: tuple[Note, ...],
    source: SourceFile | None,
    name: str,
) -> tuple[Autoencoder, str | None]:
    """Put the pixel scale into the split model, and check the result on the sample.

    The second value is the question to the user where the pixel scale is not settled; else None.

    Raises ModelError where codes or reconstructions are not finite, or depend on the batch.
    """
    device = options.device
    split = without_single_sites(split)
    if split.code_book is not None:
        # What stands beside a word, such as what it was chosen for, is no posterior sd.
        kept = tuple(note for note in split.notes if note.topic != "posterior")
        split = replace(split, posterior_sd=None, notes=kept)
    with exact_arithmetic(device):
        pixel_scale = find_pixel_scale(
            lambda images: split.decode(split.encode(images)),
            sample,
            options.normalize,
            options.output,
        )

    def on_data(function: ImageMap, takes_images: bool, gives_images: bool) -> ImageMap:
        def run(values: Tensor) -> Tensor:
            with exact_arithmetic(device):
                given = pixel_scale.to_model(values) if takes_images else values
                with own_errors(len(values)):
                    result = function(given)
                return (pixel_scale.to_data(result) if gives_images else result).contiguous()

        return run

    encode = on_data(split.encode, True, False)
    decode = on_data(split.decode, False, True)
    forward = quiet = None
    if split.quiet_forward is not None:
        forward = quiet = on_data(split.quiet_forward, True, True)
        if split.is_stochastic and not split.concurrent:
            # Noise that is not Gaussian is still drawn by the author's own code; a graph with any
            # is refused.
            forward = seeded_calls(quiet, device)
    posterior_sd = None
    if split.posterior_sd is not None:
        posterior_sd = on_data(split.posterior_sd, True, False)
    codes = encode(sample)
    reconstructions = decode(codes)
    _refuse_not_finite(codes, "codes")
    _refuse_not_finite(reconstructions, "reconstructions")
    _refuse_mixing(encode, decode, sample, codes, reconstructions)
    last = [Note("scaling", pixel_scale.text)]
    if quiet is not None:
        last.append(_check_note(quiet(sample), reconstructions, split.is_stochastic))
    last.extend(_size_notes(split, math.prod(sample.shape[1:])))
    autoencoder = Autoencoder(
        encode=encode,
        decode=decode,
        input_shape=image_shape(sample),
        code_shape=split.code_shape,
        forward=forward,
        posterior_sd=posterior_sd,
        notes=(*notes, *split.notes, *last),
        source=source,
        name=name,
        device=device,
        noise_held=split.is_stochastic,
        classes=options.classes,
        concurrent=split.concurrent and device == "cpu",
        fixed_batch=split.fixed_batch,
        white=pixel_scale.scaling.white,
        code_book=None if split.code_book is None else split.code_book.words.cpu().numpy(),
        code_book_start=0 if split.code_book is None else split.code_book.start,
    )
    return autoencoder, pixel_scale.question


def _size_notes(split: Split, pixels: int) -> Iterator[Note]:
    """Note what follows from a code of words, and from one that is no smaller than the image."""
    if split.code_book is not None:
        words, length = split.code_book.words.shape
        start, channels = split.code_book.start, split.code_shape[0]
        where = "Each site of the code holds"
        if length < channels:
            where = f"In channels {start} to {start + length - 1} each site of the code holds"
        yield Note(
            "code book",
            f"{where} one of the {words} words of the model's code book ({length} numbers each); "
            "only whole words are codes that the decoder was trained on.",
        )
    size = math.prod(split.code_shape)
    if size >= pixels:
        text = (
            f"The code holds {size} numbers and an image {pixels}: it compresses nothing by its "
            "size alone. PCA has no more components than an image has numbers, so that it "
            "reconstructs everything at this size, and a comparison with it says nothing."
        )
        yield Note("wide code", text)


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


def _refuse_not_finite(values: Tensor, what: str) -> None:
    if not bool(torch.isfinite(values).all()):
        kind = "NaN" if bool(torch.isnan(values).any()) else "infinity"
        raise ModelError(
            f"the model's {what} hold {kind} for these images; check its weights and, with "
            "--normalize, the input scaling."
        )


def _check_note(whole: Tensor, reconstructions: Tensor, is_stochastic: bool) -> Note:
    """A note of how far decode(encode(x)) is from the model's own output, without its noise."""
    noise = ", its sampling noise held at its mean," if is_stochastic else ""
    difference = relative_difference(reconstructions, whole)
    text = (
        f"decode(encode(x)) differs from the model's own output{noise} by at most "
        f"{difference:.2g} of the range, on {len(whole)} images."
    )
    return Note("check", text)
