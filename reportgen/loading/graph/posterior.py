"""The posterior sd of a model that is a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, fx

from reportgen.autoencoder import Note
from reportgen.loading.graph.bottleneck import Bottleneck, is_shaped_like_code
from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.paths import data_nodes
from reportgen.loading.graph.program import (
    Program,
    ancestors,
    arguments,
    origin,
    title,
    value_inputs,
)
from reportgen.loading.graph.quiet_noise import SdCheck
from reportgen.loading.sd_convention import SdConvention
from reportgen.loading.split import UNCONFIRMED_SD, ImageMap


def posterior_sd(
    program: Program,
    bottleneck: Bottleneck,
    measured: Measurement,
    scales: Sequence[fx.Node],
    code_map: Callable[[fx.Node], ImageMap],
    check: SdCheck | None,
    sample: Tensor,
) -> tuple[ImageMap | None, list[Note]]:
    """Find the function from images to the posterior sd, and the notes of where it comes from.

    It is the output that the file names, else the factor of the sampling noise, else another
    output of the code's shape; None where there is none.

    Parameters
    ----------
    scales : nodes that multiplied noise.
    code_map : a node → the function from images to its numbers, in the shape of the code.
    check : tells a model's own posterior sd by its sampling; None for a model without noise.
    sample : (n, C, H, W) images as the data has them.
    """
    place = program.description.sd_output
    if place is not None:
        said = Note("posterior", "The posterior sd is an output of the model, as its file says.")
        return code_map(program.leaves[place]), [said]
    data = data_nodes(program)
    trials: list[tuple[ImageMap | None, str]] = [
        (code_map(node), f"The posterior sd is {title(node)}, which multiplies the sampling noise.")
        for node in scales
        if node in data and is_shaped_like_code(node, measured, bottleneck)
    ]
    trials += _another_output(program, bottleneck, measured, data, code_map, sample)
    for sd, text in trials:
        if sd is None or check is None or check.confirms(sd):
            return sd, [Note("posterior", text)]
    return None, [Note("posterior", UNCONFIRMED_SD)] if trials else []


def _another_output(
    program: Program,
    bottleneck: Bottleneck,
    measured: Measurement,
    data: set[fx.Node],
    code_map: Callable[[fx.Node], ImageMap],
    sample: Tensor,
) -> Iterator[tuple[ImageMap | None, str]]:
    node = _log_variance(program, bottleneck, measured, data)
    if node is None:
        return
    values = code_map(node)
    with torch.inference_mode():
        has_negative = bool((values(sample[:16]) < 0).any())
    if has_negative:
        to_sd = SdConvention.LOG_VARIANCE.to_sd
        text = (
            f"The posterior sd is exp(½·{title(node)}): an output shaped like the code, taken for "
            "the log-variance by convention."
        )
        yield (lambda images: to_sd(values(images))), text
    elif _is_sd(node):
        yield values, f"The posterior sd is the output {title(node)}."
    else:
        yield (
            None,
            f"The output {title(node)} is positive: an sd or a variance, so it is not used.",
        )


def _log_variance(
    program: Program, bottleneck: Bottleneck, measured: Measurement, data: set[fx.Node]
) -> fx.Node | None:
    """The first returned node of the code's shape other than the code, where that is returned."""
    leaves = [leaf for leaf in program.leaves if isinstance(leaf, fx.Node)]
    alike = [
        leaf for leaf in leaves if leaf in data and is_shaped_like_code(leaf, measured, bottleneck)
    ]
    codes = [leaf for leaf in alike if origin(leaf) is origin(bottleneck.code)]
    # What the code is computed from is no log-variance.
    before = ancestors([bottleneck.code], value_inputs)
    others = [leaf for leaf in alike if origin(leaf) not in before]
    return others[0] if codes and others else None


def _is_sd(node: fx.Node) -> bool:
    """Tell whether a positive node is an sd, being exp(½·x) or softplus(x), and no variance."""
    name = base_name(node.target)
    if name == "softplus":
        return True
    inner = node.args[0] if name == "exp" else None
    if not isinstance(inner, fx.Node):
        return False
    bound = arguments(inner)
    operation = base_name(inner.target)
    return (operation == "mul" and bound.get("other") == 0.5) or (
        operation == "div" and bound.get("other") == 2
    )
