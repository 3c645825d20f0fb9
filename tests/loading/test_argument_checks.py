"""Operators are not run with arguments that torch does not check, and run with those in use."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reportgen.errors import ModelError
from reportgen.loading.graph.argument_checks import CHECKS, check_arguments
from reportgen.loading.graph.operators import ALLOWED

aten = torch.ops.aten
IMAGES, FOUR, THREE = torch.rand(2, 4, 6, 6), torch.ones(4), torch.ones(3)
LEAST = torch.tensor([torch.iinfo(torch.int64).min])
SCALED = torch.rand(1, 1, 3, 3, 3), [6, 6, 6], False
SPECTRUM = torch.zeros(2, 4, dtype=torch.complex64)
NORM = aten._native_batch_norm_legit_no_training.default

SOUND: dict[str, tuple[Any, ...]] = {
    "batch norm": (NORM, IMAGES, FOUR, FOUR, FOUR, FOUR, 0.1, 1e-5),
    "batch norm, no weights": (NORM, IMAGES, None, None, FOUR, FOUR, 0.1, 1e-5),
    "no statistics": (
        aten._native_batch_norm_legit.no_stats,
        *(IMAGES, FOUR, FOUR, True, 0.1, 1e-5),
    ),
    "group norm": (aten.native_group_norm.default, IMAGES, FOUR, FOUR, 2, 4, 36, 2, 1e-5),
    "alias": (aten._reshape_alias.default, torch.ones(6), [2, 3], [3, 1]),
    "repeats": (aten.repeat_interleave.Tensor, torch.tensor([1, 2])),
    "repeats along": (aten.repeat_interleave.self_int, IMAGES, 2, 2),
    "weight norm": (aten._weight_norm_interface.default, torch.ones(3, 5), torch.ones(3, 1), 0),
    "real": (aten._fft_c2r.default, SPECTRUM, [1], 0, 6),
    "complex": (aten._fft_r2c.default, torch.ones(2, 6), [1], 0, True),
    "smaller": (aten._upsample_bilinear2d_aa.default, IMAGES, [3, 3], False, 0.5, 0.5),
    "smaller, no scale": (aten._upsample_bicubic2d_aa.default, IMAGES, [3, 3], False),
    "halves": (aten.div.Tensor_mode, torch.tensor([5]), torch.tensor([-1])),
    "floats": (aten.div.Tensor, torch.ones(2), torch.tensor([-1.0])),
    "plain numbers": (aten.remainder.int, 5, -1),
    "a script's type": (aten.to.prim_dtype, torch.ones(2), torch.float64, False, True),
    "a script's own": (aten.to.prim_other, torch.ones(2), False, False),
    "larger": (aten.upsample_trilinear3d.default, *SCALED, 2.0, 2.0, None),
    "random numbers": (getattr(aten.random_, "from"), torch.ones(2), 3, 9),
    "a type": (aten.view.dtype, torch.ones(2), torch.int32),
}
UNSOUND: dict[str, tuple[Any, ...]] = {
    "a short mean": (NORM, IMAGES, FOUR, FOUR, THREE, FOUR, 0.1, 1e-5),
    "a short weight": (NORM, IMAGES, THREE, FOUR, FOUR, FOUR, 0.1, 1e-5),
    "no channels": (NORM, FOUR, FOUR, FOUR, FOUR, FOUR, 0.1, 1e-5),
    "groups of other sizes": (aten.native_group_norm.default, IMAGES, FOUR, FOUR, 2, 4, 99, 2, 1.0),
    "no groups": (aten.native_group_norm.default, IMAGES, FOUR, FOUR, 2, 4, 36, 0, 1.0),
    "beyond": (aten._reshape_alias.default, torch.ones(6), [2, 3], [300, 1]),
    "before": (aten._reshape_alias.default, torch.ones(6), [2, 3], [-3, 1]),
    "fewer than they are": (aten.repeat_interleave.Tensor, torch.tensor([1, 9])),
    "negative": (aten.repeat_interleave.Tensor, torch.tensor([1, -9])),
    "lengths of others": (aten._weight_norm_interface.default, torch.ones(3, 5), torch.ones(1), 0),
    "another dimension": (
        aten._weight_norm_interface.default,
        *(torch.ones(3, 5), torch.ones(3, 1), 7),
    ),
    "a longer line": (aten._fft_c2r.default, SPECTRUM, [1], 0, 600),
    "no such dimension": (aten._fft_r2c.default, torch.ones(2, 6), [5], 0, True),
    "a dimension twice": (aten._fft_r2c.default, torch.ones(2, 6), [1, -1], 0, True),
    "a scale of none": (aten._upsample_bilinear2d_aa.default, IMAGES, [3, 3], False, 1e-9, 0.5),
    "a scale that is none": (
        aten._upsample_bilinear2d_aa.default,
        *(IMAGES, [3, 3], False, float("nan"), 0.5),
    ),
    "the least number": (aten.div.Tensor_mode, LEAST, torch.tensor([-1])),
    "the least number by one": (aten.remainder.Scalar, LEAST, -1),
    "a plain number by nothing": (aten.remainder.int, 5, 0),
    "the least plain number": (aten.remainder.int, -(2**63), -1),
    "a number for a type, in a script": (aten.to.prim_dtype, torch.ones(2), 99),
    "a copy of no type": (aten.to.prim_dtype, torch.ones(2), None, False, True),
    "a copy of no type for no device": (aten.to.prim_Device, FOUR, None, None, False, True),
    "a copy of nothing said": (aten.to.prim_other, torch.ones(2), False, True),
    "a scale beyond any place": (aten.upsample_trilinear3d.default, *SCALED, 1e-30, 1.0, 1.0),
    "weights of nothing": (aten._weight_norm.default, torch.ones(0), torch.ones(0)),
    "a bound that floats do not have": (
        getattr(aten.random_, "from"),
        torch.ones(2),
        2**63 - 1,
        None,
    ),
    "a number for a type": (aten.view.dtype, torch.ones(2), -1),
    "no statistics": (
        aten.native_batch_norm.default,
        IMAGES,
        None,
        None,
        None,
        None,
        False,
        0.1,
        1.0,
    ),
}
KEYWORDS = {
    "fewer than they are": {"output_size": 2},
    "repeats": {"output_size": 3},
    "halves": {"rounding_mode": "trunc"},
    "the least number": {"rounding_mode": "trunc"},
}


@pytest.mark.parametrize("what", SOUND)
def test_what_models_do_is_run(what: str) -> None:
    target, *args = SOUND[what]
    check_arguments(target, args, KEYWORDS.get(what, {}))
    target(*args, **KEYWORDS.get(what, {}))


@pytest.mark.parametrize("what", UNSOUND)
def test_what_torch_does_not_check_is_refused(what: str) -> None:
    target, *args = UNSOUND[what]
    with pytest.raises(ModelError, match="do not fit together"):
        check_arguments(target, args, KEYWORDS.get(what, {}))


def test_operators_with_checks_are_allowed_ones() -> None:
    assert {name.partition(".")[0] for name in CHECKS} <= ALLOWED
