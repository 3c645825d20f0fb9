"""From a model file, or a module, to an `Autoencoder`: the whole of loading on one page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder, Note, SourceFile
from reportgen.errors import DataError, ModelError
from reportgen.loading.assemble import assemble
from reportgen.loading.image_layout import text
from reportgen.loading.image_source import ImageSource, sample_rows
from reportgen.loading.memory_format import prefer_channels_last
from reportgen.loading.model_class import find_class
from reportgen.loading.model_parts import ModelParts, parts_of_module
from reportgen.loading.module_tensors import named_tensors, refuse_not_finite
from reportgen.loading.parts_split import split_parts
from reportgen.loading.program import Program, title
from reportgen.loading.program_split import split_program
from reportgen.loading.sidecar import read_sidecar
from reportgen.loading.sniff import ModelFormat, sniff
from reportgen.loading.split import Split, exact_arithmetic


@dataclass(frozen=True)
class LoadingOptions:
    """Everything the user can say about a model; see `load_autoencoder`."""

    model_class: str | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    trust: bool = False
    device: str = "cpu"
    encoder: str | None = None
    decoder: str | None = None
    bottleneck: str | None = None
    input_shape: tuple[int, int, int] | None = None
    normalize: str | None = None
    output: str | None = None


def load(path: str | PathLike[str], images: ImageSource, options: LoadingOptions) -> Autoencoder:
    """The `Autoencoder` in a file."""
    path = Path(path)
    kind = sniff(path)
    options, said = _with_sidecar(path, options)
    _check_images(images, options)
    _check_device(options.device)
    sample = _sample(images, options.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            split = _split_file(path, kind, sample, options)
        except (ModelError, DataError) as error:
            raise _naming(path, error) from error
        notes = (Note("format", f"{path.name}: {kind.value}, recognised by its content."),)
        return assemble(
            split,
            sample,
            options.device,
            normalize=options.normalize,
            output=options.output,
            notes=notes + said + _trust_notes(options),
            source=_source(path),
            name=path.stem,
        )


def split_module(
    module: nn.Module, images: ImageSource, options: LoadingOptions, name: str
) -> Autoencoder:
    """The `Autoencoder` in a module in memory."""
    _check_images(images, options)
    _check_device(options.device)
    sample = _sample(images, options.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        split = _split_eager(module, sample, options, where=name)
        return assemble(
            split,
            sample,
            options.device,
            normalize=options.normalize,
            output=options.output,
            notes=(Note("format", f"{name}: a module in memory."),),
            source=None,
            name=name,
        )


def _with_sidecar(path: Path, options: LoadingOptions) -> tuple[LoadingOptions, tuple[Note, ...]]:
    """What the user says on the command line, completed by what stands beside the model."""
    sidecar = read_sidecar(path)
    used = {key: value for key, value in sidecar.options.items() if not getattr(options, key)}
    if "model_class" in used and not options.trust:
        raise ModelError(
            f"{sidecar.path} names code to import ({used['model_class']}), which a stranger's "
            "file may not do; say it yourself with --model-class, or pass --trust."
        )
    if not used or sidecar.path is None:
        return options, ()
    text = f"From {sidecar.path.name} beside the model: {', '.join(sorted(used))}."
    return replace(options, **used), (Note("sidecar", text),)


def _split_file(path: Path, kind: ModelFormat, sample: Tensor, options: LoadingOptions) -> Split:
    match kind:
        case ModelFormat.EXPORTED | ModelFormat.EXPORTED_ZIP:
            return _split_graph(_exported(path, kind, options), sample, options)
        case ModelFormat.TORCHSCRIPT:
            from reportgen.loading.torchscript import read_torchscript

            parts = read_torchscript(path, options.device, trust=options.trust)
            return _split_parts(parts, sample, options)
        case ModelFormat.TORCH_SAVE | ModelFormat.LEGACY_TORCH_SAVE | ModelFormat.SAFETENSORS:
            return _split_eager(_module(path, kind, options), sample, options, where=str(path))
        case ModelFormat.AOT_INDUCTOR:
            raise ModelError(
                f"{path} is an AOTInductor package: compiled machine code, whose inside cannot be "
                "studied; save the model with torch.export.save instead."
            )
        case ModelFormat.ONNX:
            raise ModelError(
                f"{path} is an ONNX model, which cannot be read yet; save the PyTorch model with "
                "torch.export.save instead."
            )


def _exported(path: Path, kind: ModelFormat, options: LoadingOptions) -> Program:
    from reportgen.loading.exported import read_exported, read_exported_zip

    if options.trust:
        from reportgen.loading.trusted import read_trusted_export

        return read_trusted_export(path)
    return read_exported(path) if kind is ModelFormat.EXPORTED else read_exported_zip(path)


def _module(path: Path, kind: ModelFormat, options: LoadingOptions) -> nn.Module:
    model_class = find_class(options.model_class) if options.model_class else None
    if kind is ModelFormat.SAFETENSORS:
        from reportgen.loading.weights import read_safetensors

        return read_safetensors(path, model_class, options.model_args)
    from reportgen.loading.torch_save import read_torch_save

    return read_torch_save(
        path,
        model_class,
        options.model_args,
        is_zip=kind is ModelFormat.TORCH_SAVE,
        trust=options.trust,
    )


def _split_graph(program: Program, sample: Tensor, options: LoadingOptions) -> Split:
    if options.encoder or options.decoder:
        raise ModelError(
            "--encoder and --decoder name parts of a module, and this file holds a graph; name the "
            "node where it is cut with --bottleneck."
        )
    constants = [
        (title(node), program.constant(node))
        for node in program.graph.nodes
        if node.op == "get_attr"
    ]
    refuse_not_finite(constants, "the model")
    with exact_arithmetic(options.device):
        return split_program(program, sample, options.device, options.bottleneck)


def _split_eager(module: nn.Module, sample: Tensor, options: LoadingOptions, where: str) -> Split:
    refuse_not_finite(named_tensors(module), where)
    module = module.eval().float().to(options.device).requires_grad_(False)
    split = _split_parts(parts_of_module(module), sample, options)
    prefer_channels_last(module, split, sample[:4], options.device)
    return split


def _split_parts(parts: ModelParts, sample: Tensor, options: LoadingOptions) -> Split:
    return split_parts(
        parts,
        sample,
        options.device,
        encoder=options.encoder,
        decoder=options.decoder,
        bottleneck=options.bottleneck,
    )


def _check_images(images: ImageSource, options: LoadingOptions) -> None:
    if len(images) == 0:
        raise DataError("There are no images; the model is studied on images like its own.")
    wanted = options.input_shape
    if wanted is not None and tuple(wanted) != tuple(images.shape):
        raise DataError(
            f"The model takes images of {text(tuple(wanted))} (--input-shape) and these are "
            f"{text(tuple(images.shape))}; resize or convert the images."
        )


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"--device {device} cannot be used here: {reason}") from error


def _sample(images: ImageSource, device: str) -> Tensor:
    pixels = images.read(sample_rows(len(images)))
    return torch.from_numpy(pixels.astype("float32", copy=True)).to(device)


def _naming(path: Path, error: ModelError | DataError) -> ModelError | DataError:
    """The same error, with the file's name where its sentence lacks it."""
    message = str(error)
    if path.name in message or isinstance(error, DataError):
        return error
    return ModelError(f"{path}: {message}")


def _trust_notes(options: LoadingOptions) -> tuple[Note, ...]:
    if not options.trust:
        return ()
    return (Note("trust", "Loaded with --trust: code in the file was allowed to run."),)


def _source(path: Path) -> SourceFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return SourceFile(path.name, path.stat().st_size, digest.hexdigest())
