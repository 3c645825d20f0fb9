"""`ModelParts`: a model that is more than a graph, as splitting uses it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reportgen.loading.graph.label_input import Labels
from reportgen.loading.graph.program import Program
from reportgen.loading.modules.evaluated import Evaluated
from reportgen.loading.modules.module_graph import program_of_module
from reportgen.loading.split import ChunkedLabels


@dataclass(frozen=True)
class ModelParts:
    """A model as callables.

    Attributes
    ----------
    forward : the whole model.
    part : name of a method or submodule → the callable, or None where there is none.
    graph : an example (2, …) and, as `labels`, what gives a conditional model its classes → the
        program of the whole model; raises ModelError.
    children : names of submodules, for error messages.
    required : a callable → names of its inputs that have no default.
    misfits : what the callables raise for images that they do not take.
    takes : the input of the first layer, in words; None where it is not known.
    tensors : its parameters and buffers.
    in_training : the whole model in training mode, but for its norms and dropouts; None where it
        cannot be run so.
    training_graph : the same for the program of that; None likewise.
    fixed_batch : the batch size that the file fixed for the whole model, once it was called; None
        where any will do.
    is_python : whether its callables are an author's code, whose errors are shown as its own.
    optional : a callable → names of its inputs that are None where they are not given.
    taken_by : name of a method → what it takes while the whole model runs on images; None where
        that cannot be seen.
    labels : the classes of images that it is fed, where it is conditional.
    hold_device : tells its code, where it asks for a GPU, to use the device in use from now on;
        says whether that is new.
    """

    forward: Callable[[Tensor], Any]
    part: Callable[[str], Callable[[Tensor], Any] | None]
    graph: Callable[..., Program]
    children: tuple[str, ...]
    required: Callable[[Callable[..., Any]], list[str]]
    misfits: tuple[type[Exception], ...]
    takes: str | None = None
    tensors: Callable[[], Iterable[Tensor]] = tuple
    in_training: Callable[..., Any] | None = None
    training_graph: Callable[..., Program] | None = None
    fixed_batch: Callable[[], int | None] = lambda: None
    is_python: bool = False
    optional: Callable[[Callable[..., Any]], list[str]] = lambda function: []
    taken_by: Callable[[str], Callable[[Tensor], Tensor] | None] = lambda name: None
    hold_device: Callable[[], bool] = lambda: False
    labels: ChunkedLabels | None = None


class _ByKeyword(nn.Module):
    """A module whose forward finds its labels among its keywords, as one that takes them second."""

    def __init__(self, module: nn.Module, keyword: str) -> None:
        super().__init__()
        self.module = module
        self._keyword = keyword

    def forward(self, images: Tensor, labels: Tensor) -> Any:
        return self.module(images, **{self._keyword: labels})


def keyword_asked(evaluated: Evaluated, images: Tensor) -> str | None:
    """The keyword that a module's forward(images, **keywords) looks up; None where it needs none.

    `images` are a few of the data's.
    """
    module = evaluated.module
    parameters = inspect.signature(module.forward).parameters.values()
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    try:
        with evaluated.running(), torch.no_grad():
            module(images.clone())
    except KeyError as error:
        keyword = error.args[0] if error.args else None
        return keyword if isinstance(keyword, str) else None
    except Exception:
        # Not what this forward takes; whoever calls it next says so.
        return None
    return None


def parts_of_module(evaluated: Evaluated, keyword: str | None = None) -> ModelParts:
    """The parts of an eager module; `keyword` is the one by which its forward takes labels."""
    module = evaluated.module
    whole = module if keyword is None else _ByKeyword(module, keyword)
    has_forward = type(module).forward is not nn.Module.forward

    def part(name: str) -> Callable[[Tensor], Any] | None:
        value: Any = module
        for step in name.split("."):
            value = getattr(value, step, None)
        return evaluated.function(value) if callable(value) else None

    def in_training(images: Tensor, *labels: Tensor) -> Any:
        with evaluated.running(training=True):
            return whole.forward(images, *labels)

    def taken_by(name: str) -> Callable[[Tensor], Tensor] | None:
        if not inspect.ismethod(getattr(module, name, None)) or not has_forward:
            return None

        def run(images: Tensor) -> Tensor:
            taken: list[Tensor] = []
            original = getattr(module, name)

            def seen(code: Tensor, *others: Any) -> Any:
                taken.append(code)
                return original(code, *others)

            with evaluated.running():
                vars(module)[name] = seen
                try:
                    module.forward(images)
                finally:
                    del vars(module)[name]
            if len(taken) != 1:
                raise ValueError(f"{name} is called {len(taken)} times for one batch")
            return taken[0]

        return run

    def graph(example: Tensor, labels: Labels | None = None, training: bool = False) -> Program:
        with evaluated.running(training=training):
            return program_of_module(whole, example, labels)

    return ModelParts(
        forward=evaluated.function(whole.forward) if has_forward else _no_forward,
        part=part,
        graph=graph,
        children=tuple(name for name, _ in module.named_children()),
        required=required_arguments,
        # The user's own code may raise anything when it is called in a way it was not meant to.
        misfits=(Exception,),
        takes=expected_input(module),
        tensors=lambda: (*module.parameters(), *module.buffers()),
        in_training=in_training if has_forward else None,
        training_graph=partial(graph, training=True) if has_forward else None,
        is_python=True,
        optional=optional_arguments,
        taken_by=taken_by,
        hold_device=evaluated.hold_device,
    )


def _no_forward(images: Tensor) -> Any:
    raise NotImplementedError("the model has no forward of its own")


def required_arguments(function: Callable[..., Any]) -> list[str]:
    """Names of the positional arguments that have no default."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = (p for p in _parameters(function) if p.default is inspect.Parameter.empty)
    return [parameter.name for parameter in required if parameter.kind in kinds]


def optional_arguments(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that are None where they are not given."""
    return [parameter.name for parameter in _parameters(function) if parameter.default is None]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Of a function or a module's forward; none of what Python cannot look into."""
    if isinstance(function, nn.Module):
        function = function.forward
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def expected_input(module: nn.Module) -> str | None:
    """The input of the first layer, in words; None where no layer says it."""
    for layer in module.modules():
        # diffusers answers for its configuration in place of attributes, with a warning.
        channels = vars(layer).get("in_channels")
        if isinstance(channels, int):
            return f"{channels} channel{'s' if channels > 1 else ''}"
        features = vars(layer).get("in_features")
        if isinstance(features, int):
            return f"{features} numbers per image"
    return None
