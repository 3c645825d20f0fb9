"""A report from Python: its numbers, its page, what is written, and what stays as it was."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import random
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sklearn.decomposition import PCA
from torch import nn

import reportgen
from reportgen.command.cli import main
from reportgen.confined import jobs
from reportgen.errors import (
    CheckError,
    ComparisonError,
    DataError,
    NumberNameError,
    OutputError,
    SettingsError,
)
from tests.api.models import COUNT, UNIT, Net, fitted, pictures, pixels

QUICK: dict[str, Any] = {
    **{"rows": 8, "table_rows": 4, "picture_rows": 2, "walk_rows": 1, "walk_frames": 3},
    **{"bootstrap_resamples": 100, "path_steps": 2, "most_path_steps": 4, "walk_units": 2},
}


@pytest.fixture(scope="module")
def report() -> reportgen.Report:
    images = (pixels(60) / 255).astype(np.float32)
    return reportgen.build(PCA(3).fit(images.reshape(60, -1)), images, **QUICK)


def test_a_linear_model_reads_valid_and_additive(report: reportgen.Report) -> None:
    words = {line.question: line.word for line in report.verdict}
    assert words["Is zero-and-subtract valid?"].startswith("Valid")
    assert words["Can effects be summed?"].startswith("Yes")
    assert words["Is it linear on the data?"].startswith("Linear")
    assert report["subtraction.miss_zero"].value == pytest.approx(0, abs=1e-4)


def test_printed_it_is_the_verdict(report: reportgen.Report) -> None:
    lines = repr(report).splitlines()
    assert [line.split("?")[0] for line in lines[:5]] == [
        *("Does it reconstruct", "Is it linear on the data", "Can effects be summed"),
        *("Which units matter", "Is zero-and-subtract valid"),
    ]


def test_numbers_are_found_by_name(report: reportgen.Report) -> None:
    found = report["reconstruction.r2"]
    assert isinstance(found, reportgen.Estimate)
    assert report["reconstruction.r2.low"] == found.low <= found.value <= found.high
    with pytest.raises(NumberNameError, match=r"reconstruction\.r2"):
        report["reconstrution.r2"]


def test_lists_are_tables(report: reportgen.Report) -> None:
    table = report.frame("units")
    assert list(table["name"]) == [unit.name for unit in report.units]
    assert table["share_low"][0] == report.units[0].share.low
    assert len(report.frame("verdict")) == 5
    with pytest.raises(NumberNameError, match="units"):
        report.frame("unit")


def test_what_is_saved_is_loaded_as_the_same_report(
    report: reportgen.Report, tmp_path: Path
) -> None:
    report.save_results(tmp_path / "results")
    again = reportgen.load(tmp_path / "results")
    assert repr(again) == repr(report)
    page = report.save(tmp_path / "page.html")
    assert page.read_text("utf-8") == report.html == again.html
    again.save(tmp_path / "folder", layout="folder")
    assert (tmp_path / "folder" / "index.html").is_file()
    assert again.save(tmp_path / "small.html", max_size=0.6).stat().st_size < 600_000
    with pytest.raises(OutputError, match=r"allow more with max_page_megabytes"):
        report.save(tmp_path / "tiny.html", max_size=0.1)
    with pytest.raises(OutputError, match="does not exist"):
        report.save(tmp_path / "nowhere" / "page.html")


def test_rules_are_held_against_it(report: reportgen.Report) -> None:
    kept, broken = report.check("reconstruction.r2 >= -1", "reconstruction.r2 >= 0.9999999")
    assert (kept.result, kept.broken) == ("pass", False)
    assert (broken.result, broken.broken) == ("fail", True)
    with pytest.raises(CheckError, match="reconstrution"):
        report.check("reconstrution.r2 >= 0")
    assert "Does it reconstruct?" in report.summary()


def test_a_report_beside_itself_differs_in_nothing(
    report: reportgen.Report, tmp_path: Path
) -> None:
    report.save_results(tmp_path / "before")
    found = reportgen.compare(reportgen.load(tmp_path / "before"), report, names=["old", "new"])
    assert found.differs == ()
    assert "new beside old" in repr(found)
    assert found.numbers["names"] == ["old", "new"]
    assert found.save(tmp_path / "compare.html").read_text("utf-8") == found.html
    again = reportgen.compare(tmp_path / "before", report)
    assert again.numbers["names"] == ["before", "report 2"]
    with pytest.raises(ComparisonError, match="two reports or more"):
        reportgen.compare(report)


def test_in_a_notebook_it_is_a_page_in_a_frame(report: reportgen.Report) -> None:
    frame = report._repr_html_()
    assert frame.lstrip().startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts allow-downloads allow-popups"' in frame
    assert "&lt;base href=&#34;about:srcdoc&#34;&gt;" in frame
    assert frame.index("about:srcdoc") < frame.index("Content-Security-Policy")
    assert len(frame) < 3e6


def digest(module: nn.Module) -> str:
    """Everything about a module that training depends on."""
    found = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tensor.device}".encode())
        found.update(tensor.detach().double().numpy().tobytes())
    flags = [part.training for part in module.modules()]
    grads = [parameter.requires_grad for parameter in module.parameters()]
    found.update(f"{flags} {grads}".encode())
    return found.hexdigest()


def surroundings() -> tuple[Any, ...]:
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        sys.getswitchinterval(),
    )


def test_build_leaves_the_model_as_it_was_and_the_process_too() -> None:
    net = Net().double().train()
    net.decoder[0].weight.requires_grad_(False)
    torch.set_default_dtype(torch.float64)
    try:
        before, around = digest(net), surroundings()
        reportgen.build(net, UNIT, normalize="0,1", output="pixels", **QUICK)
        assert (digest(net), surroundings()) == (before, around)
        with pytest.raises(DataError):
            reportgen.build(net, np.full_like(UNIT, np.nan))
        assert (digest(net), surroundings()) == (before, around)
    finally:
        torch.set_default_dtype(torch.float32)
    net(torch.rand(4, 1, 6, 6, dtype=torch.float64)).sum().backward()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A model file, and a folder of pictures."""
    net = Net().eval()
    module = nn.Sequential()
    module.add_module("encoder", net.encoder)
    module.add_module("decoder", net.decoder)
    torch.save(module, tmp_path / "model.pt")
    folder = tmp_path / "images"
    folder.mkdir()
    for row, picture in enumerate(pictures()):
        picture.save(folder / f"{row:02}.png")
    return tmp_path / "model.pt", folder


