"""An ONNX model → a `Split`, by the same search for its narrowest point as any other graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, fx

from reportgen.autoencoder import Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.code_book import find_code_book
from reportgen.loading.formats.onnx.file import OnnxFunction, read_onnx_file
from reportgen.loading.formats.onnx.graph import OnnxGraph
from reportgen.loading.graph.bottleneck import Bottleneck, find_bottleneck, is_shaped_like_code
from reportgen.loading.graph.label_input import GivenLabels, Labels, fitted, more_inputs
from reportgen.loading.graph.measure import BATCHES, DoesNotFitError, Measurement
from reportgen.loading.graph.split_program import cut_notes
from reportgen.loading.image_layout import declared_layout, image_shape
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sd_convention import SdConvention
from reportgen.loading.split import (
    ChunkedLabels,
    ImageMap,
    Model,
    Split,
    image_map,
    refuse_part_names,
)

SAME = 1e-6
TRIED_IMAGES = 8


class OnnxModel(Model):
    """An ONNX file that passed its checks."""

    def __init__(self, path: Path) -> None:
        self._graph = OnnxGraph(read_onnx_file(path), path)
        self.declared_shape = self._graph.declared_shape()
        self.parameters = self._graph.parameters
        self.takes_labels = self._graph.label is not None

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Cut at the node that was named, else at the narrowest; run by onnxruntime on the CPU."""
        refuse_part_names(options)
        if torch.device(options.device).type != "cpu":
            raise ModelError("ONNX models are run on the CPU here; leave --device out.")
        graph, named = self._graph, options.bottleneck
        if self.feed is not None:
            return self.feed.split(lambda feed: _split(graph, sample, named, feed), graph.label)
        if graph.label is not None:
            raise more_inputs([graph.tensor(graph.program.input), graph.label.name], "export")
        return _split(graph, sample, named)


def onnx_function(path: Path) -> tuple[Callable[..., tuple[Tensor, ...]], bool]:
    """A file → the function that it is, with sampling noise at its mean; whether it takes labels.

    Raises ModelError where the file is damaged, or uses more than tensor operators.
    """
    graph = OnnxGraph(read_onnx_file(path), path)
    outputs = tuple(output.name for output in graph.model.graph.output)
    given = GivenLabels()
    labels = graph.label and fitted(given.fed, graph.label)
    function = OnnxFunction.of(graph.model, path, outputs, labels)

    def run(values: Tensor) -> tuple[Tensor, ...]:
        arrays = function.arrays(values)
        return tuple(torch.from_numpy(array.copy()).to(values.device) for array in arrays)

    return (run, False) if graph.label is None else (given.beside(run), True)


def _split(
    graph: OnnxGraph, sample: Tensor, named: str | None, feed: ChunkedLabels | None = None
) -> Split:
    layout = declared_layout(graph.declared_shape(), image_shape(sample))
    labels = fitted(feed.fed, graph.label) if feed and graph.label else None
    measured, fixed = _measured(graph, layout.arrange(sample), labels)
    bottleneck = find_bottleneck(
        graph.program, measured, layout.model_shape, named, graph.sampling()
    )
    code, image = graph.tensor(bottleneck.code), graph.tensor(bottleneck.output)
    start = graph.tensor(graph.program.input)

    def from_images(tensor: str, gives_images: bool = False, deviations: float = 0.0) -> ImageMap:
        part = graph.part(start, tensor, layout.model_shape, {}, deviations, labels)
        return image_map(
            part, layout, fixed, takes_images=True, gives_images=gives_images, labels=feed
        )

    def code_map(node: fx.Node, deviations: float = 0.0) -> ImageMap:
        run = from_images(graph.tensor(node), deviations=deviations)
        return lambda images: run(images).reshape(-1, *bottleneck.shape)

    encode, forward = from_images(code), from_images(image, gives_images=True)
    rows = _rows(graph, measured)
    decoder = graph.part(code, image, bottleneck.shape, rows, labels=labels)
    sd, sd_notes = _posterior_sd(graph, bottleneck, measured, code_map, encode, sample)
    notes = cut_notes(f"tensor {code}", bottleneck, graph.program.leaves, layout, fixed)
    if graph.draws:
        text = (
            f"The model draws noise in its graph ({', '.join(graph.draws)}); it is held at its "
            "mean, also in the model's own output."
        )
        notes.append(Note("sampling", text))
    return Split(
        encode=encode,
        decode=image_map(
            decoder, layout, fixed, takes_images=False, gives_images=True, labels=feed
        ),
        forward=forward,
        quiet_forward=forward,
        posterior_sd=sd,
        code_shape=bottleneck.shape,
        notes=(*notes, *sd_notes),
        fixed_batch=fixed or 1,
        code_book=find_code_book(encode(sample[:TRIED_IMAGES]), graph.tensors()),
    )


def _measured(
    graph: OnnxGraph, images: Tensor, labels: Labels | None
) -> tuple[Measurement, int | None]:
    fixed = graph.declared_shape()[0]
    try:
        if fixed is None:
            return graph.measured(images, BATCHES, labels), None
        return graph.measured(images, (fixed, fixed), labels), fixed
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


def _posterior_sd(
    graph: OnnxGraph,
    bottleneck: Bottleneck,
    measured: Measurement,
    code_map: Callable[..., ImageMap],
    encode: ImageMap,
    sample: Tensor,
) -> tuple[ImageMap | None, list[Note]]:
    """The posterior sd: how far the model's noise moves the code, else another output."""
    code = encode(sample)
    if graph.noise:
        one, two = (code_map(bottleneck.code, sds) for sds in (1.0, 2.0))
        moved = one(sample) - code
        is_proportional = torch.allclose(two(sample) - code, 2 * moved, atol=SAME, rtol=1e-4)
        if is_proportional and bool((moved != 0).any()):
            text = "The posterior sd is how far one sd of the model's own noise moves the code."
            return (lambda images: (one(images) - encode(images)).abs()), [Note("posterior", text)]
    leaves = [leaf for leaf in graph.program.leaves if isinstance(leaf, fx.Node)]
    alike = [leaf for leaf in leaves if is_shaped_like_code(leaf, measured, bottleneck)]
    values = [code_map(leaf) for leaf in alike]
    others = [value for value in values if not torch.allclose(value(sample), code, atol=SAME)]
    if len(others) == 1 and len(alike) > 1 and bool((others[0](sample) < 0).any()):
        log_variance, to_sd = others[0], SdConvention.LOG_VARIANCE.to_sd
        text = "The posterior sd is read from another output, the log-variance by convention."
        return (lambda images: to_sd(log_variance(images))), [Note("posterior", text)]
    return None, []
