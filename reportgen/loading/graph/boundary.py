"""The place where a model itself has its code, as its graph shows, before the narrowest point.

In this order: where noise is added to a mean; what comes out of a code book; what its encoder gives
and its decoder takes; what it returns beside the reconstruction.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx

from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import LINEAR_MAPS, REARRANGEMENTS, base_name, names
from reportgen.loading.graph.paths import data_nodes, holds_code
from reportgen.loading.graph.program import Program, ancestors, module_path, origin, value_inputs

# What encoders and decoders are called; the first two are methods at least as often as submodules.
HALVES = (
    ("encode", "decode"),
    ("encoder", "decoder"),
    ("enc", "dec"),
    ("Encoder", "Decoder"),
    ("_encoder", "_decoder"),
    ("encoder_net", "decoder_net"),
    ("net_encoder", "net_decoder"),
    ("encoder_layers", "decoder_layers"),
)
_PLACES = names("argmin argmax topk min max sort")
_PICKS = names("embedding index index_select gather take")
_MATRIX_PRODUCTS = names("matmul mm bmm einsum")
_ONE_HOT = names("one_hot scatter scatter_ scatterelements eq equal")
# The same numbers, each at a place of its own.
ARRANGEMENTS = REARRANGEMENTS | names(
    "permute transpose t movedim moveaxis swapaxes permute_copy transpose_copy"
)
# Places are one row of several, where a book has a dimension before its words.
_PARTS = names("select select_copy slice slice_copy")
# What a layer at each site consists of.
_AT_EACH_SITE = names("linear addmm mm matmul bmm add")
_COMPUTES = LINEAR_MAPS | names(
    """
    batch_norm group_norm layer_norm max_pool2d max_pool2d_with_indices avg_pool2d
    adaptive_avg_pool2d upsample_nearest2d upsample_bilinear2d
    """
)


SAME = 1e-6
SITES_AND_CHANNELS = 2
FROM_NOISE = "the mean that the model adds noise to"
FROM_BOOK = "what the model's code book gives"


@dataclass(frozen=True)
class Sampling:
    """Nodes of a graph at which Gaussian noise enters.

    Attributes
    ----------
    means : nodes that noise is added to.
    scales : nodes that multiply it.
    """

    means: Sequence[fx.Node] = ()
    scales: Sequence[fx.Node] = ()


@dataclass(frozen=True)
class Boundary:
    """The node that holds the code by the model's own account, and how that is known, in words."""

    code: fx.Node
    how: str


