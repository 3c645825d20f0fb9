"""The images that a caller hands over, of any kind, as an `ImageSet`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts
from reportgen.images.array_layout import ArrayLayout
from reportgen.images.array_set import (
    AnyRows,
    ArrayRows,
    array_set_and_scale,
    require_images,
)
from reportgen.images.array_stream import choose_rows
from reportgen.images.image_set import ImageSet
from reportgen.images.in_memory.given_facts import factor_table, label_tuple, name_tuple
from reportgen.images.in_memory.items import Items, read_first, read_items
from reportgen.images.in_memory.sliced_rows import SlicedRows
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture_notes import class_note
from reportgen.images.pixel_scale import PixelScale
from reportgen.images.places import Places
from reportgen.shown import of_kind, shown

KINDS = (
    "an array, a tensor, a list of pictures or arrays, a data set, a data loader, an array of "
    "HDF5 or Zarr, or the path of a file or folder"
)
AS_THE_MODEL_TAKES = PixelScale(0, 1, (0.0, 1.0), "values are as the model takes them.")


@dataclass(frozen=True)
class GivenFacts:
    """Facts that a caller gives of each image; None where there are none.

    Attributes
    ----------
    labels : (n,) classes, whole numbers or words.
    factors : {name: (n,)}, a table with named columns, or (n, F) numbers.
    factor_names : names of the F columns.
    names : (n,) of the images.
    """

    labels: Any = None
    factors: Any = None
    factor_names: Sequence[str] | None = None
    names: Iterable[Any] | None = None


@dataclass(frozen=True)
class GivenImages:
    """Images that were handed over, and how their numbers were read.

    Attributes
    ----------
    images : the set.
    scale : the scale of the numbers as they were given.
    channels_last : whether an image's numbers lie row by row, pixel by pixel, channel by channel.
    """

    images: ImageSet
    scale: PixelScale
    channels_last: bool = False


def open_given(
    given: Any,
    options: OpenOptions,
    facts: GivenFacts,
    *,
    where: str = "images",
    shape: tuple[int, int, int] | None = None,
    as_the_model_takes: bool = False,
) -> GivenImages:
    """Images in memory, or that an object reads as they are needed, kept by reference.

    Parameters
    ----------
    given : an array or tensor (n, …), or anything with shape, dtype and slices; a data set, data
        loader, list or stream whose items are images, (image, label) or {"image", "label"}; or an
        `ImageSet`, which is taken as it is.
    facts : of all images given, of which `options` may choose some.
    where : what the images are called in sentences.
    shape : (C, H, W) of images that are given as rows of numbers.
    as_the_model_takes : leave the numbers as they are, whatever their range.

    Raises DataError where they are no images, fewer than two, or not finite.
    """
    if isinstance(given, ImageSet):
        return GivenImages(with_facts(given, facts), AS_THE_MODEL_TAKES)
    indices = None
    if _is_a(given, "torch.utils.data", "DataLoader"):
        # A sampler of some indices is how one data set is split into two.
        indices = getattr(given.sampler, "indices", None)
        given = given.dataset
    _refuse_others(given, where)
    if hasattr(given, "to_numpy") and hasattr(given, "columns"):
        given = given.to_numpy()
    elif hasattr(given, "__array__") and not hasattr(given, "__getitem__"):
        given = np.asarray(given)
    scale = AS_THE_MODEL_TAKES if as_the_model_takes else None
    if _is_array(given):
        return _of_array(given, options, facts, where, shape, scale)
    if _is_a(given, "torch.utils.data", "IterableDataset") or not hasattr(given, "__getitem__"):
        if not hasattr(given, "__iter__"):
            raise DataError(f"{where} is {of_kind(given)}; give {KINDS}.")
        items = read_first(given, options.limit, where)
    elif hasattr(given, "__len__"):
        items = read_items(given, indices, options.limit, options.seed, where)
    else:
        raise DataError(f"{where} is {of_kind(given)}; give {KINDS}.")
    return _of_items(given, items, options, facts, where, shape, scale)


def _of_array(
    given: Any,
    options: OpenOptions,
    facts: GivenFacts,
    where: str,
    shape: tuple[int, int, int] | None,
    scale: PixelScale | None,
) -> GivenImages:
    if len(given.shape) == 0 or given.shape[0] == 0:
        raise DataError(f"{where} holds no images; a report needs at least two.")
    values: np.ndarray | AnyRows = (
        given if isinstance(given, np.ndarray) else SlicedRows(given, where)
    )
    layout = _layout(tuple(map(int, given.shape)), values.dtype, where, shape)
    rows = choose_rows(int(given.shape[0]), options.limit, options.seed)
    array = ArrayRows(values, rows, rows, int(given.shape[0]), where)
    return _made(array, layout, options, facts, _name_of(given), scale)


def _of_items(
    given: Any,
    items: Items,
    options: OpenOptions,
    facts: GivenFacts,
    where: str,
    shape: tuple[int, int, int] | None,
    scale: PixelScale | None,
) -> GivenImages:
    values = items.values
    full_shape = (len(items.rows), *values[np.arange(1)].shape[1:])
    if items.are_pictures and len(full_shape) == 4:
        _, height, width, channels = full_shape
        layout = ArrayLayout("N, H, W, C", (channels, height, width), channels_last=True)
    else:
        layout = _layout(full_shape, values.dtype, where, shape, several=True)
    own = ArrayFacts(notes=items.notes)
    if items.labels is not None and facts.labels is None:
        every = np.arange(len(items.rows))
        own = replace(
            own,
            origin="the data set",
            labels=label_tuple(items.labels, every, len(every), items.class_names),
        )
    array = ArrayRows(values, np.arange(len(items.rows)), items.rows, items.count, where, own)
    made = _made(array, layout, options, facts, _name_of(given), scale)
    # The numbers of a picture are no scale that anybody chose.
    return replace(made, scale=PixelScale(0, 1, (0, 1), "")) if items.are_pictures else made


def _made(
    array: ArrayRows,
    layout: ArrayLayout,
    options: OpenOptions,
    facts: GivenFacts,
    name: str,
    scale: PixelScale | None,
) -> GivenImages:
    digest, size = hashlib.sha256(), 0

    def on_block(block: np.ndarray) -> None:
        nonlocal size
        numbers = np.ascontiguousarray(block, np.float32)
        digest.update(numbers.data)
        size += numbers.nbytes

    images, found = array_set_and_scale(
        array,
        layout,
        options,
        names=tuple(f"{array.description}[{row}]" for row in array.rows),
        source=lambda: SourceFile(name, size, digest.hexdigest()),
        on_block=on_block,
        scale=scale,
    )
    images = with_facts(images, facts)
    return GivenImages(images, found, layout.channels_last)


def with_facts(images: ImageSet, facts: GivenFacts) -> ImageSet:
    """The images with what their caller says of them, and of those that were not chosen.

    Raises DataError where it is said of another number of images.
    """
    places = Places(np.arange(len(images)), len(images))
    if images.places is not None:
        places = images.places()
    rows, count = places.rows, places.count
    notes: list[Note] = []
    if facts.labels is not None:
        labels = label_tuple(facts.labels, rows, count)
        notes.append(class_note(labels, "the labels that were given"))
        images = replace(images, labels=labels)
    if facts.factors is not None:
        factors = factor_table(facts.factors, facts.factor_names, rows, count)
        if factors:
            notes.append(Note("labels", f"{', '.join(factors)} were given for each image."))
        images = replace(images, factors=factors)
    if facts.names is not None:
        images = replace(images, names=name_tuple(facts.names, rows, count))
    return replace(images, notes=(*images.notes, *notes))


def _layout(
    found: tuple[int, ...],
    dtype: np.dtype,
    where: str,
    shape: tuple[int, int, int] | None,
    *,
    several: bool = False,
) -> ArrayLayout:
    """The layout of an array; rows of numbers are images of `shape`, where that is given."""
    if shape is None or len(found) != 2:
        return require_images(found, dtype, where, several=several)
    if found[1] != math.prod(shape):
        raise DataError(
            f"{where} has {found[1]} numbers an image, and input_shape {'×'.join(map(str, shape))} "
            f"has {math.prod(shape)}."
        )
    require_images((found[0], *shape), dtype, where)
    return ArrayLayout("N, C·H·W", shape)


def _is_array(given: Any) -> bool:
    if hasattr(given, "_indices") and hasattr(given, "features"):
        # A Hugging Face data set has a shape, of rows and columns.
        return False
    return all(hasattr(given, name) for name in ("shape", "dtype", "__getitem__"))


def _is_a(given: Any, package: str, name: str) -> bool:
    """Tell whether an object is of a class, without importing its library."""
    classes = type(given).__mro__
    return any(c.__name__ == name and c.__module__.startswith(package) for c in classes)


def _refuse_others(given: Any, where: str) -> None:
    """Raise DataError for classes, sparse arrays, and what holds several sets of images."""
    if isinstance(given, type):
        raise DataError(f"{where} is the class {given.__name__}; give an object of it.")
    if hasattr(given, "toarray") or getattr(given, "is_sparse", False):
        raise DataError(f"{where} is sparse; make it dense, with toarray() or to_dense().")
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise DataError(f"{where} is masked in places; fill these, with filled(0).")
    if isinstance(given, tuple | list) and len(given) == 2:
        sizes = [tuple(getattr(part, "shape", ())) for part in given]
        if len(sizes[0]) > 1 and len(sizes[1]) == 1 and sizes[0][0] == sizes[1][0]:
            raise DataError(
                f"{where} is {of_kind(given)} of images and a number for each; give the first as "
                f"{where}, and the second as {'fit_' if where == 'fit_images' else ''}labels."
            )
    if isinstance(given, Mapping) or type(given).__name__ == "NpzFile":
        names = ", ".join(shown(name) for name in list(given)[:8]) or "nothing"
        raise DataError(f"{where} holds {names}; give one of them, as images[NAME].")
    if isinstance(given, str | bytes):
        raise DataError(f"{where} is {of_kind(given)}; give {KINDS}.")


def _name_of(given: Any) -> str:
    """A short name for headings: a file's, or a data set's class."""
    filename = getattr(given, "filename", None) or getattr(
        getattr(given, "file", None), "filename", None
    )
    if isinstance(filename, str):
        return shown(Path(filename).name)
    kind = type(given)
    is_plain = kind.__module__.split(".")[0] in ("builtins", "numpy", "torch", "datasets")
    is_plain = is_plain or _is_array(given)
    return "memory" if is_plain else shown(kind.__name__)
