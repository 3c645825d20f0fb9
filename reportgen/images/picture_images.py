"""Picture files from a folder or an archive → `ImageSet`, with what is known of each picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import DataError
from reportgen.images.checksum import FilesChecksum
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import LabelTable, match_labels, table_places
from reportgen.images.names import Chosen, class_folders, natural_order
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_notes import choice_note, class_note, conversion_notes, size_notes
from reportgen.images.picture_set import PictureFiles, PictureSet, read_picture_set
from reportgen.images.places import Places
from reportgen.images.table_reading import read_table
from reportgen.shown import NO_LABEL, shown

CLASS_SUFFIX = ".cls"


def make_picture_images(
    files: PictureFiles,
    chosen: Chosen,
    where: str,
    options: OpenOptions,
    *,
    source: Callable[[FilesChecksum], SourceFile],
    places: Callable[[tuple[str, ...]], Places],
    table_for: Callable[[tuple[str, ...]], LabelTable | None] | None = None,
    notes: Iterable[Note] = (),
) -> ImageSet:
    """Read the chosen pictures and their labels.

    `places` says where pictures of these names stand among all; `table_for` makes the table for the
    names of the pictures that can be read; without it, `labels.csv` is looked for. Raises DataError
    beginning with `where`.
    """
    names = sorted(chosen.names, key=natural_order)
    notes = tuple(notes)
    pictures = read_picture_set(files, names, where, size=options.size, alpha=options.alpha)
    table = _label_table(files, chosen.shared_folder, pictures, where, table_for)
    classes, origin = _classes(files, chosen.shared_folder, pictures, table, where)
    unreadable = len(pictures.skipped)
    all_notes = [choice_note(chosen.count, len(names), options.seed, unreadable)]
    if options.size is not None:
        sizes = Counter((header.height, header.width) for header in pictures.headers)
        all_notes += size_notes(sizes, options.size)
    all_notes += [*conversion_notes(pictures.headers, options.alpha, pictures.scale), *notes]
    if classes is not None:
        all_notes.append(class_note(classes, origin))
        if table is not None and table.classes not in (None, classes):
            all_notes.append(
                Note(
                    "labels", f"The table's own column of classes is not used: {origin} come first."
                )
            )
    if table is not None:
        all_notes += table.notes
    with_alpha = None
    if not options.alpha and any(header.alpha for header in pictures.headers):
        with_alpha = partial(
            make_picture_images,
            files,
            chosen,
            where,
            replace(options, alpha=True),
            source=source,
            places=places,
            table_for=table_for,
            notes=notes,
        )
    return ImageSet(
        shape=pictures.shape,
        names=tuple(shown(name) for name in pictures.names),
        labels=classes,
        factors=table.factors if table else None,
        pixel_range=(0.0, 1.0) if pictures.scale is None else pictures.scale.pixel_range,
        source=source(pictures.checksum),
        notes=tuple(all_notes),
        skipped=pictures.skipped,
        pixels=pictures.pixels,
        places=partial(places, pictures.names),
        with_alpha=with_alpha,
    )


def _label_table(
    files: PictureFiles,
    shared_folder: str,
    pictures: PictureSet,
    where: str,
    table_for: Callable[[tuple[str, ...]], LabelTable | None] | None,
) -> LabelTable | None:
    """The table given, or the first one beside the images."""
    if table_for is not None:
        return table_for(pictures.names)
    return label_table_beside(files, shared_folder, pictures.names, pictures.checksum, where)


def label_table_beside(
    files: PictureFiles,
    shared_folder: str,
    names: Sequence[str],
    checksum: FilesChecksum,
    where: str,
) -> LabelTable | None:
    """The first table of labels that lies beside these images, matched to them; None without any.

    Raises DataError beginning with `where`.
    """
    for folder, name in table_places(shared_folder):
        if name in files:
            content = _content(files, name, where)
            checksum.add(name, content)
            below = [image.removeprefix(folder) for image in names]
            return match_labels(read_table(name, content, f"{where}, {shown(name)}"), below)
    return None


def _classes(
    files: PictureFiles,
    shared_folder: str,
    pictures: PictureSet,
    table: LabelTable | None,
    where: str,
) -> tuple[tuple[str, ...] | None, str]:
    """Class names and where they come from: folders, else the table, else files beside."""
    folders = class_folders(pictures.names, shared_folder)
    if folders is not None:
        return folders, "folders"
    if table is not None and table.classes is not None:
        return table.classes, "the label table"
    return _class_files(files, pictures, where), f"{CLASS_SUFFIX} files"


def _class_files(files: PictureFiles, pictures: PictureSet, where: str) -> tuple[str, ...] | None:
    """Class names by WebDataset's naming: the class of 0001.jpg is the text in 0001.cls."""
    if class_file(pictures.names[0]) not in files:
        return None
    classes = []
    for name in pictures.names:
        beside = class_file(name)
        if beside not in files:
            classes.append(NO_LABEL)
            continue
        content = _content(files, beside, where)
        pictures.checksum.add(beside, content)
        classes.append(shown(content.decode("utf-8", "backslashreplace").strip()))
    return tuple(classes)


def class_file(name: str) -> str:
    """The file in which WebDataset keeps a picture's class: its path to the name's first dot."""
    path = PurePosixPath(name)
    return path.with_name(path.name.partition(".")[0] + CLASS_SUFFIX).as_posix()


def _content(files: PictureFiles, name: str, where: str) -> bytes:
    try:
        with files.open(name) as stream:
            return stream.read()
    except UnreadableImageError as error:
        raise DataError(f"{where}: {shown(name)} cannot be read: {error}.") from error
