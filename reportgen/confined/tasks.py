"""The job as it runs inside a confined process, with the parent at its doors."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import ModelError, ReportgenError
from reportgen.loading.options import LoadingOptions
from reportgen.process.channel import Channel
from reportgen.process.confinement import Held, asked_for_too_much
from reportgen.process.progress import QuietProgress
from reportgen.request import BuildRequest
from reportgen.settings import Settings
from reportgen.study.subject import GivenSets

if TYPE_CHECKING:
    from reportgen.delivery.delivery import ReportFiles

PIECE_BYTES = 2**24
READ_AHEAD = 2**16
LIFTED = (
    "Code that you name runs without writing files, opening connections or starting programs; "
    "--trust allows all of them."
)
# What Python and numba say where they find no folder that they may write in.
WANT_TO_WRITE = ("usable temporary directory", "cannot cache function")


@dataclass(frozen=True)
class BuildTask:
    """Make a report.

    Attributes
    ----------
    request, settings : as for `job.make_report`.
    written_over : see `Surroundings`.
    rank, ranks : this process among those that share the rows.
    scratch : a descriptor of a file without a name, or None.
    with_results : whether results.json and results.npz are handed over too.
    limits : the memory and time that it has, as a sentence.
    started : when the build began, by `time.monotonic`.
    given : images that stand for those of the request, or None.
    """

    request: BuildRequest
    settings: Settings
    written_over: frozenset[tuple[int, int]]
    rank: int
    ranks: int
    scratch: int | None
    with_results: bool
    limits: str
    started: float
    given: GivenSets | None = None

    def __call__(self, channel: Channel, held: Held) -> None:
        """Make it, and hand it over."""
        from reportgen.confined.remote_ranks import RemoteRanks
        from reportgen.job import make_report
        from reportgen.process.clock import Clock
        from reportgen.process.scratch import Scratch
        from reportgen.process.surroundings import Surroundings

        freeze()
        surroundings = Surroundings(
            ranks=RemoteRanks(self.rank, self.ranks, channel),
            scratch=Scratch(self.scratch),
            open_file=Opener(channel),
            keep_codes=lambda name, pieces: keep_codes(channel, name, pieces),
            written_over=self.written_over,
            confinement=said_of(held, self.limits),
            clock=Clock(self.started),
        )
        progress = ToldProgress(channel)
        with doors_named(held):
            made = make_report(
                self.request,
                self.settings,
                progress,
                surroundings,
                self.with_results,
                self.given,
            )
        if made is None:
            channel.send("done", made=False)
            return
        hand_over(channel, made.files, **_plain(made.outcome))


@dataclass(frozen=True)
class InspectTask:
    """Say what a model file is; see `job.inspect`."""

    model: Path
    data: Path | None
    loading: LoadingOptions
    size: tuple[int, int] | None
    labels: Path | None = None

    def __call__(self, channel: Channel, held: Held) -> None:
        """Look at it, and say so."""
        from reportgen.job import inspect

        freeze()
        with doors_named(held):
            inspection = inspect(
                self.model, self.data, self.loading, self.size, self.labels, Opener(channel)
            )
        channel.send("done", inspection=inspection.as_json())


@dataclass(frozen=True)
class RenderTask:
    """Make the page of a folder of results; see `job.render`."""

    folder: Path
    layout: PageLayout

    def __call__(self, channel: Channel, held: Held) -> None:
        """Make it, and hand it over."""
        from reportgen.job import render

        page, files = render(self.folder, self.layout)
        hand_over(channel, files, page_bytes=page.size, failed=bool(page.failures))


class ToldProgress(QuietProgress):
    """Keeps the seconds, and tells the parent, whose terminal it is."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Within this block, `name` is what is being done."""
        self._channel.send("step", name=name)
        with super().step(name):
            yield
        self._channel.send("step done", name=name)

    def decoded(self, count: int, left: float | None = None) -> None:
        """`count` more codes were decoded; the rest should take `left` seconds, where known."""
        self._channel.send("decoded", count=count, left=left)

    def planned(self, sentence: str) -> None:
        """Pass on what the build will take, and what was spared."""
        self._channel.send("planned", sentence=sentence)

    def encoded(self, done: int, of: int) -> None:
        """The pass over all images has come this far."""
        self._channel.send("encoded", done=done, of=of)


