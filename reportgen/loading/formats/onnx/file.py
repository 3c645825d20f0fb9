"""ONNX files: checked, then run by onnxruntime as a whole or in part."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.graph.label_input import Labels
from reportgen.loading.graph.operators import names
from reportgen.loading.sentences import refusing

SIZE_LIMIT = 2 * 2**30
# Operators that compute tensors from tensors. No control flow, whose subgraphs cannot be cut, no
# sequences, and nothing from other vendors' domains.
OPERATORS = names(
    """
    Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast CastLike Ceil Celu
    Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace Div Dropout
    Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu
    Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization
    HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul Max
    MaxPool MaxUnpool Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or
    PRelu Pad Pow RNN RandomNormal RandomNormalLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
    Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice
    Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """
)


def onnx_library(name: str, path: Path) -> Any:
    """Import onnx or onnxruntime. Raises ModelError where it is not installed."""
    with refusing(
        ImportError,
        f"{path} is an ONNX model, and {name.partition('.')[0]} is not installed here (<reason>); "
        "install it with pip install onnx onnxruntime.",
    ):
        return importlib.import_module(name)


def read_onnx_file(path: Path) -> Any:
    """An ONNX file → onnx.ModelProto, with its operators checked.

    Raises ModelError for damaged files, external data, control flow and unknown operators.
    """
    onnx = onnx_library("onnx", path)
    if path.stat().st_size > SIZE_LIMIT:
        raise ModelError(f"{path} is larger than ONNX files can be; it is damaged.")
    # protobuf's own errors have no common base.
    with refusing(Exception, f"{path} is no ONNX model, or damaged (<kind>); export it again."):
        model = onnx.load(path, load_external_data=False)
    graph = model.graph
    if not graph.node or not graph.input or not graph.output:
        raise ModelError(f"{path} is no ONNX model, or damaged; export it again.")
    external = onnx.TensorProto.EXTERNAL
    tensors = [
        *graph.initializer,
        *(a.t for n in graph.node for a in n.attribute if a.HasField("t")),
    ]
    if any(tensor.data_location == external for tensor in tensors):
        raise ModelError(
            f"{path} keeps its weights in other files; export it as a single file "
            "(onnx.save without external data)."
        )
    if graph.sparse_initializer or any(
        a.HasField("sparse_tensor") for n in graph.node for a in n.attribute
    ):
        # Their values may lie in other files too, and onnx cannot cut a graph that holds them.
        raise ModelError(f"{path} holds sparse tensors; export it with dense weights.")
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise ModelError(
                f"{path} uses the ONNX operator {node.domain or 'ai.onnx'}.{node.op_type}, which "
                "cannot be studied here; export the model without it."
            )
    # The checker's own errors, and Python's for text that is none.
    with refusing(Exception, f"{path} is no valid ONNX model (<reason>); export it again."):
        onnx.checker.check_model(model)
    if not all(isinstance(text, str) for text in _texts_of(graph)):
        raise ModelError(f"{path} has names that are not UTF-8; export it again.")
    return model


def _texts_of(graph: Any) -> Iterator[Any]:
    """Every name in a graph: protobuf gives one that is not UTF-8 as bytes."""
    for node in graph.node:
        yield from (node.name, *node.input, *node.output)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))
    for named in (*graph.initializer, *graph.input, *graph.output):
        yield named.name


@dataclass(frozen=True)
class OnnxFunction:
    """A part of an ONNX graph as a function of one tensor; returns the tensors asked for.

    Attributes
    ----------
    session : onnxruntime's.
    input, outputs : names of its tensors.
    label : the name of a second input, the classes of the images, which `labels` gives for as many
        as it is asked for; None where there is none.
    """

    session: Any
    input: str
    outputs: tuple[str, ...]
    label: str | None = None
    labels: Labels | None = None

    @classmethod
    def of(
        cls, model: Any, path: Path, outputs: tuple[str, ...], labels: Labels | None = None
    ) -> OnnxFunction:
        """Make the function of these outputs. Raises ModelError where onnxruntime refuses it."""
        runtime = onnx_library("onnxruntime", path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4
        # Fused operators round otherwise; both halves must be the whole model's own numbers.
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        # onnxruntime's errors have no common base.
        with refusing(Exception, f"{path} cannot be run by onnxruntime: <reason>."):
            session = runtime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        given, *others = session.get_inputs()
        if given.type != "tensor(float)":
            raise ModelError(f"{path} takes {given.type}; export it for images in float32.")
        return cls(session, given.name, outputs, others[0].name if others else None, labels)

    def arrays(self, values: Tensor) -> list[np.ndarray]:
        """All outputs as NumPy arrays."""
        given = {self.input: values.cpu().numpy()}
        if self.label is not None:
            assert self.labels is not None, "a conditional graph is fed its labels"
            given[self.label] = self.labels(len(values)).cpu().numpy()
        arrays: list[np.ndarray] = self.session.run(list(self.outputs), given)
        return arrays

    def __call__(self, values: Tensor) -> Tensor:
        """The first output, float32. Raises ModelError where onnxruntime cannot compute it."""
        # onnxruntime's errors have no common base.
        with refusing(Exception, "onnxruntime cannot run the model: <reason>."):
            array = np.ascontiguousarray(self.arrays(values)[0], dtype=np.float32)
        return torch.from_numpy(array).to(values.device)
