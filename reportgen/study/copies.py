"""Images with equal pixels, found by hash: a copy is no second image.

Copies in both halves would be tested on what they were fitted on, and rows resampled as if they
were independent make intervals too narrow: four copies of each image halve them.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

FINGERPRINT_BYTES = 16


def fingerprints(pixels: np.ndarray) -> np.ndarray:
    """(n, P) images → (n, 2) int64, equal for equal pixels and for no others."""
    digests = (blake2b(image, digest_size=FINGERPRINT_BYTES).digest() for image in pixels)
    return np.frombuffer(b"".join(digests), dtype=np.int64).reshape(len(pixels), 2)


def first_copies(prints: np.ndarray) -> np.ndarray:
    """(n, 2) fingerprints → (n,) the first image with the same pixels; itself where it is first."""
    _, first, of_each = np.unique(prints, axis=0, return_index=True, return_inverse=True)
    return first[of_each.reshape(-1)]


def with_their_copies(parts: tuple[np.ndarray, ...], first: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows (n,) of each part, every copy moved to the part that the first of its kind is in.

    `first` (N,) is `first_copies` of all rows.
    """
    part_of = np.full(len(first), -1)
    for number, rows in enumerate(parts):
        part_of[rows] = number
    every = np.concatenate(parts)
    if np.array_equal(part_of[first[every]], part_of[every]):
        return parts
    every = np.sort(every)
    return tuple(every[part_of[first[every]] == number] for number in range(len(parts)))
