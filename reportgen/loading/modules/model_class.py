"""Finds and builds the class that the user names with --model-class."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from reportgen.errors import ModelError
from reportgen.loading.modules.held_device import HeldDevice
from reportgen.loading.modules.own_errors import own_reason
from reportgen.shown import quoted

# What the user's own code may do: scripts that are not meant to be imported end the program.
RAISED = (Exception, SystemExit)


def find_class(spec: str) -> Callable[..., nn.Module]:
    """ "package.module:Class" or "file.py:Class" → the class.

    This imports the user's own code, which the user named; never a name from a model file.

    Raises ModelError with what is missing.
    """
    found: Callable[..., nn.Module] = find_named(spec, "--model-class")
    is_function = inspect.isfunction(found)
    if not is_function and not (inspect.isclass(found) and issubclass(found, nn.Module)):
        raise ModelError(
            f"--model-class {spec!r} is no torch.nn.Module class, and no function that makes one."
        )
    return found


def find_named(spec: str, flag: str) -> Any:
    """ "package.module:name" or "file.py:name" → what it names; imports the user's own code.

    Raises ModelError with what is missing.
    """
    where, separator, name = spec.rpartition(":")
    if not separator or not where or not name:
        raise ModelError(
            f"{flag} {spec!r} does not say where to look; write package.module:Class or "
            "path/to/file.py:Class."
        )
    module = _from_file(Path(where), flag) if where.endswith(".py") else _from_package(where, flag)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        classes = ", ".join(sorted(_module_classes(module))) or "none"
        raise ModelError(f"{where} has no {quoted(name)}; the models it defines are {classes}.")
    return found


def _module_classes(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    ]


def _from_file(path: Path, flag: str) -> ModuleType:
    if not path.is_file():
        raise ModelError(f"There is no file {path} (from {flag}); check the path.")
    # A name of its own: the file may be called model.py or torch.py.
    name = f"_reportgen_model_class_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Files import their neighbours, as they do when they are run as scripts.
    with _importing(f"{path} (from {flag})", path.resolve().parent), HeldDevice("cpu"):
        try:
            spec.loader.exec_module(module)
        except ImportError as error:
            folder, dotted = _in_package(path)
            if "relative import" not in str(error) or "." not in dotted:
                raise
            # It belongs to a package, and imports its neighbours as that.
            with importable(folder):
                return importlib.import_module(dotted)
    return module


def _in_package(path: Path) -> tuple[Path, str]:
    """The folder that holds a file's package, and the file's name in it."""
    parts, folder = [path.stem], path.resolve().parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _from_package(name: str, flag: str) -> ModuleType:
    # The command runs from an installed script; the user's package is where they are.
    advice = "; install it, or give the file as path/to/file.py:Class"
    with _importing(f"the package {quoted(name)} (from {flag})", Path.cwd(), advice):
        return importlib.import_module(name)


@contextmanager
def _importing(what: str, folder: Path, advice: str = "") -> Iterator[None]:
    """Import within this block from a folder first, and turn errors into a ModelError."""
    try:
        with importable(folder), _no_arguments():
            yield
    except ImportError as error:
        reason = f"{error}{advice}" if advice else reason_of(error)
        raise ModelError(f"{what} cannot be imported: {reason}.") from error
    except RAISED as error:
        raise ModelError(f"{what} cannot be imported: {reason_of(error)}.") from error


@contextmanager
def _no_arguments() -> Iterator[None]:
    """Within this block a script that reads its command line finds none, and takes its defaults."""
    before = sys.argv
    sys.argv = before[:1]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Within this block imports look into these folders first, and into the current one."""
    added = [str(folder) for folder in (*folders, Path.cwd())]
    sys.path[:0] = added
    try:
        yield
    finally:
        for folder in added:
            with suppress(ValueError):
                sys.path.remove(folder)


def folder_of(spec: str | None) -> Path:
    """Return the folder of a class named "file.py:Class"; the current one for one of a package."""
    where = (spec or "").rpartition(":")[0]
    return Path(where).resolve().parent if where.endswith(".py") else Path.cwd()


def reason_of(error: BaseException) -> str:
    """The error of the user's own code in words; with advice where a script ended the program."""
    reason = own_reason(error)
    if isinstance(error, SystemExit):
        return f"it ends the program ({reason}); put what it runs under if __name__ == '__main__'"
    return reason


def build_model(model_class: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """Make an instance of the class, or what the function makes.

    Raises ModelError naming the arguments it needs.
    """
    source = getattr(sys.modules.get(model_class.__module__), "__file__", None)
    try:
        # A class may change what it is given, import more, or ask for a GPU.
        with importable(*([Path(source).parent] if source else [])), HeldDevice("cpu"):
            made = model_class(**copy.deepcopy(dict(arguments)))
    except RAISED as error:
        if isinstance(error, MemoryError) or "allocate" in str(error):
            raise ModelError(
                f"{model_class.__name__} with {dict(arguments)} asks for more memory than there "
                "is; check --model-args."
            ) from error
        is_called_wrong = isinstance(error, TypeError) and "__init__()" in str(error)
        advice = (
            "; give its arguments as --model-args '{\"name\": value}', or name a function that "
            "makes the model"
        )
        raise ModelError(
            f"{model_class.__name__}{inspect.signature(model_class)} cannot be built with "
            f"{dict(arguments)}: {reason_of(error)}"
            + (advice if is_called_wrong or not arguments else "; check --model-args")
            + "."
        ) from error
    if not isinstance(made, nn.Module):
        raise ModelError(f"{model_class.__name__} makes a {type(made).__name__} and no module.")
    return made
