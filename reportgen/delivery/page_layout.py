"""The two layouts of a page: one file, or a folder of index.html and assets/."""

from __future__ import annotations

from typing import Literal, get_args

PageLayout = Literal["file", "folder"]
LAYOUTS: tuple[PageLayout, ...] = get_args(PageLayout)
