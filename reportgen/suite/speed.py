"""The speed of a model on this machine, from its first forwards."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.engine import Engine
from reportgen.process.ranks import Ranks
from reportgen.study.stand_in import Asked

if TYPE_CHECKING:
    from reportgen.images import ImageSet

MOST_TIMED, ENOUGH_SECONDS = 64, 0.5
# Seconds for each value of a decoded image that is compared, projected and summed.
SECONDS_PER_VALUE = 1.5e-8


@dataclass(frozen=True)
class Speed:
    """Seconds of one image.

    Attributes
    ----------
    decode, encode : in the model, on all threads and ranks together.
    values : how many numbers an image has.
    """

    decode: float
    encode: float
    values: int

    def seconds(self, asked: Asked) -> float:
        """Return the seconds that all that is asked for should take."""
        each = self.decode + SECONDS_PER_VALUE * self.values
        return asked.decodes * each + asked.encodes * self.encode + asked.seconds


def timed(engine: Engine, images: ImageSet, ranks: Ranks) -> Speed:
    """Encode and decode twice as many images again and again, 64 or half a second of them at most.

    None of it is counted. Of several ranks the slowest decides.
    """
    counts = [2]
    while 2 * counts[-1] <= min(MOST_TIMED, len(images)):
        counts.append(2 * counts[-1])
    encode = decode = float("nan")
    numbers = engine.numbers_of(images.labels)
    began = time.perf_counter()
    with engine.uncounted():
        for count in counts:
            pixels = images.read(np.arange(count))
            started = time.perf_counter()
            labels = None if numbers is None else numbers[:count]
            codes = engine.encode(pixels.reshape(count, -1), labels)
            encode = (time.perf_counter() - started) / count
            # Equal codes are decoded once.
            apart = np.float32(1e-3) * np.arange(count, dtype=np.float32)[:, None]
            started = time.perf_counter()
            codes[:, : engine.code_size - engine.label_size] += apart
            engine.decode(codes)
            decode = (time.perf_counter() - started) / count
            if ranks.largest(time.perf_counter() - began) > ENOUGH_SECONDS:
                break
    shared = ranks.count
    return Speed(ranks.largest(decode) / shared, ranks.largest(encode) / shared, engine.image_size)
