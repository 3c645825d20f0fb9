"""A function of the user's own stands for any model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder
from tests.loading.image_array import random_images

GREY = (1, 12, 12)
HEAD = """
import numpy as np
import torch
axes = np.linalg.qr(np.random.default_rng(0).normal(size=(144, 5)))[0].astype("float32")

"""
TENSORS = """
def load():
    w = torch.from_numpy(axes)
    encode = lambda x: x.flatten(1) @ w
    decode = lambda z: (z @ w.T).reshape(-1, 1, 12, 12)
    return encode, decode, lambda x: decode(encode(x))
"""
ARRAYS = """
def load():
    def encode(x):
        assert isinstance(x, np.ndarray)
        return x.reshape(len(x), -1) @ axes
    def decode(z):
        assert isinstance(z, np.ndarray)
        return (z @ axes.T).reshape(-1, 1, 12, 12)
    return encode, decode
"""


@pytest.mark.parametrize("source", [TENSORS, ARRAYS], ids=["tensors", "arrays"])
def test_encode_and_decode_of_a_function_are_used(source: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + source)
    images = random_images(GREY)
    found = load_autoencoder(f"{tmp_path}/mine.py:load", images=images)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(144, 5)))[0].astype("float32")
    pixels = torch.from_numpy(images.pixels)
    code = pixels.flatten(1) @ torch.from_numpy(axes)
    torch.testing.assert_close(found.encode(pixels), code)
    torch.testing.assert_close(
        found.decode(code), (code @ torch.from_numpy(axes).T).view(-1, 1, 12, 12)
    )
    assert (found.forward is not None) is (source is TENSORS)
    assert found.name == "mine" and found.source.name == "mine.py"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def other(): pass", "has no 'load'"),
        ("load = 5", "no function"),
        ("def load(): raise OSError('no such card')", "load.* fails: OSError: no such card"),
        ("def load(path): return len, len", "without arguments, fails: TypeError"),
        ("raise ValueError('boom')", "cannot be imported: ValueError: boom"),
        ("raise SystemExit(3)", "ends the program .* under if __name__ == '__main__'"),
        ("def load(): raise SystemExit(3)", "ends the program"),
        ("def load(): return 5", "must return"),
        ("def load(): return len, 3", "must return"),
        ("def load(): return (lambda x: x[0]), len", "one code for each"),
        ("def load(): return (lambda x: 'a'), len", "returns a str"),
        ("def load(): return (lambda x: 1 / 0), len", "encode, from .* fails: ZeroDivisionError"),
        ("def load(): return (lambda x: x.flatten(1)), (lambda z: z)", "returns 4×144 where"),
    ],
)
def test_what_a_function_does_wrong_is_said(body: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + body + "\n")
    with pytest.raises(ModelError, match=words):
        load_autoencoder(f"{tmp_path}/mine.py:load", images=random_images(GREY))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.py"):
        load_autoencoder(f"{tmp_path}/gone.py:load", images=random_images(GREY))
