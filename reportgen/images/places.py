"""Places of chosen images among all of the data, by which rows of a label file are theirs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.images.names import natural_order


@dataclass(frozen=True)
class Places:
    """The places of an image set's images among all that the data holds.

    Attributes
    ----------
    rows : (n,) the place of each, from 0: its row in an array, a table or a parquet file; in a
        folder or an archive, in natural order of all pictures' names.
    count : number of images in the data, damaged ones and those that were not chosen included.
    names : (n,) the images' paths as they are in the data, or None where they have none.
    """

    rows: np.ndarray
    count: int
    names: tuple[str, ...] | None = None


def places_in_natural_order(names: Sequence[str], every_name: Iterable[str]) -> Places:
    """The places of some names among all of them, which may come in any order, as a stream."""
    order = sorted(range(len(names)), key=lambda i: natural_order(names[i]))
    keys = [natural_order(names[i]) for i in order]
    # How many names lie behind the key before, up to this one: itself is the last of them.
    between = np.zeros(len(keys) + 1, np.intp)
    count = 0
    for name in every_name:
        between[bisect_left(keys, natural_order(name))] += 1
        count += 1
    rows = np.empty(len(names), np.intp)
    rows[order] = np.cumsum(between[:-1]) - 1
    return Places(rows, count, tuple(names))


def places_in_order(names: Sequence[str], every_name: Iterable[str]) -> Places:
    """The places of some names in a stream of all of them."""
    wanted = {name: i for i, name in enumerate(names)}
    rows = np.zeros(len(names), np.intp)
    count = 0
    for name in every_name:
        if name in wanted:
            rows[wanted[name]] = count
        count += 1
    return Places(rows, count, tuple(names))
