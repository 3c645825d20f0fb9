"""A CSV table whose column of files says where the images are → `ImageSet`."""

from __future__ import annotations

from pathlib import Path

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.folder import FolderFiles
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import read_file_names, read_label_table
from reportgen.images.names import choose, shown
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_images import make_picture_images


def open_table(path: Path, *, limit: int | None, seed: int) -> ImageSet:
    """The images a table lists, by paths relative to its folder; see `open_images`."""
    where = shown(str(path))
    files = FolderFiles(path.parent)
    try:
        with files.open(path.name) as stream:
            content = stream.read()
    except UnreadableImageError as error:
        raise DataError(f"{where} cannot be read: {error}.") from error
    names = read_file_names(content, where)
    outside = sum(name.startswith("/") or ".." in name.split("/") for name in names)
    text = f"{outside} of the paths in {where} lead out of its folder."
    return make_picture_images(
        files,
        choose(dict.fromkeys(names), limit, seed),
        where,
        seed=seed,
        source=lambda checksum: checksum.source(path),
        table_for=lambda readable: read_label_table(content, where, readable),
        notes=[Note("images", text)] if outside else [],
    )
