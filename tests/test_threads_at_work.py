"""Work that goes on after a test is seen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reportgen.figures import sprites
from tests import threads_at_work


def test_a_sprite_that_nobody_waits_for_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()
    encode = sprites.lossless_webp

    def encode_late(pixels: np.ndarray) -> bytes:
        begun.set()
        assert may_end.wait(30)
        return encode(pixels)

    monkeypatch.setitem(encode_late.__globals__, "__name__", sprites.__name__)
    monkeypatch.setattr(sprites, "lossless_webp", encode_late)
    sprite = sprites.SpriteMaker().strip(np.zeros((1, 4, 4, 3), np.uint8))
    assert begun.wait(30)
    assert len(threads_at_work.threads_at_work()) == 1
    monkeypatch.setattr(threads_at_work, "SECONDS_TO_END", 0)
    with pytest.raises(AssertionError, match="still at work after the test"):
        threads_at_work.wait_for_them()
    may_end.set()
    monkeypatch.setattr(threads_at_work, "SECONDS_TO_END", 30)
    threads_at_work.wait_for_them()
    assert sprite.encoded.done()


def test_an_idle_pool_is_not_at_work() -> None:
    with ThreadPoolExecutor(2) as pool:
        pool.submit(len, "").result()
        assert threads_at_work.threads_at_work() == []
