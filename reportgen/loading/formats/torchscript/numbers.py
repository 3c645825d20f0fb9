"""Plain numbers in TorchScript: codes of dtypes and layouts, and arithmetic on sizes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from reportgen.loading.graph.operators import names

# Numbers of c10::ScalarType, which TorchScript writes for dtypes.
DTYPES = {
    0: torch.uint8,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.int64,
    5: torch.float16,
    6: torch.float32,
    7: torch.float64,
    11: torch.bool,
    15: torch.bfloat16,
}
MEMORY_FORMATS = {
    0: torch.contiguous_format,
    1: torch.preserve_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
}
ON_NUMBERS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "mod", "neg")},
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: getattr(math, name) for name in ("ceil", "floor", "sqrt")},
    **{function.__name__: function for function in (round, abs, min, max)},
    "div": operator.truediv,
    "true_divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
}
DIVISIONS: dict[str | None, Callable[..., Any]] = {
    None: operator.truediv,
    "floor": operator.floordiv,
    "trunc": lambda dividend, divisor: int(dividend / divisor),
}
# Conversions that change nothing here.
SAME = names(
    """
    Int Float Bool IntImplicit FloatImplicit ScalarImplicit NumToTensor unchecked_cast
    unchecked_unwrap_optional annotate
    """
)
# They print, warn or switch gradients, and compute nothing.
SKIPPED = names("warn Print _assert set_grad_enabled")


def readable_argument(name: str, value: Any) -> Any:
    """An operator's argument of this name, as torch's Python functions take it."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name == "dtype":
            return DTYPES[value]
        if name == "memory_format":
            return MEMORY_FORMATS[value]
        if name == "layout":
            return torch.strided
    if name == "device" and value is not None:
        return torch.device("cpu")
    return value
