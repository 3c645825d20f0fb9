"""Numbered classes get the names that the model has for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reportgen.images import ImageSet, open_images, with_class_names

CLASSES = ("cat", "dog", "owl")


def labelled(folder: Path, labels: list[object]) -> ImageSet:
    pixels = np.random.default_rng(0).random((len(labels), 8, 8, 1)).astype("float32")
    np.savez(folder / "images.npz", images=pixels, labels=np.array(labels))
    return open_images(folder / "images.npz")


def test_numbers_become_names_and_it_is_said(tmp_path: Path) -> None:
    images = with_class_names(labelled(tmp_path, [2, 0, 2, 0]), CLASSES)
    assert images.labels == ("owl", "cat", "owl", "cat")
    assert any("Classes 0 to 2 have the names" in note.text for note in images.notes)


def test_labels_that_are_names_or_have_none_stay(tmp_path: Path) -> None:
    for labels in (["red", "blue", "red", "blue"], [0, 3, 0, 3], ["0", "blue", "0", "blue"]):
        images = labelled(tmp_path, labels)
        assert with_class_names(images, CLASSES) is images
    images = labelled(tmp_path, [0, 1, 0, 1])
    assert with_class_names(images, ()) is images
