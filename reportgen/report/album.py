"""The page's pictures: kept once each, and addressed as the layout wants."""

from __future__ import annotations

import base64

from reportgen.figures.sprites import Sprite

PICTURE_FOLDER = "assets"


class Album:
    """Sprites by name.

    In the layout "file" a picture's address is a data: URI; in "folder" it is a path beside the
    page, and `files` holds what has to be written there.
    """

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.files: dict[str, bytes] = {}

    @property
    def file_bytes(self) -> int:
        """Bytes of all files so far."""
        return sum(map(len, self.files.values()))

    def address(self, sprite: Sprite) -> str:
        """What goes into an image's `src`."""
        if self.layout == "file":
            return "data:image/webp;base64," + base64.b64encode(sprite.data).decode("ascii")
        path = f"{PICTURE_FOLDER}/{sprite.name}"
        self.files[path] = sprite.data
        return path
