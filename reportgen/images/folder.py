"""A folder of picture files → `ImageSet`, with class folders and `labels.csv`."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.factors import FILE_NAME, LabelTable, read_label_table
from reportgen.images.image_set import ImageSet
from reportgen.images.listing import FolderWalk
from reportgen.images.names import choose, class_folders, natural_order, shown
from reportgen.images.picture import LARGEST_FILE, SUFFIXES, UnreadableImageError
from reportgen.images.picture_notes import choice_note, class_note, conversion_notes
from reportgen.images.picture_set import PictureSet, read_picture_set


def open_folder(root: Path, *, limit: int | None, seed: int) -> ImageSet:
    """All images below `root`, or a seeded `limit` of them; see `open_images`."""
    walk = FolderWalk(root, SUFFIXES)
    chosen = choose(walk.names(), limit, seed)
    if not chosen.names:
        raise DataError(_no_images(root, walk.other_files))
    names = sorted(chosen.names, key=natural_order)
    pictures = read_picture_set(FolderFiles(root), names, shown(str(root)))
    classes = class_folders(pictures.names, chosen.shared_folder)
    table = _label_table(root, chosen.shared_folder, pictures)
    notes = [choice_note(chosen.count, len(names), seed), *conversion_notes(pictures.headers)]
    notes += _walk_notes(walk)
    if classes is not None:
        notes.append(class_note(classes, "folders"))
    if table is not None:
        notes += table.notes
    return ImageSet(
        shape=pictures.shape,
        names=tuple(shown(name) for name in pictures.names),
        labels=classes if classes is not None or table is None else table.classes,
        factors=table.factors if table else None,
        pixel_range=(0.0, 1.0),
        source=pictures.checksum.source(root),
        notes=tuple(notes),
        skipped=pictures.skipped,
        pixels=pictures.pixels,
    )


class FolderFiles:
    """Picture files by their path below a folder; see `PictureFiles`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A regular file's bytes. Raises UnreadableImageError."""
        path = self._root / name
        try:
            status = path.stat()
            # A named pipe would wait for ever, a device has no end.
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableImageError("not a regular file")
            if status.st_size > LARGEST_FILE:
                raise UnreadableImageError(f"{status.st_size} bytes, more than are read")
            stream = path.open("rb")
        except OSError as error:
            raise UnreadableImageError(error.strerror or str(error)) from error
        with stream:
            yield stream


def _label_table(root: Path, shared_folder: str, pictures: PictureSet) -> LabelTable | None:
    """`labels.csv` at the root, or in the folder that holds all images."""
    for folder in dict.fromkeys(("", shared_folder)):
        path = root / folder / FILE_NAME
        if not path.exists():
            continue
        try:
            with FolderFiles(root).open(f"{folder}{FILE_NAME}") as stream:
                content = stream.read()
        except UnreadableImageError as error:
            raise DataError(f"{shown(str(path))} cannot be read: {error}.") from error
        pictures.checksum.add(f"{folder}{FILE_NAME}", content)
        below = [name.removeprefix(folder) for name in pictures.names]
        return read_label_table(content, shown(str(path)), below)
    return None


def _walk_notes(walk: FolderWalk) -> list[Note]:
    if not walk.outside:
        return []
    text = f"{walk.outside} images are reached through links that lead out of the folder."
    return [Note("images", text)]


def _no_images(root: Path, others: Counter[str]) -> str:
    kinds = ", ".join(
        f"{count} × {suffix or 'no suffix'}" for suffix, count in others.most_common(3)
    )
    found = f"only other files ({kinds})" if others else "no files"
    return (
        f"No images in {shown(str(root))}: it holds {found}. Give a folder of PNG, JPEG, "
        "WebP, BMP, TIFF or GIF files, or a .npy or .npz file."
    )
