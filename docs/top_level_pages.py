"""Hooks of MkDocs: the documents at the top of the repository are pages of the site too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.md",
}
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the documents that stand above the folder docs/."""
    top = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        text = (top / name).read_text(encoding="utf-8")
        content = LINK.sub(lambda link: _from_the_top(link, top), text)
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links out of docs/ to the pages that `on_files` made of their targets."""
    for name, target in PAGES.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}")
    return markdown


def _from_the_top(link: re.Match[str], top: Path) -> str:
    """Turns a link of a document at the top into one of a page in docs/, or into its mere name."""
    path, anchor = link[1], link[2] or ""
    if path in PAGES:
        return f"]({PAGES[path]}{anchor})"
    if path.startswith("docs/"):
        return f"]({path.removeprefix('docs/')}{anchor})"
    if not (top / path).exists():
        raise FileNotFoundError(f"{path}, which a link names, does not exist.")
    return "]"
