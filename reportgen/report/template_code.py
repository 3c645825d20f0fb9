"""Templates compiled once: for the next build, and for pages rendered again with less in them."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket


def template_code(folder: Path) -> jinja2.BytecodeCache:
    """Where the compiled templates of `folder` are kept: beside them, as Python keeps its own code.

    In memory where Python would not write, or may not. Compiling takes most of a second. Templates
    that have changed are compiled again; so are all of them for another Jinja or Python.
    """
    if not sys.dont_write_bytecode:
        compiler = f"jinja2-{version('jinja2')}-{sys.implementation.cache_tag}"
        place = folder / "__pycache__" / compiler
        if _can_be_written(place):
            return jinja2.FileSystemBytecodeCache(str(place), "%s.pyc")
    return _TemplateCodeInMemory()


def _can_be_written(folder: Path) -> bool:
    """Makes the folder where it is missing and may be made."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


class _TemplateCodeInMemory(jinja2.BytecodeCache):
    """Whose variables the code sees is up to each environment."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with what was kept under its key."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()
