"""Everything the user, or what stands beside a model, can say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.sidecar import read_sidecar


@dataclass(frozen=True)
class LoadingOptions:
    """What is said about a model; see `load_autoencoder`."""

    model_class: str | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    trust: bool = False
    device: str = "cpu"
    encoder: str | None = None
    decoder: str | None = None
    bottleneck: str | None = None
    input_shape: tuple[int, int, int] | None = None
    normalize: str | None = None
    output: str | None = None
    classes: tuple[str, ...] = ()

    def completed(
        self, said: Mapping[str, Any], where: str
    ) -> tuple[LoadingOptions, tuple[Note, ...]]:
        """These options, and where they say nothing, what is said elsewhere; with a note of it."""
        used = {key: value for key, value in said.items() if not getattr(self, key)}
        if not used:
            return self, ()
        text = f"From {where}: {', '.join(sorted(used))}."
        return replace(self, **used), (Note("settings", text),)


def with_sidecar(path: Path, options: LoadingOptions) -> tuple[LoadingOptions, tuple[Note, ...]]:
    """What the user says, completed by the settings file beside the model.

    Raises ModelError for a damaged settings file, and without --trust for one that names code.
    """
    sidecar = read_sidecar(path)
    if sidecar.path is None:
        return options, ()
    names_code = "model_class" in sidecar.options and not options.model_class
    if names_code and not options.trust:
        raise ModelError(
            f"{sidecar.path} names code to import ({sidecar.options['model_class']}), which a "
            "stranger's file may not do; say it yourself with --model-class, or pass --trust."
        )
    return options.completed(sidecar.options, f"{sidecar.path.name} beside the model")
