"""torch's own loaders, which can run code from the file: --trust allows them."""

from __future__ import annotations

from pathlib import Path

import torch

from reportgen.loading.graph.program import Program
from reportgen.loading.modules.module_graph import program_of_export
from reportgen.loading.sentences import refusing


def read_trusted_export(path: Path) -> Program:
    """Read a torch.export archive with torch.export.load."""
    # torch's loader raises anything for files of other versions.
    with (
        path.open("rb") as file,
        refusing(Exception, f"{path} cannot be loaded by torch.export (<kind>: <reason>)."),
    ):
        return program_of_export(torch.export.load(file))
