"""The parts of a TorchScript archive, scripted or traced: the whole, its methods and children."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.formats.tensors import check_extents, named_tensors, refuse_not_finite
from reportgen.loading.formats.torchscript.graph import program_of_graph
from reportgen.loading.formats.torchscript.interpreter_checks import check_script
from reportgen.loading.formats.torchscript.screen import screened_archive
from reportgen.loading.graph.argument_checks import CheckedOperations
from reportgen.loading.graph.evaluation_mode import activate_in_place, evaluated, use_channels_last
from reportgen.loading.graph.label_input import Labels
from reportgen.loading.graph.measure import DoesNotFitError
from reportgen.loading.graph.program import Program
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.modules.returned import flatten, is_batch
from reportgen.loading.modules.split_parts import PartsModel
from reportgen.loading.sentences import refusing
from reportgen.loading.split import padded_chunks


def read_torchscript(path: Path, device: str, *, trust: bool) -> PartsModel:
    """A TorchScript file → its parts, on a device.

    Raises ModelError for damaged files and, without `trust`, for more than plain tensor code.
    """
    return _model_of(_read(path, device, trust=trust))


def parts_of_script(given: torch.jit.ScriptModule, device: str) -> PartsModel:
    """A script in memory, its caller's own → the parts of a copy, on a device."""
    stored = io.BytesIO()
    torch.jit.save(given, stored)
    stored.seek(0)
    module = torch.jit.load(stored, map_location="cpu")
    return _model_of(_ScriptParts(module.eval().float(), device, trust=True))


def _model_of(script: _ScriptParts) -> PartsModel:
    return PartsModel(script.parts(), sum(tensor.numel() for tensor in script.tensors()))


def script_function(path: Path, device: str, *, trust: bool) -> tuple[Callable[..., Any], bool]:
    """A TorchScript file → its forward, in evaluation mode, in float32; whether it takes labels.

    Raises as above.
    """
    parts = _read(path, device, trust=trust).parts()
    return parts.forward, len(parts.required(parts.forward)) > 1


def _read(path: Path, device: str, *, trust: bool) -> _ScriptParts:
    file = io.BytesIO(path.read_bytes()) if trust else screened_archive(path)
    # TorchScript's parser raises RuntimeError and more for damaged files.
    with refusing(
        Exception, f"{path} cannot be loaded as TorchScript (<reason>); save the model again."
    ):
        module = torch.jit.load(file, map_location="cpu")
    tensors = named_tensors(module)
    check_extents(tensors)
    refuse_not_finite(tensors.items())
    return _ScriptParts(module.eval().float(), device, trust)


# Tracing writes down the batch size that it saw wherever a model asks for it as a Python number.
TRACED_BATCHES = (1, 2, 3, 4, 5, 6, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 256)

_NORMS_AND_DROPOUTS = ("BatchNorm", "SyncBatchNorm", "Dropout", "AlphaDropout", "FeatureAlpha")


