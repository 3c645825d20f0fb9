"""Words of a code book are known behind the layer that they pass through."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from reportgen.loading.code_book import find_code_book

LAYERS = nn.Linear(3, 8), nn.Linear(3, 8, bias=False), nn.Conv1d(3, 8, 1)


def codes_of(words: Tensor, spatial: bool) -> Tensor:
    chosen = torch.randint(len(words), (6, 4, 4), generator=torch.Generator().manual_seed(0))
    return words[chosen].movedim(-1, 1) if spatial else words[chosen[:, 0, 0]]


@pytest.mark.parametrize("spatial", [True, False])
@pytest.mark.parametrize(
    "layer", [nn.Linear(3, 8), nn.Linear(3, 8, bias=False), nn.Conv1d(3, 8, 1)]
)
def test_words_are_found_behind_a_layer(layer: nn.Module, spatial: bool) -> None:
    torch.manual_seed(0)
    book = torch.randn(1, 12, 3)
    others = [torch.randn(8), torch.randn(8, 8), torch.randn(12, 8), torch.randn(3)]
    weight = layer.weight.detach().reshape(8, 3)
    words = book[0] @ weight.T + (0 if layer.bias is None else layer.bias.detach())
    tensors = [*others, book, *(each.detach() for each in layer.parameters())]
    found = find_code_book(codes_of(words, spatial), tensors)
    assert found is not None
    torch.testing.assert_close(found.words, words)
    assert found.start == 0


def test_a_layer_that_no_code_has_passed_gives_no_words() -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(12, 3), torch.randn(8, 3), torch.randn(8)]
    assert find_code_book(torch.randn(6, 8, 4, 4), tensors) is None


@pytest.mark.parametrize("start", [0, 5])
def test_words_beside_what_a_coarser_code_became_are_found_with_their_place(start: int) -> None:
    torch.manual_seed(0)
    # As buffers of VQ-VAE-2 in public repositories have it: numbers first, words second.
    book = torch.randn(3, 12)
    coarser = torch.randn(6, 5, 4, 4)
    words = codes_of(book.T.contiguous(), True)
    codes = torch.cat([words, coarser] if start == 0 else [coarser, words], 1)
    found = find_code_book(codes, [torch.randn(5, 12), torch.randn(8), book])
    assert found is not None and found.start == start
    torch.testing.assert_close(found.words, book.T)
    assert find_code_book(codes, [torch.randn(3, 12)]) is None
