"""A table whose column of files says where the images are → `ImageSet`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.folder_files import FolderFiles
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import match_labels
from reportgen.images.names import choose
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_images import make_picture_images
from reportgen.images.places import places_in_order
from reportgen.images.table import Table
from reportgen.images.table_reading import read_table
from reportgen.shown import shown


def open_table(path: Path, options: OpenOptions) -> ImageSet:
    """The images that a CSV table or JSON lines list; see `open_images`."""
    where = shown(str(path))
    options.refuse_part(where)
    try:
        with FolderFiles(path.parent).open(path.name) as stream:
            content = stream.read()
    except UnreadableImageError as error:
        raise DataError(f"{where} cannot be read: {error}.") from error
    return open_listed(path, read_table(path.name, content, where), options)


def open_listed(path: Path, table: Table, options: OpenOptions) -> ImageSet:
    """The images a table lists, by paths relative to its folder."""
    chosen = choose((line.file for line in table.lines()), options.limit, options.seed)
    # A file that is listed twice is refused with its line, once the lines are matched.
    chosen = replace(chosen, names=tuple(dict.fromkeys(chosen.names)))
    outside = sum(name.startswith("/") or ".." in name.split("/") for name in chosen.names)
    text = f"{outside} of the paths in {table.where} lead out of its folder."
    return make_picture_images(
        FolderFiles(path.parent, options),
        chosen,
        table.where,
        options,
        source=lambda checksum: checksum.source(path),
        places=lambda names: places_in_order(names, (line.file for line in table.lines())),
        table_for=lambda readable: match_labels(table, readable),
        notes=[Note("images", text)] if outside else [],
    )
