"""torch.save files: pickled modules, and dictionaries of weights for a class that is named."""

from __future__ import annotations

import inspect
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reportgen.errors import ModelError
from reportgen.loading.archive import open_archive
from reportgen.loading.module_tensors import check_module_tensors
from reportgen.loading.weights import module_with_weights


def read_torch_save(
    path: Path,
    model_class: type[nn.Module] | None,
    model_args: Mapping[str, Any],
    *,
    is_zip: bool,
    trust: bool,
) -> nn.Module:
    """A torch.save file → a module.

    A pickled module is opened with torch's restricted unpickler, which may build torch.nn's own
    classes, `model_class`, and nothing else. Weights are put into a new `model_class`.

    Raises ModelError where more than that is needed.
    """
    if is_zip:
        with open_archive(path):
            pass
    loaded = _load(path, model_class, trust)
    if isinstance(loaded, nn.Module):
        check_module_tensors(loaded, path)
        return loaded
    module = _module_within(loaded)
    if module is not None:
        check_module_tensors(module, path)
        return module
    return module_with_weights(path, loaded, model_class, model_args)


def _load(path: Path, model_class: type[nn.Module] | None, trust: bool) -> Any:
    allowed = _torch_classes()
    if model_class is not None:
        allowed += _named_classes(path, model_class)
    try:
        # On the meta device a hostile pickle cannot spend memory by building huge layers; real
        # weights bring their own device.
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals(allowed),
            torch.device("cpu" if trust else "meta"),
        ):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        raise ModelError(_refusal(path, str(error), model_class)) from error
    except ModelError:
        raise
    except Exception as error:
        # A damaged or hostile pickle makes the unpickler raise anything.
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{path} is damaged, or written by something other than torch.save "
            f"({type(error).__name__}: {reason}); save the model again."
        ) from error


def _torch_classes() -> list[Any]:
    """torch.nn's module classes, and the plain containers that they keep state in."""
    import collections

    classes: list[Any] = [collections.OrderedDict, collections.defaultdict, set, frozenset]
    for package in (
        nn.modules,
        nn.modules.activation,
        nn.modules.linear,
        nn.modules.conv,
        nn.modules.container,
    ):
        classes += [
            value
            for value in vars(package).values()
            if inspect.isclass(value)
            and issubclass(value, nn.Module)
            and value.__module__.startswith("torch.nn.modules.")
        ]
    return list(dict.fromkeys(classes))


def _named_classes(path: Path, model_class: type[nn.Module]) -> list[Any]:
    """The named class and the modules beside it, under the names that the file has for them.

    A class pickled from a training script is called `__main__.Class` there.
    """
    import sys

    module = sys.modules[model_class.__module__]
    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, nn.Module)
        and value.__module__ == module.__name__
    }
    classes[model_class.__name__] = model_class
    wanted = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return [
        (classes[name.rpartition(".")[2]], name)
        for name in wanted
        if name.rpartition(".")[2] in classes
    ]


def _module_within(loaded: Any) -> nn.Module | None:
    """The module in {"model": module, …}."""
    if not isinstance(loaded, Mapping):
        return None
    modules = [value for value in loaded.values() if isinstance(value, nn.Module)]
    return modules[0] if len(modules) == 1 else None


def _refusal(path: Path, message: str, model_class: type[nn.Module] | None) -> str:
    wanted = re.search(r"(?:GLOBAL|global) ([\w.]+)|class ([\w.]+)|type ([\w.]+)", message)
    name = next((group for group in wanted.groups() if group), "") if wanted else ""
    what = f"needs {name} to be opened" if name else "holds more than tensors"
    if name.startswith("__main__."):
        cure = (
            "it was defined in the training script: give that file as "
            f"--model-class script.py:{name.removeprefix('__main__.')}"
        )
    elif name and model_class is None:
        module, _, cls = name.rpartition(".")
        cure = f"name the model's class with --model-class, such as {module}:{cls}"
    else:
        cure = "save the weights alone with torch.save(model.state_dict(), …)"
    return (
        f"{path} is a pickle that {what}, which could run code; {cure}, or pass --trust if you "
        "trust the file's origin."
    )
