"""Sentences for the report's provenance: the images that were taken, and their conversions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from reportgen.autoencoder import Note
from reportgen.images.picture import Header
from reportgen.images.pixel_scale import PixelScale
from reportgen.shown import shown

# Tables of labels and files of classes are looked for beside images.
READ_BESIDE = frozenset((".csv", ".jsonl", ".parquet", ".cls"))
MOST_LISTED = 4


def choice_note(found: int, chosen: int, seed: int, unreadable: int = 0) -> Note:
    """A note of how many of the images found are read; `unreadable` of those chosen are not."""
    if chosen < found:
        text = f"{chosen} of {found} images were chosen at random (seed {seed})"
        return Note(
            "images", f"{text}; {unreadable} could not be read." if unreadable else f"{text}."
        )
    if unreadable:
        text = f"{found - unreadable} of {found} images were read; {unreadable} could not be."
        return Note("images", text)
    return Note("images", f"All {found} images were read.")


def other_files_notes(suffixes: Mapping[str, int]) -> list[Note]:
    """A note of the files that are no images of a known type; `suffixes` counts them by suffix."""
    left_out = {suffix: count for suffix, count in suffixes.items() if suffix not in READ_BESIDE}
    count = sum(left_out.values())
    if not count:
        return []
    files = "1 other file was" if count == 1 else f"{count} other files were"
    text = f"{files} left out, as no images of a type that is read: {listed_suffixes(left_out)}."
    return [Note("images", text)]


def listed_suffixes(suffixes: Mapping[str, int]) -> str:
    """The most frequent suffixes of files, with their numbers."""
    ordered = sorted(suffixes.items(), key=lambda each: (-each[1], each[0]))
    listed = [f"{count} × {shown(suffix) or 'no suffix'}" for suffix, count in ordered]
    more = len(listed) - MOST_LISTED
    return ", ".join(listed[:MOST_LISTED]) + (f" and {more} more types" if more > 0 else "")


def size_notes(sizes: Mapping[tuple[int, int], int], size: tuple[int, int]) -> list[Note]:
    """A note where images were brought to one size; `sizes` counts them by (height, width)."""
    others = {given: count for given, count in sizes.items() if given != size}
    if not others:
        return []
    listed = sorted(others)
    origin = _written(listed[0])
    if len(others) > 1:
        origin = f"{len(others)} sizes from {origin} to {_written(listed[-1])}"
    text = (
        f"{sum(others.values())} images of {origin} pixels (height × width) were scaled until they "
        f"cover {_written(size)}, bilinear with antialiasing, and cropped around the centre."
    )
    return [Note("size", text)]


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def class_note(classes: Sequence[str], origin: str) -> Note:
    """A note of how many classes there are, and where they come from."""
    count = len(set(classes))
    return Note("labels", f"{count} {'class' if count == 1 else 'classes'} from {origin}.")


def conversion_notes(
    headers: Sequence[Header], alpha_kept: bool = False, scale: PixelScale | None = None
) -> list[Note]:
    """Notes of what was changed in the pictures on the way to pixels.

    `scale` is that of floating-point pictures.
    """
    total = len(headers)
    notes = []
    colour = sum(header.channels == 3 for header in headers)
    if 0 < colour < total:
        grey = total - colour
        text = (
            f"{grey} greyscale images were repeated in three channels, as {colour} are in colour."
        )
        notes.append(Note("channels", text))
    alpha = sum(header.alpha for header in headers)
    if alpha:
        text = f"Transparency was dropped in {alpha} images, as Pillow's convert('RGB') does."
        if alpha_kept:
            text = (
                f"Transparency was kept as the fourth channel, as the model takes four: {alpha} of "
                f"{total} images have it{', the others are opaque' if alpha < total else ''}."
            )
        notes.append(Note("channels", text))
    animated = sum(header.animated for header in headers)
    if animated:
        notes.append(Note("images", f"{animated} animated images: the first frame was read."))
    depths = Counter(header.dtype for header in headers)
    said = _scaling(depths) if scale is None else f"Floating-point {scale.sentence}"
    notes.append(Note("scaling", said))
    return notes


def _scaling(depths: Counter[np.dtype]) -> str:
    sentences: dict[np.dtype, str] = {
        np.dtype(np.uint8): "8-bit pixels were divided by 255",
        np.dtype(np.uint16): "16-bit pixels were divided by 65535",
        np.dtype(np.float32): "floating-point pixels in [0, 1] were kept",
    }
    said = [sentence for dtype, sentence in sentences.items() if depths[dtype]]
    return f"{'; '.join(said)}."
