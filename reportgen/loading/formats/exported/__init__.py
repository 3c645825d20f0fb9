"""torch.export archives, of any version. From outside: `read_exported`."""

from __future__ import annotations

from pathlib import Path

from reportgen.loading.formats.exported.reading import read_archive, read_older_archive
from reportgen.loading.formats.sniff import ModelFormat
from reportgen.loading.graph.program import Program

__all__ = ["read_exported"]


def read_exported(path: Path, kind: ModelFormat, *, trust: bool) -> Program:
    """A torch.export archive → its program; with `trust`, through torch's own loader.

    Raises ModelError for damaged archives and, without `trust`, for everything that is not on the
    allow-lists.
    """
    if trust:
        from reportgen.loading.formats.exported.trusted import read_trusted_export

        return read_trusted_export(path)
    return read_archive(path) if kind is ModelFormat.EXPORTED else read_older_archive(path)
