"""Single files that a command writes beside a page, or without one: summaries, pictures, lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reportgen.delivery.collisions import Input, refuse_file_collisions
from reportgen.delivery.output import write_together
from reportgen.delivery.target import Target
from reportgen.errors import OutputError
from reportgen.process.gentle_end import ended_gently
from reportgen.shown import shown

# Where GitHub collects what all steps of a job have to say.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class Files:
    """Files to be written, by the flag that names each; found possible before the work starts.

    Raises OutputError where one cannot be written, or would be written over an input, another, or
    one of the `others` that are written beside them.
    """

    def __init__(
        self,
        paths: Mapping[str, Path | None],
        inputs: Iterable[Input] = (),
        others: Sequence[Target] = (),
    ) -> None:
        named = {flag: path for flag, path in paths.items() if path is not None}
        self.targets = {flag: Target(path, flag) for flag, path in named.items()}
        for target in self.targets.values():
            target.check()
        refuse_file_collisions([*self.targets.values(), *others], inputs)

    @property
    def fills_stdout(self) -> bool:
        """Tell whether something goes to standard output, where nothing else belongs then."""
        return any(target.descriptor == 1 for target in self.targets.values())

    def contents(self, files: Mapping[str, bytes]) -> list[tuple[Target, bytes]]:
        """Each target with what it is to hold; what is appended to stands before it."""
        return [(target, _behind(target, files[flag])) for flag, target in self.targets.items()]

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write all of them, by their flags, or none. Raises OutputError."""
        contents = self.contents(files)
        if contents:
            with ended_gently():
                write_together(contents, contents[0][0].path)


def _behind(target: Target, content: bytes) -> bytes:
    """The content, behind what is there already in GitHub's summary of a job."""
    collected = os.environ.get(STEP_SUMMARY)
    if not collected or target.is_stream or Path(os.path.realpath(collected)) != target.place:
        return content
    try:
        earlier = target.place.read_bytes() if target.place.exists() else b""
    except OSError as error:
        raise OutputError(f"{shown(target.path)} cannot be read: {error.strerror}.") from error
    return earlier + (b"\n" if earlier else b"") + content