@dataclass(frozen=True)
class Route:
    """The way from a program's image to its reconstruction.

    Attributes
    ----------
    program : the whole model.
    path : nodes between the two, in topological order.
    crossed : those that every path crosses.
    measured : what each holds.
    place : where each node of the path stands in it.
    """

    program: Program
    path: list[fx.Node]
    crossed: list[fx.Node]
    measured: Measurement
    place: dict[fx.Node, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", {node: at for at, node in enumerate(self.path)})

    @property
    def inner(self) -> list[fx.Node]:
        """Nodes that a code may be at: crossed by all, holding numbers for each image."""
        return [n for n in self.crossed[1:-1] if holds_code(n, self.measured)]

    def size(self, node: fx.Node) -> int:
        """Numbers in one image's part of a node."""
        return self.measured.size(node)

    def narrower_after(self, node: fx.Node) -> bool:
        """Tell whether a node that holds less stands behind this one."""
        place = self.place
        return any(place[n] > place[node] and self.size(n) < self.size(node) for n in self.inner)


@dataclass(frozen=True)
class OwnHalves:
    """A model's own encoder and decoder, which together are not the whole model.

    Attributes
    ----------
    names : of the two.
    encoded : what the encoder gives for some images.
    takes : whether the decoder makes the model's reconstruction of these images out of values.
    values : nodes of a program → what they hold for these images.
    """

    names: tuple[str, str]
    encoded: Sequence[Tensor]
    takes: Callable[[Tensor], bool]
    values: Callable[[Program, Sequence[fx.Node]], Sequence[Tensor]]


def own_boundary(
    route: Route, sampling: Sampling, limit: int, own: Sequence[OwnHalves] = ()
) -> Boundary | None:
    """The model's own boundary, or None where it shows none.

    `limit` is how many numbers an image has: what is only returned, or has noise of a constant sd
    added, must be smaller.
    """
    inner = route.inner
    return (
        _noise(route, inner, sampling, limit)
        or _book(route, inner)
        or _halves(route, inner)
        or next((found for each in own if (found := _halves_by_value(route, inner, each))), None)
        or _returned(route, inner, sampling, limit)
    )


def _noise(route: Route, inner: list[fx.Node], sampling: Sampling, limit: int) -> Boundary | None:
    """The mean that noise is added to; one whose sd depends on the image before any other."""
    data = data_nodes(route.program)
    sds = {route.size(node) for node in sampling.scales if node in data}
    means = [node for node in inner if node in sampling.means]
    known = [node for node in means if route.size(node) in sds]
    plain = [n for n in means if route.size(n) < limit and not route.narrower_after(n)]
    found = known or plain
    if not found:
        return None
    narrowest = min(route.size(node) for node in found)
    code = next(node for node in reversed(found) if route.size(node) == narrowest)
    return Boundary(code, FROM_NOISE)


def _book(route: Route, inner: list[fx.Node]) -> Boundary | None:
    """Find a code book's rows: those of a constant, chosen by the place of a minimum or maximum."""
    data = data_nodes(route.program)
    reads = [node for node in route.path if _reads_book(node, data, route.measured)]
    if not reads:
        return None
    last = route.place[reads[-1]]
    code = next((node for node in inner if route.place[node] >= last), None)
    if code is None:
        return None
    # Another book may be read, and what it gives be enlarged, in between.
    behind = [n for n in route.path[last + 1 : route.place[code] + 1] if _uses(n, reads[-1])]
    if any(base_name(node.target) in _COMPUTES for node in behind):
        return None
    code = followed(route, code, ARRANGEMENTS)
    if len(route.measured.per_image(code) or ()) == SITES_AND_CHANNELS:
        # Words in rows, of one site each: channels stand first behind a layer at each site.
        behind_layer = followed(route, code, ARRANGEMENTS | _AT_EACH_SITE)
        if len(route.measured.per_image(behind_layer) or ()) > SITES_AND_CHANNELS:
            code = behind_layer
    return Boundary(code, FROM_BOOK)


def _reads_book(node: fx.Node, data: set[fx.Node], measured: Measurement) -> bool:
    name = base_name(node.target)
    sources = [source for source in node.all_input_nodes if source in data]
    if not sources or not holds_code_or_rows(node, measured):
        return False
    if name in _PICKS:
        return not any(measured.is_float(source) for source in sources) and any(
            _is_place(source, data) for source in sources
        )
    if name in _MATRIX_PRODUCTS:
        return all(_is_one_hot(source, data) for source in sources)
    return False


def holds_code_or_rows(node: fx.Node, measured: Measurement) -> bool:
    """Tell whether a node holds floating-point numbers, for each image or each site of all."""
    return measured.is_float(node) and measured.shape(node) is not None


def _is_place(node: fx.Node, data: set[fx.Node]) -> bool:
    """Tell whether integers are places where something was smallest or largest."""
    steps = _back(node, data, ARRANGEMENTS | _PARTS)
    return any(base_name(step.target) in _PLACES for step in steps)


def _is_one_hot(node: fx.Node, data: set[fx.Node]) -> bool:
    steps = _back(node, data, ARRANGEMENTS)
    return any(base_name(step.target) in _ONE_HOT for step in steps) and any(
        base_name(step.target) in _PLACES for step in _back(node, data, ARRANGEMENTS | _ONE_HOT)
    )


def _back(node: fx.Node, data: set[fx.Node], through: Iterable[str]) -> list[fx.Node]:
    """A node and what it comes from, through operators of these names and parts of results."""
    found, waiting = [], [node]
    while waiting:
        step = waiting.pop()
        if step in found:
            continue
        found.append(step)
        name = base_name(step.target)
        if name in through or step.target is operator.getitem or name in ("squeeze", "unsqueeze"):
            waiting.extend(source for source in step.all_input_nodes if source in data)
    return found


def _halves(route: Route, inner: list[fx.Node]) -> Boundary | None:
    """Find what the encoder gives and the decoder takes, if nothing that computes lies between."""
    for first, second in HALVES:
        given = [route.place[n] for n in route.path if first in module_path(n).split(".")]
        taking = [route.place[n] for n in route.path if second in module_path(n).split(".")]
        if not given or not taking:
            continue
        end, start = max(given), min(taking)
        if end >= start or _linear_between(route, end, start - 1):
            continue
        found = [node for node in inner if end <= route.place[node] < start]
        if found:
            return Boundary(found[-1], f"between the model's own {first} and {second}")
    return None


def _halves_by_value(route: Route, inner: list[fx.Node], own: OwnHalves) -> Boundary | None:
    """The same, for a graph that does not say which submodule a node is of: by what they hold."""
    values = own.values(route.program, inner)
    given = [n for n, value in zip(inner, values, strict=True) if _is_among(value, own.encoded)]
    if not given:
        return None
    start = route.place[given[0]]
    for node, value in zip(reversed(inner), reversed(values), strict=True):
        if route.place[node] < start:
            break
        if not _linear_between(route, start, route.place[node]) and own.takes(value):
            return Boundary(node, f"between the model's own {' and '.join(own.names)}")
    return None


def _is_among(value: Tensor, others: Sequence[Tensor]) -> bool:
    return any(v.shape == value.shape and torch.allclose(v, value, atol=SAME) for v in others)


def _linear_between(route: Route, first: int, last: int) -> bool:
    """Tell whether a linear map, norm or pooling stands behind one place, up to another."""
    return any(base_name(node.target) in _COMPUTES for node in route.path[first + 1 : last + 1])


def _uses(node: fx.Node, source: fx.Node) -> bool:
    return source in ancestors([node], value_inputs)


def _returned(
    route: Route, inner: list[fx.Node], sampling: Sampling, limit: int
) -> Boundary | None:
    """Find what the model returns beside the image, before any other what has a twin."""
    leaves = [leaf for leaf in route.program.leaves if isinstance(leaf, fx.Node)]
    data = data_nodes(route.program)
    origins = [origin(leaf) for leaf in leaves]
    found = [
        node
        for node in inner
        if origin(node) in origins and route.size(node) < limit and node not in sampling.scales
    ]
    paired = [node for node in found if _has_twin(node, leaves, data, route)]
    alone = [node for node in found if not route.narrower_after(node)]
    chosen = paired or alone
    return Boundary(chosen[-1], "which the model returns beside the image") if chosen else None


def _has_twin(node: fx.Node, leaves: list[fx.Node], data: set[fx.Node], route: Route) -> bool:
    """Tell whether another output off the path has the same shape, as a log-variance has."""
    return any(
        leaf in data
        and origin(leaf) not in route.place
        and route.measured.per_image(leaf) == route.measured.per_image(node)
        for leaf in leaves
    )


def followed(route: Route, node: fx.Node, through: Iterable[str]) -> fx.Node:
    """The last crossed node behind one that holds the same numbers, arranged otherwise."""
    for step in route.inner:
        if route.place[step] <= route.place[node]:
            continue
        stretch = route.path[route.place[node] + 1 : route.place[step] + 1]
        if any(base_name(between.target) not in through for between in stretch):
            break
        node = step
    return node
