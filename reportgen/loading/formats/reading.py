"""A model file → a model that can be split, by the reader of its format."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.formats.sniff import ModelFormat
from reportgen.loading.formats.tensors import named_tensors, refuse_not_finite
from reportgen.loading.graph.program import title
from reportgen.loading.graph.split_program import GraphModel
from reportgen.loading.modules.adapter import functions_of
from reportgen.loading.modules.model_class import find_class, folder_of
from reportgen.loading.modules.split_parts import ModuleModel
from reportgen.loading.options import LoadingOptions
from reportgen.loading.split import Model


def read_model(path: Path, kind: ModelFormat, options: LoadingOptions) -> Model:
    """Read a file of a known format.

    Raises ModelError where the file is damaged, unsafe, or needs more than was said.
    """
    match kind:
        case ModelFormat.EXPORTED | ModelFormat.EXPORTED_ZIP:
            from reportgen.loading.formats.exported import read_exported

            program = read_exported(path, kind, trust=options.trust)
            nodes = [node for node in program.graph.nodes if node.op == "get_attr"]
            refuse_not_finite((title(node), program.constant(node)) for node in nodes)
            return GraphModel(program)
        case ModelFormat.TORCHSCRIPT:
            from reportgen.loading.formats.torchscript import read_torchscript

            return read_torchscript(path, options.device, trust=options.trust)
        case ModelFormat.ONNX:
            from reportgen.loading.formats.onnx import OnnxModel

            return OnnxModel(path)
        case ModelFormat.FUNCTION:
            return functions_of(str(path))
        case ModelFormat.AOT_INDUCTOR:
            raise ModelError(
                f"{path} is an AOTInductor package: compiled machine code, whose inside cannot be "
                "studied; save the model with torch.export.save instead."
            )
        case ModelFormat.DIFFUSERS | ModelFormat.PYTHAE:
            from reportgen.loading.formats.folders import read_diffusers, read_pythae

            module, notes = (read_diffusers if kind is ModelFormat.DIFFUSERS else read_pythae)(path)
        case ModelFormat.TORCH_SAVE | ModelFormat.LEGACY_TORCH_SAVE | ModelFormat.SAFETENSORS:
            module, notes = _with_weights(path, kind, options)
    refuse_not_finite(named_tensors(module).items())
    return ModuleModel(module, notes=notes)


def _with_weights(
    path: Path, kind: ModelFormat, options: LoadingOptions
) -> tuple[nn.Module, tuple[Note, ...]]:
    from reportgen.loading.formats.torch_save import read_torch_save
    from reportgen.loading.formats.weights import module_with_weights, read_safetensors

    model_class = find_class(options.model_class) if options.model_class else None
    if kind is ModelFormat.SAFETENSORS:
        weights = read_safetensors(path)
        return module_with_weights(path, weights, model_class, options.model_args, options.weights)
    is_zip = kind is ModelFormat.TORCH_SAVE
    return read_torch_save(
        path,
        model_class,
        options.model_args,
        is_zip=is_zip,
        trust=options.trust,
        key=options.weights,
        folder=folder_of(options.model_class),
    )
