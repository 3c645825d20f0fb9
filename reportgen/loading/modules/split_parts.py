"""A model of several parts → a `Split`: by its methods, its submodules, else its graph's cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.graph.boundary import FROM_BOOK, FROM_NOISE, HALVES, OwnHalves
from reportgen.loading.graph.cutting import values_of
from reportgen.loading.graph.quiet_noise import QuietNoise
from reportgen.loading.graph.split_program import split_program
from reportgen.loading.modules.evaluated import Evaluated
from reportgen.loading.modules.labels import LabelFeed, with_labels_fed
from reportgen.loading.modules.memory_format import prefer_channels_last
from reportgen.loading.modules.model_parts import ModelParts, keyword_asked, parts_of_module
from reportgen.loading.modules.pair import TOLERANCE, Pair, SplitPair, try_pair
from reportgen.loading.modules.returned import flatten, image_of, is_batch
from reportgen.loading.modules.whole import WholeModel, sampling_in_training, try_whole
from reportgen.loading.options import LoadingOptions
from reportgen.loading.split import Model, Split, relative_difference
from reportgen.shown import quoted

TRIED_IMAGES = 8


class PartsModel(Model):
    """A model as callables that are no module's, such as TorchScript's."""

    takes_labels = True
    feed: LabelFeed | None = None

    def __init__(self, parts: ModelParts, parameters: int) -> None:
        self._parts = parts
        self.parameters = parameters

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Split the model; see `split_parts`."""
        return _with_or_without_labels(self._parts, self.feed, sample, options)


class ModuleModel(Model):
    """A module, in Python; one that is not ours alone is studied as a copy."""

    takes_labels = True
    feed: LabelFeed | None = None

    def __init__(
        self, module: nn.Module, *, is_ours: bool = True, notes: tuple[Note, ...] = ()
    ) -> None:
        self._notes = notes
        self._module = module
        self._is_ours = is_ours
        tensors = (*module.parameters(), *module.buffers())
        self.parameters = sum(tensor.numel() for tensor in tensors)

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """See `split_parts`; the module runs in evaluation mode, in float32, without gradients."""
        evaluated = Evaluated(self._module, options.device, is_ours=self._is_ours)
        keyword = None if self.feed is None else keyword_asked(evaluated, sample[:2])
        parts = parts_of_module(evaluated, keyword)
        split = _with_or_without_labels(parts, self.feed, sample, options)
        evaluated.settle()
        split = replace(split, notes=(*self._notes, *split.notes))
        if evaluated.holds_device:
            text = f"The model's code asks for a GPU; it runs on {options.device} instead."
            split = replace(split, notes=(*split.notes, Note("device", text)))
        if evaluated.can_be_changed:
            prefer_channels_last(evaluated.module, split, sample[:4], options.device)
        return split


def _with_or_without_labels(
    model: ModelParts, feed: LabelFeed | None, sample: Tensor, options: LoadingOptions
) -> Split:
    if feed is None:
        return split_parts(model, sample, options)
    return feed.split(lambda fed: split_parts(with_labels_fed(model, fed), sample, options))


def split_parts(model: ModelParts, sample: Tensor, options: LoadingOptions) -> Split:
    """Find the encoder and decoder of a model.

    Parameters
    ----------
    model : in evaluation mode, float32, on the device that `options` name.
    sample : (n, C, H, W) images on the data's scale.
    options : `encoder` and `decoder` name the two, instead of the usual names; at `bottleneck` it
        is cut, whatever the names are.

    Raises ModelError where it cannot be split, DataError where the images do not fit.
    """
    whole = try_whole(model, sample[:TRIED_IMAGES])
    reasons: list[str] = []
    found = None
    if options.bottleneck is None:
        found = find_pair(model, whole, sample, options, reasons)
        if found is not None and not found.may_hold_code_inside:
            return found.split(whole, model.tensors())
    if whole.function is None and found is None:
        raise ModelError(f"{'; '.join([whole.reason, *reasons])}.")
    if found is None:
        return _by_graph(model, whole, sample, options)
    # The decoder draws noise or reads a code book, so that the code may lie inside it.
    try:
        example = whole.layout.arrange(sample[:2])
        return split_program(
            model.graph(example),
            sample,
            options.device,
            among=(FROM_NOISE, FROM_BOOK),
            labels=model.labels,
        )
    except (ModelError, DataError):
        return found.split(whole, model.tensors())


