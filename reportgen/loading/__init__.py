"""A model file becomes an `Autoencoder`. From outside: `load_autoencoder`.

Nothing here imports torch until a model is loaded, so that `reportgen --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor, nn

    from reportgen.loading.image_source import ImageSource
    from reportgen.loading.inspection import Inspection

__all__ = [
    "autoencoder_from_module",
    "fixed_image_size",
    "inspect_model",
    "load_autoencoder",
    "save",
]


def load_autoencoder(
    path: str | PathLike[str],
    *,
    images: ImageSource,
    model_class: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    trust: bool = False,
    device: str = "cpu",
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
    input_shape: tuple[int, int, int] | None = None,
    normalize: str | None = None,
    output: str | None = None,
) -> Autoencoder:
    """Load a trained autoencoder and split it at its bottleneck.

    The format is found by content: a torch.export archive, TorchScript, a pickled module, or
    weights (state_dict, training checkpoint, safetensors), which need `model_class`.

    Parameters
    ----------
    path : the model file.
    images : the images it will be studied on; a few are read to check shapes and the input scaling.
    model_class : "package.module:Class" or "file.py:Class"; the class the weights belong to.
    model_args : keyword arguments of that class.
    trust : allow pickles and archives that can run arbitrary code while they load.
    device : a torch device, such as "cpu" or "cuda".
    encoder, decoder : names of methods or submodules that map images to codes and codes to images.
    bottleneck : name of the node or submodule whose output is the code.
    input_shape : (C, H, W) that the model was trained on, where the file does not say.
    normalize : the input scaling: "0,1", "-1,1", "0,255", "imagenet", "dataset", or
        "mean=0.5,0.5,0.5 std=0.5,0.5,0.5"; found by reconstruction error when None.
    output : "pixels" or "logits" (a sigmoid is then applied); found when None.

    Raises
    ------
    ModelError : the file cannot be loaded, split or run.
    DataError : the images do not fit the model.
    """
    from reportgen.loading.load import load
    from reportgen.loading.options import LoadingOptions

    options = LoadingOptions(
        model_class=model_class,
        model_args=dict(model_args or {}),
        trust=trust,
        device=device,
        encoder=encoder,
        decoder=decoder,
        bottleneck=bottleneck,
        input_shape=input_shape,
        normalize=normalize,
        output=output,
    )
    return load(path, images, options)


def fixed_image_size(
    path: str | PathLike[str],
    *,
    input_shape: tuple[int, int, int] | None = None,
    trust: bool = False,
    **others: Any,
) -> tuple[int, int] | None:
    """(height, width) of the only images that a model file takes; None where it does not say so.

    `others` are the further keywords of `load_autoencoder`. It never raises for what is wrong with
    the file.
    """
    from reportgen.loading.image_size import find_fixed_size
    from reportgen.loading.options import LoadingOptions

    return find_fixed_size(path, LoadingOptions(input_shape=input_shape, trust=trust))


def inspect_model(
    path: str | PathLike[str],
    *,
    images: ImageSource | None = None,
    model_class: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    trust: bool = False,
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
    input_shape: tuple[int, int, int] | None = None,
    normalize: str | None = None,
    output: str | None = None,
) -> Inspection:
    """Say what a model file is, how it would be split, and what is missing.

    It never raises for what is wrong with the file: that is the inspection's `problem`. Without
    `images` the shapes are found with random ones, and the pixel scale is not known.
    """
    from reportgen.loading.inspection import inspect_file
    from reportgen.loading.options import LoadingOptions

    options = LoadingOptions(
        model_class=model_class,
        model_args=dict(model_args or {}),
        trust=trust,
        encoder=encoder,
        decoder=decoder,
        bottleneck=bottleneck,
        input_shape=input_shape,
        normalize=normalize,
        output=output,
    )
    return inspect_file(path, images, options)


def autoencoder_from_module(
    module: nn.Module,
    images: ImageSource,
    *,
    device: str = "cpu",
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
    input_shape: tuple[int, int, int] | None = None,
    normalize: str | None = None,
    output: str | None = None,
    name: str | None = None,
) -> Autoencoder:
    """Split a module in memory, like `load_autoencoder` does for a file.

    The module is put in evaluation mode, without gradients, cast to float32 and moved to `device`.
    """
    from reportgen.loading.load import load_module
    from reportgen.loading.options import LoadingOptions

    options = LoadingOptions(
        device=device,
        encoder=encoder,
        decoder=decoder,
        bottleneck=bottleneck,
        input_shape=input_shape,
        normalize=normalize,
        output=output,
    )
    return load_module(module, images, options, name=name or type(module).__name__)


def save(
    model: nn.Module,
    path: str | PathLike[str],
    *,
    example: Tensor,
    normalize: str | tuple[Sequence[float], Sequence[float]] | None = None,
    output: str | None = None,
    classes: Sequence[str] = (),
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
) -> None:
    """Write a trained autoencoder so that `reportgen build` needs no flag for it.

    The file is a torch.export archive that `torch.export.load` opens too. It holds the model in
    evaluation mode, in float32, and says where its code is and what its pixels mean. The model
    itself is left as it was.

    Parameters
    ----------
    model : the trained module.
    path : where to write; the usual suffix is .pt2.
    example : at least two images, (n, C, H, W), as the model takes them (scaled).
    normalize : how images were scaled: as --normalize says it, or (means, sds). None leaves it to
        be found when the report is built.
    output : "pixels" or "logits"; None likewise.
    classes : names of the images' classes, for the report.
    encoder, decoder, bottleneck : as for `load_autoencoder`, where the usual rules would miss.

    Raises
    ------
    ModelError : the model cannot be exported or split; nothing is left at `path`.
    DataError : the model does not take the example.
    """
    from reportgen.loading.saving import save_model

    save_model(
        model,
        path,
        example=example,
        normalize=normalize,
        output=output,
        classes=classes,
        encoder=encoder,
        decoder=decoder,
        bottleneck=bottleneck,
    )
