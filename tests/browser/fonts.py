"""The fonts that layout is tested with, each alone: a reader has whichever their system has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local" / "share" / "fonts",
    Path.home() / ".fonts",
)


@dataclass(frozen=True)
class Font:
    """A font, its companion for code, the names of their files, and the package with both."""

    family: str
    monospace: str
    files: tuple[str, ...]
    debian_package: str


FONTS = {
    "wide": Font(
        "DejaVu Sans",
        "DejaVu Sans Mono",
        tuple(f"DejaVuSans{style}.ttf" for style in ("", "-Bold", "Mono", "Mono-Bold")),
        "fonts-dejavu-core",
    ),
    "narrow": Font(
        "Liberation Sans",
        "Liberation Mono",
        ("LiberationSans-*.ttf", "LiberationMono-*.ttf"),
        "fonts-liberation",
    ),
}


def only(font: Font, folder: Path, places: tuple[Path, ...] = FOLDERS) -> Path:
    """The path of a fontconfig file under which no other font exists, written to `folder`.

    A browser reads it where its environment's FONTCONFIG_FILE names it. A test fails where the
    font is not installed.
    """
    found = [path for name in font.files for place in places for path in place.rglob(name)]
    if not found:
        pytest.fail(
            f"Layout is tested with {font.family}, which is not installed: "
            f"`apt install {font.debian_package}`.",
            pytrace=False,
        )
    fonts = folder / "fonts"
    fonts.mkdir()
    for path in {path.name: path for path in found}.values():
        (fonts / path.name).symlink_to(path)
    aliases = "".join(
        f"<alias><family>{kind}</family><prefer><family>{family}</family></prefer></alias>"
        for kind, family in (("sans-serif", font.family), ("monospace", font.monospace))
    )
    configuration = folder / "fonts.conf"
    configuration.write_text(
        f"<fontconfig><dir>{fonts}</dir><cachedir>{folder / 'cache'}</cachedir>{aliases}"
        "</fontconfig>",
        encoding="utf-8",
    )
    return configuration
