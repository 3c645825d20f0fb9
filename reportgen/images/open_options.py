"""The request made of `open_images`, handed to whichever module reads the path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.shown import shown


def open_binary(path: Path) -> BinaryIO:
    """A file's bytes."""
    return path.open("rb")


@dataclass(frozen=True)
class OpenOptions:
    """See `open_images`.

    Attributes
    ----------
    limit : at most so many images; None for all.
    seed : of the random choice among more.
    part : the array, column or split that was named behind the path, or None.
    size : (height, width) that the images are scaled and cropped to, or None.
    alpha : whether transparency is kept as a fourth channel.
    written : device and inode of each file that the report will be written to: none of them may
        be an image.
    open_file : opens a picture by its path.
    """

    limit: int | None = None
    seed: int = 0
    part: str | None = None
    size: tuple[int, int] | None = None
    alpha: bool = False
    written: frozenset[tuple[int, int]] = frozenset()
    open_file: Callable[[Path], BinaryIO] = open_binary

    def refuse_part(self, where: str) -> None:
        """Raise DataError where a part was named of what has none."""
        if self.part is not None:
            raise DataError(
                f"{where} has no part {shown(self.part)}: parts are named of .npz, .pt, HDF5, "
                "Zarr and parquet files, saved data sets and torchvision's folders."
            )
