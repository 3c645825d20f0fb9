"""Data sets that give an image at a time: torch's, Hugging Face's, lists of pictures, streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.array_set import AnyRows
from reportgen.images.array_stream import choose_rows, require_room
from reportgen.images.in_memory.sliced_rows import as_array
from reportgen.images.picture import UnreadableImageError, picture_pixels
from reportgen.shown import of_kind, shown

# As much of what was read stays in memory; beyond it, images are read again when they are needed.
KEPT_BYTES = 512 * 2**20
IMAGE_KEYS = ("image", "img", "pixel_values", "images", "pixels")
LABEL_KEYS = ("label", "labels", "target", "class", "fine_label")


@dataclass(frozen=True)
class Items:
    """Images that were read one at a time.

    Attributes
    ----------
    values : (n, …) as they were given.
    rows : (n,) their numbers in the data set, of which there are `count`.
    labels : (n,) what stood beside each; None where nothing did.
    class_names : names of the labels 0, 1, …; empty where none are known.
    are_pictures : whether they were Pillow's, whose numbers are 0 to 255 and mean 0 to 1.
    notes : how they were read.
    """

    values: np.ndarray | AnyRows
    rows: np.ndarray
    count: int
    labels: list[Any] | None
    class_names: tuple[str, ...]
    are_pictures: bool
    notes: tuple[Note, ...]


def read_items(
    dataset: Any, indices: Sequence[int] | None, limit: int | None, seed: int, where: str
) -> Items:
    """Images of a data set with a length, or those at `indices`; a random choice where limited.

    Raises DataError where one cannot be read, or they differ in shape or type.
    """
    places = range(len(dataset)) if indices is None else indices
    rows = choose_rows(len(places), limit, seed)

    def item(row: int) -> _Item:
        return _read(lambda: dataset[int(places[row])], row, where)

    kept, shapes, labels = _pass(((int(row), item(int(row))) for row in rows), len(rows), where)
    notes = []
    again = item(int(rows[0])) if len(rows) else None
    if again is not None and not np.array_equal(again.pixels, shapes.first, equal_nan=True):
        if kept is None:
            raise DataError(
                f"{where}: image 0 is another each time that it is read, as with random "
                "augmentation; give the data set without it."
            )
        text = (
            "An image read twice is not the same, as with random augmentation: each was read once, "
            "and kept."
        )
        notes.append(Note("images", text))
    values = kept if kept is not None else _ItemsAgain(item, rows, shapes.shape, shapes.dtype)
    named = class_names_of(dataset)
    return Items(values, rows, len(places), labels, named, shapes.are_pictures, tuple(notes))


def read_first(stream: Iterable[Any], limit: int | None, where: str) -> Items:
    """The first images of what can only be gone through. Raises DataError as `read_items` does."""
    iterator = enumerate(islice(iter(stream), limit))

    def items() -> Iterable[tuple[int, _Item]]:
        for row, given in iterator:
            yield row, _read(partial(_given, given), row, where)

    kept, shapes, labels = _pass(items(), None, where)
    assert kept is not None, "what cannot be read again is kept"
    count = len(kept)
    text = f"The first {count} images were read, as this data set has no length to choose from."
    notes = (Note("images", text),)
    named = class_names_of(stream)
    return Items(kept, np.arange(count), count, labels, named, shapes.are_pictures, notes)


@dataclass(frozen=True)
class _Item:
    pixels: np.ndarray
    label: Any
    is_picture: bool


@dataclass(frozen=True)
class _Shapes:
    """The shape and type that all images have in common, and the first image."""

    shape: tuple[int, ...]
    dtype: np.dtype
    are_pictures: bool
    first: np.ndarray


class _ItemsAgain:
    """Images that are read again whenever they are needed; see `AnyRows`."""

    def __init__(
        self,
        item: Callable[[int], _Item],
        rows: np.ndarray,
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self._item, self._rows, self.dtype = item, rows, dtype
        self.shape = (len(rows), *shape)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        found = [self._item(int(self._rows[place])).pixels for place in places]
        return np.stack([_in_shape(pixels, self.shape[1:]) for pixels in found])


def _pass(
    items: Iterable[tuple[int, _Item]], count: int | None, where: str
) -> tuple[np.ndarray | None, _Shapes, list[Any] | None]:
    """Look at every image once; keep all of them where there is room for `count` (None: always)."""
    kept: list[np.ndarray] | None = []
    labels: list[Any] = []
    first: _Item | None = None
    shape: tuple[int, ...] = ()
    seen = 0
    for row, item in items:
        if first is None:
            first, shape = item, item.pixels.shape
        shape = _common_shape(shape, item, first, row, where)
        labels.append(item.label)
        seen += 1
        if kept is None:
            continue
        kept.append(item.pixels)
        if count is None:
            require_room(item.pixels.nbytes, seen, where)
        elif count * item.pixels.nbytes > KEPT_BYTES:
            kept = None
    if first is None or seen < 2:
        raise DataError(
            f"{where} holds {'one image' if seen else 'no images'}; a report needs at least two."
        )
    shapes = _Shapes(shape, first.pixels.dtype, first.is_picture, first.pixels)
    stacked = None if kept is None else np.stack([_in_shape(pixels, shape) for pixels in kept])
    known = None if any(label is None for label in labels) else labels
    return stacked, shapes, known


def _common_shape(
    shape: tuple[int, ...], item: _Item, first: _Item, row: int, where: str
) -> tuple[int, ...]:
    """The shape of all images so far: grey pictures among colours are repeated in three channels.

    Raises DataError where they differ otherwise, or in type.
    """
    found = item.pixels
    if found.dtype != first.pixels.dtype:
        raise DataError(
            f"{where}: image {row} holds {found.dtype} values and the others "
            f"{first.pixels.dtype}; convert them to one type."
        )
    if found.shape == shape:
        return shape
    if item.is_picture and found.shape[:2] == shape[:2]:
        return max(shape, found.shape, key=len)
    raise DataError(
        f"{where}: image {row} has shape {found.shape} and those before it {shape}; resize them "
        "to one size."
    )


def _in_shape(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if pixels.shape == shape:
        return pixels
    return np.repeat(pixels[:, :, None], shape[2], axis=2)


def _read(give: Callable[[], Any], row: int, where: str) -> _Item:
    try:
        return _item_of(give())
    except (DataError, UnreadableImageError) as error:
        raise DataError(f"{where}: image {row} {error}.") from error
    except Exception as error:
        # A data set's own code may raise what it likes.
        reason = shown(str(error).partition("\n")[0]).rstrip(".")
        raise DataError(
            f"{where}: image {row} cannot be read: {type(error).__name__}: {reason}."
        ) from error


def _item_of(given: Any) -> _Item:
    """The image of an item, and the label beside it. Raises DataError, a clause."""
    label = None
    if isinstance(given, Mapping):
        given, label = _of_mapping(given)
    elif isinstance(given, tuple | list) and given and _is_image(given[0]):
        given, *beside = given
        label = beside[0] if beside else None
    if isinstance(given, Image.Image):
        return _Item(picture_pixels(given), _plain(label), True)
    pixels = as_array(given)
    if pixels.dtype.kind not in "buif":
        raise DataError(
            f"is {of_kind(given)}; give a picture, an array or a tensor, alone or with its "
            "label behind it"
        )
    return _Item(pixels, _plain(label), False)


def _of_mapping(given: Mapping[str, Any]) -> tuple[Any, Any]:
    key = next((key for key in IMAGE_KEYS if given.get(key) is not None), None)
    if key is None:
        names = ", ".join(shown(name) for name in given) or "nothing"
        raise DataError(f"holds {names}; its picture must be called {', '.join(IMAGE_KEYS[:3])}")
    label = next((given[key] for key in LABEL_KEYS if given.get(key) is not None), None)
    return given[key], label


def _is_image(value: Any) -> bool:
    return isinstance(value, Image.Image) or len(getattr(value, "shape", ())) >= 1


def _plain(label: Any) -> Any:
    """A label as a number or word; None for what is neither, such as another image."""
    if isinstance(label, str | int | float):
        return label
    if getattr(label, "shape", None) == () and hasattr(label, "item"):
        return label.item()
    return None


def _given(item: Any) -> Any:
    return item


def class_names_of(dataset: Any) -> tuple[str, ...]:
    """The names of a data set's classes, where it has them, or one that it is a part of does."""
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        for key in LABEL_KEYS:
            names = getattr(features.get(key), "names", None)
            if names:
                return tuple(map(str, names))
    names = getattr(dataset, "classes", None)
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(names)
    whole = getattr(dataset, "dataset", None)
    return () if whole is None else class_names_of(whole)
