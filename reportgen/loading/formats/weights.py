"""Weights alone → a module of the class that they belong to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.formats.fitting import State, load_into
from reportgen.loading.formats.restricted_pickle import inert_names
from reportgen.loading.formats.tensors import check_extents
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.modules.model_class import build_model
from reportgen.loading.sentences import few, refusing
from reportgen.shown import quoted

CONTAINERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "autoencoder"),
    *("vae", "ema_state_dict", "module", "weights", "params"),
)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file. Raises ModelError where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with refusing(
        (SafetensorError, OSError, ValueError, KeyError),
        f"{path} is a damaged safetensors file (<reason>); save or download it again.",
    ):
        return load_file(path, device="cpu")


@dataclass(frozen=True)
class Weights:
    """Weights found in a file, and the key of the dictionary under which they are; "" for none."""

    key: str
    state: Mapping[str, Tensor]


def module_with_weights(
    path: Path,
    loaded: Any,
    model_class: Callable[..., nn.Module] | None,
    model_args: Mapping[str, Any],
    key: str | None = None,
) -> tuple[nn.Module, tuple[Note, ...]]:
    """A new `model_class` with the weights found in what a file holds, and which those are.

    `key` says under which key of the file they are; without it, the first that fit are taken.

    Raises ModelError where there are no weights, no class is named, or they do not fit together.
    """
    found = find_weights(path, loaded, key)
    if model_class is None:
        raise ModelError(
            f"{path} holds weights alone ({_summary(found[0].state)}); name the class they belong "
            "to with --model-class package.module:Class or file.py:Class, and its arguments with "
            "--model-args."
        )
    arguments = dict(model_args) or _saved_arguments(loaded, model_class)
    # Sizes among the arguments may come from the file.
    with memory_limit():
        module = build_model(model_class, arguments)
    first: ModelError | None = None
    for weights in [*_joined(found, module), *found]:
        try:
            load_into(path, module, weights.state)
        except ModelError as error:
            first = first or error
            continue
        return module, tuple(_choice(weights, found))
    assert first is not None
    raise first


def module_with_parts(
    path: Path,
    found: Sequence[Weights],
    model_class: Callable[..., nn.Module],
    model_args: Mapping[str, Any],
) -> nn.Module:
    """A new `model_class` with weights of its parts, each under the name of one.

    Raises ModelError where the class has no such parts, or they do not fit.
    """
    with memory_limit():
        module = build_model(model_class, model_args)
    joined = next(_joined(found, module), None)
    if joined is None:
        parts = ", ".join(name for name, _ in module.named_children()) or "none"
        raise ModelError(
            f"{path}: {model_class.__name__} has no two parts that these weights fit (its parts: "
            f"{parts}); name the classes of both halves, as --model-class "
            "file.py:Encoder,file.py:Decoder."
        )
    load_into(path, module, joined.state)
    return module


def _choice(taken: Weights, found: Sequence[Weights]) -> Iterator[Note]:
    others = [other.key for other in found if other.key not in taken.key.split(" and ")]
    if taken.key and others:
        text = (
            f"The weights under {quoted(taken.key)} are taken; the file has others under "
            f"{few([repr(key) for key in others])}. Choose with --weights KEY."
        )
        yield Note("weights", text)
    elif " and " in taken.key:
        yield Note("weights", f"The weights under {taken.key} are put together.")


def _joined(found: Sequence[Weights], module: nn.Module) -> Iterator[Weights]:
    """Weights of parts under keys of their own, put together by the names of the class's parts.

    A key belongs to the part that it names, else to the only one that has these names and shapes.
    """
    if len(found) < 2:
        return
    parts = {name: part.state_dict() for name, part in module.named_children()}
    parts = {name: state for name, state in parts.items() if state}
    joined: dict[str, Tensor] = {}
    taken = []
    for name, wanted in parts.items():
        named = [weights for weights in found if _part_name(weights.key) == name.lower()]
        alike = [w for w in found if _shapes_of(w.state) == _shapes_of(wanted)]
        chosen = named[:1] or (alike if len(alike) == 1 else [])
        for weights in chosen:
            taken.append(weights.key)
            joined |= {f"{name}.{key}": tensor for key, tensor in weights.state.items()}
    if len(taken) > 1:
        yield Weights(" and ".join(taken), joined)


def _part_name(key: str) -> str:
    last = key.rpartition(".")[2].lower()
    for ending in ("_state_dict", "_state", "_weights", "_model", "_sd", "_net"):
        last = last.removesuffix(ending)
    return last.removeprefix("model_").removeprefix("net_")


def _shapes_of(state: Mapping[str, Tensor]) -> dict[str, Sequence[int]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def find_weights(path: Path, loaded: Any, key: str | None = None) -> list[Weights]:
    """The state_dicts inside a training checkpoint, the likeliest first; or the checkpoint itself.

    Raises ModelError where there are none, or none under the key that is asked for.
    """
    if not isinstance(loaded, Mapping):
        raise ModelError(
            f"{path} holds a {type(loaded).__name__}, not a model; save one with "
            "torch.export.save, or its weights with torch.save(model.state_dict(), …)."
        )
    if key is None and _is_state(loaded):
        return [Weights("", _checked(loaded))]
    states = dict(_states_in(loaded))
    if key is not None and key not in states:
        known = ", ".join(states) or "none"
        raise ModelError(f"{path} has no weights under {quoted(key)} (--weights); it has {known}.")
    order = [key] if key is not None else [name for name in CONTAINERS if name in states]
    names = order if key is not None else [*order, *(name for name in states if name not in order)]
    if names:
        return [Weights(name, _checked(states[name])) for name in names]
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


def _states_in(loaded: Mapping[Any, Any], before: str = "", depth: int = 2) -> Iterator[Any]:
    """Keys, dotted where one dictionary lies in another, with the state_dict under each."""
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Mapping):
            continue
        if _is_state(value):
            yield before + key, value
        elif depth > 1 and "optim" not in key:
            yield from _states_in(value, f"{before}{key}.", depth - 1)


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
    """Its tensors, with the versions of its modules, by which torch migrates them."""
    tensors = State({key: value for key, value in state.items() if isinstance(value, Tensor)})
    check_extents(tensors)
    versions = getattr(state, "_metadata", None)
    if isinstance(versions, Mapping):
        tensors._metadata = {
            key: dict(value)
            for key, value in versions.items()
            if isinstance(key, str) and isinstance(value, Mapping)
        }
    return tensors


def _saved_arguments(loaded: Any, model_class: Callable[..., nn.Module]) -> dict[str, Any]:
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


def _summary(weights: Mapping[str, Tensor]) -> str:
    count = sum(tensor.numel() for tensor in weights.values())
    return f"{len(weights)} tensors, {count} numbers, from {few(weights, 2)}"
