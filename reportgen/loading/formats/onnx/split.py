"""An ONNX model → a `Split`, by the same search for its narrowest point as any other graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.formats.onnx.file import OnnxFunction
from reportgen.loading.formats.onnx.graph import OnnxGraph
from reportgen.loading.graph.bottleneck import (
    Bottleneck,
    find_bottleneck,
    is_shaped_like_code,
)
from reportgen.loading.graph.measure import BATCHES, DoesNotFitError, Measurement
from reportgen.loading.image_layout import ImageLayout, declared_layout, text
from reportgen.loading.modules.posterior import CONVENTIONS
from reportgen.loading.split import ImageMap, Split

SAME = 1e-6


def split_onnx(graph: OnnxGraph, path: Path, sample: Tensor, named: str | None) -> Split:
    """Cut an ONNX model at its bottleneck.

    Raises ModelError where there is none, DataError where the images do not fit.
    """
    shape = (int(sample.shape[1]), int(sample.shape[2]), int(sample.shape[3]))
    layout = declared_layout(graph.declared_shape(), shape)
    measured, fixed = _measured(graph, layout.arrange(sample))
    bottleneck = find_bottleneck(graph.program, measured, layout.model_shape, named)
    code, image = graph.tensor(bottleneck.code), graph.tensor(bottleneck.output)
    start = graph.tensor(graph.program.input)
    rows = _rows(graph, measured)
    encoder = graph.part(start, code, layout.model_shape, {})
    decoder = graph.part(code, image, bottleneck.shape, rows)
    whole = graph.part(start, image, layout.model_shape, {})
    encode = _image_map(encoder, layout, fixed, takes=True, gives=False)
    sd, notes = _posterior_sd(graph, bottleneck, measured, layout, fixed, encode, sample)
    forward = _image_map(whole, layout, fixed, takes=True, gives=True)
    size = int(np.prod(bottleneck.shape))
    how = (
        "found as the narrowest point that every path crosses" if named is None else "named by you"
    )
    first = [
        Note("code", f"Code: tensor {code}, {size} numbers ({text(bottleneck.shape)}), {how}.")
    ]
    if layout.note:
        first.append(Note("input", layout.note))
    if graph.draws:
        first.append(
            Note(
                "sampling",
                f"The model draws noise in its graph ({', '.join(graph.draws)}); it is held at its "
                "mean, also in the model's own output.",
            )
        )
    return Split(
        encode=encode,
        decode=_image_map(decoder, layout, fixed, takes=False, gives=True),
        forward=forward,
        quiet_forward=forward,
        posterior_sd=sd,
        code_shape=bottleneck.shape,
        notes=(*first, *notes),
        fixed_batch=fixed or 1,
    )


def _measured(graph: OnnxGraph, images: Tensor) -> tuple[Measurement, int | None]:
    fixed = graph.declared_shape()[0]
    try:
        if fixed is None:
            return graph.measured(images, BATCHES), None
        return graph.measured(images, (fixed, fixed)), fixed
    except DoesNotFitError as error:
        raise DataError(f"The model cannot take these images: {error}.") from error


def _rows(graph: OnnxGraph, measured: Measurement) -> dict[str, tuple[int, ...]]:
    """Shape of one row of every tensor that has the batch first."""
    found = {}
    for node in graph.program.graph.nodes:
        shape = measured.per_image(node) if node.op != "output" else None
        if shape is not None:
            found[graph.tensor(node)] = shape
    return found


def _image_map(
    function: OnnxFunction, layout: ImageLayout, fixed: int | None, *, takes: bool, gives: bool
) -> ImageMap:
    def run(values: Tensor) -> Tensor:
        given = layout.arrange(values) if takes else values
        result = function(given) if fixed is None else _in_chunks(function, given, fixed)
        return layout.restore(result) if gives else result

    return run


def _in_chunks(function: OnnxFunction, values: Tensor, size: int) -> Tensor:
    results = []
    for chunk in values.split(size):
        padding = chunk[-1:].expand(size - len(chunk), *chunk.shape[1:])
        results.append(function(torch.cat([chunk, padding]))[: len(chunk)])
    return torch.cat(results)


def _posterior_sd(
    graph: OnnxGraph,
    bottleneck: Bottleneck,
    measured: Measurement,
    layout: ImageLayout,
    fixed: int | None,
    encode: ImageMap,
    sample: Tensor,
) -> tuple[ImageMap | None, list[Note]]:
    """The posterior sd: how far the model's noise moves the code, else another output."""
    start = graph.tensor(graph.program.input)

    def values_of(tensor: str, deviations: float = 0.0) -> ImageMap:
        part = graph.part(start, tensor, layout.model_shape, {}, deviations)
        run = _image_map(part, layout, fixed, takes=True, gives=False)
        return lambda images: run(images).reshape(-1, *bottleneck.shape)

    code = encode(sample)
    if graph.noise:
        one, two = (values_of(graph.tensor(bottleneck.code), sds) for sds in (1.0, 2.0))
        moved = one(sample) - code
        is_proportional = torch.allclose(two(sample) - code, 2 * moved, atol=SAME, rtol=1e-4)
        if is_proportional and bool((moved != 0).any()):
            text_ = "The posterior sd is how far one sd of the model's own noise moves the code."
            return (lambda images: (one(images) - encode(images)).abs()), [Note("posterior", text_)]
    leaves = [leaf for leaf in graph.program.leaves if isinstance(leaf, fx.Node)]
    alike = [leaf for leaf in leaves if is_shaped_like_code(leaf, measured, bottleneck)]
    values = {leaf: values_of(graph.tensor(leaf)) for leaf in alike}
    others = [leaf for leaf in alike if not torch.allclose(values[leaf](sample), code, atol=SAME)]
    if len(others) == 1 and len(alike) > 1 and bool((values[others[0]](sample) < 0).any()):
        log_variance = values[others[0]]
        to_sd = CONVENTIONS["the log-variance"][0]
        text_ = "The posterior sd is read from another output, the log-variance by convention."
        return (lambda images: to_sd(log_variance(images))), [Note("posterior", text_)]
    return None, []


def refuse_device(device: str) -> None:
    """onnxruntime is used on the CPU alone."""
    if torch.device(device).type != "cpu":
        raise ModelError("ONNX models are run on the CPU here; leave --device out.")
