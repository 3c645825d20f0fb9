"""A page that cannot fit is given up before all its pictures are encoded."""

from __future__ import annotations

import pytest

from reportgen.figures import sprites
from reportgen.report.page import LAYOUTS, PageRenderer
from reportgen.report.thinning import WHOLE, thinnings_of


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """The size of each picture that is encoded."""
    sizes: list[int] = []
    encode = sprites.lossless_webp

    def counted(pixels) -> bytes:
        data = encode(pixels)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(sprites, "lossless_webp", counted)
    return sizes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_is_given_up_as_soon_as_it_is_too_large(results, layout, encoded) -> None:
    whole = PageRenderer(results, layout).render(WHOLE)
    all_pictures = sum(encoded)
    encoded.clear()
    assert PageRenderer(results, layout).render(WHOLE, most_bytes=whole.size / 20) is None
    assert sum(encoded) < all_pictures / 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_largest_size_is_the_page_s_own(results, layout) -> None:
    renderer = PageRenderer(results, layout)
    size = renderer.render(WHOLE).size
    assert renderer.render(WHOLE, most_bytes=size - 1) is None
    assert renderer.render(WHOLE, most_bytes=size).size == size


def test_what_was_given_up_leaves_no_trace_in_the_next_page(results) -> None:
    thinner = thinnings_of(results.provenance.picture_shape)[1]
    used = PageRenderer(results, "file")
    assert used.render(WHOLE, most_bytes=1) is None
    assert used.render(thinner) == PageRenderer(results, "file").render(thinner)
