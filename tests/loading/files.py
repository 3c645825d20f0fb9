"""Writes a model in each format that can hold it, and loads it again."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder
from reportgen.loading import autoencoder_from_module, load_autoencoder
from tests.loading.image_array import ImageArray
from tests.loading.zoo import Member

ZOO = Path(__file__).parent / "zoo.py"


def class_of(member: Member) -> str:
    """--model-class for a member."""
    return f"{inspect.getfile(type(member.make()))}:{member.name}"


def example(member: Member, count: int = 2) -> Tensor:
    """Images as the member takes them."""
    images = torch.rand(count, *member.shape, generator=torch.Generator().manual_seed(1))
    if member.name == "FlatDense":
        return images.flatten(1)
    return images[:, 0] if member.name == "GreyHW" else images


def in_memory(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    return autoencoder_from_module(member.make(), images, normalize="0,1", output="pixels")


def exported(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    export(member.make(), example(member), folder / "model.bin")
    return load(folder / "model.bin", images)


def exported_in_training(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    export(member.make().train(), example(member), folder / "model.bin")
    return load(folder / "model.bin", images)


def exported_to_core(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    """In training mode, and decomposed into torch's core operators."""
    program = torch.export.export(
        member.make().train(),
        (example(member),),
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        strict=False,
    ).run_decompositions()
    with (folder / "model.bin").open("wb") as file:
        torch.export.save(program, file)
    return load(folder / "model.bin", images)


def exported_static(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    export(member.make(), example(member, 4), folder / "model.bin", dynamic=False)
    return load(folder / "model.bin", images)


def scripted(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(member.make()), folder / "model.bin")
    return load(folder / "model.bin", images)


def traced(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.trace(member.make(), example(member), check_trace=False, strict=False)
        torch.jit.save(script, folder / "model.bin")
    return load(folder / "model.bin", images)


def weights(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    torch.save(member.make().state_dict(), folder / "model.bin")
    return load(folder / "model.bin", images, model_class=class_of(member))


def pickled(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    torch.save(member.make(), folder / "model.bin")
    return load(folder / "model.bin", images, model_class=class_of(member))


FORMATS: dict[str, Callable[[Member, Path, ImageArray], Autoencoder]] = {
    "in_memory": in_memory,
    "exported": exported,
    "exported_in_training": exported_in_training,
    "exported_to_core": exported_to_core,
    "exported_static": exported_static,
    "scripted": scripted,
    "traced": traced,
    "weights": weights,
    "pickled": pickled,
}


def export(module: nn.Module, given: Tensor, path: Path, dynamic: bool = True) -> None:
    """torch.export.save under any name, which torch allows only for buffers."""
    shapes = ({0: torch.export.Dim("batch", min=1)},) if dynamic else None
    checks = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        program = torch.export.export(module, (given,), dynamic_shapes=shapes, strict=False)
    finally:
        torch.distributions.Distribution.set_default_validate_args(checks)
    with path.open("wb") as file:
        torch.export.save(program, file)


def load(path: Path, images: ImageArray, **options: object) -> Autoencoder:
    options = {"normalize": "0,1", "output": "pixels"} | options
    return load_autoencoder(path, images=images, **options)
