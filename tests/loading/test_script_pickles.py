"""TorchScript archives whose pickles torch's own unpickler should not see."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from reportgen.errors import ModelError
from reportgen.loading.formats.torchscript.screen import screened_archive
from tests.loading.attacks import rewrite
from tests.loading.test_checked_pickle import doubled, number, storage, tensor, text


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Linear(3, 16)).eval()
    torch.jit.script(made).save(str(tmp_path / "model.pt"))
    return tmp_path / "model.pt"


def whole(content: bytes) -> bytes:
    return b"\x80\x02" + content + b"."


@pytest.mark.parametrize(
    ("record", "change"),
    [
        ("data.pkl", whole(b"Nr\xff\xff\xff\x0f")),
        ("constants.pkl", whole(b"Nr\xff\xff\xff\xff")),
        ("data/0", lambda content: content[:-1]),
        ("data.pkl", whole(b"]" * 20_000 + b"a" * 19_999)),
        ("data.pkl", whole(doubled(b"]", b"\x86"))),
        ("data.pkl", whole(b"]q\x00h\x00a")),
        ("data.pkl", whole(b"h\x05")),
        ("data.pkl", whole(b")R")),
        ("data.pkl", whole(b"N)b")),
        ("data.pkl", whole(b"\x8a\xff" + bytes(255))[:-200]),
        ("data.pkl", whole(b"X" + struct.pack("<I", 2**31))),
        ("data.pkl", whole(tensor(storage(count=10**6), 0, (1,), (1,)))),
        ("data.pkl", whole(tensor(storage(count=1), 0, (5,), (1,)))),
        ("data.pkl", whole(tensor(storage(count=1), 2**40, (1,), (1,)))),
        ("data.pkl", whole(tensor(storage("../data/0"), 0, (1,), (1,)))),
        ("data.pkl", whole(text("storage") + b"Q")),
        ("data.pkl", whole(b"\x95" + bytes(8) + number(3))),
    ],
)
def test_pickles_that_are_not_as_torch_writes_them_are_refused(
    scripted: Path, record: str, change: bytes | Callable[[bytes], bytes]
) -> None:
    """A memo of gigabytes, a storage beyond its record, depth, what holds itself, and the like."""
    rewrite(scripted, {f"model/{record}": change})
    started = time.thread_time()
    with pytest.raises(ModelError) as caught:
        screened_archive(scripted)
    assert time.thread_time() - started < 5
    assert str(scripted) in str(caught.value) and len(str(caught.value)) < 1000


def test_what_torch_writes_passes(scripted: Path) -> None:
    loaded = torch.jit.load(screened_archive(scripted))
    images = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(loaded(images), torch.jit.load(scripted)(images))
