"""The folders that torchvision downloads data sets into → `ImageSet`: MNIST's and CIFAR's kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import choose_rows
from reportgen.images.checksum import files_source
from reportgen.images.idx_file import open_idx
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import LARGEST_FILE
from reportgen.images.plain_pickle import PickledArray, read_plain_pickle, text
from reportgen.shown import shown

IDX_FILE = re.compile(r"(?P<split>.+)-images-idx3-ubyte(\.gz)?")
# How the files of the images that a model is not trained on are called.
TEST_SPLITS = ("test", "t10k", "test_batch")
DEEPEST = 2


@dataclass(frozen=True)
class _DataSet:
    """One data set as torchvision unpacks it: the files of each split."""

    folder: Path
    splits: dict[str, list[str]]
    is_cifar: bool


def find_data_sets(root: Path) -> list[_DataSet]:
    """The data sets of torchvision's in a folder, or up to two folders below it."""
    found = []
    for folder in _folders(root, DEEPEST):
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
        for is_cifar, splits in ((True, _cifar_splits(names)), (False, _idx_splits(names))):
            if splits:
                found.append(_DataSet(folder, splits, is_cifar))
    return found


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for entry in sorted(root.iterdir()):
            if entry.is_dir() and not entry.name.startswith("."):
                yield from _folders(entry, depth - 1)


def _idx_splits(names: list[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for name in names:
        match = IDX_FILE.fullmatch(name)
        # Torchvision leaves the packed file beside the unpacked one, which comes first in order.
        if match and match["split"] not in splits:
            splits[match["split"]] = [name]
    return splits


def _cifar_splits(names: list[str]) -> dict[str, list[str]]:
    if "batches.meta" in names and "test_batch" in names:
        train = [name for name in names if re.fullmatch(r"data_batch_\d+", name)]
        return {"train": train, "test": ["test_batch"]} if train else {"test": ["test_batch"]}
    if {"meta", "test", "train"} <= set(names):
        return {"train": ["train"], "test": ["test"]}
    return {}


def open_torchvision(root: Path, found: list[_DataSet], options: OpenOptions) -> ImageSet:
    """The images of one split, the one named or else the test images; see `open_images`."""
    where = shown(str(root))
    if len(found) > 1:
        listed = ", ".join(shown(each.folder.relative_to(root)) for each in found)
        raise DataError(f"{where} holds several data sets: {listed}; give the folder of one.")
    (data,) = found
    split = _choose_split(data, options.part, where)
    note = Note("images", f"The split {split} of {', '.join(data.splits)}.")
    options = replace(options, part=None)
    if data.is_cifar:
        images = _open_cifar(data.folder, data.splits[split], options)
    else:
        images = open_idx(data.folder / data.splits[split][0], options)
    return replace(images, notes=(note, *images.notes) if len(data.splits) > 1 else images.notes)


def _choose_split(data: _DataSet, wanted: str | None, where: str) -> str:
    splits = data.splits
    listed = ", ".join(splits)
    if wanted is not None:
        # torchvision's own word for t10k.
        same = ("t10k" if wanted == "test" and "t10k" in splits else wanted,)
        if same[0] not in splits:
            raise DataError(f"{where} has no split {shown(wanted)}; it has {shown(listed)}.")
        return same[0]
    tests = [split for split in splits if split in TEST_SPLITS]
    chosen = tests or list(splits)
    if len(chosen) > 1:
        raise DataError(
            f"{where} holds the splits {shown(listed)}; name one after a colon, as "
            f"{where}:{shown(chosen[0])}."
        )
    return chosen[0]


def _open_cifar(folder: Path, names: list[str], options: OpenOptions) -> ImageSet:
    """Batches of CIFAR-10 or CIFAR-100; the chosen images are read into memory."""
    where = shown(str(folder))
    batches = [_Batch(_pickle(folder / name), shown(str(folder / name))) for name in names]
    count = sum(map(len, batches))
    rows = choose_rows(count, options.limit, options.seed)
    values, labels, coarse, start = [], [], [], 0
    for batch in batches:
        own = rows[(rows >= start) & (rows < start + len(batch))] - start
        values.append(batch.images[own])
        labels += batch.labels("labels", "fine_labels", own)
        coarse += batch.labels("coarse_labels", "", own)
        start += len(batch)
    pixels = np.concatenate(values)
    layout = require_images((count, *pixels.shape[1:]), pixels.dtype, where)
    described = _pickle(folder / ("batches.meta" if "batches.meta" in _names(folder) else "meta"))
    facts = ArrayFacts(
        _named(labels, described.get("label_names") or described.get("fine_label_names")) or None,
        {"coarse label": _named(coarse, described.get("coarse_label_names"))} if coarse else None,
    )
    array = ArrayRows(pixels, np.arange(len(rows)), rows, count, where, facts)
    return make_array_set(folder, array, layout, options, lambda: files_source(folder, names))


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _pickle(path: Path) -> dict[str, Any]:
    where = shown(str(path))
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{where} is larger than any batch of CIFAR.")
    return read_plain_pickle(path.read_bytes(), where)


class _Batch:
    """The images and labels of one file."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self._content, self._where = content, where
        data = content.get("data")
        if not isinstance(data, PickledArray):
            raise DataError(f"{where} holds no array called data; it is no batch of CIFAR.")
        self.images = data.array(where)
        if self.images.ndim != 2 or self.images.dtype != np.uint8:
            raise DataError(
                f"{where} holds {self.images.dtype} of shape {self.images.shape}; a batch of CIFAR "
                "has a row of bytes an image."
            )

    def __len__(self) -> int:
        return len(self.images)

    def labels(self, name: str, other: str, rows: np.ndarray) -> list[int]:
        """The labels of some rows under one of two names; none where there are none."""
        found = self._content.get(name, self._content.get(other))
        if found is None:
            return []
        if not isinstance(found, list) or len(found) != len(self.images):
            raise DataError(f"{self._where}: {name} has no entry for each image.")
        chosen = [found[row] for row in rows.tolist()]
        if not all(isinstance(label, int | str | bytes) for label in chosen):
            raise DataError(f"{self._where}: {name} holds what is neither a number nor a text.")
        return chosen


def _named(labels: list[int], names: Any) -> tuple[str, ...]:
    """Classes by the names of their numbers, where each has one that is a text."""
    if isinstance(names, list) and all(
        isinstance(label, int) and 0 <= label < len(names) and isinstance(names[label], bytes | str)
        for label in labels
    ):
        return tuple(shown(text(names[label])) for label in labels)
    return tuple(shown(label) for label in labels)
