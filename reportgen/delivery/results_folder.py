"""results.json and results.npz without a page: checked before the work starts, both or neither."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reportgen.delivery.collisions import Input
from reportgen.delivery.output import RESULTS_FILES, check_makeable, write_together
from reportgen.delivery.target import Target
from reportgen.errors import OutputError
from reportgen.process.gentle_end import ended_gently
from reportgen.shown import shown


class ResultsFolder:
    """A folder that results go to; made if need be.

    Raises OutputError where nothing can be written there, or it would be over an input.
    """

    def __init__(self, folder: Path, inputs: Iterable[Input] = ()) -> None:
        self._folder = folder
        self._targets = [Target(folder / name, "--results") for name in RESULTS_FILES]
        check_makeable(folder)
        read = {given.path.resolve() for given in inputs}
        for target in self._targets:
            if target.status() is not None:
                target.check()
            if target.place in read:
                raise OutputError(
                    f"{shown(target.path)} is read and would be written over; give --results "
                    "another folder."
                )

    def write(self, results: bytes, images: bytes) -> None:
        """Write both files. Raises OutputError; then all is as it was before."""
        contents = list(zip(self._targets, (results, images), strict=True))
        with ended_gently():
            write_together(contents, self._folder)