def test_a_build_from_python_asks_for_what_the_command_does(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def ask(request: Any, settings: Any, progress: Any, **said: Any) -> None:
        asked.append((request, settings))
        raise reportgen.ReportgenError("asked.")

    monkeypatch.setattr(jobs, "make_report", ask)
    page, folder = tmp_path / "page.html", tmp_path / "results"
    words = ["--normalize=0,1", "--rows=8", "--effort=quick", f"--fit-data={files[1]}"]
    words += ["--condition=labels", f"--fit-labels={files[1]}"]
    outputs = ["-o", str(page), "--results", str(folder)]
    CliRunner().invoke(main, ["build", *map(str, files), *words, *outputs])
    options: dict[str, Any] = {"normalize": "0,1", "rows": 8, "effort": "quick"}
    options |= {"condition": "labels", "fit_labels": files[1]}
    with pytest.raises(reportgen.ReportgenError, match=r"asked\."):
        reportgen.build(*files, page, results=folder, fit_images=files[1], **options)
    (command, its_settings), (call, own_settings) = asked
    assert own_settings == its_settings
    assert replace(call, command="") == replace(command, command="")
    assert sorted(shlex.split(call.command)) == sorted(shlex.split(command.command))


@pytest.mark.slow
def test_a_build_from_python_is_the_commands_own(files: tuple[Path, Path], tmp_path: Path) -> None:
    options = {"normalize": "0,1", "output": "pixels", "rows": 8, "effort": "quick"}
    words = [f"--{name}={value}" for name, value in options.items()]
    outputs = ["-o", str(tmp_path / "cli.html"), "--results", str(tmp_path / "cli")]
    done = CliRunner().invoke(main, ["build", *map(str, files), *words, *outputs])
    assert done.exit_code == 0, done.output
    reportgen.build(*files, tmp_path / "own.html", results=tmp_path / "own", **options)
    for name in ("results.json", "results.npz"):
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "cli" / name).read_bytes()
    assert (tmp_path / "own.html").read_bytes() == (tmp_path / "cli.html").read_bytes()


@pytest.mark.slow
def test_a_model_file_takes_images_in_memory_confined_and_trusted_alike(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    said = {"normalize": "0,1", "output": "pixels", **QUICK}
    facts = {"labels": np.arange(COUNT) % 2, "names": [f"mine {row}" for row in range(COUNT)]}
    found = [
        reportgen.build(files[0], pixels(), trust=trust, groups={"two": [0, 1]}, **facts, **said)
        for trust in (False, True)
    ]
    assert repr(found[0]) == repr(found[1])
    assert found[0].units == found[1].units
    assert all("mine" in name for name in found[0].results.provenance.row_names["pictures"])
    assert list(tmp_path.glob("reportgen-*")) == []


def test_results_alone_are_written_where_they_were_asked_for(tmp_path: Path) -> None:
    heard: list[str] = []
    reportgen.build(fitted(), UNIT, results=tmp_path / "r", progress=heard.append, **QUICK)
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        *("results.json", "results.npz"),
    ]
    assert heard[0] == "model" and "codes" in heard


def test_the_call_is_printed_in_the_report(report: reportgen.Report) -> None:
    said = report.results.provenance.command
    assert said.startswith("reportgen.build(model, images, rows=8, table_rows=4")


def test_an_output_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        reportgen.build(None, None, tmp_path / "nowhere" / "page.html")
    with pytest.raises(SettingsError, match="choose one of file, folder"):
        reportgen.build(fitted(), UNIT, layout="both")


@pytest.mark.slow
def test_no_module_takes_a_public_name() -> None:
    code = (
        "import importlib, pkgutil, reportgen\n"
        "for module in pkgutil.walk_packages(reportgen.__path__, 'reportgen.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "assert all(callable(getattr(reportgen, name)) for name in reportgen.__all__)\n"
        "assert set(reportgen.__all__) <= set(dir(reportgen))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=Path(reportgen.__file__).parents[1]
    )


def test_the_import_loads_nothing_heavy() -> None:
    code = "import sys, reportgen; print({'torch', 'numpy', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
    names = {module.name for module in pkgutil.iter_modules(reportgen.__path__)}
    assert names & set(reportgen.__all__) == set()
    assert importlib.import_module("reportgen.version").__version__ == reportgen.__version__
