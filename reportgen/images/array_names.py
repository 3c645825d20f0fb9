"""Which of several named arrays are the images, and which their class labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from reportgen.errors import DataError
from reportgen.images.names import shown

# In the order they are looked for; x_test and no x_train, for a report is best made on images that
# the model was not trained on.
IMAGE_ARRAYS = ("images", "imgs", "x", "data", "x_test", "test_images")
LABEL_ARRAYS = {"x_test": ("y_test",), "test_images": ("test_labels",)}
MOST_LISTED = 8
USUAL_LABEL_ARRAYS = ("labels", "label", "y", "targets")


def find_images(dimensions: Mapping[str, int], where: str) -> str:
    """The name of the images among arrays with so many axes: by name, else by their axes.

    Raises DataError that lists the names where it is not clear.
    """
    by_lower_name = {name.lower(): name for name in dimensions}
    for usual in IMAGE_ARRAYS:
        if usual in by_lower_name:
            return by_lower_name[usual]
    candidates = [name for name, axes in dimensions.items() if axes in (3, 4)]
    if len(candidates) == 1:
        return candidates[0]
    if len(dimensions) == 1:
        return next(iter(dimensions))
    names = ", ".join(shown(name) for name in sorted(dimensions)[:MOST_LISTED]) or "no arrays"
    if len(dimensions) > MOST_LISTED:
        names += f" and {len(dimensions) - MOST_LISTED} more"
    raise DataError(f"{where} holds {names}; call the array of images 'images'.")


def find_labels(names: Iterable[str], images: str) -> str | None:
    """The name of the labels that belong to the array of images, or None."""
    by_lower_name = {name.lower(): name for name in names}
    usual_names = LABEL_ARRAYS.get(images.lower(), USUAL_LABEL_ARRAYS)
    return next((by_lower_name[usual] for usual in usual_names if usual in by_lower_name), None)


def require_labels(shape: tuple[int, ...], dtype: np.dtype, count: int, where: str) -> None:
    """Raise DataError, beginning with `where`, unless there is one number or word an image."""
    if shape not in ((count,), (count, 1)):
        raise DataError(f"{where} has shape {shape}; {count} images need ({count},).")
    if dtype.kind not in "buifSU":
        raise DataError(f"{where} holds {dtype} values; labels are numbers or words.")


def label_words(labels: np.ndarray) -> tuple[str, ...]:
    """Labels as they are printed."""
    if labels.dtype.kind == "S":
        words = (label.decode("utf-8", "backslashreplace") for label in labels.ravel().tolist())
    else:
        words = (str(label) for label in labels.ravel().tolist())
    return tuple(shown(word) for word in words)
