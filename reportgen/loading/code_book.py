"""Recognises codes whose every site holds a word of a book, as those of a VQ-VAE do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# A share of the codes' range: the straight-through estimator, z + (q − z), rounds.
TOLERANCE = 1e-5
TRIED_SITES, TRIED_FIRST = 2048, 16
# Layers that may lie between a book and the code, with each table and each bias that would fit.
MOST_PROJECTIONS = 500


@dataclass(frozen=True)
class FoundBook:
    """The words of a code.

    Attributes
    ----------
    words : (number of words, their length), of which each site holds one.
    start : the first of the channels that hold it; not 0 where something else stands before it, as
        a coarser code does that was enlarged.
    """

    words: Tensor
    start: int = 0


def find_code_book(codes: Tensor, tensors: Iterable[Tensor]) -> FoundBook | None:
    """The words of which each site of these codes holds one, in all its channels or the last ones.

    Parameters
    ----------
    codes : (n, K) or (n, C, H, W), of several images.
    tensors : the model's parameters and buffers, one of which may be the book; or two, or three,
        where its words pass through a linear layer, as lucidrains' `project_out`.

    Returns None where no tensor is one.
    """
    depth = codes.shape[1]
    sites = codes.movedim(1, -1).reshape(-1, depth)
    sites = torch.unique(sites[:: max(1, len(sites) // TRIED_SITES)].float(), dim=0)
    span = float(sites.max() - sites.min())
    if span == 0:
        return None
    kept = [_squeezed(tensor) for tensor in tensors if tensor.is_floating_point()]
    tables = [words for table in kept if table.dim() == 2 for words in (table, table.T)]
    for words in tables:
        if words.shape[1] == depth and len(words) > 1 and _hold(words, sites, span):
            return FoundBook(words.contiguous().clone())
    for words in _projected(tables, [each for each in kept if each.shape == (depth,)], depth):
        # A few sites tell most wrong ones apart.
        if _hold(words, sites[:TRIED_FIRST], span) and _hold(words, sites, span):
            return FoundBook(words.contiguous().clone())
    return _in_some_channels(tables, sites)


def _in_some_channels(tables: list[Tensor], sites: Tensor) -> FoundBook | None:
    """A book whose words are the last channels, or the first, of sites (n, channels).

    So they are in hierarchies as VQ-VAE-2 (Razavi et al., 2019), whose decoder takes the words of
    the finest code beside the coarser ones, enlarged.
    """
    depth = sites.shape[1]
    for words in tables:
        length = words.shape[1]
        if not 1 < length < depth or len(words) < 2:
            continue
        for start in (depth - length, 0):
            held = torch.unique(sites[:, start : start + length], dim=0)
            span = float(held.max() - held.min())
            if span > 0 and _hold(words, held[:TRIED_FIRST], span) and _hold(words, held, span):
                return FoundBook(words.contiguous().clone(), start)
    return None


def _squeezed(tensor: Tensor) -> Tensor:
    """A table, or the weight of a layer at each site, without dimensions of size 1 around it."""
    table = tensor.detach().float()
    while table.dim() > 2 and 1 in (table.shape[0], table.shape[-1]):
        table = table[0] if table.shape[0] == 1 else table[..., 0]
    return table


def _projected(tables: list[Tensor], biases: list[Tensor], depth: int) -> Iterator[Tensor]:
    """Yield books whose words pass through a linear layer to codes of this depth."""
    layers = [weight for weight in tables if weight.shape[0] == depth]
    tried = 0
    for weight in layers:
        for words in tables:
            if words.shape[1] != weight.shape[1] or len(words) < 2 or words is weight:
                continue
            for bias in (None, *biases):
                tried += 1
                if tried > MOST_PROJECTIONS:
                    return
                projected = words @ weight.T
                yield projected if bias is None else projected + bias


def _hold(words: Tensor, sites: Tensor, span: float) -> bool:
    """Tell whether each row of the one stands among the rows of the other."""
    # By matrix products the distance of a word from itself would not be zero.
    exactly = "donot_use_mm_for_euclid_dist"
    nearest = torch.cdist(sites, words.to(sites.device), compute_mode=exactly).min(dim=1).values
    return bool((nearest <= TOLERANCE * span * sites.shape[1] ** 0.5).all())
