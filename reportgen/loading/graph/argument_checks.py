"""Arguments that torch's own operators do not check, before they run for the first time.

These read or write beside their tensors, or stop the processor, when sizes that a graph gives them
do not fit; others refuse by themselves. Models in use call them, so that they stay allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.graph.operators import base_name, names
from reportgen.process.watched_operations import UncompiledMode

BATCH_NORMS = names(
    """
    native_batch_norm cudnn_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional
    _native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update
    """
)
# As arguments, they are objects of Python; torch also takes numbers for them, and any number.
CODED = {
    "ScalarType": torch.dtype,
    "Layout": torch.layout,
    "MemoryFormat": torch.memory_format,
}
RESIZINGS = names(
    """
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
    upsample_trilinear3d upsample_bicubic2d
    """
)
DIVISIONS = names("div div_ divide divide_ floor_divide remainder fmod true_divide")


def check_arguments(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise ModelError where an operator would be given what it does not check."""
    if not isinstance(target, torch._ops.OpOverload):
        return
    name, declared = base_name(target), target._schema.arguments
    given = dict(zip((a.name for a in declared), args, strict=False)) | dict(kwargs)
    check = CHECKS.get(f"{name}.{target._overloadname}") or CHECKS.get(name)
    codes_fit = all(_is_no_code(str(a.real_type), given.get(a.name)) for a in declared)
    if not codes_fit or (check is not None and not check(given)):
        raise ModelError(
            f"the model's operator {name} has arguments that do not fit together; refused as "
            "unsafe."
        )


def _is_no_code(kind: str, value: Any) -> bool:
    """Tell whether a type or an arrangement of numbers is one, and no number instead of it."""
    wanted = CODED.get(kind.removeprefix("Optional[").removesuffix("]"))
    return wanted is None or value is None or isinstance(value, wanted)


def _batch_norm(given: Mapping[str, Any]) -> bool:
    """Each statistic and weight has a number for each channel, and none that is used is missing."""
    images = given["input"]
    per_channel = ("weight", "bias", "running_mean", "running_var")
    if given.get("training", given.get("use_input_stats")) is False:
        missing = given.get("running_mean") is None or given.get("running_var") is None
        if missing:
            return False
    return images.dim() >= 2 and all(
        given.get(name) is None or tuple(given[name].shape) == (images.shape[1],)
        for name in per_channel
    )


def _group_norm(given: Mapping[str, Any]) -> bool:
    count, channels, pixels, groups = (given[name] for name in ("N", "C", "HxW", "group"))
    whole = min(count, channels, pixels, groups) > 0 and channels % groups == 0
    return (
        whole
        and count * channels * pixels == given["input"].numel()
        and all(
            given.get(name) is None or tuple(given[name].shape) == (channels,)
            for name in ("weight", "bias")
        )
    )


def _strided(given: Mapping[str, Any]) -> bool:
    """The view lies within the tensor's own storage."""
    tensor, size, stride = given["self"], given["size"], given["stride"]
    if len(size) != len(stride) or min([0, *size, *stride]) < 0:
        return False
    reach = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    held = tensor.untyped_storage().nbytes() // tensor.element_size() - tensor.storage_offset()
    return math.prod(size) == 0 or bool(reach <= held)


def _repeats(given: Mapping[str, Any]) -> bool:
    """No negative number of times, and an output of their sum."""
    repeats = given.get("repeats")
    if not isinstance(repeats, Tensor):
        return True
    size = given.get("output_size")
    if repeats.is_floating_point() or repeats.dim() > 1 or bool((repeats < 0).any()):
        return False
    if repeats.numel() == 1 and isinstance(given.get("self"), Tensor):
        return size is None or given.get("dim") is None or _repeated(given, repeats) == size
    return size is None or size == int(repeats.sum())


def _repeated(given: Mapping[str, Any], repeats: Tensor) -> int:
    return int(given["self"].shape[given["dim"]]) * int(repeats)


def _weight_norm(given: Mapping[str, Any]) -> bool:
    """One length for each slice along the first or the last dimension."""
    weight, lengths, dim = given["v"], given["g"], given.get("dim", 0)
    last = weight.dim() - 1
    return (
        weight.numel() > 0
        and weight.dim() > 0
        and dim in (0, last)
        and weight.dtype == lengths.dtype
        and lengths.numel() == weight.shape[dim]
    )


def _real_from_complex(given: Mapping[str, Any]) -> bool:
    spectrum, size = given["self"], given["last_dim_size"]
    return (
        _fourier(given)
        and spectrum.is_complex()
        and size >= 1
        and size // 2 + 1 <= spectrum.shape[given["dim"][-1]]
    )


