"""torch.save files: pickled modules, and dictionaries of weights for a class that is named."""

from __future__ import annotations

import inspect
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.formats.restricted_pickle import Inert, inert_names, load_restricted
from reportgen.loading.formats.tensors import check_extents, named_tensors
from reportgen.loading.formats.weights import module_with_weights
from reportgen.loading.modules.model_class import importable
from reportgen.loading.sentences import few, refusing


def read_torch_save(
    path: Path,
    model_class: Callable[..., nn.Module] | None,
    model_args: Mapping[str, Any],
    *,
    is_zip: bool,
    trust: bool,
    key: str | None = None,
    folder: Path | None = None,
) -> tuple[nn.Module, tuple[Note, ...]]:
    """A torch.save file → a module.

    A pickled module may consist of torch.nn's own classes, `model_class` and what is defined beside
    it. Weights are put into a new `model_class`.

    Raises ModelError where more than that is needed.
    """
    named = _classes_beside(model_class) if model_class is not None else {}
    if trust:
        loaded = _load_trusted(path, named, folder or Path.cwd())
    else:
        loaded = load_restricted(path, named, is_zip=is_zip)
    module = _module_in(loaded)
    if module is None:
        if isinstance(loaded, Inert):
            raise ModelError(_needs_class(path, {loaded.wanted}))
        return module_with_weights(path, loaded, model_class, model_args, key)
    unknown = inert_names(module)
    if unknown:
        raise ModelError(_needs_class(path, unknown))
    with refusing(
        (AttributeError, TypeError),
        f"{path} holds a module that is not whole (<reason>); save the model again.",
    ):
        check_extents(named_tensors(module))
    return module, ()


def _load_trusted(path: Path, named: Mapping[str, Any], folder: Path) -> Any:
    """Unpickle a file with Python's own unpickler, which also finds classes that the user names.

    Others are imported from `folder`, the current one, and what is installed.
    """

    class Unpickler(pickle.Unpickler):
        def find_class(self, module_name: str, global_name: str) -> Any:
            try:
                return super().find_class(module_name, global_name)
            except (ImportError, AttributeError):
                last = global_name.rpartition(".")[2]
                if last not in named:
                    raise
                return named[last]

    pickling: Any = ModuleType("pickle_of_named_classes")
    vars(pickling).update(vars(pickle), Unpickler=Unpickler)
    # The file's own code runs here, and may raise anything.
    with (
        warnings.catch_warnings(),
        importable(folder),
        refusing(
            Exception,
            f"{path} cannot be opened (<kind>: <reason>); name the code that defines the model, as "
            f"--model-class file.py:Class, or run this in its folder (now {Path.cwd()}).",
        ),
    ):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=pickling)


def _classes_beside(model_class: Callable[..., nn.Module]) -> dict[str, type[nn.Module]]:
    """The class and the modules defined beside it, its building blocks."""
    module = sys.modules[model_class.__module__]
    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    if inspect.isclass(model_class) and issubclass(model_class, nn.Module):
        classes[model_class.__name__] = model_class
    return classes


def _module_in(loaded: Any) -> nn.Module | None:
    """A module, or the one in {"model": module, …}; without a DataParallel around it."""
    if isinstance(loaded, Mapping):
        modules = [value for value in loaded.values() if isinstance(value, nn.Module)]
        loaded = modules[0] if len(modules) == 1 else None
    if isinstance(loaded, nn.DataParallel):
        loaded = loaded.module
    return loaded if isinstance(loaded, nn.Module) else None


def _needs_class(path: Path, unknown: set[str]) -> str:
    foreign = {name for name in unknown if not name.startswith("torch.")}
    if not foreign:
        return (
            f"{path} is a pickled module with {few(sorted(unknown))} inside, which cannot be "
            "rebuilt safely; save its weights with torch.save(model.state_dict(), …) or the model "
            "with torch.export.save, or pass --trust if you trust the file's origin."
        )
    shown = few(sorted(foreign))
    example = min(foreign)
    module, _, name = example.rpartition(".")
    where = "train.py" if module == "__main__" else module
    return (
        f"{path} is a pickle of {shown}, which is not torch's own; give the code that defines it "
        f"as --model-class {where}:{name}, or pass --trust if you trust the file's origin."
    )
