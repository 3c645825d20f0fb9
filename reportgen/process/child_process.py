"""A confined process from its parent's side: start it, hear it, and say how it died.

Whatever the child sends is checked before it is used: once it has opened a stranger's file, it may
be the stranger's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from reportgen.errors import BugError, ChildError, ReportgenError
from reportgen.process.channel import Channel, ChannelError, Message
from reportgen.process.confinement import Held
from reportgen.process.gentle_end import ended_gently
from reportgen.shown import escaped, shown

# The interpreter takes the parent's own path: an installation may be found through it alone.
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from reportgen.process.child_main import main; main()"
)
SECONDS_TO_END = 5
KEPT_LINES, LONGEST_LINE, LONGEST_SENTENCE = 200, 500, 4000
LARGEST_TEXT = 2**20
CRASHES = {
    "SIGSEGV": "it reached for memory that is not its own",
    "SIGBUS": "it reached for memory that is not there",
    "SIGFPE": "it computed what a processor cannot",
    "SIGILL": "it ran into what is no instruction",
    "SIGABRT": "one of its libraries gave up",
    "SIGSYS": "it made a system call that is forbidden here",
    "SIGTRAP": "one of its libraries gave up",
}


@dataclass(frozen=True)
class Confinement:
    """Rights that the child keeps, and its limits; see `confine`.

    Attributes
    ----------
    readable : files and folders; None for all.
    writable : devices.
    packages_of : a group of entry points, whose packages may be read too; "" for none.
    memory_bytes, cpu_seconds : its limits, None for none.
    memory_said, time_said : how the user may raise them: ends of sentences.
    """

    readable: tuple[Path, ...] | None
    writable: tuple[Path, ...] = ()
    packages_of: str = ""
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    memory_said: str = ""
    time_said: str = ""


class ChildProcess:
    """A context in which the child lives; it is ended with it.

    Parameters
    ----------
    task : called in the child with its channel and what holds it; is pickled.
    confinement : what it may do.
    most_bytes : of one message of the child's.
    about : what it reads, for sentences.
    say : is told every line that the child prints.
    descriptors : open files that it inherits.

    Attributes
    ----------
    channel : to the child.
    held : what holds it.
    doing : the step that it is at, for sentences.
    """

    def __init__(
        self,
        task: Callable[[Channel, Held], None],
        confinement: Confinement,
        *,
        most_bytes: int,
        about: str,
        say: Callable[[str], None],
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self._task, self._confinement, self._about, self._say = task, confinement, about, say
        self._most_bytes, self._descriptors = most_bytes, descriptors
        self.doing = "start"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(ended_gently())
            # Empty, and nobody's: libraries look for their settings in it.
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="reportgen-"))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT, json.dumps(_import_path())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(None if self._confinement.readable is None else home),
                pass_fds=self._descriptors,
            )
            stack.callback(self._end)
            incoming, outgoing = self._process.stdout, self._process.stdin
            assert incoming is not None and outgoing is not None
            self.channel = Channel(
                cast(BinaryIO, incoming), cast(BinaryIO, outgoing), self._most_bytes
            )
            self._printed = _Printed(self._process.stderr)
            self._ending = stack.pop_all()
        try:
            self._send_orders(Path(home))
        except BaseException as error:
            # The context has not begun: nobody else would end the child.
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said = self._death(str(error)) if isinstance(error, ChannelError) else None
        self._ending.close()
        if said is not None:
            raise ChildError(said) from error

    def messages(self) -> Iterator[Message]:
        """Every message of the child's, until it says "done", which comes last.

        Raises the ReportgenError that the child raised, BugError for any other error, ChildError
        where it died or says what it should not.
        """
        while True:
            message = self._receive()
            if message.kind == "refused":
                raise _refusal(message)
            if message.kind == "out of memory":
                raise ChildError(self._out_of_memory())
            last = message.kind in ("bug", "done")
            for line in self._printed.take(to_the_end=last):
                self._say(line)
            if message.kind == "bug":
                raise BugError(_lines_shown(message.text("traceback", LARGEST_TEXT)))
            yield message
            if last:
                return

    def _send_orders(self, home: Path) -> None:
        order = self._confinement
        readable = order.readable
        self.channel.send(
            "confine",
            parent=os.getpid(),
            readable=None if readable is None else [str(path) for path in (*readable, home)],
            writable=[str(path) for path in (Path(os.devnull), *order.writable)],
            packages_of=order.packages_of,
            memory_bytes=order.memory_bytes,
            cpu_seconds=order.cpu_seconds,
        )
        held = self._receive()
        self.held = Held(**{**held.fields, "missing": tuple(held.fields["missing"])})
        self.channel.send("task", [pickle.dumps(self._task)])

    def _receive(self) -> Message:
        message = self.channel.receive()
        if message is None:
            # Its end of the pipe goes before it does.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SECONDS_TO_END)
            raise ChannelError("it ended without a word")
        return message

    def _death(self, said: str) -> str:
        code = self._process.poll()
        if code is None:
            return (
                f"The process that read {self._about} sent what is no message ({said}) and was "
                "ended; nothing was written."
            )
        name, step = _signal_name(code), shown(self.doing)
        if name == "SIGXCPU" or (name == "SIGKILL" and self._confinement.cpu_seconds is not None):
            return (
                f"{self._about}: the work took more than the {self._confinement.cpu_seconds} "
                f"seconds of computing that {self._confinement.time_said}; nothing was written."
            )
        if name in CRASHES:
            how = f"crashed at the step {step} ({name}: {CRASHES[name]}{self._last_words()})"
        elif name == "SIGKILL":
            how = f"was killed at the step {step}, as systems do where memory runs out"
        else:
            how = f"ended at the step {step} ({name or f'exit code {code}'}{self._last_words()})"
        return (
            f"The process that read {self._about} {how}; nothing was written. A damaged or hostile "
            "file can do that."
        )

    def _out_of_memory(self) -> str:
        limit = self._confinement.memory_bytes
        said = f"more than the {limit / 1e9:.1f} GB that" if limit else "more memory than"
        return (
            f"{self._about}: the work asked for {said} {self._confinement.memory_said} "
            f"(at the step {shown(self.doing)}); nothing was written."
        )

    def _last_words(self) -> str:
        last = self._printed.last()
        return f"; its last words were: {shown(last)}" if last else ""

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self._printed.close()


class _Printed:
    """The lines that the child prints, the last of them, read while it runs."""

    def __init__(self, pipe: BinaryIO | Any) -> None:
        self._pipe: BinaryIO = pipe
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._taken: list[str] = []
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while line := self._pipe.readline(4 * LONGEST_LINE):
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            with self._lock:
                self._lines.append(shown(text, LONGEST_LINE))

    def take(self, *, to_the_end: bool = False) -> list[str]:
        """Return what was printed since this was last asked for, escaped, a line each.

        `to_the_end` waits for the last line, of a process that is about to end.
        """
        if to_the_end:
            self._reader.join(SECONDS_TO_END)
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
        self._taken = [line for line in lines if line]
        return self._taken

    def last(self) -> str:
        """Return a dead process's last line, even if its last message took it, or ""."""
        before = self._taken
        lines = self.take(to_the_end=True) or before
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Read what is left, and let go of the pipe."""
        self._reader.join(1)
        if not self._reader.is_alive():
            self._pipe.close()


def _import_path() -> list[str]:
    """Return the child's import path: ours, but for the folder that the user happens to be in.

    A file that lies beside the data is not to be imported for one of the libraries.
    """
    first, *others = sys.path
    package = Path(__file__).resolve().parents[2]
    if first in ("", str(Path.cwd())) and Path(first).resolve() != package:
        return others
    return [first, *others]


def _environment(home: str | None) -> dict[str, str]:
    """The user's own, with what libraries would otherwise look up where they may not read.

    `home` is an empty folder for their settings; None where they may read the user's.
    """
    import getpass

    environment = dict(os.environ)
    if home is not None:
        environment.setdefault("MPLCONFIGDIR", home)
    # joblib asks for a semaphore when it is imported, and warns when it gets none.
    environment["JOBLIB_MULTIPROCESSING"] = "0"
    with contextlib.suppress(OSError, KeyError, ImportError):
        environment.setdefault("LOGNAME", getpass.getuser())
    return environment


def _refusal(message: Message) -> ReportgenError:
    from reportgen import errors

    kind = getattr(errors, message.text("error", 100), None)
    sentence = shown(message.text("sentence", LARGEST_TEXT), LONGEST_SENTENCE)
    known = isinstance(kind, type) and issubclass(kind, ReportgenError)
    return kind(sentence) if known else ReportgenError(sentence)  # type: ignore[misc]


def _lines_shown(text: str) -> str:
    return "\n".join(escaped(line) for line in text.splitlines())


def _signal_name(code: int) -> str:
    """The name of the signal that ended a process; "" for none."""
    if code >= 0:
        return ""
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
