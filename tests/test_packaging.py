"""The wheel holds all that `reportgen build` needs, wherever it is run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MODEL = REPOSITORY / "sample_models" / "fashion_vae" / "model.pt2"


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Standard output of a command that must succeed, without this process' Python settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built as a user's pip would build it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    run([*command, REPOSITORY], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts folder of a new environment with the wheel; its dependencies are this one's."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", environment], wheel.parent)
    scripts = environment / "bin"
    site_packages = run(
        [scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        wheel.parent,
    ).strip()
    # The wheel's own folder comes first on the path, so that this reportgen is the one found.
    (Path(site_packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ["--python", scripts / "python", "install", "--no-deps", "--no-index", "--quiet"]
    run([sys.executable, "-m", "pip", *options, wheel], wheel.parent)
    return scripts


@pytest.mark.slow
def test_the_wheel_holds_the_templates_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    templates = REPOSITORY / "templates"
    expected = {
        f"reportgen/templates/{path.relative_to(templates).as_posix()}"
        for path in templates.rglob("*")
        if path.is_file()
    }
    assert "reportgen/templates/report.html.j2" in names
    assert expected <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"reportgen"}


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = REPOSITORY / "reportgen"
    modules = {path.relative_to(REPOSITORY).as_posix() for path in package.rglob("*.py")}
    assert modules <= names


@pytest.mark.slow
def test_the_installed_command_finds_the_wheels_own_templates(
    installed: Path, tmp_path: Path
) -> None:
    code = "from reportgen.report.template_folder import template_folder; print(template_folder())"
    folder = Path(run([installed / "python", "-c", code], tmp_path).strip())
    assert folder.is_relative_to(installed.parent)
    assert (folder / "report.html.j2").is_file()


def test_the_installed_command_finds_the_sample_for_its_demo(
    installed: Path, tmp_path: Path
) -> None:
    code = "from reportgen.command.demo import sample_folder; print(sample_folder())"
    folder = Path(run([installed / "python", "-c", code], tmp_path).strip())
    assert folder.is_relative_to(installed.parent)
    assert (folder / "fashion_vae" / "model.pt2").read_bytes() == MODEL.read_bytes()
    assert len(list((folder / "fashion_images").glob("*/*.png"))) == 1000


@pytest.mark.slow
def test_a_users_script_passes_strict_types(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "import reportgen\n\n"
        "def r2(model: object, images: np.ndarray) -> float:\n"
        "    report: reportgen.Report = reportgen.build(model, images, effort='quick', seed=1)\n"
        "    found = report['reconstruction.r2']\n"
        "    assert isinstance(found, reportgen.Estimate)\n"
        "    return found.low\n"
    )
    # What torch and the libraries of figures hold inside takes half a minute and says nothing here.
    settings = tmp_path / "mypy.ini"
    settings.write_text(
        "[mypy]\nstrict = True\n[mypy-torch.*,matplotlib.*,scipy.*]\nfollow_imports = skip\n"
    )
    words = ("-m", "mypy", "--config-file", settings, script)
    found = run([installed / "python", *words], tmp_path)
    assert "Success" in found


@pytest.mark.slow
def test_the_installed_command_writes_its_demo_from_another_folder(
    installed: Path, tmp_path: Path
) -> None:
    said = run([installed / "reportgen", "demo", "-o", "page.html"], tmp_path)
    assert "Does it reconstruct?" in said
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_the_version_is_the_same_everywhere(installed: Path, tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    printed = run([installed / "reportgen", "--version"], tmp_path)
    assert project["project"]["version"] in printed
