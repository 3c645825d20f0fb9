"""The folder of the templates: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path


def template_folder() -> Path:
    """The folder that holds report.html.j2."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"
