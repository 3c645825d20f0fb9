"""The plain way: one batch after another, each layer as it is written."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import reportgen.engine.fast
from reportgen.command.cli import main
from reportgen.engine import Engine
from tests.engine.watched import UNITS, Watched, autoencoder
from tests.oracles import decoders

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def unused(*arguments: object) -> None:
    raise AssertionError("the plain way is fast")


@pytest.mark.slow
def test_a_sample_s_numbers_are_the_same_both_ways(tmp_path: Path, monkeypatch) -> None:
    model, images = SAMPLES / "shapes" / "model.pt2", SAMPLES / "shapes" / "images"

    def results_of(folder: Path) -> Any:
        options = [
            "-o",
            tmp_path / "report.html",
            "--results",
            folder,
            "--rows",
            64,
            "--limit",
            300,
            "--quiet",
        ]
        done = CliRunner().invoke(main, [*map(str, ["build", model, images, *options])])
        assert done.exit_code == 0, done.output
        return json.loads((folder / "results.json").read_text(encoding="utf-8"))

    fast = results_of(tmp_path / "fast")
    monkeypatch.setenv("REPORTGEN_PLAIN", "1")
    monkeypatch.setattr(reportgen.engine.fast, "faster", unused)
    plain = results_of(tmp_path / "plain")
    assert numbers_in(fast) > 3_000
    assert_same(plain, fast)


def numbers_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(numbers_in, value.values()))
    return sum(map(numbers_in, value)) if isinstance(value, list) else isinstance(value, float)


def assert_same(found: Any, expected: Any, path: str = "results") -> None:
    """The same but for floats, which may differ by 1e-6, or by 1e-6 of what they are.

    Equal codes are decoded once, and whether two sums of directions are equal is up to rounding: so
    the number of images decoded may differ by 1 in 100.
    """
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key in expected:
            assert_same(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{path}[{place}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True), path
    elif path.startswith("results.provenance.decodes."):
        assert found == pytest.approx(expected, rel=0.01), path
    else:
        assert found == expected, path


@pytest.mark.parametrize(
    ("environment", "said", "plain"),
    [
        (None, None, False),
        ("", None, False),
        ("0", None, False),
        ("1", None, True),
        ("1", False, False),
        (None, True, True),
    ],
)
def test_it_is_taken_where_it_is_said_or_else_where_the_environment_says_so(
    monkeypatch, environment, said, plain
) -> None:
    monkeypatch.delenv("REPORTGEN_PLAIN", raising=False)
    if environment is not None:
        monkeypatch.setenv("REPORTGEN_PLAIN", environment)
    made = Engine(autoencoder(Watched(decoders.smooth(UNITS))), plain=said)
    assert made.plain is plain


def test_batches_run_one_after_another_on_the_thread_that_asks() -> None:
    threads = set()

    def decode(codes: torch.Tensor) -> torch.Tensor:
        threads.add(threading.current_thread())
        return decoders.smooth(UNITS)(codes)

    engine = Engine(autoencoder(decode, concurrent=True), plain=True)
    list(engine.decode_each([decoders.gaussian_codes(2_000, UNITS)]))
    assert threads == {threading.current_thread()}
