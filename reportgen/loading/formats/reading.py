"""A model file → a model that can be split, by the reader of its format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.module_tensors import named_tensors, refuse_not_finite
from reportgen.loading.formats.sniff import ModelFormat
from reportgen.loading.graph.program import Program, title
from reportgen.loading.modules.model_class import find_class
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.options import LoadingOptions

if TYPE_CHECKING:
    from reportgen.loading.formats.onnx.graph import OnnxGraph

    LoadedModel = Program | ModelParts | OnnxGraph | nn.Module


def read_model(path: Path, kind: ModelFormat, options: LoadingOptions) -> LoadedModel:
    """Read a file of a known format.

    A graph for torch.export archives and ONNX, callables for TorchScript, a module for the rest.

    Raises ModelError where the file is damaged, unsafe, or needs more than was said.
    """
    match kind:
        case ModelFormat.EXPORTED | ModelFormat.EXPORTED_ZIP:
            program = _exported(path, kind, options)
            refuse_not_finite(_constants(program), str(path))
            return program
        case ModelFormat.TORCHSCRIPT:
            from reportgen.loading.formats.torchscript import read_torchscript

            return read_torchscript(path, options.device, trust=options.trust)
        case ModelFormat.TORCH_SAVE | ModelFormat.LEGACY_TORCH_SAVE | ModelFormat.SAFETENSORS:
            module = _module(path, kind, options)
            refuse_not_finite(named_tensors(module), str(path))
            return module
        case ModelFormat.DIFFUSERS | ModelFormat.PYTHAE:
            from reportgen.loading.formats.folders import read_diffusers, read_pythae

            read = read_diffusers if kind is ModelFormat.DIFFUSERS else read_pythae
            module = read(path)
            refuse_not_finite(named_tensors(module), str(path))
            return module
        case ModelFormat.AOT_INDUCTOR:
            raise ModelError(
                f"{path} is an AOTInductor package: compiled machine code, whose inside cannot be "
                "studied; save the model with torch.export.save instead."
            )
        case ModelFormat.ONNX:
            from reportgen.loading.formats.onnx.file import read_onnx
            from reportgen.loading.formats.onnx.graph import OnnxGraph

            return OnnxGraph(read_onnx(path), path)


def _exported(path: Path, kind: ModelFormat, options: LoadingOptions) -> Program:
    from reportgen.loading.formats.exported.reading import read_exported, read_exported_zip

    if options.trust:
        from reportgen.loading.formats.exported.trusted import read_trusted_export

        return read_trusted_export(path)
    return read_exported(path) if kind is ModelFormat.EXPORTED else read_exported_zip(path)


def _module(path: Path, kind: ModelFormat, options: LoadingOptions) -> nn.Module:
    model_class = find_class(options.model_class) if options.model_class else None
    if kind is ModelFormat.SAFETENSORS:
        from reportgen.loading.formats.weights import read_safetensors

        return read_safetensors(path, model_class, options.model_args)
    from reportgen.loading.formats.torch_save import read_torch_save

    return read_torch_save(
        path,
        model_class,
        options.model_args,
        is_zip=kind is ModelFormat.TORCH_SAVE,
        trust=options.trust,
    )


def _constants(program: Program) -> list[tuple[str, Tensor]]:
    return [
        (title(node), program.constant(node))
        for node in program.graph.nodes
        if node.op == "get_attr"
    ]
