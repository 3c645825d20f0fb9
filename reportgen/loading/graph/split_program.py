"""Makes a `Split` of a program by cutting its graph."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.code_book import find_code_book
from reportgen.loading.graph.bottleneck import Bottleneck, find_bottleneck, find_output
from reportgen.loading.graph.boundary import OwnHalves
from reportgen.loading.graph.cutting import cut, returning
from reportgen.loading.graph.evaluation_mode import activate_in_place, evaluated, use_channels_last
from reportgen.loading.graph.label_input import fed, label_of, more_inputs
from reportgen.loading.graph.measure import DoesNotFitError, Measurement, measure
from reportgen.loading.graph.noise import random_nodes, refuse_random, remove_noise
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.posterior import posterior_sd
from reportgen.loading.graph.program import Program, title
from reportgen.loading.graph.quiet_noise import SdCheck
from reportgen.loading.graph.shape_references import drop_shape_references
from reportgen.loading.image_layout import ImageLayout, declared_layout, image_shape, tried_layout
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import shape_text
from reportgen.loading.split import (
    ChunkedLabels,
    ImageMap,
    Model,
    Split,
    batch_note,
    exact_arithmetic,
    image_map,
    refuse_part_names,
    sampling_note,
)

TRIED_IMAGES = 8


class GraphModel(Model):
    """A model that is nothing but a graph."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.declared_shape = program.declared_shape
        self.parameters = sum(tensor.numel() for tensor in program.root.buffers())
        self.said = program.description.said
        self._label = label_of(program)
        self.takes_labels = self._label is not None

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Cut where the user says, else where the file says, else at the narrowest node."""
        refuse_part_names(options)
        description = self.program.description
        named = description.code_output if options.bottleneck is None else options.bottleneck
        with exact_arithmetic(options.device):
            if self.feed is None:
                return split_program(self.program, sample, options.device, named)
            return self.feed.split(
                lambda feed: split_program(
                    fed(self.program, feed.fed), sample, options.device, named, labels=feed
                ),
                self._label,
            )


def split_program(
    program: Program,
    sample: Tensor,
    device: str,
    named: str | int | None = None,
    among: Collection[str] = (),
    own_halves: Sequence[OwnHalves] = (),
    labels: ChunkedLabels | None = None,
) -> Split:
    """Cut a program at its bottleneck.

    Parameters
    ----------
    program : the whole model.
    sample : (n, C, H, W) images on the data's scale; shapes count, and values only to tell a
        log-variance from an sd.
    named : the node or submodule whose output is the code, or the number of the output that holds
        it, instead of the model's own boundary or the narrowest.
    own_halves : the model's encoders and decoders that are not the whole model.
    among : the only ways in which the code may be found; empty for any.
    labels : the classes of images that it is fed, where it is conditional.

    Raises ModelError where there is no bottleneck, DataError where the images do not fit.
    """
    label = label_of(program)
    if label is not None:
        raise more_inputs([title(program.input), label.name], "export")
    program = evaluated(program, device)
    layout = _layout(program, image_shape(sample), sample)
    whole = program.copy()
    sampling = remove_noise(program)
    measured, fixed_batch = _measure(program, layout, sample)
    drop_shape_references(program, measured)
    bottleneck = find_bottleneck(program, measured, layout.model_shape, named, sampling, own_halves)
    if among and bottleneck.how not in among:
        raise ModelError(f"the code is not {' or '.join(among)}.")
    output = bottleneck.output
    quiet_whole = returning(program, output)
    refuse_random(quiet_whole)
    encoder, decoder = cut(program, bottleneck, measured)
    noisy_whole = returning(whole, _same_place(program, whole, output))
    use_channels_last(program)
    # The whole model stays as it was written: the two parts are checked against it.
    for part in (encoder, decoder):
        activate_in_place(part)

    def on_images(part: Program, fixed: int | None, takes: bool, gives: bool) -> ImageMap:
        run = part.compiled()
        return image_map(
            lambda values: run(values)[0],
            layout,
            fixed,
            takes_images=takes,
            gives_images=gives,
            labels=labels,
        )

    def code_map(node: fx.Node) -> ImageMap:
        run = on_images(returning(program, node), fixed_batch, True, False)
        return lambda images: run(images).reshape(-1, *bottleneck.shape)

    encode = on_images(encoder, fixed_batch, True, False)
    decode = on_images(decoder, fixed_batch, False, True)
    quiet = forward = on_images(quiet_whole, fixed_batch, True, True)
    # Behind what the model returns there are now leaves for what multiplied noise.
    outputs = program.leaves[: len(whole.leaves)]
    holder = f"node {title(bottleneck.code)}"
    notes = cut_notes(holder, bottleneck, outputs, layout, fixed_batch)
    draws = random_nodes(noisy_whole)
    if draws:
        # Noise may be drawn for a fixed batch size where nothing else is.
        forward = on_images(noisy_whole, _measure(whole, layout, sample)[1], True, True)
        notes.append(sampling_note(dict.fromkeys(base_name(node.target) for node in draws)))
    few = sample[:TRIED_IMAGES]
    with torch.no_grad():
        code_book = find_code_book(encode(few), program.root.buffers())
    sd, sd_notes = posterior_sd(
        program,
        bottleneck,
        measured,
        sampling.scales,
        code_map,
        SdCheck.of(forward, encode(few), decode, few) if draws else None,
        sample,
    )
    return Split(
        encode=encode,
        decode=decode,
        forward=forward,
        quiet_forward=quiet,
        posterior_sd=sd,
        code_shape=bottleneck.shape,
        notes=(*notes, *sd_notes),
        concurrent=True,
        fixed_batch=fixed_batch or 1,
        code_book=code_book,
    )


def _layout(program: Program, shape: tuple[int, int, int], sample: Tensor) -> ImageLayout:
    if program.declared_shape is not None:
        return declared_layout(program.declared_shape, shape)

    def runs(layout: ImageLayout) -> None:
        measure(program, layout.arrange(sample[:2]))

    try:
        return tried_layout(shape, runs)
    except DoesNotFitError as error:
        raise DataError(
            f"The model cannot take images of {shape_text(shape)} (channels × height × width): "
            f"{error}. Resize or convert the images to what it was trained on."
        ) from error


def _measure(
    program: Program, layout: ImageLayout, sample: Tensor
) -> tuple[Measurement, int | None]:
    """Measure shapes at two batch sizes, or at the exported one alone where the export fixed it."""
    images = layout.arrange(sample)
    fixed = program.declared_shape[0] if program.declared_shape else None
    try:
        measured = measure(program, images)
        find_output(program, measured, layout.model_shape)
    except (DoesNotFitError, ModelError) as error:
        if fixed is None:
            if isinstance(error, ModelError):
                raise
            raise DataError(f"The model cannot take these images: {error}.") from error
    else:
        return measured, None
    try:
        return measure(program, images, (fixed, fixed)), fixed
    except DoesNotFitError as error:
        raise ModelError(f"the model cannot be run: {error}") from error


def _same_place(program: Program, whole: Program, output: fx.Node) -> fx.Node:
    """The leaf of the untouched program at the place of this leaf."""
    leaf = whole.leaves[program.leaves.index(output)]
    assert isinstance(leaf, fx.Node)
    return leaf


def cut_notes(
    holder: str,
    bottleneck: Bottleneck,
    outputs: Sequence[Any],
    layout: ImageLayout,
    fixed_batch: int | None,
) -> list[Note]:
    """Notes of how a graph was cut; `holder` names in words what holds the code."""
    size, shape = math.prod(bottleneck.shape), shape_text(bottleneck.shape)
    notes = [Note("code", f"Code: {holder}, {size} numbers ({shape}), {bottleneck.how}.")]
    if len(outputs) > 1:
        place, count = outputs.index(bottleneck.output) + 1, len(outputs)
        text = f"Reconstruction: output {place} of the {count} that the model returns."
        notes.append(Note("output", text))
    if layout.note:
        notes.append(Note("input", layout.note))
    if fixed_batch is not None:
        notes.append(batch_note(fixed_batch))
    return notes
