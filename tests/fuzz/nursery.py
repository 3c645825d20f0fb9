"""Processes that are born warm, confine themselves as the commands' children do, and read one file.

`ChildProcess` starts an interpreter for each job, which takes a second. Here a process that has
imported everything, and has one thread, forks; the fork gives up, by the same call, what a child of
the commands gives up, and only then opens a stranger's file. An audit hook tells what it tried.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reportgen.errors import ReportgenError
from reportgen.process.child_process import LONGEST_SENTENCE, Confinement
from reportgen.process.confinement import asked_for_too_much, confine
from reportgen.shown import shown

MOST_SECONDS = 10
# On a machine that others use too, seconds of computing take several on the clock.
MOST_SECONDS_ON_THE_CLOCK = 60
OUTCOMES = ("read", "refused", "memory", "crashed", "slow", "traceback", "reached")
# They are one sentence of the command's; the first is a page or a model.
SOUND = ("read", "refused", "memory")
REACHING = (
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("subprocess.Popen", "socket.connect", "socket.bind", "socket.getaddrinfo", "os.kill"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "shutil.rmtree", "shutil.copyfile", "shutil.move", "ctypes.dlopen"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    kind : one of OUTCOMES.
    said : the sentence, the traceback, the signal's name, or what was reached for.
    seconds, bytes : of computing, and of memory at the most.
    """

    kind: str
    said: str
    seconds: float
    bytes: int


def read_confined(
    reads: Sequence[Callable[[], object]],
    order: Confinement,
    loud: bool = False,
    most_deaths: int | None = None,
) -> list[Outcome]:
    """Read one after another in a fork that is confined as `order` says; in another where it dies.

    With `most_deaths`, no more than so many die: the others are not read then. What one leaves
    behind may change the next: what is no sentence is to be tried again alone.
    """
    found: list[Outcome] = []
    deaths = 0
    while len(found) < len(reads) and deaths != most_deaths:
        found += _in_one_fork(reads[len(found) :], order, loud)
        deaths += 1
    return found


def _in_one_fork(
    reads: Sequence[Callable[[], object]], order: Confinement, loud: bool
) -> list[Outcome]:
    incoming, outgoing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            os.close(incoming)
            _be_the_child(reads, order, outgoing, loud)
        finally:
            os._exit(70)
    os.close(outgoing)
    lines, late = _heard(incoming)
    if late:
        os.kill(child, signal.SIGKILL)
    os.close(incoming)
    _, status, used = os.wait4(child, 0)
    found = [Outcome(*json.loads(line)) for line in lines[:-1]]
    if len(found) < len(reads):
        seconds = used.ru_utime + used.ru_stime - sum(outcome.seconds for outcome in found)
        found.append(Outcome(*_death(status, late), seconds, used.ru_maxrss * 1024))
    return [replace(outcome, kind="slow") if is_slow(outcome) else outcome for outcome in found]


def is_slow(outcome: Outcome) -> bool:
    """Tell whether it took too long, though it ended as it should."""
    return outcome.kind in SOUND and outcome.seconds > MOST_SECONDS


def _heard(incoming: int) -> tuple[list[bytes], bool]:
    """The lines that the child writes until its end of the pipe closes, and whether one was late.

    The last one is not whole.
    """
    said, until = b"", time.monotonic() + MOST_SECONDS_ON_THE_CLOCK
    while True:
        ready, _, _ = select.select([incoming], [], [], max(0, until - time.monotonic()))
        piece = os.read(incoming, 2**16) if ready else b""
        if not piece:
            return said.split(b"\n"), not ready
        said += piece
        if b"\n" in piece:
            until = time.monotonic() + MOST_SECONDS_ON_THE_CLOCK


def _death(status: int, late: bool) -> tuple[str, str]:
    if late:
        return "slow", f"no end after {MOST_SECONDS_ON_THE_CLOCK} seconds on the clock"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return ("slow" if name in ("SIGXCPU", "SIGKILL") else "crashed"), name
    return "crashed", f"exit code {os.WEXITSTATUS(status)}"


def _be_the_child(
    reads: Sequence[Callable[[], object]], order: Confinement, outgoing: int, loud: bool
) -> None:
    if not loud:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
    confine(order.readable, (Path(os.devnull), *order.writable), memory_bytes=order.memory_bytes)
    reached: list[str] = []
    sys.addaudithook(_watching(reached))
    for read in reads:
        before = time.process_time()
        # The kernel ends what computes for longer.
        until = int(before) + MOST_SECONDS + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        kind, said = _outcome_of(read)
        if reached:
            kind, said = "reached", f"{'; '.join(reached[:5])} ({kind}: {said})"
            reached.clear()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        outcome = (kind, said[-30_000:], time.process_time() - before, memory)
        _write_all(outgoing, json.dumps(outcome).encode() + b"\n")
    os._exit(0)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _outcome_of(read: Callable[[], object]) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except ReportgenError as error:
        sentence = str(error)
        if sentence != shown(sentence, LONGEST_SENTENCE):
            # The parent escapes it and cuts it; here is told that it had to.
            return "refused", f"(escaped) {shown(sentence, LONGEST_SENTENCE)}"
        return "refused", sentence
    except BaseException as error:
        kind = "memory" if asked_for_too_much(error) else "traceback"
        return kind, traceback.format_exc()
    return "read", ""


def _watching(reached: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that keeps what reaches beyond reading."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REACHING:
            reached.append(f"{event} {shown(arguments)}")
        elif event == "open" and len(arguments) > 2 and isinstance(arguments[2], int):
            path, _, flags = arguments
            if flags & WRITING and path != os.devnull:
                reached.append(f"open for writing {shown(path)}")

    return watch
