"""Tensors that `torch.save` wrote → `ImageSet`. Nothing but tensors and containers is unpickled."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.errors import DataError, ModelError
from reportgen.images.archive import damage_is_a_sentence
from reportgen.images.array_facts import facts_of
from reportgen.images.array_names import find_images
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import choose_rows, require_room
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.loading.formats.archive import open_archive
from reportgen.loading.formats.checked_pickle import StandIn
from reportgen.loading.formats.checked_state import check_entries
from reportgen.loading.formats.checked_tensors import makers
from reportgen.loading.formats.saved_records import read_record
from reportgen.shown import shown

DATASET = "torch.utils.data.dataset.TensorDataset"


def open_torch(path: Path, options: OpenOptions) -> ImageSet:
    """A tensor, a dictionary or tuple of tensors, or a `TensorDataset`; see `open_images`.

    Tensors stay on disk. Raises DataError where the file holds anything else.
    """
    where = shown(str(path))
    _require_stored(path, where)
    tensors = _named_tensors(_load(path, where), where)
    axes = {name: tensor.ndim for name, tensor in tensors.items()}
    name = find_images(axes, where, options.part)
    description = where if len(tensors) == 1 else f"{where}, {shown(name)}"
    images = _checked(tensors[name], description)
    layout = require_images(tuple(images.shape), _numpy_type(images, description), description)
    rows = choose_rows(len(images), options.limit, options.seed)
    facts = facts_of(_Tensors(tensors, where), name, len(images), rows, where)
    if images.dtype == torch.bfloat16:
        # NumPy has no such type.
        require_room(4 * images[0].numel(), len(rows), description)
        values, places = images[torch.from_numpy(rows)].float().numpy(), np.arange(len(rows))
    else:
        values, places = images.numpy(), rows
    array = ArrayRows(values, places, rows, len(images), description, facts)
    return make_array_set(path, array, layout, options)


def _require_stored(path: Path, where: str) -> None:
    """Raise DataError for compressed records: torch.save writes none, and one could be a bomb."""
    with damage_is_a_sentence(where), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise DataError(f"{where} is compressed, which torch.save never does; it is refused.")


class _Dataset(StandIn):
    """Stands for a `TensorDataset`; keeps its tensors."""

    tensors: Any = None

    def take(self, state: Any) -> None:
        self.tensors = state.get("tensors") if isinstance(state, dict) else None


def _load(path: Path, where: str) -> Any:
    try:
        with open_archive(path) as archive:
            loaded, _ = read_record(archive, {**makers(), DATASET: _Dataset}, mapped=True)
        check_entries(loaded)
        return loaded
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{where} holds more than tensors, and nothing else is unpickled; save a tensor, or a "
            "dictionary with 'images' and 'labels'."
        ) from error
    except ModelError as error:
        said = str(error)
        raise DataError(said if str(path) in said else f"{where}: {said}") from error
    except Exception as error:
        # An unpickler is a small machine that damaged bytes make stumble in any way.
        raise DataError(f"{where} is damaged: {shown(error).rstrip('.')}.") from error


def _named_tensors(content: Any, where: str) -> dict[str, Tensor]:
    if isinstance(content, _Dataset):
        content = content.tensors
    if isinstance(content, Tensor):
        return {"images": content}
    if isinstance(content, list) and _are_images(content):
        require_room(4 * content[0].numel(), len(content), where)
        return {"images": torch.stack(content)}
    if isinstance(content, list | tuple) and content:
        # As torchvision saves MNIST and TensorDataset keeps its parts: images, then labels.
        content = dict(zip(("images", "labels"), content, strict=False))
    if isinstance(content, Mapping):
        tensors = {str(name): part for name, part in content.items() if isinstance(part, Tensor)}
        if tensors:
            return tensors
    raise DataError(f"{where} holds no tensor; save a tensor, or a dictionary of tensors.")


def _are_images(content: list[Any]) -> bool:
    """Tell whether a list holds one tensor for each image, all of one shape and type."""
    return len(content) > 1 and all(
        isinstance(part, Tensor)
        and part.ndim in (2, 3)
        and (part.shape, part.dtype) == (content[0].shape, content[0].dtype)
        for part in content
    )


def _checked(tensor: Tensor, where: str) -> Tensor:
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise DataError(f"{where} is sparse or quantised; save it dense.")
    claimed = tensor.numel() * tensor.element_size()
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    stored = tensor.element_size() * (1 + sum((size - 1) * step for size, step in sides))
    if claimed > max(stored, 0):
        raise DataError(
            f"{where} claims {claimed} bytes and stores {stored}; save its contiguous() copy."
        )
    return tensor.detach().resolve_conj().resolve_neg()


def _numpy_type(tensor: Tensor, where: str) -> np.dtype:
    if tensor.dtype == torch.bfloat16:
        return np.dtype(np.float32)
    try:
        return torch.empty(0, dtype=tensor.dtype).numpy().dtype
    except TypeError as error:
        raise DataError(f"{where} holds {tensor.dtype} values; save float32 or uint8.") from error


class _Tensors:
    """The tensors of a file; see `NamedArrays`."""

    def __init__(self, tensors: Mapping[str, Tensor], where: str) -> None:
        self._tensors = tensors
        self._where = where

    @property
    def names(self) -> list[str]:
        return list(self._tensors)

    def kind_of(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        where = f"{self._where}, {shown(name)}"
        tensor = _checked(self._tensors[name], where)
        return tuple(tensor.shape), _numpy_type(tensor, where)

    def rows_of(self, name: str, rows: np.ndarray) -> np.ndarray:
        tensor = _checked(self._tensors[name], f"{self._where}, {shown(name)}")
        chosen = tensor[torch.from_numpy(rows)]
        return (chosen.float() if chosen.dtype == torch.bfloat16 else chosen).numpy()
