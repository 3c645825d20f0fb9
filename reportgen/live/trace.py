"""Makes steps of a decoder's or an encoder's own operations, recorded while it runs once."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from reportgen.live.emission import Call, Emitter
from reportgen.live.layers import BATCH_NORMS
from reportgen.live.operators import HANDLERS, SPLITS, part_of
from reportgen.live.program import LiveDecoder, LiveEncoder, NotLiveError
from reportgen.live.recording import record

LARGEST_WEIGHTS = 1_000_000
LARGEST_WORK = 100_000_000
LARGEST_ERROR, LARGEST_CODE_ERROR = 1 / 255, 0.05


def live_decoder(
    decode: Callable[[Tensor], Tensor],
    code_shape: tuple[int, ...],
    device: str,
    codes: np.ndarray,
    images: np.ndarray,
    pixel_range: tuple[float, float],
) -> LiveDecoder:
    """Return the decoder as steps, its weights rounded to 16 bits.

    `codes` (n, code_size) and the `images` (n, P) that the decoder makes of them check the trace.
    Raises NotLiveError for an operator that has no step, for more than 1 MB of weights, for more
    than 10⁸ multiplications an image, and where rounding moves a pixel by more than 1/255 of the
    range.
    """
    graph = _trace(decode, code_shape, device)
    emitter = _lowered(graph, torch.zeros(1, *code_shape))
    size = 2 * emitter.weight_count
    if size >= LARGEST_WEIGHTS:
        raise NotLiveError(
            f"the decoder's weights take {size / 1e6:.2f} MB in 16 bits, and the page carries "
            "less than 1 MB"
        )
    if emitter.multiplications > LARGEST_WORK:
        raise NotLiveError(
            f"one image takes {emitter.multiplications / 1e6:.0f} million multiplications, and a "
            "page keeps up with 100 million at most"
        )
    weights = emitter.weights()
    if not np.isfinite(weights).all():
        raise NotLiveError("a weight of the decoder is larger than a 16-bit number can be")
    low, high = pixel_range
    error = _rounding_error(graph, code_shape, codes, images, np.array(high - low))
    if not error <= LARGEST_ERROR:
        raise NotLiveError(
            f"in 16 bits the decoder's weights change a pixel by {error:.2g} of the range, "
            "more than 1/255"
        )
    return LiveDecoder(
        steps=tuple(emitter.steps),
        weights=weights,
        multiplications=emitter.multiplications,
        largest_error=error,
        checked=len(codes),
    )


def live_encoder(
    encode: Callable[[Tensor], Tensor],
    input_shape: tuple[int, int, int],
    device: str,
    images: np.ndarray,
    codes: np.ndarray,
    deviations: np.ndarray,
    room: int,
) -> LiveEncoder:
    """Return the encoder as steps, its weights rounded to 16 bits.

    The `codes` (n, code_size) that the encoder gives for `images` (n, P), and the `deviations`
    (code_size,) of each of their numbers, check the trace. Raises NotLiveError as `live_decoder`
    does, for more than `room` bytes of weights, and where rounding moves a number of a code by more
    than .05 of its sd.
    """
    graph = _trace(encode, input_shape, device)
    emitter = _lowered(graph, torch.zeros(1, *input_shape))
    if 2 * emitter.weight_count > room or emitter.multiplications > LARGEST_WORK:
        raise NotLiveError("it is too large for a page beside the decoder")
    weights = emitter.weights()
    if not np.isfinite(weights).all():
        raise NotLiveError("a weight of it is larger than a 16-bit number can be")
    varying = deviations > 0
    scale = np.where(varying, deviations, np.inf)
    error = _rounding_error(graph, input_shape, images, codes, scale)
    if not error <= LARGEST_CODE_ERROR:
        raise NotLiveError(f"in 16 bits its weights change a code by {error:.2g} of its sd")
    return LiveEncoder(tuple(emitter.steps), weights, error, len(images))


def _trace(
    decode: Callable[[Tensor], Tensor], code_shape: tuple[int, ...], device: str
) -> fx.GraphModule:
    """Record the decoder as flat ATen operations without writes in place, on the CPU."""
    try:
        return record(decode, torch.zeros(1, *code_shape, device=device))
    except NotLiveError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, NotLiveError):
            raise error.__cause__ from None
        # A decoder may do anything; what cannot be followed is pre-rendered instead.
        kind = type(error.__cause__ or error).__name__
        raise NotLiveError(
            f"the decoder's operations cannot be followed, as torch's own can ({kind})"
        ) from error


def _lowered(graph: fx.GraphModule, example: Tensor) -> Emitter:
    emitter = Emitter()
    _lower(graph, example, emitter)
    return emitter


@torch.no_grad()
def _lower(graph: fx.GraphModule, code: Tensor, emitter: Emitter) -> None:
    """Make steps of every node that depends on the code; all others are computed here."""
    values: dict[fx.Node, Any] = {}
    places: dict[fx.Node, int] = {}
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            values[node], places[node] = code, 0
        elif node.op == "get_attr":
            values[node] = operator.attrgetter(str(node.target))(graph)
        elif node.op == "call_function":
            arguments = fx.map_arg(node.args, values.__getitem__)
            keywords = fx.map_arg(node.kwargs, values.__getitem__)
            values[node] = node.target(*arguments, **keywords)
            if any(parent in places for parent in node.all_input_nodes):
                places[node] = _place(node, values, places, emitter)
        elif node.op == "output":
            result = node.args[0]
            if result not in places:
                raise NotLiveError("the decoder's image does not depend on the code")
            emitter.finish(places[result], values[result])


def _place(
    node: fx.Node, values: dict[fx.Node, Any], places: dict[fx.Node, int], emitter: Emitter
) -> int:
    if node.target is operator.getitem:
        source, which = node.args
        if _name(source) in SPLITS:
            return part_of(Call(source, values, places, emitter), int(which))  # type: ignore[arg-type]
        if which != 0:
            raise NotLiveError(f"the decoder uses the statistics of `{_name(source)}`")
        return places[source]  # type: ignore[index]
    handler = HANDLERS.get(_name(node))
    if handler is None:
        raise NotLiveError(f"the decoder uses `{_name(node)}`")
    return handler(Call(node, values, places, emitter))


def _name(node: Any) -> str:
    """The ATen operator's name without its overload, such as "upsample_nearest2d"."""
    target = node.target
    return getattr(getattr(target, "overloadpacket", target), "__name__", str(target))


