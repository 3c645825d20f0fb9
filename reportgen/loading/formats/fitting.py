"""Puts weights into a module: torch decides what fits, whatever wrappers made of their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.sentences import few, first_line

# How torch says that a tensor does not fit.
SHAPES = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[(.*?)\]\) from "
    r"checkpoint, the shape in current model is torch\.Size\(\[(.*?)\]\)"
)
PREFIXES = (
    *("ema_model.", "ema.", "online_model."),
    *("module.", "model.", "_orig_mod.", "net.", "network.", "autoencoder.", "vae.", "ae."),
)


class State(dict[str, Tensor]):
    """A state_dict; torch reads the versions of its modules from an attribute of this name."""

    _metadata: Mapping[str, Mapping[str, Any]] | None = None

    def renamed(self, rename: Callable[[str], str | None]) -> State:
        """The state with other names; those that become None are left out."""
        found = State({new: self[key] for key in self if (new := rename(key)) is not None})
        if self._metadata is not None:
            found._metadata = {
                new.removesuffix("."): value
                for key, value in self._metadata.items()
                if (new := rename(f"{key}." if key else "")) is not None
            }
        return found


def load_into(path: Path, module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a module, whatever prefixes their names have.

    What fits is decided by torch, which renames what older versions of its layers saved.

    Raises ModelError naming what is missing or of another shape.
    """
    wanted = module.state_dict().keys()
    versions = sorted(_renamed(weights), key=lambda state: len(wanted ^ state.keys()))
    problems = []
    for version in versions:
        problem, misfits = _loaded(module, version)
        if not problem:
            return
        problems.append((misfits, problem))
    _, problem = min(problems, key=lambda each: each[0])
    raise ModelError(
        f"{path} does not fit {type(module).__name__}: {problem}; give the arguments it was "
        "trained with as --model-args."
    )


def _loaded(module: nn.Module, state: Mapping[str, Tensor]) -> tuple[str, int]:
    """Load a state; returns what torch finds wrong, "" for nothing, and how much that is.

    Losses and metrics are often saved beside the model; they are not part of it.
    """
    try:
        found = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        shapes = [
            f"{key} ({_sizes(saved)} in the file, {_sizes(built)} in the class)"
            for key, saved, built in SHAPES.findall(str(error))
        ]
        said = f"shapes differ: {few(shapes)}" if shapes else f"torch says: {first_line(error)}"
        return said, max(1, len(shapes))
    if not found.missing_keys:
        return "", 0
    besides = f", and has {few(found.unexpected_keys)} besides" if found.unexpected_keys else ""
    return f"the file lacks {few(found.missing_keys)}{besides}", len(found.missing_keys)


def _sizes(listed: str) -> str:
    return "×".join(listed.split(", ")) if listed else "a single number"


def _renamed(weights: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """The weights as they are, and without the prefixes that wrappers add to their names."""
    state = weights if isinstance(weights, State) else State(weights)
    versions = [state]
    for _ in range(3):
        latest = versions[-1]
        first = next(iter(latest), "").partition(".")[0] + "."
        if not all(key.startswith(first) for key in latest):
            break
        prefix = first
        versions.append(latest.renamed(partial(_without, prefix)))
    unwrapped = state.renamed(lambda key: re.sub(r"(^|\.)(_orig_mod|module)\.", r"\1", key))
    parts = [state.renamed(partial(_without, p)) for p in PREFIXES]
    return [*versions, unwrapped, *(part for part in parts if part)]


def _without(prefix: str, key: str) -> str | None:
    return key.removeprefix(prefix) if key.startswith(prefix) else None
