"""reportgen: what each unit of an image autoencoder contributes, in one self-contained page."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reportgen.version import __version__ as __version__

if TYPE_CHECKING:
    from reportgen.api.building import build as build
    from reportgen.api.compared import compare as compare
    from reportgen.api.report import Report as Report
    from reportgen.api.report import load as load
    from reportgen.errors import ReportgenError as ReportgenError
    from reportgen.loading import save as save
    from reportgen.statistics.bootstrap import Estimate as Estimate

# The public names and where they are: looked up when they are used, so that the import stays fast.
_HOMES = {
    "Estimate": "reportgen.statistics.bootstrap",
    "Report": "reportgen.api.report",
    "ReportgenError": "reportgen.errors",
    "build": "reportgen.api.building",
    "compare": "reportgen.api.compared",
    "load": "reportgen.api.report",
    "save": "reportgen.loading",
}
__all__ = ["Estimate", "Report", "ReportgenError", "build", "compare", "load", "save"]


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'reportgen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, and the modules that were imported."""
    return sorted({*globals(), *__all__})