class Opener:
    """Opens a picture, through the parent where it lies outside what may be read."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __call__(self, path: Path) -> BinaryIO:
        """The file's bytes. Raises OSError."""
        try:
            return path.open("rb")
        except PermissionError:
            return io.BufferedReader(OutsideFile(self._channel, path), READ_AHEAD)


class OutsideFile(io.RawIOBase):
    """A picture that only the parent may read. Raises OSError where it does not."""

    def __init__(self, channel: Channel, path: Path) -> None:
        super().__init__()
        self._channel, self._path, self._place = channel, os.fspath(path), 0
        self._size = self._ask(0)[0]

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        room = memoryview(buffer)
        content = self._ask(min(len(room), PIECE_BYTES))[1]
        room[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _ask(self, size: int) -> tuple[int, bytes]:
        path = os.fsencode(self._path).hex()
        answer = self._channel.ask("outside", path=path, place=self._place, size=size)
        if answer.kind != "outside":
            raise OSError(errno.EACCES, answer.text("reason", 1000), self._path)
        return answer.count("size"), answer.parts[0]


def keep_codes(channel: Channel, name: str, pieces: Iterable[bytes | memoryview]) -> None:
    """Let the parent keep an entry of the cache."""
    channel.send("codes", name=name)
    for piece in pieces:
        channel.send("piece", [piece])
    channel.send("codes done")


def hand_over(channel: Channel, files: ReportFiles, **said: Any) -> None:
    """Hand a report's files to the parent, with what there is to say of it."""
    fixed = [files.html, files.results, files.images, files.summary, files.preview]
    parts = [*fixed, *files.beside.values()]
    channel.send("done", parts, made=True, beside=list(files.beside), **said)


def said_of(held: Held, limits: str) -> str:
    """A sentence for the report: what this process could do, and what held it."""
    by = [f"Landlock {held.landlock}"] if held.landlock else []
    by += ["seccomp"] if held.seccomp else []
    if not by:
        said = "A process of its own"
    elif held.reading_open:
        said = "Could write no file, open no connection and start no program"
    elif held.landlock:
        said = (
            "Could read the inputs and Python's own files alone, write no file, open no connection "
            "and start no program"
        )
    else:
        said = "Could write no file, open no connection and start no program, but read any file"
    held_by = f" (held by {' and '.join(by)})" if by else ""
    missing = f" Not held: {'; '.join(held.missing)}." if held.missing else ""
    return f"{said}{held_by}. {limits}{missing}"


@contextmanager
def doors_named(held: Held) -> Iterator[None]:
    """Name what opens a shut door, or raises a limit, that code of the user's own runs into."""
    try:
        yield
    except Exception as error:
        said = _way_out(error, held)
        if not held.reading_open or not said:
            raise
        if isinstance(error, ReportgenError):
            raise type(error)(f"{str(error).rstrip(':. ')}. {said}") from error
        raise ModelError(f"The code that you named fails: {error}. {said}") from error


def freeze() -> None:
    """Spare imports the garbage collector: each full collection would look through all of them."""
    import gc

    gc.freeze()


def _way_out(error: BaseException, held: Held) -> str:
    """Say what the user may do about an error that the confinement caused; "" for any other."""
    if held.memory_bytes is not None and asked_for_too_much(error):
        return (
            f"The process may have {held.memory_bytes / 1e9:.1f} GB; a larger --memory allows more."
        )
    return LIFTED if _at_a_shut_door(error) else ""


def _at_a_shut_door(error: BaseException | None) -> bool:
    shut = (errno.EPERM, errno.EACCES)
    while error is not None:
        if any(words in str(error) for words in WANT_TO_WRITE):
            return True
        inner = getattr(error, "reason", None)
        for found in (error, inner):
            if isinstance(found, OSError) and found.errno in shut:
                return True
        error = error.__cause__ or error.__context__
    return False


def _plain(outcome: Any) -> dict[str, Any]:
    """An outcome's fields as JSON has them, without those that only the parent knows."""
    from reportgen.checks.outcomes import as_plain

    named = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    named["profile"] = [asdict(cost) for cost in outcome.profile]
    named["checks"] = [as_plain(check) for check in outcome.checks]
    return {
        name: named[name]
        for name in ("answers", "failed", "page_bytes", "section_bytes", "profile", "checks")
    }
