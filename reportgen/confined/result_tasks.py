"""Jobs on results as they run inside a confined process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.process.channel import Channel
from reportgen.process.confinement import Held

if TYPE_CHECKING:
    from reportgen.checks.checking import CheckRequest
    from reportgen.collection.entries import EntryRequest
    from reportgen.comparison.comparing import CompareRequest
    from reportgen.report.number_places import NamedNumber


@dataclass(frozen=True)
class CheckTask:
    """Hold rules against results; see `checks.checking`."""

    request: CheckRequest

    def __call__(self, channel: Channel, held: Held) -> None:
        """Check, and say what came of it."""
        from reportgen.checks.checking import check_results
        from reportgen.checks.outcomes import as_plain

        checked = check_results(self.request)
        channel.send(
            "done",
            [checked.summary, checked.preview],
            title=checked.title,
            outcomes=[as_plain(outcome) for outcome in checked.outcomes],
            numbers=[_plain_number(number) for number in checked.numbers],
        )


def _plain_number(number: NamedNumber) -> dict[str, Any]:
    estimate = number.estimate
    ends = {name: getattr(estimate, name) for name in ("value", "low", "high")}
    plain: dict[str, Any] = {
        name: None if not math.isfinite(end) else end for name, end in ends.items()
    }
    if isinstance(number.value, bool | int):
        plain["value"] = number.value
    return {"name": number.name, **plain, "shape": list(number.shape)}


@dataclass(frozen=True)
class SettingsTask:
    """Read the settings that a report was made with."""

    path: Path

    def __call__(self, channel: Channel, held: Held) -> None:
        """Read them, and hand them over."""
        from reportgen.comparison.comparing import settings_of_report

        channel.send("done", settings=settings_of_report(self.path))


@dataclass(frozen=True)
class CompareTask:
    """Put reports beside each other; see `comparison.comparing`."""

    request: CompareRequest

    def __call__(self, channel: Channel, held: Held) -> None:
        """Compare, and hand the page over."""
        from reportgen.comparison.comparing import compare_results
        from reportgen.confined.tasks import hand_over

        found = compare_results(self.request)
        hand_over(channel, found.files, lines=list(found.lines), differs=list(found.differs))


@dataclass(frozen=True)
class EntriesTask:
    """Read reports for the index of a site; see `collection.entries`."""

    requests: tuple[EntryRequest, ...]

    def __call__(self, channel: Channel, held: Held) -> None:
        """Read them, and hand over their entries and files."""
        from reportgen.collection.entries import read_entry

        entries: list[dict[str, Any]] = []
        parts: list[bytes] = []
        for request in self.requests:
            found = read_entry(request)
            entries.append({"entry": found.entry.as_plain(), "files": list(found.files)})
            parts += found.files.values()
        channel.send("done", parts, entries=entries)
