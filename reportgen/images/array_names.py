"""The choice among named arrays: the one of images, and the one of their class labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from reportgen.errors import DataError
from reportgen.shown import shown

# In the order they are looked for; x_test and no x_train, for a report is best made on images that
# the model was not trained on.
IMAGE_ARRAYS = ("images", "imgs", "x", "data", "x_test", "test_images")
MOST_LISTED = 8
USUAL_LABEL_ARRAYS = ("labels", "label", "y", "targets")


def find_images(dimensions: Mapping[str, int], where: str, wanted: str | None) -> str:
    """The name of the array of images: the one wanted, else by usual names, else by its axes.

    `dimensions` gives every array's number of axes by its name. Raises DataError that lists the
    names where none is wanted and several could be the images.
    """
    if wanted is not None:
        if wanted not in dimensions:
            raise DataError(
                f"{where} has no array {shown(wanted)}; it holds {_listed(dimensions)}."
            )
        return wanted
    by_lower_name = {name.lower(): name for name in dimensions}
    for usual in IMAGE_ARRAYS:
        if usual in by_lower_name:
            return by_lower_name[usual]
    candidates = [name for name, axes in dimensions.items() if axes in (3, 4)]
    if len(candidates) == 1:
        return candidates[0]
    if len(dimensions) == 1:
        return next(iter(dimensions))
    raise DataError(
        f"{where} holds {_listed(dimensions)}; name the array of images after a colon, as "
        "FILE:NAME, or save it under the name 'images'."
    )


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    listed = ", ".join(shown(name) for name in ordered[:MOST_LISTED]) or "no arrays"
    more = len(ordered) - MOST_LISTED
    return f"{listed} and {more} more" if more > 0 else listed


def find_labels(names: Iterable[str], images: str) -> str | None:
    """The name of the labels that belong to the array of images, or None.

    Those of x_test are y_test alone, of test_images test_labels, and so for other splits.
    """
    by_lower_name = {name.lower(): name for name in names}
    usual_names = _split_labels(images.lower()) or USUAL_LABEL_ARRAYS
    return next((by_lower_name[usual] for usual in usual_names if usual in by_lower_name), None)


def _split_labels(images: str) -> tuple[str, ...]:
    if images.startswith("x_"):
        return (f"y_{images.removeprefix('x_')}",)
    if images.endswith("_images"):
        return (f"{images.removesuffix('_images')}_labels",)
    return ()


def require_labels(shape: tuple[int, ...], dtype: np.dtype, count: int, where: str) -> None:
    """Raise DataError, beginning with `where`, unless there is one number or word an image."""
    if shape not in ((count,), (count, 1)):
        raise DataError(
            f"{where} has shape {shape}; {count} images need one label each, shape ({count},)."
        )
    if dtype.kind not in "buifSU":
        raise DataError(f"{where} holds {dtype} values; labels are numbers or words.")


def label_words(labels: np.ndarray) -> tuple[str, ...]:
    """Labels as they are printed."""
    if labels.dtype.kind == "S":
        words = (label.decode("utf-8", "backslashreplace") for label in labels.ravel().tolist())
    else:
        words = (str(label) for label in labels.ravel().tolist())
    return tuple(shown(word) for word in words)
