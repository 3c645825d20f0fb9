"""The page's pictures: kept once each, and addressed as the layout wants."""

from __future__ import annotations

import base64
import math

from reportgen.delivery.page_layout import PageLayout
from reportgen.figures.sprites import Sprite

PICTURE_FOLDER = "assets"


class AlbumFullError(Exception):
    """An error for pictures that are together larger than the album was made for."""


class Album:
    """The pictures of one page, each kept once under a name of its own.

    In the layout "file" a picture's address is a data: URI; in "folder" it is a path beside the
    page, and `files` holds the files to write there. Asking for the address that brings the
    pictures beyond `most_bytes` raises AlbumFullError.
    """

    def __init__(self, layout: PageLayout, most_bytes: float = math.inf) -> None:
        self.layout = layout
        self.files: dict[str, bytes] = {}
        self._room = most_bytes

    @property
    def file_bytes(self) -> int:
        """The number of bytes of all files so far."""
        return sum(map(len, self.files.values()))

    def address(self, sprite: Sprite) -> str:
        """The value of an image's `src`: a data: URI or a path. Raises AlbumFullError."""
        if self.layout == "file":
            inlined = "data:image/webp;base64," + base64.b64encode(sprite.data).decode("ascii")
            self._take(len(inlined))
            return inlined
        path = f"{PICTURE_FOLDER}/{sprite.name}"
        if path not in self.files:
            self._take(len(sprite.data))
            self.files[path] = sprite.data
        return path

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise AlbumFullError
