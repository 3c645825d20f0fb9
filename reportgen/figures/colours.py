"""Colour scales: one symmetric diverging map for signed grey-scale pictures.

Blue is negative, orange positive, near-white no change. Both sides fall in lightness alone, so the
map stays ordered for readers who do not tell colours apart and in grey print.
"""

from __future__ import annotations

import numpy as np

ANCHORS = (-1.0, -0.5, 0.0, 0.5, 1.0)
ANCHOR_COLOURS = ((11, 47, 107), (91, 143, 208), (244, 244, 242), (224, 138, 74), (122, 42, 0))
NEUTRAL = ANCHOR_COLOURS[2]
MID_GREY = 128


def diverging(signed: np.ndarray) -> np.ndarray:
    """(…) values in [−1, 1] → (…, 3) uint8; 0 is `NEUTRAL`, values beyond the ends are clipped."""
    clipped = np.clip(np.nan_to_num(np.asarray(signed, dtype=np.float64)), -1, 1)
    colours = np.array(ANCHOR_COLOURS, dtype=np.float64)
    channels = [np.interp(clipped, ANCHORS, colours[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def around_grey(signed: np.ndarray) -> np.ndarray:
    """(…) values in [−1, 1] → (…) uint8 levels around mid-grey 128, for one colour channel."""
    clipped = np.clip(np.nan_to_num(np.asarray(signed, dtype=np.float64)), -1, 1)
    return np.rint(MID_GREY + 127 * clipped).astype(np.uint8)


def diverging_steps(count: int = 25) -> tuple[str, ...]:
    """The map in equal steps as "#rrggbb", for a legend: gradients make printed pages large."""
    return tuple(
        "#{:02x}{:02x}{:02x}".format(*colour) for colour in diverging(np.linspace(-1, 1, count))
    )
