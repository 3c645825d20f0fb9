"""reportgen: what each unit of an image autoencoder contributes, in one self-contained page."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`reportgen.save`, looked up when it is used: `import reportgen` stays fast."""
    if name == "save":
        from reportgen.loading import save

        return save
    raise AttributeError(f"module 'reportgen' has no attribute {name!r}")
