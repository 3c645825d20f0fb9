"""A model of several parts → a `Split`: by its methods, its submodules, else its graph's cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.image_layout import ImageLayout, text, tried_layout
from reportgen.loading.model_parts import ModelParts
from reportgen.loading.posterior import Reading, flatten, image_of, readings
from reportgen.loading.program_split import split_program
from reportgen.loading.quiet import QuietNoise
from reportgen.loading.split import ImageMap, Split, relative_difference

PAIRS = (
    ("encode", "decode"),
    ("encoder", "decoder"),
    ("enc", "dec"),
    ("Encoder", "Decoder"),
    ("encoder_net", "decoder_net"),
)
TOLERANCE = 1e-4
CHECKED_IMAGES = 8


@dataclass(frozen=True)
class Pair:
    """Two callables that may be an encoder and a decoder, and what they are called."""

    encode: Callable[[Tensor], Any]
    decode: Callable[[Tensor], Any]
    names: tuple[str, str]


@dataclass(frozen=True)
class _Found:
    pair: Pair
    reading: Reading
    layout: ImageLayout
    code: Tensor
    error: float
    encoder_draws: bool
    decoder_draws: bool


def split_parts(
    model: ModelParts,
    sample: Tensor,
    device: str,
    *,
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
) -> Split:
    """Find the encoder and decoder of a model.

    Parameters
    ----------
    model : in evaluation mode, float32, on `device`.
    sample : (n, C, H, W) images on the data's scale.
    encoder, decoder : names of the two, instead of the usual ones.
    bottleneck : cut there, whatever the names are.

    Raises ModelError where it cannot be split, DataError where the images do not fit.
    """
    images = sample[:CHECKED_IMAGES]
    whole = _Whole.of(model, images)
    reasons: list[str] = []
    if bottleneck is None:
        for pair in _pairs(model, encoder, decoder):
            found = _try_pair(model, pair, whole, images, reasons)
            if found is not None:
                return _split_by_pair(found, whole)
        if encoder is not None or decoder is not None:
            raise ModelError("; ".join(reasons) or "the named encoder and decoder do not fit.")
    if whole.function is None:
        raise ModelError(f"{whole.reason}; {'; '.join(reasons)}".rstrip("; "))
    program = model.graph(whole.layout.arrange(sample[:2]))
    return split_program(program, sample, device, bottleneck)


@dataclass(frozen=True)
class _Whole:
    """The module's own forward; `function` is None, with a reason, where it cannot be called."""

    function: ImageMap | None
    quiet: Tensor | None
    layout: ImageLayout
    draws: frozenset[str]
    reason: str = ""

    @classmethod
    def of(cls, model: ModelParts, images: Tensor) -> _Whole:
        shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
        plain = ImageLayout(shape, shape)
        needed = model.required(model.forward)
        if len(needed) > 1:
            reason = (
                f"the model's forward needs {len(needed)} inputs ({', '.join(needed)}) and not "
                "images alone; give it methods encode(images) and decode(code)"
            )
            return cls(None, None, plain, frozenset(), reason)
        try:
            layout = tried_layout(shape, lambda layout: _run(model.forward, layout.arrange(images)))
        except NotImplementedError:
            return cls(None, None, plain, frozenset(), "the model has no forward of its own")
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            raise DataError(_misfit(model, shape, error)) from error

        def function(batch: Tensor) -> Tensor:
            output = image_of(
                model.forward(layout.arrange(batch)),
                len(batch),
                math.prod(shape),
                layout.arrange(batch),
            )
            assert output is not None
            return layout.restore(output)

        output, draws = _quietly(model.forward, layout.arrange(images))
        image = image_of(output, len(images), math.prod(shape), layout.arrange(images))
        if image is None:
            return cls(None, None, layout, draws, _no_image(output, shape))
        return cls(function, layout.restore(image), layout, draws)


def _run(function: Callable[[Tensor], Any], values: Tensor) -> Any:
    with torch.no_grad():
        return function(values.clone())


def _quietly(function: Callable[[Tensor], Any], values: Tensor) -> tuple[Any, frozenset[str]]:
    with QuietNoise() as noise:
        output = _run(function, values)
    return output, frozenset(noise.draws)


def _pairs(model: ModelParts, encoder: str | None, decoder: str | None) -> Iterator[Pair]:
    named = encoder is not None or decoder is not None
    wanted = ((encoder or "encode", decoder or "decode"),) if named else PAIRS
    for first, second in wanted:
        encode, decode = model.part(first), model.part(second)
        if encode is not None and decode is not None:
            yield Pair(encode, decode, (first, second))
        elif named:
            missing = first if encode is None else second
            raise ModelError(
                f"the model has no method or submodule {missing!r}; its submodules are "
                f"{', '.join(model.children) or 'none'}."
            )


