"""Gives numbered classes the names that a model file has for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reportgen.autoencoder import Note
from reportgen.images.image_set import ImageSet


def with_class_names(images: ImageSet, classes: Sequence[str]) -> ImageSet:
    """The same images, their labels "0", "1", … replaced by the model's names of these classes.

    The set stays as it is where images have no labels, where a label is no number, and where a
    number has no name.
    """
    if not classes or images.labels is None:
        return images
    numbers = {label: _number(label) for label in set(images.labels)}
    if any(number is None or number >= len(classes) for number in numbers.values()):
        return images
    names = {label: classes[number] for label, number in numbers.items() if number is not None}
    first, last = min(map(int, numbers)), max(map(int, numbers))
    note = Note("classes", f"Classes {first} to {last} have the names that come with the model.")
    labels = tuple(names[label] for label in images.labels)
    return replace(images, labels=labels, notes=(*images.notes, note))


def _number(label: str) -> int | None:
    return int(label) if label.isascii() and label.isdecimal() else None
