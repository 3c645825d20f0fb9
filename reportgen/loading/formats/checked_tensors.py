"""Makers of tensors and of what stands beside them, for names in a file of torch.save."""

from __future__ import annotations

import collections
import math
import pickle
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.checked_pickle import Maker, Storage, StorageKind, checked_key

MOST_DIMENSIONS = 64
STORAGES = tuple(
    f"{kind}Storage"
    for kind in (
        *("Float", "Double", "Half", "BFloat16", "ComplexFloat", "ComplexDouble", "Bool"),
        *("Byte", "Char", "Short", "Int", "Long", "QInt8", "QUInt8", "QInt32"),
        *("QUInt4x2", "QUInt2x4"),
    )
)


def makers() -> dict[str, Any]:
    """Meanings of names of torch and of Python: tensors, storages and containers."""
    found: dict[str, Any] = {
        "torch._utils._rebuild_tensor": Maker(lambda *given: _tensor(*given[:4])),
        "torch._utils._rebuild_tensor_v2": Maker(lambda *given: _tensor(*given[:4])),
        "torch._utils._rebuild_tensor_v3": Maker(_tensor_of_type),
        "torch._utils._rebuild_parameter": Maker(lambda data, *_: _parameter(data)),
        "torch._utils._rebuild_parameter_with_state": Maker(lambda data, *_: _parameter(data)),
        "torch._utils._rebuild_meta_tensor_no_storage": Maker(_without_numbers),
        "torch._utils._rebuild_sparse_tensor": Maker(_not_dense),
        "torch._utils._rebuild_qtensor": Maker(_not_dense),
        "torch._utils._rebuild_nested_tensor": Maker(_not_dense),
        "torch._tensor._rebuild_from_type_v2": Maker(_of_a_subclass),
        "torch.serialization._get_layout": Maker(lambda *_: None),
        "torch.Size": Maker(lambda sizes=(): torch.Size(_whole(sizes))),
        "torch.device": Maker(lambda *_: torch.device("cpu")),
        "torch.storage.UntypedStorage": StorageKind(None),
        "collections.OrderedDict": Maker(_dictionary),
        "builtins.set": Maker(lambda entries=(): set(map(checked_key, _list(entries)))),
        "builtins.frozenset": Maker(lambda entries=(): frozenset(map(checked_key, _list(entries)))),
        "builtins.complex": Maker(_complex),
        "builtins.bytearray": Maker(_bytes),
        "_codecs.encode": Maker(lambda text, *_: _text(text).encode("latin-1")),
    }
    for name, value in vars(torch).items():
        if isinstance(value, torch.dtype | torch.qscheme):
            found[f"torch.{name}"] = value
    for name in STORAGES:
        with warnings.catch_warnings():
            # Storages with a type are of the past, and so are the files that name them.
            warnings.simplefilter("ignore")
            kind = StorageKind(getattr(torch, name).dtype)
        found[f"torch.{name}"] = found[f"torch.cuda.{name}"] = kind
    return found


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None) -> Tensor:
    """A plain tensor that views a storage, none of it outside. No hooks, no metadata."""
    sizes, strides, dtype = check_view(storage, offset, size, stride, dtype)
    if math.prod(sizes) == 0:
        return torch.empty(sizes, dtype=dtype, device="cpu")
    whole = storage.content.numel() // dtype.itemsize * dtype.itemsize
    numbers = storage.content[:whole].view(dtype)
    # Counted from the beginning of the memory, of which the storage may be a part.
    return torch.as_strided(numbers, sizes, strides, numbers.storage_offset() + offset)


def check_view(
    storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None
) -> tuple[tuple[int, ...], tuple[int, ...], torch.dtype]:
    """Size, stride and type of a tensor that lies within its storage. Raises ModelError."""
    dtype = storage.dtype if isinstance(storage, Storage) and dtype is None else dtype
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise pickle.UnpicklingError("a tensor without a storage")
    if str(dtype).startswith(("torch.q", "torch.bits")):
        _not_dense()
    sizes, strides = _whole(size), _whole(stride)
    if len(sizes) != len(strides) or len(sizes) > MOST_DIMENSIONS or type(offset) is not int:
        raise ModelError("a tensor has an impossible shape; the file is damaged.")
    item = dtype.itemsize
    held = storage.content.numel() // item
    reach = offset + 1 + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if offset < 0 or (math.prod(sizes) > 0 and reach > held):
        raise ModelError(
            f"a tensor needs {reach * item} bytes and its storage has {held * item}; it is damaged."
        )
    return sizes, strides, dtype


def _tensor_of_type(
    storage: Any, offset: Any, size: Any, stride: Any, _: Any, hooks: Any, dtype: Any, *more: Any
) -> Tensor:
    return _tensor(storage, offset, size, stride, dtype)


def _parameter(data: Any) -> nn.Parameter:
    if type(data) is not Tensor:
        raise pickle.UnpicklingError("a parameter without a tensor")
    return nn.Parameter(data, requires_grad=False)


def _of_a_subclass(make: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """The plain tensor of a subclass of tensors; what the subclass adds is left out."""
    if not isinstance(make, Maker) or type(arguments) is not tuple:
        raise pickle.UnpicklingError("a tensor that is made by something else")
    made = make.make(*arguments)
    if not isinstance(made, Tensor):
        raise pickle.UnpicklingError("a tensor that is none")
    return made


def _without_numbers(dtype: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(dtype, torch.dtype):
        raise pickle.UnpicklingError("a tensor without a type")
    return torch.empty_strided(_whole(size), _whole(stride), dtype=dtype, device="meta")


def _not_dense(*_: Any) -> Any:
    raise ModelError("a tensor in it is sparse or quantised; save it dense in float32.")


def _dictionary(pairs: Any = ()) -> collections.OrderedDict[Any, Any]:
    return collections.OrderedDict((checked_key(key), value) for key, value in _list(pairs))


def _list(entries: Any) -> list[Any]:
    if isinstance(entries, Mapping) or type(entries) not in (list, tuple):
        raise pickle.UnpicklingError("a container that is made of something else than a list")
    return list(entries)


def _complex(real: Any, imaginary: Any = 0.0) -> complex:
    if not {type(real), type(imaginary)} <= {int, float}:
        raise pickle.UnpicklingError("a complex number of something else than numbers")
    return complex(real, imaginary)


def _bytes(content: Any = b"", *_: Any) -> bytearray:
    if type(content) is not bytes:
        raise pickle.UnpicklingError("a bytearray that is made of something else than bytes")
    return bytearray(content)


def _text(text: Any) -> str:
    if type(text) is not str:
        raise pickle.UnpicklingError("bytes that are made of something else than a text")
    return text


def _whole(sizes: Any) -> tuple[int, ...]:
    if type(sizes) not in (tuple, list, torch.Size) or not all(
        type(size) is int and 0 <= size < 2**62 for size in sizes
    ):
        raise ModelError("a tensor has an impossible shape; the file is damaged.")
    return tuple(sizes)
