"""A model file becomes an `Autoencoder`. From outside: `load_autoencoder`.

Nothing here imports torch until a model is loaded, so that `reportgen --help` stays fast.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.loading.options import LoadingOptions, Place, means_and_sds

if TYPE_CHECKING:
    from torch import nn

    from reportgen.autoencoder import Autoencoder
    from reportgen.loading.image_source import ImageSource
    from reportgen.loading.inspection import Inspection

__all__ = [
    "LoadingOptions",
    "autoencoder_from_module",
    "inspect_model",
    "load_autoencoder",
    "save",
]


def load_autoencoder(
    path: str | PathLike[str], *, images: ImageSource, **options: Any
) -> Autoencoder:
    """Load a trained autoencoder and split it at its bottleneck.

    The format is found by content: a torch.export archive, TorchScript, a pickled module, or
    weights (state_dict, training checkpoint, safetensors), which need `model_class`.

    Parameters
    ----------
    path : the model file, its folder, or "file.py:function".
    images : the images it will be studied on; a few are read to check shapes and the input scaling.
    options : the fields of `LoadingOptions`, as normalize="-1,1"; docs/models.md lists them.

    Raises
    ------
    ModelError : the file cannot be loaded, split or run.
    DataError : the images do not fit the model.
    SettingsError : an option is not known, or its value is of another kind.
    """
    from reportgen.loading.load import load
    from reportgen.loading.model_file import ModelFile

    said = _said(options, "load_autoencoder")
    return load(ModelFile(path, said), images)


def inspect_model(
    path: str | PathLike[str], *, images: ImageSource | None = None, **options: Any
) -> Inspection:
    """Say what a model file is, how it would be split, and what is missing.

    The options are those of `load_autoencoder`. It never raises for what is wrong with the file:
    that is the inspection's `problem`. Without `images` the shapes are found with random ones, and
    the pixel scale is not known.
    """
    from reportgen.loading.inspection import inspect_file
    from reportgen.loading.model_file import ModelFile

    candidates = None if images is None else [images]
    return inspect_file(ModelFile(path, _said(options, "inspect_model")), candidates)


def autoencoder_from_module(
    module: nn.Module, images: ImageSource, *, name: str | None = None, **options: Any
) -> Autoencoder:
    """Split a module in memory, like `load_autoencoder` does for a file.

    A copy of the module is studied, in evaluation mode, without gradients, in float32, on `device`;
    a module that cannot be copied is so within each call alone. The one given stays as it is.
    The options are those of `load_autoencoder` that are not about files.
    """
    from reportgen.loading.load import load_module

    said = _said(options, "autoencoder_from_module", Place.MODULE)
    return load_module(module, images, said, name=name or type(module).__name__)


def save(model: nn.Module, path: str | PathLike[str], example: Any, **options: Any) -> None:
    """Write a trained autoencoder so that `reportgen build` needs no flag for it.

    The file is a torch.export archive that `torch.export.load` opens too. It holds the model in
    evaluation mode, in float32, and says where its code is and what its pixels mean. The model
    itself is left as it was.

    Parameters
    ----------
    model : the trained module.
    path : where to write; the usual suffix is .pt2.
    example : at least two images, (n, C, H, W), as the model takes them (scaled): a tensor, an
        array, or a batch of a data loader, whose first entry they are.
    options : of `LoadingOptions`, `normalize`, which may also be (means, sds), `output`, `classes`,
        and, where the usual rules would miss, `encoder`, `decoder`, `bottleneck`.

    Raises
    ------
    ModelError : the model cannot be exported or split; nothing is left at `path`.
    DataError : the model does not take the example, or that holds no images.
    OutputError : there is no such folder, or it takes no file.
    SettingsError : an option is not known, or its value is of another kind.
    """
    from reportgen.loading.saving import save_model

    normalize = options.get("normalize")
    if isinstance(normalize, tuple | list) and len(normalize) == 2:
        options["normalize"] = means_and_sds(*normalize)
    save_model(model, Path(path), example, _said(options, "save", Place.SAVED))


def _said(options: dict[str, Any], function: str, place: Place | None = None) -> LoadingOptions:
    return LoadingOptions.of(options, function, place, noun="option")
