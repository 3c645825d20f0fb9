"""The picture for link previews."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from reportgen.figures.preview import HEIGHT, WIDTH, PreviewPicture, preview_png
from reportgen.figures.sprites import lossless_webp


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_it_has_the_size_that_previews_have_and_shows_the_pictures() -> None:
    red = lossless_webp(np.full((4, 4, 3), (255, 0, 0), dtype=np.uint8))
    png = preview_png("Title", "about", [("Question?", "Yes")], [PreviewPicture(red, "red")] * 9)
    pixels = opened(png)
    assert pixels.shape == (HEIGHT, WIDTH, 3) == (630, 1200, 3)
    shown = (pixels == (255, 0, 0)).all(axis=2)
    columns = np.flatnonzero(shown.any(axis=0))
    assert np.count_nonzero(np.diff(columns) > 1) == 8
    assert columns.max() < WIDTH - 40
    assert preview_png("Title", "about", [("Question?", "Yes")], []) != png


def test_long_and_strange_names_stay_within_it() -> None:
    long = "\u6f22\u202e\x00 <b>" * 200
    pixels = opened(preview_png(long, long, [(long, long)] * 5, []))
    margin = pixels[:, -40:]
    assert (margin == margin[0, 0]).all()
