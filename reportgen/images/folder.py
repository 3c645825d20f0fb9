"""A folder of picture files → `ImageSet`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.file_rows import open_page_folder
from reportgen.images.folder_files import FolderFiles
from reportgen.images.image_set import ImageSet
from reportgen.images.listing import FolderWalk
from reportgen.images.names import choose, natural_order
from reportgen.images.open_options import OpenOptions
from reportgen.images.page_formats import format_of_folder
from reportgen.images.picture import SUFFIXES, USUAL_FORMATS
from reportgen.images.picture_images import make_picture_images
from reportgen.images.picture_notes import listed_suffixes, other_files_notes
from reportgen.images.places import places_in_natural_order
from reportgen.images.tiff_files import TiffFiles, holds_stack, is_installed
from reportgen.images.torchvision_folder import find_data_sets, open_torchvision
from reportgen.shown import shown


def open_folder(root: Path, options: OpenOptions) -> ImageSet:
    """All images below `root`, or a seeded choice of them; else what it holds in their stead.

    That is parquet files, files of arrays, scans or stacks, or one of torchvision's data sets. See
    `open_images`.
    """
    walk = FolderWalk(root, SUFFIXES)
    chosen = choose(walk.names(), options.limit, options.seed)
    if not chosen.names:
        if walk.other_files[".parquet"]:
            from reportgen.images.parquet_files import open_parquet_folder

            return open_parquet_folder(root, options)
        form = format_of_folder(root, walk.other_files)
        if form is not None:
            return open_page_folder(root, form, options)
        data_sets = find_data_sets(root)
        if data_sets:
            return open_torchvision(root, data_sets, options)
        raise DataError(_no_images(root, walk.other_files))
    options.refuse_part(shown(str(root)))
    if _holds_stacks(root, chosen.names):
        return open_page_folder(root, TiffFiles(), options)
    return make_picture_images(
        FolderFiles(root, options),
        chosen,
        shown(str(root)),
        options,
        source=lambda checksum: checksum.source(root),
        places=lambda names: places_in_natural_order(names, FolderWalk(root, SUFFIXES).names()),
        notes=_walk_notes(walk),
    )


def _holds_stacks(root: Path, names: Sequence[str]) -> bool:
    """Tell whether all pictures are TIFF files, and the first a stack or of many channels."""
    if not all(name.lower().endswith((".tif", ".tiff")) for name in names):
        return False
    first = root / min(names, key=natural_order)
    return is_installed() and first.is_file() and holds_stack(first)


def _walk_notes(walk: FolderWalk) -> list[Note]:
    notes = other_files_notes(walk.other_files)
    if walk.outside:
        text = f"{walk.outside} images are reached through links that lead out of the folder."
        notes.append(Note("images", text))
    return notes


def _no_images(root: Path, others: Counter[str]) -> str:
    found = f"only other files ({listed_suffixes(others)})" if others else "no files"
    return (
        f"No images in {shown(str(root))}: it holds {found}. Give a folder of {USUAL_FORMATS} "
        "files, or the array or archive file itself."
    )
