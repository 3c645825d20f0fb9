"""Code that a test runs in a confined child on purpose, where a stranger's file would be opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.process.channel import Channel
from reportgen.process.child_process import ChildProcess, Confinement
from reportgen.process.confinement import Held
from tests.process.confined import PYTHONS_OWN

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Hostile:
    """Runs `code`, which finds `channel`, `held`, `outcome`, its `given` values and `said`.

    What it puts in `said` is sent at the end.
    """

    code: str
    given: dict[str, Any] = field(default_factory=dict)

    def __call__(self, channel: Channel, held: Held) -> None:
        """Run it."""
        said: dict[str, Any] = {}
        names = {"channel": channel, "held": held, "outcome": outcome, "said": said}
        exec(self.code, names | self.given)
        channel.send("done", said=said)


def outcome(attempt: Any) -> Any:
    """What the attempt gives, or the name of the error."""
    import errno

    try:
        return attempt()
    except BaseException as error:
        return errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)


def confinement(**others: Any) -> Confinement:
    """Python's own files, and these tests', can be read."""
    return Confinement(readable=(*map(Path, PYTHONS_OWN), TESTS), **others)


def child(code: str, say: Any = lambda line: None, order: Confinement | None = None, **given: Any):
    """A child that runs the code."""
    return ChildProcess(
        Hostile(code, given),
        order or confinement(),
        most_bytes=2**20,
        about="model.pt and images",
        say=say,
    )
