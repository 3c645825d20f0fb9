"""A program → a `Split`, by the cut of its graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.graph.bottleneck import (
    Bottleneck,
    find_bottleneck,
    find_output,
)
from reportgen.loading.graph.cutting import cut, returning
from reportgen.loading.graph.evaluation_mode import activate_in_place, prepare, use_channels_last
from reportgen.loading.graph.measure import DoesNotFitError, Measurement, measure
from reportgen.loading.graph.noise import random_nodes, refuse_random, remove_noise
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.posterior import WholeMaps, posterior_sd
from reportgen.loading.graph.program import Program, title
from reportgen.loading.graph.shape_references import drop_shape_references
from reportgen.loading.image_layout import ImageLayout, declared_layout, text, tried_layout
from reportgen.loading.split import ImageMap, Split, batch_note


@dataclass(frozen=True)
class _Runner:
    """Runs compiled one-leaf programs on any batch, in chunks where the export fixed their size."""

    fixed_batch: int | None

    def __call__(self, run: Callable[[Tensor], tuple[Any, ...]], values: Tensor) -> Tensor:
        if self.fixed_batch is None:
            return run(values)[0]
        size = self.fixed_batch
        results = []
        for chunk in values.split(size):
            padding = chunk[-1:].expand(size - len(chunk), *chunk.shape[1:])
            results.append(run(torch.cat([chunk, padding]))[0][: len(chunk)])
        return torch.cat(results)


def split_program(
    program: Program,
    sample: Tensor,
    device: str,
    named: str | int | None = None,
) -> Split:
    """Cut a program at its bottleneck.

    Parameters
    ----------
    program : the whole model; it is changed.
    sample : (n, C, H, W) images on the data's scale; shapes count, and values only to tell a
        log-variance from an sd.
    named : the node or submodule whose output is the code, or the number of the output that holds
        it, instead of the narrowest.

    Raises ModelError where there is no bottleneck, DataError where the images do not fit.
    """
    shape = (int(sample.shape[1]), int(sample.shape[2]), int(sample.shape[3]))
    prepare(program, device)
    layout = _layout(program, shape, sample)
    whole = program.copy()
    scales = remove_noise(program)
    measured, fixed_batch = _measure(program, layout, sample)
    drop_shape_references(program, measured)
    output = find_output(program, measured, layout.model_shape)
    bottleneck, encoder, decoder = _cut(program, measured, layout, named)
    whole_output = _same_place(program, whole, output)
    runner = _Runner(fixed_batch)
    parts = [
        encoder,
        decoder,
        returning(program, bottleneck.output),
        returning(whole, whole_output),
    ]
    use_channels_last(program)
    # The whole model stays as it was written: the two parts are checked against it.
    for part in (encoder, decoder):
        activate_in_place(part)
    encode, decode, quiet = (
        _image_map(part, runner, layout, kind)
        for part, kind in zip(parts, ("encode", "decode", "whole"), strict=False)
    )
    draws = random_nodes(parts[3])
    # Noise may be drawn for a fixed batch size where nothing else is.
    noisy = _Runner(_measure(whole, layout, sample)[1] if draws else fixed_batch)
    forward = _image_map(parts[3], noisy, layout, "whole")
    whole_maps = WholeMaps(encode, decode, forward if draws else None)
    sd, sd_note = posterior_sd(
        program,
        bottleneck,
        measured,
        scales,
        lambda node: _code_map(program, node, bottleneck, runner, layout),
        whole_maps,
        sample,
    )
    notes = [*_notes(program, whole, bottleneck, layout, fixed_batch, draws, named), *sd_note]
    return Split(
        encode=encode,
        decode=decode,
        forward=forward if draws else quiet,
        quiet_forward=quiet,
        posterior_sd=sd,
        code_shape=bottleneck.shape,
        notes=tuple(notes),
        concurrent=True,
        fixed_batch=fixed_batch or 1,
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
            f"The model cannot take images of {text(shape)} (channels × height × width): {error}. "
            "Resize or convert the images to what it was trained on."
        ) from error


def _measure(
    program: Program, layout: ImageLayout, sample: Tensor
) -> tuple[Measurement, int | None]:
    """Shapes for two batch sizes; for the exported one alone where the export fixed it."""
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


def _cut(
    program: Program, measured: Measurement, layout: ImageLayout, named: str | int | None
) -> tuple[Bottleneck, Program, Program]:
    bottleneck = find_bottleneck(program, measured, layout.model_shape, named)
    refuse_random(returning(program, bottleneck.output))
    encoder, decoder = cut(program, bottleneck, measured)
    return bottleneck, encoder, decoder


def _same_place(program: Program, whole: Program, output: fx.Node) -> fx.Node:
    """The leaf of the untouched program at the place of this leaf."""
    leaf = whole.leaves[program.leaves.index(output)]
    assert isinstance(leaf, fx.Node)
    return leaf


def _image_map(program: Program, runner: _Runner, layout: ImageLayout, kind: str) -> ImageMap:
    takes_images = kind in ("encode", "whole")
    gives_images = kind in ("decode", "whole")
    compiled = program.compiled()

    def run(values: Tensor) -> Tensor:
        result = runner(compiled, layout.arrange(values) if takes_images else values)
        return layout.restore(result) if gives_images else result.contiguous()

    return run


def _code_map(
    program: Program, node: fx.Node, bottleneck: Bottleneck, runner: _Runner, layout: ImageLayout
) -> ImageMap:
    """Images → a node's numbers, in the shape of the code."""
    run = _image_map(returning(program, node), runner, layout, "encode")
    return lambda images: run(images).reshape(-1, *bottleneck.shape)


def _notes(
    program: Program,
    whole: Program,
    bottleneck: Bottleneck,
    layout: ImageLayout,
    fixed_batch: int | None,
    draws: list[fx.Node],
    named: str | int | None,
) -> list[Note]:
    size = 1
    for length in bottleneck.shape:
        size *= length
    how = "found as the narrowest point that every path crosses"
    if named is not None:
        how = "named by you" if isinstance(named, str) else "as the file says"
    notes = [
        Note("code", f"Code: node {title(bottleneck.code)}, {size} numbers "
                     f"({text(bottleneck.shape)}), {how}."),
    ]  # fmt: skip
    count = len(whole.leaves)
    if count > 1:
        place = program.leaves.index(bottleneck.output) + 1
        notes.append(
            Note("output", f"Reconstruction: output {place} of the {count} that the model returns.")
        )
    if layout.note:
        notes.append(Note("input", layout.note))
    if fixed_batch is not None:
        notes.append(batch_note(fixed_batch))
    if draws:
        names = ", ".join(dict.fromkeys(base_name(node.target) for node in draws))
        notes.append(
            Note(
                "sampling",
                f"The model draws noise in its forward ({names}); the posterior mean is used.",
            )
        )
    return notes
