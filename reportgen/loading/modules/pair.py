"""Two callables that may be a model's encoder and decoder: checked against the whole model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.loading.code_book import find_code_book
from reportgen.loading.graph.quiet_noise import QuietNoise, SdCheck
from reportgen.loading.image_layout import ImageLayout
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.modules.own_errors import own_reason
from reportgen.loading.modules.posterior import Reading, Spread, readings
from reportgen.loading.modules.returned import image_of
from reportgen.loading.modules.whole import WholeModel, held_still, sampling_in_training
from reportgen.loading.sd_convention import SdConvention
from reportgen.loading.sentences import shape_text
from reportgen.loading.split import UNCONFIRMED_SD, Split, relative_difference

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Pair:
    """Two callables, what they are called, and what they raise for input that they do not take."""

    encode: Callable[[Tensor], Any]
    decode: Callable[[Tensor], Any]
    names: tuple[str, str]
    misfits: tuple[type[Exception], ...]


@dataclass(frozen=True)
class SplitPair:
    """A pair that encodes and decodes, with the reading that makes it do so.

    Attributes
    ----------
    pair : the two callables.
    reading : how the code is read out of what the encoder returns.
    layout : how the two arrange their images.
    error : relative difference from the whole model's output; without one, mean squared error
        against the images.
    code : the code of the images it was tried on.
    encoder_draws, decoder_draws : whether they draw noise, which is then held at its mean.
    decoder_looks_up : whether the decoder asks where something is smallest, as a code book does.
    sd_is_drawn : whether the posterior sd is how far one sd of that noise moves the code, for an
        encoder that returns its sample alone.
    sd_text : how the posterior sd was read, or why not; "" for a model without one.
    """

    pair: Pair
    reading: Reading
    layout: ImageLayout
    error: float
    code: Tensor
    encoder_draws: bool
    decoder_draws: bool
    decoder_looks_up: bool = False
    sd_is_drawn: bool = False
    sd_text: str = ""

    @property
    def is_wide(self) -> bool:
        """Tell whether the code holds as many numbers as the image, or more."""
        return self.code[0].numel() >= math.prod(self.layout.shape)

    @property
    def may_hold_code_inside(self) -> bool:
        """Tell whether the decoder does what is done to a code before it is decoded."""
        return self.decoder_draws or self.decoder_looks_up

    def encode(self, images: Tensor) -> Tensor:
        """(n, C, H, W) → (n, *code_shape)."""
        return self.reading.mean(self._encoded(images)).contiguous()

    def decode(self, code: Tensor) -> Tensor:
        """(n, *code_shape) → (n, C, H, W)."""
        with held_still(self.decoder_draws):
            returned = self.pair.decode(code)
        image = image_of(returned, len(code), math.prod(self.layout.shape))
        assert image is not None, "the decoder returned an image when it was tried"
        return self.layout.restore(image)

    def decode_sample(self, images: Tensor) -> Tensor:
        """(n, C, H, W) → (n, C, H, W), from the code as the encoder draws it."""
        return self.decode(self.reading.mean(self.pair.encode(self.layout.arrange(images))))

    def sd(self, images: Tensor) -> Tensor:
        """(n, C, H, W) → (n, *code_shape)."""
        if self.sd_is_drawn:
            with QuietNoise(deviations=1.0):
                above = self.reading.mean(self.pair.encode(self.layout.arrange(images)))
            return (above - self.encode(images)).abs()
        assert self.reading.spread is not None
        return self.reading.spread.sd(self._encoded(images)).contiguous()

    def _encoded(self, images: Tensor) -> Any:
        with held_still(self.encoder_draws):
            return self.pair.encode(self.layout.arrange(images))

    def split(self, whole: WholeModel, tensors: Iterable[Tensor]) -> Split:
        """The two as a `Split`, checked against the whole; the code book is one of the tensors."""
        shape = tuple(self.code.shape[1:])
        return Split(
            encode=self.encode,
            decode=self.decode,
            forward=whole.function,
            quiet_forward=whole.quiet_function,
            posterior_sd=self.sd if self.reading.spread is not None or self.sd_is_drawn else None,
            code_shape=shape,
            notes=tuple(self._notes(whole, shape)),
            fixed_batch=whole.fixed_batch or 1,
            code_book=find_code_book(self.code, tensors),
        )

    def _notes(self, whole: WholeModel, shape: tuple[int, ...]) -> Iterator[Note]:
        first, second = self.pair.names
        yield Note(
            "code",
            f"Code: {math.prod(shape)} numbers ({shape_text(shape)}), {self.reading.text}; split "
            f"by the model's own {first} and {second}.",
        )
        if self.sd_text:
            yield Note("posterior", self.sd_text)
        if self.layout.note:
            yield Note("input", self.layout.note)
        yield from whole.notes()


def try_pair(
    model: ModelParts, pair: Pair, whole: WholeModel, images: Tensor
) -> tuple[SplitPair | None, str]:
    """Find the reading by which a pair reproduces the whole model; else None and the reason."""
    flat = ImageLayout(whole.layout.shape, (math.prod(whole.layout.shape),))
    reason = ""
    for layout in dict.fromkeys((whole.layout, flat)):
        try:
            with QuietNoise() as noise, torch.no_grad():
                output = pair.encode(layout.arrange(images).clone())
        except pair.misfits as error:
            reason = reason or f"{pair.names[0]} fails ({own_reason(error)})"
            continue
        found = _best_reading(pair, whole, layout, images, output, bool(noise.draws))
        if found is not None and _remembers(found, images):
            return None, f"{pair.names[1]} uses what {pair.names[0]} left in the model"
        if found is not None:
            return _with_checked_spread(model, found, whole, images), ""
        reason = reason or f"{' and '.join(pair.names)} do not reproduce the model's own output"
    return None, reason


def _remembers(found: SplitPair, images: Tensor) -> bool:
    """Tell whether a code is decoded otherwise once other images were encoded (kept skips)."""
    with torch.no_grad():
        before = found.decode(found.code)
        try:
            found.encode(images.flip(0, -1))
            after = found.decode(found.code)
        except found.pair.misfits:
            return True
    return relative_difference(before, after) > TOLERANCE


def _best_reading(
    pair: Pair,
    whole: WholeModel,
    layout: ImageLayout,
    images: Tensor,
    output: Any,
    encoder_draws: bool,
) -> SplitPair | None:
    found: list[SplitPair] = []
    read = [(reading, reading.mean(output)) for reading in readings(output, len(images))]
    size = images.numel()
    # One that is as large as the image is the code only if it is exact and no smaller one is.
    wide = [] if whole.output is None else [each for each in read if each[1].numel() >= size]
    for reading, code in (*(each for each in read if each[1].numel() < size), *wide):
        try:
            with QuietNoise() as noise, torch.no_grad():
                returned = pair.decode(code.clone())
        except pair.misfits:
            # Not what this decoder takes; another reading may be.
            continue
        image = image_of(returned, len(images), math.prod(layout.shape))
        if image is None:
            continue
        error = _error(layout.restore(image), whole, images)
        if whole.output is not None and not error <= TOLERANCE:
            continue
        found.append(
            SplitPair(
                pair,
                reading,
                layout,
                error,
                code,
                encoder_draws,
                bool(noise.draws),
                noise.looks_up,
            )
        )
        if whole.output is not None:
            break
    return min(found, key=lambda candidate: candidate.error, default=None)


def _error(restored: Tensor, whole: WholeModel, images: Tensor) -> float:
    if whole.output is None:
        return float((restored - images).square().mean())
    return relative_difference(whole.output, restored)


def _with_checked_spread(
    model: ModelParts, found: SplitPair, whole: WholeModel, images: Tensor
) -> SplitPair:
    """Settle what the spread stands for, by the model's own sampling where it samples.

    Where it does so in no mode, by the model's own name for it, or by its sign.
    """
    spread = found.reading.spread
    function, where = whole.function, ""
    if function is None and found.encoder_draws:
        # Two halves without a model around them: the encoder's own sample is decoded.
        function, where = found.decode_sample, " in its encoder"
    elif not whole.draws or function is None:
        if spread is None:
            return found
        function, never_samples = sampling_in_training(model, whole, images)
        where = " in training"
        if function is None:
            return _with_untested_spread(found, spread, images, never_samples)
    in_training = where == " in training"
    check = SdCheck.of(function, found.code, found.decode, images, keep_all=in_training)
    for trial, convention in _trials(found, spread):
        if check.confirms(trial.sd):
            text = f"The posterior sd is read from {convention}, which the model's own sampling"
            return replace(trial, sd_text=f"{text}{where} confirms.")
    unread = replace(found.reading, spread=None)
    return replace(found, reading=unread, sd_text=UNCONFIRMED_SD)


def _with_untested_spread(
    found: SplitPair, spread: Spread, images: Tensor, never_samples: bool
) -> SplitPair:
    """Interpret a spread that no sampling tests: only a logarithm can be negative.

    What is nowhere negative, or belongs to a model that is known to sample in no mode, is left out
    unless its name tells what it is.
    """
    with torch.no_grad():
        is_logarithm = bool((spread.read(found._encoded(images)) < 0).any())
    if not spread.is_known and (never_samples or not is_logarithm):
        why = "the model samples in no mode" if never_samples else "it is nowhere negative"
        text = (
            f"What the encoder returns beside the code may be a posterior's sd, variance or "
            f"logarithm, or none of them: {why}, so it cannot be tested and is left out."
        )
        return replace(found, reading=replace(found.reading, spread=None), sd_text=text)
    why = "as its name says" if spread.is_known else "by convention: it has negative values"
    text = (
        f"What the encoder returns beside the mean is taken for {spread.convention.words}, {why}; "
        "it could not be tested by the model's own sampling."
    )
    return replace(found, sd_text=text)


def _trials(found: SplitPair, spread: Spread | None) -> Iterator[tuple[SplitPair, str]]:
    """Yield the pair with each way to read the posterior sd, and words for that way."""
    for candidate in _candidates(spread):
        reading = replace(found.reading, spread=candidate)
        yield replace(found, reading=reading), candidate.convention.words
    if found.encoder_draws:
        reading = replace(found.reading, spread=None)
        yield replace(found, reading=reading, sd_is_drawn=True), "what the encoder adds as noise"


def _candidates(spread: Spread | None) -> Iterator[Spread]:
    if spread is not None:
        yield spread
        for convention in SdConvention:
            if convention is not spread.convention:
                yield replace(spread, convention=convention)
