"""From a model file, or a module, to an `Autoencoder`: the whole of loading on one page."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import DataError, ModelError
from reportgen.loading.assemble import assemble
from reportgen.loading.formats.module_tensors import named_tensors, refuse_not_finite
from reportgen.loading.formats.reading import read_model
from reportgen.loading.formats.sniff import ModelFormat, sniff
from reportgen.loading.graph.program import Program
from reportgen.loading.graph.split_program import split_program
from reportgen.loading.image_layout import text
from reportgen.loading.image_source import ImageSource, sample_rows
from reportgen.loading.modules.adapter import adapter_file, is_adapter, split_adapter
from reportgen.loading.modules.memory_format import prefer_channels_last
from reportgen.loading.modules.model_parts import ModelParts, parts_of_module
from reportgen.loading.modules.split_parts import split_parts
from reportgen.loading.options import LoadingOptions, with_sidecar
from reportgen.loading.split import Split, exact_arithmetic

if TYPE_CHECKING:
    from reportgen.loading.formats.onnx.graph import OnnxGraph
    from reportgen.loading.formats.reading import LoadedModel


def load(
    path: str | PathLike[str], images: ImageSource, options: LoadingOptions, asks: bool = True
) -> Autoencoder:
    """The `Autoencoder` in a file; `asks` as for `assemble`."""
    if is_adapter(str(path)):
        return _load_adapter(str(path), images, options)
    path = model_in(Path(path))
    kind = sniff(path)
    options, said = with_sidecar(path, options)
    if kind is ModelFormat.DIFFUSERS:
        # Its models take and return pixels in [−1, 1].
        from reportgen.loading.formats.folders import latent_scale_notes

        options, known = options.completed({"normalize": "-1,1", "output": "pixels"}, "diffusers")
        said += (*known, *latent_scale_notes(path))
    sample = _sample(images, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            model = read_model(path, kind, options)
            options, described = with_description(model, options)
            split = split_model(model, sample, options)
            notes = (Note("format", f"{path.name}: {kind.value}, recognised by its content."),)
            return assemble(
                split,
                sample,
                options.device,
                normalize=options.normalize,
                output=options.output,
                notes=(*notes, *said, *described, *_other_notes(options)),
                source=source_of(path),
                name=path.stem,
                classes=options.classes,
                asks=asks,
            )
        except ModelError as error:
            if path.name in str(error):
                raise
            raise ModelError(f"{path}: {error}") from error


def model_in(path: Path) -> Path:
    """The autoencoder's folder in a folder of a whole diffusers pipeline; else the path itself."""
    is_pipeline = (path / "model_index.json").is_file()
    return path / "vae" if is_pipeline and (path / "vae").is_dir() else path


def _load_adapter(spec: str, images: ImageSource, options: LoadingOptions) -> Autoencoder:
    sample = _sample(images, options)
    file = adapter_file(spec)
    with exact_arithmetic(options.device):
        split = split_adapter(spec, sample, options.device)
    return assemble(
        split,
        sample,
        options.device,
        normalize=options.normalize or "0,1",
        output=options.output or "pixels",
        notes=(Note("format", f"{spec}: a function that returns an encoder and a decoder."),),
        source=None if file is None else source_of(file),
        name=spec.rpartition(":")[0].rpartition("/")[2].removesuffix(".py"),
    )


def load_module(
    module: nn.Module, images: ImageSource, options: LoadingOptions, name: str
) -> Autoencoder:
    """The `Autoencoder` in a module in memory."""
    sample = _sample(images, options)
    refuse_not_finite(named_tensors(module), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return assemble(
            split_model(module, sample, options),
            sample,
            options.device,
            normalize=options.normalize,
            output=options.output,
            notes=(Note("format", f"{name}: a module in memory."),),
            source=None,
            name=name,
        )


def with_description(
    model: LoadedModel, options: LoadingOptions
) -> tuple[LoadingOptions, tuple[Note, ...]]:
    """What is said so far, completed by what the model file says of itself."""
    if not isinstance(model, Program):
        return options, ()
    said = dict(model.description.options) | {"classes": model.description.classes}
    known = {key: value for key, value in said.items() if value}
    return options.completed(known, "the model file itself")


def split_model(model: LoadedModel, sample: Tensor, options: LoadingOptions) -> Split:
    """Split a model at its bottleneck, on its own pixel scale.

    Raises ModelError where it cannot be split, DataError where the images do not fit.
    """
    if isinstance(model, Program):
        return _split_graph(model, sample, options)
    if isinstance(model, ModelParts):
        return _split_parts(model, sample, options)
    if not isinstance(model, nn.Module):
        return _split_onnx(model, sample, options)
    module = model.eval().float().to(options.device).requires_grad_(False)
    split = _split_parts(parts_of_module(module), sample, options)
    prefer_channels_last(module, split, sample[:4], options.device)
    return split


def _split_graph(program: Program, sample: Tensor, options: LoadingOptions) -> Split:
    _refuse_part_names(options)
    named = program.description.code_output if options.bottleneck is None else options.bottleneck
    with exact_arithmetic(options.device):
        return split_program(program, sample, options.device, named)


def _split_onnx(graph: OnnxGraph, sample: Tensor, options: LoadingOptions) -> Split:
    from reportgen.loading.formats.onnx.split import refuse_device, split_onnx

    _refuse_part_names(options)
    refuse_device(options.device)
    return split_onnx(graph, graph.path, sample, options.bottleneck)


def _refuse_part_names(options: LoadingOptions) -> None:
    if options.encoder or options.decoder:
        raise ModelError(
            "--encoder and --decoder name parts of a module, and this file holds a graph; name the "
            "node where it is cut with --bottleneck."
        )


def _split_parts(parts: ModelParts, sample: Tensor, options: LoadingOptions) -> Split:
    return split_parts(
        parts,
        sample,
        options.device,
        encoder=options.encoder,
        decoder=options.decoder,
        bottleneck=options.bottleneck,
    )


def _sample(images: ImageSource, options: LoadingOptions) -> Tensor:
    """A few images on the data's scale; raises DataError and ModelError where there can be none."""
    if len(images) == 0:
        raise DataError("There are no images; the model is studied on images like its own.")
    wanted = options.input_shape
    if wanted is not None and tuple(wanted) != tuple(images.shape):
        raise DataError(
            f"The model takes images of {text(tuple(wanted))} (--input-shape) and these are "
            f"{text(tuple(images.shape))}; resize or convert the images."
        )
    rows = sample_rows(len(images), math.prod(images.shape))
    pixels = torch.from_numpy(images.read(rows).astype("float32", copy=True))
    try:
        return pixels.to(options.device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"--device {options.device} cannot be used here: {reason}") from error


def _other_notes(options: LoadingOptions) -> Iterator[Note]:
    if options.classes:
        yield Note("classes", f"The model's classes: {', '.join(options.classes)}.")
    if options.trust:
        yield Note("trust", "Loaded with --trust: code in the file was allowed to run.")


def source_of(path: Path) -> SourceFile:
    """A file's bytes; for a folder, those of the files in it, in the order of their names."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    digest, size = hashlib.sha256(), 0
    for each in files:
        if each.is_file():
            with each.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                    size += len(block)
    return SourceFile(path.name, size, digest.hexdigest())