@torch.no_grad()
def _rounding_error(
    graph: fx.GraphModule,
    shape: tuple[int, ...],
    given: np.ndarray,
    results: np.ndarray,
    scale: np.ndarray,
) -> float:
    """Largest |number − its result| / scale of what was traced, with its constants in 16 bits.

    Of arrays of this shape, `given` (n, values), with their `results` (n, numbers). A batch norm's
    statistics stay as they are: the page holds the scale and shift made of them.
    """
    rounded = fx.GraphModule(graph, graph.graph)
    for node in graph.graph.nodes:
        if node.op != "get_attr" or any(_name(user) in BATCH_NORMS for user in node.users):
            continue
        constant = operator.attrgetter(str(node.target))(graph)
        if torch.is_tensor(constant) and constant.is_floating_point() and constant.numel() > 1:
            owner, _, leaf = str(node.target).rpartition(".")
            module = operator.attrgetter(owner)(rounded) if owner else rounded
            if leaf in module._parameters:
                del module._parameters[leaf]
            setattr(module, leaf, constant.detach().half().to(constant.dtype))
    largest = 0.0
    for values, result in zip(given, results, strict=True):
        made = rounded(torch.from_numpy(np.array(values, np.float32).reshape(1, *shape)))
        missed = np.abs(made.reshape(-1).numpy().astype(np.float64) - result) / scale
        if not np.isfinite(missed).all():
            return float("inf")
        largest = max(largest, float(missed.max(initial=0.0)))
    return largest