def _complex_from_real(given: Mapping[str, Any]) -> bool:
    return _fourier(given) and given["self"].is_floating_point()


def _fourier(given: Mapping[str, Any]) -> bool:
    dims = given["dim"]
    rank = given["self"].dim()
    whole = len(dims) > 0 and all(-rank <= dim < rank for dim in dims)
    return whole and len({dim % rank for dim in dims}) == len(dims) and given["normalization"] < 3


def _antialiased(given: Mapping[str, Any]) -> bool:
    """Scales that are those of the sizes."""
    images, size = given.get("self", given.get("input")), given.get("output_size")
    scales = given.get("scale_factors") or [given.get("scales_h"), given.get("scales_w")]
    if images is None or images.dim() != 4 or size is None:
        return images is not None and images.dim() == 4 and all(0 < s < 2**16 for s in scales if s)
    sides = images.shape[2:]
    return len(size) == 2 == len(scales) and all(
        scale is None or (math.isfinite(scale) and scale > 0 and abs(side * scale - wanted) <= 1)
        for side, scale, wanted in zip(sides, scales, size, strict=True)
    )


def _resized(given: Mapping[str, Any]) -> bool:
    """Scales of images, and none that makes a place of a pixel larger than any whole number."""
    scales = [given.get(name) for name in ("scales", "scales_d", "scales_h", "scales_w")]
    scales += given.get("scale_factors") or []
    return all(scale is None or 2**-16 < scale < 2**16 for scale in scales)


def _division(given: Mapping[str, Any]) -> bool:
    """Not the least whole number by −1, which no whole number is, and which stops the processor.

    Plain numbers are not divided by 0 either: of tensors' torch says so, of theirs it does not.
    """
    above, below = given.get("self", given.get("a")), given.get("other", given.get("b"))
    if not isinstance(above, Tensor) and type(above) in (int, bool):
        by_minus_one = bool((below == -1).any()) if isinstance(below, Tensor) else below == -1
        by_nothing = not isinstance(below, Tensor) and below == 0
        return not by_nothing and not (by_minus_one and above <= -(2**63))
    if not isinstance(above, Tensor) or above.is_floating_point() or above.is_complex():
        return True
    if above.dtype == torch.bool:
        return True
    has_least = bool((above == torch.iinfo(above.dtype).min).any())
    by_minus_one = bool((below == -1).any()) if isinstance(below, Tensor) else below == -1
    return not (has_least and by_minus_one)


def _conversion(given: Mapping[str, Any]) -> bool:
    """No number for a type, which TorchScript's own overloads take unseen."""
    return given.get("dtype") is None or isinstance(given["dtype"], torch.dtype)


def _script_conversion(given: Mapping[str, Any]) -> bool:
    """Not a copy of no type and for no device: TorchScript's overloads look up a type then."""
    says = given.get("dtype") is not None or given.get("device") is not None
    return _conversion(given) and (says or given.get("copy", False) is False)


def _bounds(given: Mapping[str, Any]) -> bool:
    """Bounds that a float can tell from their neighbours: torch looks for others without end."""
    bounds = [given.get(name) for name in ("from", "to", "low", "high")]
    return all(bound is None or abs(bound) <= 2**53 for bound in bounds)


class CheckedOperations(UncompiledMode):
    """A context in which this thread's operators refuse arguments that torch does not check.

    Attributes
    ----------
    refused : the last refusal, which TorchScript's interpreter turns into an error of its own.
    """

    refused: ModelError | None = None

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        try:
            check_arguments(function, args, kwargs or {})
        except ModelError as error:
            self.refused = error
            raise
        return function(*args, **(kwargs or {}))


CHECKS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    **dict.fromkeys(DIVISIONS, _division),
    **dict.fromkeys(names("_weight_norm _weight_norm_interface"), _weight_norm),
    **dict.fromkeys(names("_upsample_bilinear2d_aa _upsample_bicubic2d_aa"), _antialiased),
    "_upsample_lanczos2d_aa": _antialiased,
    **dict.fromkeys(RESIZINGS, _resized),
    "to": _conversion,
    **dict.fromkeys(names("to.prim_dtype to.prim_Device to.prim_other"), _script_conversion),
    **dict.fromkeys(names("random_ random randint randint_like"), _bounds),
    "native_group_norm": _group_norm,
    "_reshape_alias": _strided,
    "repeat_interleave": _repeats,
    "_fft_c2r": _real_from_complex,
    "_fft_r2c": _complex_from_real,
}
