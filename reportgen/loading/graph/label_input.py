"""`LabelInput`: the second input of a conditional model's graph, the classes of its images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.graph.program import Program, ProgramBuilder
from reportgen.loading.sentences import shape_text
from reportgen.shown import quoted, shown

IMAGES_AND_LABELS = 2
# A number of images → labels for them, as a model takes them.
Labels = Callable[[int], Tensor]


class LabelMisfitError(ModelError):
    """An error for labels that are not written as a graph says that it takes them."""


@dataclass(frozen=True)
class LabelInput:
    """Classes of a graph's images, where they are its second input.

    In a graph it stands as an operator on the number of images, until `fed` puts one there that
    can be called.

    Attributes
    ----------
    name : as the file has it.
    dtype, row : of the numbers that stand for one image's class; None where the file does not say.
    """

    name: str
    dtype: torch.dtype | None = None
    row: tuple[int | None, ...] | None = None

    @property
    def __name__(self) -> str:
        return "labels"

    def __call__(self, count: int) -> Tensor:
        """Fail: the classes are known once the model is fed them."""
        raise AssertionError("a conditional graph is fed its labels before it is run")

    @property
    def width(self) -> int | None:
        """The length of the one-hot vectors that it takes; None for numbers, or if not known."""
        return self.row[0] if self.row is not None and len(self.row) == 1 else None

    def fitted(self, labels: Tensor) -> Tensor:
        """Labels (n, …) in the type that the file says.

        Raises LabelMisfitError where they are not of the shape that it takes.
        """
        row = tuple(labels.shape[1:])
        if self.row is not None and not _fits(row, self.row):
            wanted = shape_text(self.row)
            each = f"{wanted} numbers" if wanted else "one number"
            raise LabelMisfitError(
                f"the model takes {each} for each image as its {quoted(self.name)}, and "
                "--condition labels gives one class each."
            )
        return labels if self.dtype is None else labels.to(self.dtype)


def _fits(row: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(row) == len(wanted) and all(
        size is None or size == given for size, given in zip(wanted, row, strict=True)
    )


def more_inputs(names: Sequence[str], example: str) -> ModelError:
    """The error for a graph of several inputs that is given images alone."""
    advice = f"{example} a model whose forward takes the images only"
    if len(names) == IMAGES_AND_LABELS:
        advice = f"if the second is the image's class, say --condition labels, else {advice}"
    listed = ", ".join(shown(name) for name in names)
    return ModelError(
        f"the model takes {len(names)} inputs ({listed}) and not images alone; {advice}."
    )


def add_label_input(builder: ProgramBuilder, images: fx.Node, label: LabelInput) -> fx.Node:
    """A node for the classes of as many images as there are."""
    count = builder.call(torch.ops.aten.sym_size.int, (images, 0))
    return builder.call(label, (count,), title=label.name)


def label_of(program: Program) -> LabelInput | None:
    """The label input of a program; None where it has none, or is fed."""
    targets = (node.target for node in program.graph.nodes)
    return next((target for target in targets if isinstance(target, LabelInput)), None)


def fed(program: Program, labels: Labels) -> Program:
    """The same program, in which a function gives the classes of its images."""
    program = program.copy()
    for node in program.graph.nodes:
        if isinstance(node.target, LabelInput):
            node.target = fitted(labels, node.target)
    return program


def fitted(labels: Labels, label: LabelInput) -> Labels:
    """The function of labels in the type that a graph takes."""

    def given(count: int) -> Tensor:
        return label.fitted(labels(count))

    return given


class GivenLabels:
    """The labels that a half of a conditional model is called with, for the graph inside it."""

    def __init__(self) -> None:
        self._labels: list[Tensor] = []

    def fed(self, count: int) -> Tensor:
        """Labels of the call in progress, of as many images."""
        return self._labels[-1]

    def beside(self, function: Callable[[Tensor], Any]) -> Callable[[Tensor, Tensor], Any]:
        """The function of a graph that is fed by this, as one of values and labels."""

        def run(values: Tensor, labels: Tensor) -> Any:
            self._labels.append(labels)
            try:
                return function(values)
            finally:
                self._labels.pop()

        return run