def _by_graph(
    model: ModelParts, whole: WholeModel, sample: Tensor, options: LoadingOptions
) -> Split:
    """The cut of the model's graph; of its graph in training, where it adds noise there alone."""
    example = whole.layout.arrange(sample[:2])
    sampled = None
    if options.bottleneck is None and not whole.draws:
        sampled, _ = sampling_in_training(model, whole, sample[:TRIED_IMAGES])
    if sampled is not None and model.training_graph is not None:
        try:
            program = model.training_graph(example)
            split = split_program(
                program, sample, options.device, among=(FROM_NOISE,), labels=model.labels
            )
        except (ModelError, DataError):
            split = None
        if split is not None and _gives(split, whole, sample[:TRIED_IMAGES]):
            kept = [note for note in split.notes if note.topic != "sampling"]
            text = "The model draws noise in training alone; its code is the mean there."
            return replace(
                split, forward=split.quiet_forward, notes=(*kept, Note("sampling", text))
            )
    try:
        program = model.graph(example)
    except ModelError:
        found = None if options.bottleneck else _by_what_decode_takes(model, whole, sample)
        if found is None:
            raise
        return found.split(whole, model.tensors())
    return split_program(
        program,
        sample,
        options.device,
        options.bottleneck,
        own_halves=tuple(_own_halves(model, whole, sample[:TRIED_IMAGES])),
        labels=model.labels,
    )


def _by_what_decode_takes(model: ModelParts, whole: WholeModel, sample: Tensor) -> SplitPair | None:
    """Split at what the model's own decode is called with, where the model cannot be traced."""
    encode, decode = model.taken_by("decode"), model.part("decode")
    if encode is None or decode is None or len(model.required(decode)) > 1:
        return None
    pair = Pair(encode, decode, ("forward, up to its decode,", "decode"), model.misfits)
    return try_pair(model, pair, whole, sample[:TRIED_IMAGES])[0]


def _own_halves(model: ModelParts, whole: WholeModel, images: Tensor) -> Iterator[OwnHalves]:
    """The model's encoders and decoders that are not the whole model: something lies between."""
    given = whole.layout.arrange(images)
    assert whole.output is not None
    expected, size = whole.output, math.prod(whole.layout.shape)
    for first, second in HALVES:
        encode, decode = model.part(first), model.part(second)
        if encode is None or decode is None:
            continue

        def takes(value: Tensor, decode: Callable[[Tensor], Any] = decode) -> bool:
            try:
                with QuietNoise(), torch.no_grad():
                    image = image_of(decode(value.clone()), len(images), size)
            except model.misfits:
                return False
            if image is None:
                return False
            return relative_difference(expected, whole.layout.restore(image)) <= TOLERANCE

        try:
            with QuietNoise(), torch.no_grad():
                leaves = flatten(encode(given.clone()))
        except model.misfits:
            # Not what this encoder takes; the graph has other ways to show its code.
            continue
        encoded = [leaf for leaf in leaves if is_batch(leaf, len(images))]
        yield OwnHalves(
            (first, second),
            encoded,
            takes,
            lambda program, nodes: values_of(program, nodes, given),
        )


def _gives(split: Split, whole: WholeModel, images: Tensor) -> bool:
    """Tell whether a split model gives what the whole model gives."""
    assert split.quiet_forward is not None and whole.output is not None
    with torch.no_grad():
        return relative_difference(whole.output, split.quiet_forward(images)) <= TOLERANCE


def find_pair(
    model: ModelParts,
    whole: WholeModel,
    sample: Tensor,
    options: LoadingOptions,
    reasons: list[str],
) -> SplitPair | None:
    """Find the model's own encoder and decoder, which must reproduce its output; None if none do.

    `reasons` gets the reasons why not.

    Raises ModelError where the two are named and do not fit.
    """
    wide = None
    for pair in _pairs(model, options, reasons):
        found, reason = try_pair(model, pair, whole, sample[:TRIED_IMAGES])
        if found is None:
            reasons.append(reason)
        elif not found.is_wide:
            return found
        else:
            wide = wide or found
    if wide is not None:
        return wide
    if options.encoder or options.decoder:
        raise ModelError(f"{'; '.join(reasons)}.")
    return None


def _pairs(model: ModelParts, options: LoadingOptions, reasons: list[str]) -> Iterator[Pair]:
    """Pairs that the model has; `reasons` gets a line for each that needs more than one input."""
    named = bool(options.encoder or options.decoder)
    wanted = ((options.encoder or "encode", options.decoder or "decode"),) if named else HALVES
    for first, second in wanted:
        encode, decode = model.part(first), model.part(second)
        if encode is None or decode is None:
            if named:
                missing = first if encode is None else second
                raise ModelError(
                    f"the model has no method or submodule {quoted(missing)}; its submodules are "
                    f"{', '.join(model.children) or 'none'}."
                )
            continue
        if any(len(model.required(function)) > 1 for function in (encode, decode)):
            reasons.append(f"{first} or {second} needs more than one input")
            continue
        yield Pair(encode, decode, (first, second), model.misfits)
