"""Images with their codes and reconstructions, from one pass over all of them."""

from reportgen.samples.code_cache import CodeCache
from reportgen.samples.sample import (
    Sample,
    hold_constants,
    moving_coordinates,
    read_samples,
    squared_norms,
    with_codes,
)

__all__ = [
    "CodeCache",
    "Sample",
    "hold_constants",
    "moving_coordinates",
    "read_samples",
    "squared_norms",
    "with_codes",
]
