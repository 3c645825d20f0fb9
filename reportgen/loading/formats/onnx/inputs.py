"""The inputs of an ONNX graph: images and, of a conditional model, their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from reportgen.loading.graph.label_input import IMAGES_AND_LABELS, LabelInput, more_inputs
from reportgen.loading.sentences import refusing


def inputs_of(model: Any) -> tuple[Any, Any]:
    """The input of an onnx.ModelProto for images, and the one for their classes, or None.

    Raises ModelError for a graph that takes more, or nothing.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in weights]
    if not 1 <= len(given) <= IMAGES_AND_LABELS:
        raise more_inputs([value.name for value in given], "export")
    return given[0], given[1] if given[1:] else None


def sizes_of(value: Any) -> tuple[int | None, ...]:
    """The sizes of an input, batch included; None for free ones."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.dim_value > 0 else None for d in dimensions)


def declared_label(onnx: Any, label: Any, path: Path) -> LabelInput:
    """The label input as a file declares it. Raises ModelError for types that are no numbers."""
    element = label.type.tensor_type.elem_type
    with refusing(Exception, f"{path} has an input of an unknown type; export it again."):
        zeros = np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(element))
        return LabelInput(label.name, torch.from_numpy(zeros).dtype, sizes_of(label)[1:])


def with_free_batch(onnx: Any, model: Any, label: Any) -> str:
    """Declare a model's label input for any number of images, and return its name."""
    free = onnx.helper.make_tensor_value_info(
        label.name, label.type.tensor_type.elem_type, ["batch", *sizes_of(label)[1:]]
    )
    for described in (model.graph.input, model.graph.value_info):
        kept = [value for value in described if value.name != label.name]
        del described[:]
        described.extend([*kept, free])
    return str(free.name)
