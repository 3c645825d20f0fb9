"""Hostile values of the types that operators take."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

SHAPES = (
    *((), (0,), (1,), (3,), (2, 3), (3, 3), (2, 0), (2, 3, 4), (3, 4, 4), (1, 4, 8, 8), (7,)),
    *((2, 4, 8, 8), (0, 3, 4, 4), (2, 0, 4, 4), (2, 4, 1, 1), (1, 1, 4, 4, 4), (2, 3, 2, 2, 2)),
)
DTYPES = (
    *(torch.float32,) * 12,
    *(torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.int64),
    *(torch.int32, torch.int8, torch.uint8, torch.bool),
)
FORMATS = (torch.contiguous_format, torch.channels_last, torch.preserve_format)
SMALL = (0, 1, 2, 3, 4, -1, -2, 5, 8)
LARGE = (2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1, -(2**63), 10**9, 65536, 1000, 64)
FLOATS = (0.0, 1.0, 0.5, -1.0, 1e-30, 1e30, 1e300, float("inf"), float("-inf"), float("nan"), 2.0)
EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**62, 5, -7)
WORDS = (
    "mean",
    "sum",
    "none",
    "same",
    "floor",
    "trunc",
    "reflect",
    "linear",
    "tanh",
    "ij->ji",
    "",
    "fro",
    "nuc",
    "left",
    "ij,jk->ik",
    "...->...",
    "x" * 1000,
)


def argument_of(kind: Any, generator: random.Random, shape: tuple[int, ...] | None) -> Any:
    """A value of a type in an operator's schema; tensors have this shape, or any."""
    name = str(kind)
    if name.startswith("Optional["):
        inner = kind.getElementType()
        return None if generator.random() < 0.4 else argument_of(inner, generator, shape)
    if name.startswith("List["):
        inner = kind.getElementType()
        count = generator.choice((0, 1, 2, 2, 2, 3, 4, 5))
        return [argument_of(inner, generator, shape) for _ in range(count)]
    makers: dict[str, Any] = {
        "Tensor": lambda: tensor(generator, shape),
        "int": lambda: whole(generator),
        "SymInt": lambda: whole(generator),
        "float": lambda: generator.choice(FLOATS),
        "bool": lambda: generator.random() < 0.5,
        "number": lambda: generator.choice((whole(generator), generator.choice(FLOATS), True)),
        "str": lambda: generator.choice(WORDS),
        "Device": lambda: torch.device("cpu"),
        "Layout": lambda: torch.strided,
        "ScalarType": lambda: generator.choice((*DTYPES, whole(generator))),
        "MemoryFormat": lambda: generator.choice((*FORMATS, whole(generator))),
    }
    return makers.get(name, lambda: None)()


def whole(generator: random.Random) -> int:
    """Mostly a small number."""
    return generator.choice(LARGE if generator.random() < 0.12 else SMALL)


def tensor(generator: random.Random, shape: tuple[int, ...] | None) -> Tensor:
    """A tensor of ordinary or extreme numbers, contiguous or not."""
    if shape is None or generator.random() < 0.15:
        shape = generator.choice(SHAPES)
    dtype = generator.choice(DTYPES)
    how = generator.randrange(8)
    if dtype.is_floating_point or dtype.is_complex:
        made = torch.randn(shape).to(dtype)
        if how == 0:
            made = made * generator.choice(FLOATS)
    elif how < 4:
        made = torch.randint(0, 4, shape).to(dtype)
    else:
        chosen = generator.choices(EXTREMES, k=made_of(shape))
        made = torch.tensor(chosen, dtype=torch.int64).reshape(shape).to(dtype)
    if how == 1 and made.dim() > 1:
        made = made.transpose(0, -1)
    elif how == 2 and made.dim() > 0:
        made = made[:1].expand(made.shape)
    elif how == 3 and made.dim() == 4:
        made = made.contiguous(memory_format=torch.channels_last)
    elif how == 5 and made.dim() > 0:
        made = torch.cat([made, made])[::2]
    return made


def made_of(shape: tuple[int, ...]) -> int:
    """How many numbers a tensor of this shape has."""
    count = 1
    for size in shape:
        count *= size
    return count
