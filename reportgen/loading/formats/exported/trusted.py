"""What --trust allows: torch's own loaders, which can run code from the file."""

from __future__ import annotations

from pathlib import Path

import torch

from reportgen.errors import ModelError
from reportgen.loading.graph.program import Program
from reportgen.loading.modules.module_graph import program_of_export


def read_trusted_export(path: Path) -> Program:
    """A torch.export archive through torch.export.load."""
    try:
        with path.open("rb") as file:
            exported = torch.export.load(file)
    except Exception as error:
        # torch's loader raises anything for files of other versions.
        raise ModelError(
            f"{path} cannot be loaded by torch.export ({type(error).__name__}: {error})."
        ) from error
    return program_of_export(exported)