def _try_pair(
    model: ModelParts, pair: Pair, whole: _Whole, images: Tensor, reasons: list[str]
) -> _Found | None:
    """The best reading of the pair that agrees with the module's forward."""
    name = " and ".join(pair.names)
    if any(len(model.required(f)) > 1 for f in (pair.encode, pair.decode)):
        reasons.append(f"{name} need more than one input")
        return None
    layouts = [whole.layout, ImageLayout(whole.layout.shape, (math.prod(whole.layout.shape),))]
    failure = ""
    for layout in dict.fromkeys(layouts):
        try:
            output, draws = _quietly(pair.encode, layout.arrange(images))
        except Exception as error:
            # The user's own code may raise anything when it is called in a way it was not meant to.
            failure = failure or f"{pair.names[0]} fails: {_first_line(error)}"
            continue
        found = _best_reading(pair, whole, layout, images, output, bool(draws))
        if found is not None:
            return found
    reasons.append(failure or f"{name} do not reproduce the model's own output")
    return None


def _best_reading(
    pair: Pair, whole: _Whole, layout: ImageLayout, images: Tensor, output: Any, draws: bool
) -> _Found | None:
    size = math.prod(layout.shape)
    candidates: list[_Found] = []
    for reading in readings(output, len(images)):
        code = reading.mean(output)
        try:
            decoded, decoder_draws = _quietly(pair.decode, code)
        except Exception:
            # Not what this decoder takes; another reading may be.
            continue
        image = image_of(decoded, len(images), size)
        if image is None or code.numel() >= images.numel():
            continue
        restored = layout.restore(image)
        target = images if whole.quiet is None else whole.quiet
        error = relative_difference(target, restored)
        if whole.quiet is not None and not error <= TOLERANCE:
            continue
        if whole.quiet is None:
            error = float((restored - images).square().mean())
        candidates.append(_Found(pair, reading, layout, code, error, draws, bool(decoder_draws)))
    if whole.quiet is not None:
        return next(iter(candidates), None)
    return min(candidates, key=lambda found: found.error, default=None)


def _split_by_pair(found: _Found, whole: _Whole) -> Split:
    pair, layout, reading = found.pair, found.layout, found.reading

    def encode(images: Tensor) -> Tensor:
        return reading.mean(
            _call(pair.encode, layout.arrange(images), found.encoder_draws)
        ).contiguous()

    def decode(code: Tensor) -> Tensor:
        decoded = _call(pair.decode, code, found.decoder_draws)
        image = image_of(decoded, len(code), math.prod(layout.shape))
        assert image is not None
        return layout.restore(image)

    def sd(images: Tensor) -> Tensor:
        assert reading.sd is not None
        return reading.sd(
            _call(pair.encode, layout.arrange(images), found.encoder_draws)
        ).contiguous()

    forward = whole.function
    quiet = forward
    if forward is not None and whole.draws:

        def quiet(images: Tensor) -> Tensor:
            with QuietNoise():
                return forward(images)

    shape = tuple(found.code.shape[1:])
    return Split(
        encode=encode,
        decode=decode,
        forward=forward,
        quiet_forward=quiet,
        posterior_sd=sd if reading.sd is not None else None,
        code_shape=shape,
        notes=tuple(_pair_notes(found, whole, shape)),
    )


def _call(function: Callable[[Tensor], Any], values: Tensor, draws: bool) -> Any:
    if not draws:
        return function(values)
    with QuietNoise():
        return function(values)


def _pair_notes(found: _Found, whole: _Whole, shape: tuple[int, ...]) -> Iterator[Note]:
    first, second = found.pair.names
    yield Note(
        "code",
        f"Code: {math.prod(shape)} numbers ({text(shape)}), {found.reading.text}; split by the "
        f"model's own {first} and {second}.",
    )
    if found.reading.sd_is_assumed:
        yield Note("posterior", "The second tensor is taken for the log-variance by convention.")
    if found.layout.note:
        yield Note("input", found.layout.note)
    draws = sorted(whole.draws)
    if draws:
        yield Note(
            "sampling",
            f"The model draws noise in its forward ({', '.join(draws)}); the posterior mean is "
            "used.",
        )
    if whole.function is None:
        yield Note(
            "check", f"The split is not checked against the model's own output: {whole.reason}."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _no_image(output: Any, shape: tuple[int, int, int]) -> str:
    shapes = [text(tuple(leaf.shape[1:])) for leaf in flatten(output) if isinstance(leaf, Tensor)]
    return (
        f"the model returns {', '.join(shapes) or 'no tensors'} for an image of {text(shape)}, so "
        "it is no autoencoder of these images; a classifier or a lone encoder has nothing to decode"
    )


def _misfit(model: ModelParts, shape: tuple[int, int, int], error: Exception) -> str:
    takes = f"takes {model.takes}" if model.takes else "does not take them"
    return (
        f"The images are {text(shape)} (channels × height × width) and the model {takes} "
        f"({_first_line(error)}); resize or convert the images to what it was trained on."
    )
