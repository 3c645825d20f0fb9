"""The first code of a confined process: give up what is not needed, then do what the parent says.

Run by `ChildProcess`, in an interpreter that has imported nothing yet. What the parent sends before
the task is trusted; what the task opens is not, and by then the confinement holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pickle
import signal
import sys
import tempfile
import traceback
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from reportgen.errors import ModelError, ReportgenError
from reportgen.process.calm_threads import calm_threads
from reportgen.process.channel import Channel, ChannelError
from reportgen.process.confinement import Held, asked_for_too_much, confine

# What the parent sends is its own: there is no need for a limit.
ANY_SIZE = 2**62
END_WITH_PARENT = 1
ENDED_BY_CODE = (
    "The code that you named raises {kind}, which ends the program; take that out of it."
)


def main() -> None:
    """Confine this process, run the task that comes over standard input, and say how it ended."""
    # Control-C goes to all of a terminal's processes; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _channel()
    order = channel.receive()
    assert order is not None and order.kind == "confine"
    _end_with_parent(order.fields["parent"])
    # Found by writing a file, which is not to be had later.
    tempfile.tempdir = tempfile.gettempdir()
    sys.dont_write_bytecode = True
    calm_threads()
    fields = order.fields
    readable = fields["readable"]
    if readable is not None and fields["packages_of"]:
        readable += _packages_of(fields["packages_of"])
    held = confine(
        None if readable is None else [Path(path) for path in readable],
        [Path(path) for path in fields["writable"]],
        memory_bytes=fields["memory_bytes"],
        cpu_seconds=fields["cpu_seconds"],
    )
    if held.seccomp:
        # Libraries that look for a compiler when they are imported find none, and do without.
        os.environ["PATH"] = ""
    channel.send("held", **asdict(held))
    task = channel.receive()
    assert task is not None and task.kind == "task"
    try:
        perform(task.parts[0], channel, held)
    except ChannelError:
        # The parent has gone, or has had enough.
        os._exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    # What a stranger's file has left behind in the interpreter is not to run at its end.
    os._exit(0)


def perform(pickled_task: bytes, channel: Channel, held: Held) -> None:
    """Run the task, and tell the parent of any error that ends it.

    Raises ChannelError where the parent does not listen any more.
    """
    try:
        pickle.loads(pickled_task)(channel, held)
    except ChannelError:
        raise
    except MemoryError:
        channel.send("out of memory")
    except ReportgenError as error:
        channel.send("refused", error=type(error).__name__, sentence=_plain(str(error)))
    except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
        # Nobody pressed Control-C here, and nothing of ours ends the program.
        sentence = ENDED_BY_CODE.format(kind=type(error).__name__)
        channel.send("refused", error=ModelError.__name__, sentence=sentence)
    except BaseException as error:
        kind = "out of memory" if asked_for_too_much(error) else "bug"
        channel.send(kind, traceback=_plain(traceback.format_exc())[-(2**20) :])


def _channel() -> Channel:
    """The channel on what were standard input and output; what is printed goes to the error's."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return Channel(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"), ANY_SIZE)


def _packages_of(group: str) -> list[str]:
    """Locate the packages that have entry points in this group: perhaps beside the inputs.

    Their folders are listed once, here: importlib remembers what it found there.
    """
    found: list[str] = []
    for entry in metadata.entry_points(group=group):
        described = getattr(entry.dist, "_path", None)
        found += [] if described is None else [str(described)]
        with contextlib.suppress(ImportError, ValueError):
            # Nothing is imported: who loads the entry point says what is wrong with it.
            spec = importlib.util.find_spec(entry.module.partition(".")[0])
            if spec is not None:
                found += spec.submodule_search_locations or filter(None, [spec.origin])
    return found


def _end_with_parent(parent: int) -> None:
    """Ask the system to end this process when the parent ends, however it does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(END_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    if hasattr(os, "getppid") and os.getppid() != parent:
        os._exit(1)


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
