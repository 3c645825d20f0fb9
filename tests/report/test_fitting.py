"""A page that cannot fit is given up before all its pictures are encoded."""

from __future__ import annotations

import time

import pytest

from reportgen.delivery.page_layout import LAYOUTS
from reportgen.figures import sprites
from reportgen.questions import QUESTIONS
from reportgen.report.page import PageRenderer
from reportgen.report.thinning import WHOLE, thinnings_of


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """The size of each picture that is encoded."""
    sizes: list[int] = []
    encode = sprites.lossless_webp

    def counted(pixels) -> bytes:
        # Slower than drawing, so that some are always waiting.
        time.sleep(0.005)
        data = encode(pixels)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(sprites, "lossless_webp", counted)
    return sizes


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_is_given_up_as_soon_as_it_is_too_large(results, layout, encoded) -> None:
    whole = PageRenderer(results, QUESTIONS, layout).render(WHOLE)
    all_pictures = sum(encoded)
    encoded.clear()
    renderer = PageRenderer(results, QUESTIONS, layout)
    assert renderer.render_within(whole.size / 20, WHOLE) is None
    under_way = len(encoded) + renderer._maker._pool._max_workers
    renderer._maker._pool.shutdown()
    assert len(encoded) <= under_way
    assert sum(encoded) < all_pictures / 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_largest_size_is_the_page_s_own(results, layout) -> None:
    renderer = PageRenderer(results, QUESTIONS, layout)
    size = renderer.render(WHOLE).size
    assert renderer.render_within(size - 1, WHOLE) is None
    assert renderer.render_within(size, WHOLE).size == size


@pytest.mark.slow
def test_what_was_given_up_leaves_no_trace_in_the_next_page(results, encoded) -> None:
    thinner = thinnings_of(results.provenance.picture_shape)[1]
    whole = PageRenderer(results, QUESTIONS, "file").render(WHOLE)
    used = PageRenderer(results, QUESTIONS, "file")
    assert used.render_within(whole.size / 20, WHOLE) is None
    assert used.render(thinner) == PageRenderer(results, QUESTIONS, "file").render(thinner)
    assert used.render(WHOLE) == whole
