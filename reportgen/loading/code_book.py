"""Recognises codes whose every site holds a word of a book, as those of a VQ-VAE do."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# A share of the codes' range: the straight-through estimator, z + (q − z), rounds.
TOLERANCE = 1e-5
TRIED_SITES = 2048


def find_code_book(codes: Tensor, tensors: Iterable[Tensor]) -> Tensor | None:
    """The words, (number of words, channels), of which each site of these codes holds one.

    Parameters
    ----------
    codes : (n, K) or (n, C, H, W), of several images.
    tensors : the model's parameters and buffers, one of which may be the book.

    Returns None where no tensor is one.
    """
    depth = codes.shape[1]
    sites = codes.movedim(1, -1).reshape(-1, depth)
    sites = torch.unique(sites[:: max(1, len(sites) // TRIED_SITES)].float(), dim=0)
    span = float(sites.max() - sites.min())
    if span == 0:
        return None
    for tensor in tensors:
        if not tensor.is_floating_point():
            continue
        table = tensor.detach().float()
        while table.dim() > 2 and table.shape[0] == 1:
            table = table[0]
        if table.dim() != 2:
            continue
        for words in (table, table.T):
            if words.shape[1] == depth and len(words) > 1 and _hold(words, sites, span):
                return words.contiguous().clone()
    return None


def _hold(words: Tensor, sites: Tensor, span: float) -> bool:
    """Tell whether each row of the one stands among the rows of the other."""
    # By matrix products the distance of a word from itself would not be zero.
    exactly = "donot_use_mm_for_euclid_dist"
    nearest = torch.cdist(sites, words.to(sites.device), compute_mode=exactly).min(dim=1).values
    return bool((nearest <= TOLERANCE * span * sites.shape[1] ** 0.5).all())
