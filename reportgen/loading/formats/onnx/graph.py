"""The graph of an ONNX model as a `Program` of names alone, so that one search finds every code."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.formats.onnx.file import OnnxFunction, onnx_library
from reportgen.loading.formats.onnx.inputs import (
    declared_label,
    inputs_of,
    sizes_of,
    with_free_batch,
)
from reportgen.loading.graph.boundary import Sampling
from reportgen.loading.graph.label_input import Labels
from reportgen.loading.graph.measure import Measurement, misfit
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.program import Program, ProgramBuilder
from reportgen.loading.sentences import refusing
from reportgen.shown import quoted

# What the search knows an operator as; others keep their names in small letters.
KNOWN_AS = {
    "Conv": "conv2d",
    "ConvTranspose": "conv_transpose2d",
    "Gemm": "linear",
    "MatMul": "matmul",
    "Einsum": "einsum",
    "Identity": "alias",
    "Cast": "to",
    "Concat": "cat",
    "Shape": "size",
    "Size": "numel",
    "Gather": "gather",
    "GatherND": "gather",
    "GatherElements": "gather",
    "OneHot": "one_hot",
    "RandomNormalLike": "randn_like",
    "Transpose": "permute",
}

# NumPy's kinds of texts.
TEXTS = "OSU"
NAME_SCOPES = "pkg.torch.onnx.name_scopes"


class NamedOperator:
    """Stands for an ONNX operator in a graph; it is looked at and never called."""

    def __init__(self, op_type: str) -> None:
        self.__name__ = KNOWN_AS.get(op_type, op_type.lower())

    def __call__(self, *args: Any) -> Any:
        """Fail: onnxruntime runs the operators, and this is never called."""
        raise AssertionError("ONNX operators are run by onnxruntime")


class OnnxGraph:
    """An ONNX model beside the program that names its tensors.

    Attributes
    ----------
    model : the onnx.ModelProto, with sampling noise replaced by its mean.
    path : its file, for sentences.
    program : one node for each tensor; `tensor` gives the tensor's name.
    parameters : how many numbers its weights hold.
    label : a second input, for the images' classes; None where there is none.
    draws : names of the random operators that were there.
    noise : tensor that held noise → the noise's mean and sd.
    """

    def __init__(self, model: Any, path: Path) -> None:
        self.path = path
        self._onnx = onnx_library("onnx", path)
        self.model = model
        self.noise: dict[str, tuple[float, float]] = {}
        self._image_input, self._label_input = inputs_of(model)
        label = self._label_input
        self.label = None if label is None else declared_label(self._onnx, label, path)
        self.draws = self._hold_noise_still()
        self._names: dict[fx.Node, str] = {}
        self.parameters = 0
        self.program = self._named_program()

    def tensor(self, node: fx.Node) -> str:
        """The ONNX tensor that a node stands for."""
        return self._names[node]

    def declared_shape(self) -> tuple[int | None, ...]:
        """The shape of the images that the model takes, batch included; None for free sizes."""
        return sizes_of(self._image_input)

    def _hold_noise_still(self) -> list[str]:
        """Replace each normal draw by zeros of its shape plus its mean."""
        helper = self._onnx.helper
        graph = self.model.graph
        drawn: set[str] = set()
        nodes = []
        for place, node in enumerate(graph.node):
            if node.op_type not in ("RandomNormalLike", "RandomNormal"):
                nodes.append(node)
                continue
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            drawn.add(node.op_type)
            kind = attributes.get("dtype", self._onnx.TensorProto.FLOAT)
            mean, sd = attributes.get("mean", 0.0), attributes.get("scale", 1.0)
            self.noise[node.output[0]] = (mean, sd)
            value = helper.make_tensor("value", kind, [1], [mean])
            shape = f"shape_of_noise_{place}"
            if node.op_type == "RandomNormalLike":
                nodes.append(helper.make_node("Shape", [node.input[0]], [shape]))
            else:
                sizes = helper.make_tensor(
                    "value", self._onnx.TensorProto.INT64, [len(attributes["shape"])],
                    attributes["shape"],
                )  # fmt: skip
                nodes.append(helper.make_node("Constant", [], [shape], value=sizes))
            nodes.append(helper.make_node("ConstantOfShape", [shape], node.output, value=value))
        del graph.node[:]
        graph.node.extend(nodes)
        return sorted(drawn)

    def _named_program(self) -> Program:
        builder = ProgramBuilder()
        images = builder.image_input()
        values: dict[str, fx.Node] = {self._image_input.name: images}
        self._names[images] = self._image_input.name
        for tensor in self.model.graph.initializer:
            array = self._numbers_of(tensor)
            self.parameters += array.size
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ModelError(
                    f"the weights {quoted(tensor.name)} hold NaN or infinity; the training "
                    "diverged, so export an earlier checkpoint."
                )
        for node in self.model.graph.node:
            args = tuple(values[name] for name in node.input if name in values)
            target = NamedOperator(node.op_type)
            for output in node.output:
                title = node.name.strip("/") or f"{node.op_type} {output}"
                values[output] = builder.call(target, args, title=title)
                values[output].meta["path"] = _module_path(node)
                self._names[values[output]] = output
        leaves = [values[value.name] for value in self.model.graph.output if value.name in values]
        return builder.finish(leaves, self.declared_shape())

    def tensors(self) -> Iterator[Tensor]:
        """Its weights."""
        for tensor in self.model.graph.initializer:
            # What onnx reads cannot be written into, which torch warns of.
            yield torch.from_numpy(self._numbers_of(tensor).copy())

    def _numbers_of(self, tensor: Any) -> np.ndarray:
        """An initializer's numbers, as float32 where NumPy has no such type; none of texts."""
        # onnx raises what NumPy and its own readers raise.
        with refusing(
            Exception,
            f"the weights {quoted(tensor.name)} are damaged (<reason>); export the model again.",
        ):
            array: np.ndarray = self._onnx.numpy_helper.to_array(tensor)
            if array.dtype.kind in TEXTS:
                return np.zeros(0, np.float32)
            # Small floats and integers are types of ml_dtypes, which torch does not take.
            return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)

    def sampling(self) -> Sampling:
        """Find where noise enters: what adds it to what the image gives, and what multiplies it."""
        means, scales = [], []
        for node, name in self._names.items():
            if name not in self.noise:
                continue
            for step in _behind(node):
                others = [source for source in step.all_input_nodes if source not in _behind(node)]
                if base_name(step.target) == "mul":
                    scales += others
                elif base_name(step.target) in ("add", "sub") and others:
                    means.append(step)
                    break
        return Sampling(means, scales)

    def measured(
        self, images: Tensor, batches: tuple[int, int], labels: Labels | None = None
    ) -> Measurement:
        """Shapes of all tensors for two batch sizes.

        Raises DoesNotFitError where onnxruntime refuses the images, ModelError where it would take
        too much memory.
        """
        everything = type(self.model)()
        everything.CopyFrom(self.model)
        known = [self._names[n] for n in self.program.graph.nodes if n.op == "call_function"]
        del everything.graph.output[:]
        everything.graph.output.extend(
            self._onnx.helper.make_empty_tensor_value_info(name) for name in known if name
        )
        wanted = tuple(name for name in known if name)
        run = OnnxFunction.of(everything, self.path, wanted, labels)
        recorded = []
        for batch in batches:
            given = images[torch.arange(batch) % len(images)]
            try:
                with memory_limit():
                    arrays = run.arrays(given)
            except Exception as error:
                # onnxruntime's errors have no common base.
                raise misfit(error) from error
            by_name = dict(zip(run.outputs, arrays, strict=True))
            values: dict[fx.Node, Any] = {
                node: (tuple(by_name[name].shape), _torch_dtype(by_name[name].dtype))
                for node, name in self._names.items()
                if name in by_name
            }
            values[self.program.input] = (tuple(given.shape), torch.float32)
            recorded.append(values)
        return Measurement((recorded[0], recorded[1]), batches)

    def part(
        self,
        start: str,
        end: str,
        shape: tuple[int, ...],
        known: dict[str, tuple[int, ...]],
        deviations: float = 0.0,
        labels: Labels | None = None,
    ) -> OnnxFunction:
        """The function from one tensor, and the classes that `labels` gives, to another.

        `shape` is one row of the first; `known` holds shapes of one row for tensors before it,
        since a graph may ask for their sizes. All noise is held `deviations` sds above its mean.
        """
        helper, extractor = self._onnx.helper, self._onnx.utils.Extractor
        given = helper.make_tensor_value_info(
            start, self._onnx.TensorProto.FLOAT, ["batch", *shape]
        )
        wanted = helper.make_empty_tensor_value_info(end)
        whole = self._onnx.ModelProto()
        whole.CopyFrom(self.model)
        for described in (whole.graph.node, whole.graph.value_info):
            del described[:]
        for node in self.model.graph.node:
            if node.op_type == "Shape" and node.input[0] in known and node.input[0] != start:
                whole.graph.node.extend(self._shape_from_batch(node, start, known[node.input[0]]))
            else:
                whole.graph.node.append(self._noise_at(node, deviations) if deviations else node)
        whole.graph.value_info.extend([given, wanted])
        starts = [start]
        if self._label_input is not None:
            starts.append(with_free_batch(self._onnx, whole, self._label_input))
        part = extractor(whole).extract_model(starts, [end])
        # What the file says of its own inputs and outputs holds for its own batch size.
        part.graph.input[0].CopyFrom(given)
        part.graph.output[0].CopyFrom(wanted)
        return OnnxFunction.of(part, self.path, (end,), labels)

    def _noise_at(self, node: Any, deviations: float) -> Any:
        """The node itself or, where it stands for noise, that noise above its mean."""
        if node.output[0] not in self.noise:
            return node
        mean, sd = self.noise[node.output[0]]
        kind = node.attribute[0].t.data_type
        value = self._onnx.helper.make_tensor("value", kind, [1], [mean + deviations * sd])
        return self._onnx.helper.make_node("ConstantOfShape", node.input, node.output, value=value)

    def _shape_from_batch(self, node: Any, start: str, row: tuple[int, ...]) -> list[Any]:
        """Shape of a tensor that is not there: the batch size of one that is, and constants."""
        helper = self._onnx.helper
        prefix = f"{node.output[0]}_from_batch"
        integers = self._onnx.TensorProto.INT64

        def constant(name: str, values: Sequence[int | None]) -> Any:
            tensor = helper.make_tensor("value", integers, [len(values)], values)
            return helper.make_node("Constant", [], [f"{prefix}_{name}"], value=tensor)

        # From opset 15 on a node may ask for some of the sizes alone.
        asked = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        wanted = [None, *row][slice(asked.get("start"), asked.get("end"))]
        if None not in wanted:
            sizes = helper.make_tensor("value", integers, [len(wanted)], wanted)
            return [helper.make_node("Constant", [], node.output, value=sizes)]
        return [
            helper.make_node("Shape", [start], [f"{prefix}_all"]),
            constant("zero", [0]),
            helper.make_node("Gather", [f"{prefix}_all", f"{prefix}_zero"], [f"{prefix}_batch"]),
            constant("row", wanted[1:]),
            helper.make_node(
                "Concat", [f"{prefix}_batch", f"{prefix}_row"], [node.output[0]], axis=0
            ),
        ]


def _behind(node: fx.Node) -> list[fx.Node]:
    """A node and all that is computed from it, in order."""
    found = {node}
    steps = [node]
    for step in node.graph.nodes:
        if step not in found and any(source in found for source in step.all_input_nodes):
            found.add(step)
            steps.append(step)
    return steps


def _module_path(node: Any) -> str:
    """The submodules that a node comes from: torch's exporters write them in its name or beside."""
    scopes = next((p.value for p in node.metadata_props if p.key == NAME_SCOPES), None)
    if scopes is None:
        return ".".join(node.name.strip("/").split("/")[:-1])
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        listed = literal_eval(scopes)
        if isinstance(listed, list) and len(listed) > 1:
            return str(listed[-2])
    return ""


def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    if dtype.kind == "f":
        return torch.float32
    return torch.bool if dtype.kind == "b" else torch.int64
