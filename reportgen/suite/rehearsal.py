"""A rehearsal: every question asked of a stand-in, to count the forwards that each will take."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from reportgen.study.stand_in import PIXELS, Asked, Frame, StandInStudy
from reportgen.study.study import Study


@dataclass(frozen=True)
class Rehearsal:
    """Forwards that questions ask for, and results that they share.

    Attributes
    ----------
    frames : by a question's name, or a shared result's key.
    pictures : how many pictures each question's answer holds, by its name.
    """

    frames: Mapping[Hashable, Frame]
    pictures: Mapping[str, int]

    def asked(self, names: Iterable[str]) -> Asked:
        """All that these questions ask for, shared results once."""
        return sum(self.asked_in_turn(names).values(), Asked())

    def asked_in_turn(self, names: Iterable[str]) -> dict[str, Asked]:
        """Return what each of these questions asks for that none before it has."""
        known: set[Hashable] = set()
        found = {}
        for name in names:
            found[name] = sum((frame.own for frame in self._new_frames(name, known)), Asked())
        return found

    def _new_frames(self, key: Hashable, known: set[Hashable]) -> Iterator[Frame]:
        if key in known or key not in self.frames:
            return
        known.add(key)
        yield self.frames[key]
        for needed in self.frames[key].needs:
            yield from self._new_frames(needed, known)


def rehearse(study: StandInStudy, runs: Mapping[str, Callable[[Study], Any]]) -> Rehearsal:
    """Ask the questions of a stand-in.

    One that the stand-in cannot answer, or that fails, has asked for what it asked for until then.
    """
    pictures = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, run in runs.items():
            with study.ledger.asked_by(name):
                try:
                    pictures[name] = _pictures_in(run(study))
                except Exception:
                    pictures[name] = 0
    return Rehearsal(study.ledger.frames, pictures)


def _pictures_in(answer: object) -> int:
    """Count the pictures in an answer, which its type marks as `ImageArray`."""
    if isinstance(answer, tuple):
        return sum(map(_pictures_in, answer))
    if not is_dataclass(answer) or isinstance(answer, type):
        return 0
    return sum(
        np.size(value) // PIXELS if "ImageArray" in str(kind) else _pictures_in(value)
        for kind, value in ((each.type, getattr(answer, each.name)) for each in fields(answer))
    )
