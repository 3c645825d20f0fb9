"""A picture of 1200 × 630 pixels for previews of links: the verdict's words, and pictures."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT = 1200, 630
MARGIN, ROW_HEIGHT, WORDS_LEFT = 48, 46, 470
TITLE_TOP, ABOUT_TOP, ROWS_TOP, PICTURES_TOP = 40, 104, 160, 420
LARGEST_PICTURE, SIGN_WIDTH = 132, 26
PAPER, INK, SOFT, RULE, MODEL = "#fbfaf7", "#1c1b19", "#5f5c55", "#dedad1", "#0a6070"


@dataclass(frozen=True)
class PreviewPicture:
    """One of the pictures in the row at the bottom.

    Attributes
    ----------
    file : a WebP or PNG file.
    name : printed below it.
    sign : printed before it, as "=" or "+"; "" for none.
    """

    file: bytes
    name: str
    sign: str = ""


def preview_png(
    title: str,
    about: str,
    verdict: Sequence[tuple[str, str]],
    pictures: Sequence[PreviewPicture],
) -> bytes:
    """The picture as a PNG file: a title, a line below it, questions with their words, pictures."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(canvas)
    room = WIDTH - 2 * MARGIN
    _text(draw, (MARGIN, TITLE_TOP), title, _font(42, bold=True), INK, room)
    _text(draw, (MARGIN, ABOUT_TOP), about, _font(22), SOFT, room)
    for place, (question, word) in enumerate(verdict):
        top = ROWS_TOP + place * ROW_HEIGHT
        draw.line([(MARGIN, top - 6), (WIDTH - MARGIN, top - 6)], fill=RULE)
        _text(draw, (MARGIN, top + 4), question, _font(24), SOFT, WORDS_LEFT - MARGIN - 20)
        bold = _font(25, bold=True)
        _text(draw, (WORDS_LEFT, top + 3), word, bold, MODEL, WIDTH - MARGIN - WORDS_LEFT)
    if pictures:
        _row(canvas, draw, pictures)
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _row(canvas: Image, draw: ImageDraw, pictures: Sequence[PreviewPicture]) -> None:
    from PIL import Image

    room = WIDTH - 2 * MARGIN - SIGN_WIDTH * (len(pictures) - 1)
    side = min(LARGEST_PICTURE, room // len(pictures))
    left = MARGIN
    for place, picture in enumerate(pictures):
        if place:
            sign, sign_font = picture.sign, _font(22)
            middle = left + SIGN_WIDTH / 2 - draw.textlength(sign, sign_font) / 2
            draw.text((middle, PICTURES_TOP + side / 2 - 14), sign, SOFT, sign_font)
            left += SIGN_WIDTH
        with Image.open(io.BytesIO(picture.file)) as opened:
            shown = opened.convert("RGB")
        width = max(1, round(side * min(1, shown.width / shown.height)))
        height = max(1, round(side * min(1, shown.height / shown.width)))
        canvas.paste(shown.resize((width, height), Image.Resampling.NEAREST), (left, PICTURES_TOP))
        _text(draw, (left, PICTURES_TOP + side + 8), picture.name, _font(17), SOFT, side)
        left += side


def _text(
    draw: ImageDraw, place: tuple[int, int], text: str, font: FreeTypeFont, fill: str, room: int
) -> None:
    """Write a line, its end left out where there is no room."""
    line = " ".join(text.split())[:400]
    if draw.textlength(line, font) > room:

        def width(count: int) -> float:
            return draw.textlength(line[:count] + "…", font)

        line = line[: bisect_right(range(1, len(line)), float(room), key=width)] + "…"
    draw.text(place, line, fill, font)


def _font(size: int, *, bold: bool = False) -> FreeTypeFont:
    """DejaVu Sans, which matplotlib brings; it has Greek, Cyrillic and mathematical signs."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
