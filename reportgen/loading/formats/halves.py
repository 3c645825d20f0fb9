"""A model whose encoder and decoder are in two files, each of any format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.formats.restricted_pickle import load_restricted
from reportgen.loading.formats.sniff import ModelFormat, sniff
from reportgen.loading.formats.tensors import named_tensors, refuse_not_finite
from reportgen.loading.formats.torch_save import read_torch_save
from reportgen.loading.formats.weights import (
    Weights,
    find_weights,
    module_with_parts,
    module_with_weights,
    read_safetensors,
)
from reportgen.loading.graph.argument_checks import CheckedOperations
from reportgen.loading.graph.evaluation_mode import evaluated
from reportgen.loading.graph.label_input import GivenLabels, fed, label_of
from reportgen.loading.modules.model_class import find_class, folder_of
from reportgen.loading.modules.split_parts import ModuleModel
from reportgen.loading.options import LoadingOptions

HALVES = ("encoder", "decoder")
_WEIGHTS = (ModelFormat.TORCH_SAVE, ModelFormat.LEGACY_TORCH_SAVE, ModelFormat.SAFETENSORS)


class TwoHalves(nn.Module):
    """An encoder and a decoder, and no more; they are split between the two."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder


class _Called(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, values: Tensor) -> Any:
        return self._function(values)


class _CalledWithLabels(nn.Module):
    """A function of values and labels likewise."""

    def __init__(self, function: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, values: Tensor, labels: Tensor) -> Any:
        return self._function(values, labels)


def read_halves(encoder: Path, decoder: Path, options: LoadingOptions) -> ModuleModel:
    """Two files → one model.

    --model-class names the class of both, one that has an encoder and a decoder, or two classes
    with a comma between; their arguments are then those under "encoder" and "decoder".

    Raises ModelError where either cannot be read.
    """
    paths = (encoder, decoder)
    kinds = tuple(sniff(path) for path in paths)
    classes = (options.model_class or "").split(",")
    notes = tuple(
        Note("format", f"{path.name}, the {half}: {kind.value}, recognised by its content.")
        for half, path, kind in zip(HALVES, paths, kinds, strict=True)
    )
    if options.model_class and len(classes) == 1 and all(kind in _WEIGHTS for kind in kinds):
        found = [
            Weights(half, _weights(path, kind, options))
            for half, path, kind in zip(HALVES, paths, kinds, strict=True)
        ]
        module = module_with_parts(encoder, found, find_class(classes[0]), options.model_args)
        return ModuleModel(module, notes=notes)
    halves = []
    for place, (half, path, kind) in enumerate(zip(HALVES, paths, kinds, strict=True)):
        own = options.model_args.get(half, options.model_args)
        said = replace(
            options,
            model_class=classes[min(place, len(classes) - 1)].strip() or None,
            model_args=own if isinstance(own, dict) else {},
        )
        halves.append(_half(path, kind, said))
    return ModuleModel(TwoHalves(*halves), notes=notes)


def _checked_once(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """The function, whose operators' arguments are checked in its first call."""
    called: list[bool] = []

    def run(values: Tensor) -> Any:
        if called:
            return function(values)
        with CheckedOperations():
            returned = function(values)
        called.append(True)
        return returned

    return run


def _weights(path: Path, kind: ModelFormat, options: LoadingOptions) -> Any:
    if kind is ModelFormat.SAFETENSORS:
        return read_safetensors(path)
    loaded = load_restricted(path, {}, is_zip=kind is ModelFormat.TORCH_SAVE)
    return find_weights(path, loaded, options.weights)[0].state


def _half(path: Path, kind: ModelFormat, options: LoadingOptions) -> nn.Module:
    if kind in _WEIGHTS:
        model_class = find_class(options.model_class) if options.model_class else None
        if kind is ModelFormat.SAFETENSORS:
            weights = read_safetensors(path)
            module, _ = module_with_weights(path, weights, model_class, options.model_args)
        else:
            module, _ = read_torch_save(
                path,
                model_class,
                options.model_args,
                is_zip=kind is ModelFormat.TORCH_SAVE,
                trust=options.trust,
                key=options.weights,
                folder=folder_of(options.model_class),
            )
        refuse_not_finite(named_tensors(module).items())
        return module
    if kind is ModelFormat.TORCHSCRIPT:
        from reportgen.loading.formats.torchscript import script_function

        script, takes_labels = script_function(path, options.device, trust=options.trust)
        return _CalledWithLabels(script) if takes_labels else _Called(script)
    if kind is ModelFormat.ONNX:
        from reportgen.loading.formats.onnx import onnx_function

        function, takes_labels = onnx_function(path)
        return _CalledWithLabels(function) if takes_labels else _Called(function)
    if kind in (ModelFormat.EXPORTED, ModelFormat.EXPORTED_ZIP):
        from reportgen.loading.formats.exported import read_exported

        program = read_exported(path, kind, trust=options.trust)
        if label_of(program) is None:
            return _Called(_checked_once(evaluated(program, options.device).compiled()))
        given = GivenLabels()
        conditional = evaluated(fed(program, given.fed), options.device)
        return _CalledWithLabels(given.beside(_checked_once(conditional.compiled())))
    raise ModelError(
        f"{path} is a {kind.value}, which is no half of a model; give modules, TorchScript, "
        "torch.export archives, ONNX files, or weights with --model-class."
    )
