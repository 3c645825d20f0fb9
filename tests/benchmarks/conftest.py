"""Writes docs/benchmarks.md from what one run has measured."""

from __future__ import annotations

import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEADING = """# Benchmarks

Written by `pytest tests/benchmarks -c tests/benchmarks/pytest.ini`; do not edit.

{machine}

Everything here is of one run; seconds are medians over the rounds.
"""


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: Any, benchmarks: list[Any], output_json: dict) -> None:
    """Called by pytest-benchmark once everything has been measured."""
    groups: dict[str, list[dict]] = defaultdict(list)
    for measured in output_json["benchmarks"]:
        groups[measured["group"]].append(measured)
    parts = [HEADING.format(machine=_machine())]
    for name, entries in sorted(groups.items()):
        parts.append(f"## {name}\n\n{_table(entries)}\n")
    DOCUMENT.write_text("\n".join(parts), encoding="utf-8")


def _machine() -> str:
    return (
        f"{datetime.now(UTC).date()}, {_processor()}, {torch.get_num_threads()} threads, "
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} × {models[0]}" if models else platform.processor()


def _table(entries: list[dict]) -> str:
    if all("size" in entry["extra_info"] for entry in entries):
        return _growth(entries)
    if "decodes" in entries[0]["extra_info"]:
        return _build(entries[0])
    ours = [_median(e) for e in entries if "engine" in e["name"] or "reportgen" in e["name"]]
    lines = ["| | seconds | times reportgen's |", "|---|---|---|"]
    for entry in sorted(entries, key=_median):
        name = entry["name"].removeprefix("bench_").replace("_", " ")
        if entry["param"] and entry["param"] in entry["group"]:
            name = name.removesuffix(f"[{entry['param']}]")
        times = f"{_median(entry) / ours[0]:.2f}" if ours else "not measured"
        lines.append(f"| {name} | {_median(entry):.3f} | {times} |")
    return "\n".join(lines)


def _build(entry: dict) -> str:
    decodes, builds = entry["extra_info"]["decodes"], entry["stats"]["data"]
    tried = np.array(entry["extra_info"]["decodes_a_second"])
    best = decodes / tried[:, np.median(tried, axis=0).argmax()]
    lines = ["| s in the best raw loop before | after | s of the build | times |"]
    lines.append("|---|---|---|---|")
    all_times = []
    for before, after, seconds in zip(best, best[1:], builds, strict=False):
        all_times.append(2 * seconds / (before + after))
        lines.append(f"| {before:.1f} | {after:.1f} | {seconds:.1f} | {all_times[-1]:.2f} |")
    lines.append(
        f"\n{decodes:,} decodes, {decodes / np.median(best):,.0f} a second in the best raw loop: "
        f"**{np.median(all_times):.2f} times**, the median of {len(builds)} builds between loops."
    )
    return "\n".join(lines)


def _growth(entries: list[dict]) -> str:
    entries = sorted(entries, key=lambda e: e["extra_info"]["size"])
    sizes = [entry["extra_info"]["size"] for entry in entries]
    seconds = [_median(entry) for entry in entries]
    memory = any("peak_mebibytes" in entry["extra_info"] for entry in entries)
    lines = ["| size | seconds |" + (" peak MiB |" if memory else "")]
    lines.append("|---|---|" + ("---|" if memory else ""))
    for entry, size, taken in zip(entries, sizes, seconds, strict=True):
        peak = f" {entry['extra_info']['peak_mebibytes']:,} |" if memory else ""
        lines.append(f"| {size:,} | {taken:.2f} |{peak}")
    if len(sizes) < 2:
        return "\n".join(lines)
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    text = "\n".join(lines) + f"\n\nSeconds grow with the power {exponent:.2f} of the size."
    peaks = [entry["extra_info"]["peak_mebibytes"] for entry in entries] if memory else []
    return text + _plot(sizes, peaks) if memory else text


def _plot(sizes: list[int], peaks: list[int]) -> str:
    """Peak memory against the size, as GitHub draws it."""
    return (
        "\n\n```mermaid\nxychart-beta\n"
        f'  x-axis "images" {[f"{size:,}" for size in sizes]}\n'
        f'  y-axis "peak MiB" 0 --> {2 * max(peaks)}\n'
        f"  line {peaks}\n```".replace("'", '"')
    )


def _median(entry: dict) -> float:
    return float(entry["stats"]["median"])