@dataclass
class _ScriptParts:
    """The parts of a script; a part whose trace fixed a batch size is run in that size.

    Attributes
    ----------
    graphs : by a part's name and the shape of one of its inputs, the compiled program; None where
        the part's code cannot be made a graph.
    batches : the batch size that a trace fixed, by the part's name.
    trust : whether the file's origin is trusted; `checked` are the parts whose code was checked.
    """

    module: torch.jit.ScriptModule
    device: str
    trust: bool
    graphs: dict[tuple[str, tuple[int, ...]], Callable[[Tensor], tuple[Any, ...]] | None] = field(
        default_factory=dict
    )
    batches: dict[str, int] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)

    def parts(self) -> ModelParts:
        return ModelParts(
            forward=self._callable("forward"),
            part=self._part,
            graph=self._whole_program,
            children=tuple(name for name, _ in self.module.named_children()),
            misfits=(DoesNotFitError, RuntimeError),
            required=lambda function: _inputs(getattr(function, "schema", None), optional=False),
            optional=lambda function: _inputs(getattr(function, "schema", None), optional=True),
            fixed_batch=lambda: self.batches.get("forward"),
            tensors=self.tensors,
            in_training=self._in_training(),
        )

    def _found(self, name: str) -> Any:
        """The method or child of this name, or None."""
        found: Any = self.module
        for step in filter(None, name.split(".")):
            found = getattr(found, step, None)
        return found

    def _part(self, name: str) -> Callable[[Tensor], Any] | None:
        owner = self._found(name)
        # A child that the trace never called has no forward.
        is_module = isinstance(owner, torch.jit.ScriptModule)
        runs = hasattr(owner, "forward") if is_module else callable(owner)
        return self._callable(name) if runs else None

    def _callable(self, name: str) -> Callable[[Tensor], Any]:
        """The method or child as a program, which is made when its first batch comes.

        It runs as the code that it is where that cannot be made a program, as with branches on
        pixel values.
        """

        def run(values: Tensor, *labels: Tensor) -> Any:
            if labels:
                with self._unchanged(name):
                    return self._found(name)(values.clone(), *labels)
            if name in self.batches:
                size = self.batches[name]
                return _in_chunks(partial(once, rows=size), values, size)
            try:
                return once(values)
            except (DoesNotFitError, RuntimeError):
                # A convolution would take three grey images for one with three channels.
                for size in TRACED_BATCHES if values.dim() != 3 else ():
                    with contextlib.suppress(DoesNotFitError, RuntimeError):
                        returned = _in_chunks(partial(once, rows=size), values, size)
                        self.batches[name] = size
                        return returned
                raise

        def once(values: Tensor, rows: int = 2) -> Any:
            graph = self._prepared(name, values[:rows])
            if graph is None:
                with self._unchanged(name):
                    return self._found(name)(values.clone())
            leaves = graph(values)
            return leaves[0] if len(leaves) == 1 else leaves

        found = self._found(name)
        run.schema = getattr(getattr(found, "forward", found), "schema", None)  # type: ignore[attr-defined]
        return run

    @contextlib.contextmanager
    def _unchanged(self, name: str, training: bool = False) -> Iterator[None]:
        """Within this block the part's code runs as it is, and leaves no weight changed.

        The code and its operators' arguments are checked: what torch does not check may be a
        stranger's. With `training`, in training mode but for its norms and dropouts.
        """
        if not self.trust and name not in self.checked:
            check_script(self._graph(name)[1])
            self.checked.add(name)
        self.module.to(self.device)
        kept = [(tensor, tensor.clone()) for tensor in self.tensors()]
        flags = [(part, part.training) for part in self.module.modules()]
        try:
            for part, _ in flags if training else ():
                name = str(getattr(part, "original_name", ""))
                part.training = not name.startswith(_NORMS_AND_DROPOUTS)
            with CheckedOperations() as checks:
                yield
        except RuntimeError as error:
            if checks.refused is not None:
                raise checks.refused from error
            raise
        finally:
            for part, flag in flags:
                part.training = flag
            for tensor, before in kept:
                tensor.data.copy_(before)

    def tensors(self) -> list[Tensor]:
        """Its parameters and buffers."""
        return list(named_tensors(self.module).values())

    def _in_training(self) -> Callable[[Tensor], Any] | None:
        """The whole model in training mode; None where none of its code asks for the mode."""
        if 'GetAttr[name="training"]' not in str(self.module.inlined_graph):
            return None

        def run(images: Tensor, *labels: Tensor) -> Any:
            with self._unchanged("forward", training=True):
                return self.module(images, *labels)

        return run

    def _prepared(self, name: str, example: Tensor) -> Callable[[Tensor], tuple[Any, ...]] | None:
        key = (name, tuple(example.shape[1:]))
        if key not in self.graphs:
            try:
                program = self._program(name, example.cpu())
            except ModelError:
                # The model is still of use if it has an encoder and a decoder that can be called.
                self.graphs[key] = None
            else:
                program = evaluated(program, self.device)
                use_channels_last(program)
                if name != "forward":
                    activate_in_place(program)
                self.graphs[key] = program.compiled()
        return self.graphs[key]

    def _whole_program(self, example: Tensor, labels: Labels | None = None) -> Program:
        size = self.batches.get("forward")
        if size is None:
            return self._program("forward", example, labels)
        program = self._program("forward", example[torch.arange(size) % len(example)], labels)
        program.declared_shape = (size, *example.shape[1:])
        return program

    def _program(self, name: str, example: Tensor, labels: Labels | None = None) -> Program:
        """Convert a method or child; its first input is the module that it belongs to.

        It is not frozen: torch would run operators on the file's constants, and check less of them
        than is checked here.
        """
        owner, graph = self._graph(name)
        return program_of_graph(owner, graph, example.cpu(), labels)

    def _graph(self, name: str) -> tuple[Any, Any]:
        """The module that a method belongs to, in evaluation mode, and its code in line."""
        owner_name, _, method = name.rpartition(".")
        owner, found = self._found(owner_name), self._found(name)
        if isinstance(found, torch.jit.ScriptModule):
            owner, method = found, "forward"
        return owner, getattr(owner.eval(), method).inlined_graph


def _in_chunks(function: Callable[[Tensor], Any], values: Tensor, size: int) -> Any:
    """Call a function that takes `size` rows at a time for any number of them; join the results."""
    returned = []
    for chunk, count in padded_chunks(values, size):
        leaves = flatten(function(chunk))
        if not any(is_batch(leaf, size) for leaf in leaves):
            raise DoesNotFitError("the model does not return a row for each image")
        returned.append([leaf[:count] if is_batch(leaf, size) else leaf for leaf in leaves])
    joined = [
        torch.cat(parts) if is_batch(parts[0], min(size, len(values))) else parts[0]
        for parts in zip(*returned, strict=True)
    ]
    return joined[0] if len(joined) == 1 else tuple(joined)


def _inputs(schema: Any, *, optional: bool) -> list[str]:
    """Names of a function's inputs that have no default, or of those that are None by default."""
    if schema is None:
        return []
    inputs = schema.arguments[1:]
    if optional:
        return [i.name for i in inputs if i.has_default_value() and i.default_value is None]
    return [each.name for each in inputs if not each.has_default_value()]
