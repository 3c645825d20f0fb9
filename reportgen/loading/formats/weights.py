"""Weights alone → a module of the class that they belong to."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.restricted_pickle import inert_names
from reportgen.loading.formats.tensors import check_extents
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.modules.model_class import build_model
from reportgen.loading.sentences import few, refusing, shape_text

CONTAINERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "autoencoder"),
    *("vae", "ema_state_dict", "module", "weights", "params"),
)
PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.", "autoencoder.", "vae.", "ae.")


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file. Raises ModelError where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with refusing(
        (SafetensorError, OSError, ValueError, KeyError),
        f"{path} is a damaged safetensors file (<reason>); save or download it again.",
    ):
        return load_file(path, device="cpu")


def module_with_weights(
    path: Path,
    loaded: Any,
    model_class: type[nn.Module] | None,
    model_args: Mapping[str, Any],
) -> nn.Module:
    """Build a `model_class` and give it the weights found in a loaded file.

    Raises ModelError where there are no weights, no class is named, or they do not fit together.
    """
    weights = find_weights(path, loaded)
    if model_class is None:
        raise ModelError(
            f"{path} holds weights alone ({_summary(weights)}); name the class they belong to with "
            "--model-class package.module:Class or file.py:Class, and its arguments with "
            "--model-args."
        )
    arguments = dict(model_args) or _saved_arguments(loaded, model_class)
    # Sizes among the arguments may come from the file.
    with memory_limit():
        module = build_model(model_class, arguments)
    load_into(path, module, weights)
    return module


def find_weights(path: Path, loaded: Any) -> dict[str, Tensor]:
    """The state_dict inside a training checkpoint, or the checkpoint where it is one itself."""
    if not isinstance(loaded, Mapping):
        raise ModelError(
            f"{path} holds a {type(loaded).__name__}, not a model; save one with "
            "torch.export.save, or its weights with torch.save(model.state_dict(), …)."
        )
    if _is_state(loaded):
        return _checked(loaded)
    for name in CONTAINERS:
        inner = loaded.get(name)
        if isinstance(inner, Mapping) and _is_state(inner):
            return _checked(inner)
    states = [key for key, value in loaded.items() if _is_state(value)]
    if len(states) == 1:
        return _checked(loaded[states[0]])
    unknown = inert_names(loaded)
    if unknown:
        raise ModelError(
            f"{path} is a pickle that needs {few(sorted(unknown))}, which could run code; "
            "name the model's class with --model-class, or pass --trust if you trust the file's "
            "origin."
        )
    keys = ", ".join(map(str, list(loaded)[:8]))
    raise ModelError(
        f"{path} is a dictionary without weights that are known here (its keys: {keys}); "
        "save torch.save(model.state_dict(), …)."
    )


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) for key in value)
        and any(isinstance(item, Tensor) for item in value.values())
        and all(
            isinstance(item, Tensor) or not isinstance(item, Mapping) for item in value.values()
        )
    )


def _checked(state: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    check_extents(tensors)
    return tensors


def _saved_arguments(loaded: Any, model_class: type[nn.Module]) -> dict[str, Any]:
    """The arguments that a checkpoint keeps (Lightning: hyper_parameters) and the class takes."""
    kept = loaded.get("hyper_parameters") if isinstance(loaded, Mapping) else None
    if not isinstance(kept, Mapping):
        return {}
    parameters = inspect.signature(model_class).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return {
        str(key): value
        for key, value in kept.items()
        if (takes_any or key in parameters) and not inert_names(value)
    }


def load_into(path: Path, module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a module, whatever prefixes their names have.

    Raises ModelError naming what is missing or of another shape.
    """
    wanted = module.state_dict()
    best = min(_renamed(weights), key=lambda state: len(wanted.keys() ^ state.keys()))
    extra = [key for key in best if key not in wanted]
    missing = [key for key in wanted if key not in best]
    shapes = [
        f"{key} ({_shape(best[key])} in the file, {_shape(wanted[key])} in the class)"
        for key in wanted
        if key in best and best[key].shape != wanted[key].shape
    ]
    if missing or shapes:
        problem = f"shapes differ: {few(shapes)}" if shapes else f"the file lacks {few(missing)}"
        raise ModelError(
            f"{path} does not fit {type(module).__name__}: {problem}"
            + (f", and has {few(extra)} besides" if extra and missing else "")
            + "; give the arguments it was trained with as --model-args."
        )
    # Losses and metrics are often saved beside the model; they are not part of it.
    module.load_state_dict({key: best[key] for key in wanted})


def _renamed(weights: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """The weights as they are, and without the prefixes that wrappers add to their names."""
    versions: list[Mapping[str, Tensor]] = [weights]
    for _ in range(3):
        latest = versions[-1]
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in latest)), None)
        if prefix is None:
            break
        versions.append({key.removeprefix(prefix): value for key, value in latest.items()})
    unwrapped = {re.sub(r"(^|\.)(_orig_mod|module)\.", r"\1", key): v for key, v in weights.items()}
    partial = [
        {key.removeprefix(p): value for key, value in weights.items() if key.startswith(p)}
        for p in PREFIXES
    ]
    return [*versions, unwrapped, *(state for state in partial if state)]


def _summary(weights: dict[str, Tensor]) -> str:
    count = sum(tensor.numel() for tensor in weights.values())
    return f"{len(weights)} tensors, {count} numbers, from {few(weights, 2)}"


def _shape(tensor: Tensor) -> str:
    return shape_text(tensor.shape) or "a single number"
