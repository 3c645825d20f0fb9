"""Rights given up for good by this process, before a stranger's file is opened.

Landlock holds files, seccomp holds system calls, and limits hold memory and time. They are the
kernel's, bind every library and every thread that comes later, and nothing in the process can take
them back. Each holds by itself where another is missing; `Held` says which do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportgen.process import landlock
from reportgen.process.call_filter import Forbidden, install
from reportgen.process.system_calls import architecture, call, control_process

NO_NEW_PRIVILEGES = 38
CAPABILITIES_VERSION = 0x20080522
# What lets root read the files of others; which files, Landlock decides.
READ_ANY_FILE = 1 << 1 | 1 << 2
OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc")
# Between the signal that a process may still see and the one that it does not.
LAST_SECONDS = 5


@dataclass(frozen=True)
class Held:
    """Means that hold this process, and those that are missing.

    Attributes
    ----------
    landlock : version of the kernel's interface that holds its files; 0 where none does.
    seccomp : whether system calls are held.
    reading_open : whether all files may be read, because that was asked for.
    memory_bytes, cpu_seconds : its limits; None where there are none.
    missing : why something is not held, a sentence each.
    """

    landlock: int = 0
    seccomp: bool = False
    reading_open: bool = False
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    missing: tuple[str, ...] = ()


def confine(
    readable: Sequence[Path] | None,
    writable: Sequence[Path] = (),
    *,
    network: bool = False,
    programs: bool = False,
    memory_bytes: int | None = None,
    cpu_seconds: int | None = None,
) -> Held:
    """Give up everything but this, for this process and all that it starts.

    Parameters
    ----------
    readable : files, and folders with all below them, that may be opened for reading; None for all.
    writable : likewise for reading and writing. What is open already stays as it is.
    network, programs : whether connections may be opened, programs and processes started.
    memory_bytes : of its own (heap, stacks, data of libraries; not files mapped for reading).
    cpu_seconds : of all threads together, after which the system ends it.

    Raises RuntimeError where there are threads already: they would stay free. What the system
    cannot hold is in `Held.missing`.
    """
    if _threads() > 1:
        raise RuntimeError("confine() binds no thread that is there already; call it before any is")
    missing: list[str] = []
    limits = {"memory_bytes": memory_bytes, "cpu_seconds": cpu_seconds}
    limited = _limit(memory_bytes, cpu_seconds, missing)
    if sys.platform != "linux":
        missing.append(f"{sys.platform} has neither Landlock nor seccomp")
        return Held(missing=tuple(missing), **{name: limits[name] for name in limited})
    control_process(NO_NEW_PRIVILEGES, 1)
    version = _hold_files(readable, writable, network, programs, missing)
    _give_up_capabilities()
    files = not any(path != Path(os.devnull) for path in writable)
    # /dev/null may be opened for writing where Landlock tells it from other files.
    forbidden = Forbidden(not programs, not network, files=files and not version)
    seccomp = _hold_calls(forbidden, missing)
    return Held(
        version,
        seccomp,
        readable is None,
        missing=tuple(missing),
        **{name: limits[name] for name in limited},
    )


def asked_for_too_much(error: BaseException | None) -> bool:
    """Tell whether Python, or a library in its own words, says that memory ran out."""
    while error is not None:
        said = str(error)
        if isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _hold_files(
    readable: Sequence[Path] | None,
    writable: Sequence[Path],
    network: bool,
    programs: bool,
    missing: list[str],
) -> int:
    try:
        return landlock.restrict_files(readable, writable, connections=network, programs=programs)
    except (OSError, NotImplementedError) as error:
        missing.append(f"Landlock is not to be had here ({error})")
        return 0


def _hold_calls(forbidden: Forbidden, missing: list[str]) -> bool:
    machine = architecture()
    if machine is None:
        missing.append("system calls are known on x86-64 and aarch64 only")
        return False
    try:
        install(machine, forbidden)
    except OSError as error:
        missing.append(f"seccomp is not to be had here ({error})")
        return False
    return True


def _threads() -> int:
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    import threading

    return threading.active_count()


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int32))


def _give_up_capabilities() -> None:
    """Keep, of root's rights, the one to read files of others."""
    if os.geteuid() != 0:
        return
    header = _CapabilityHeader(CAPABILITIES_VERSION, 0)
    # Twice effective, permitted, inheritable: the lower and the upper half.
    kept = (ctypes.c_uint32 * 6)(READ_ANY_FILE, READ_ANY_FILE, 0, 0, 0, 0)
    with contextlib.suppress(OSError, NotImplementedError):
        call("capset", header, kept)


def _limit(memory_bytes: int | None, cpu_seconds: int | None, missing: list[str]) -> Iterable[str]:
    """Set the limits; returns the names of those that hold."""
    try:
        import resource
    except ImportError:
        if memory_bytes is not None or cpu_seconds is not None:
            missing.append(f"{sys.platform} keeps no limits of memory and time")
        return []
    held = []
    # A core file would be a copy of all that the process knows.
    _lower(resource, resource.RLIMIT_CORE, 0, 0)
    if cpu_seconds is not None:
        _lower(resource, resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + LAST_SECONDS)
        held.append("cpu_seconds")
    if memory_bytes is not None:
        if sys.platform == "linux":
            _lower(resource, resource.RLIMIT_DATA, memory_bytes, memory_bytes)
            held.append("memory_bytes")
        else:
            missing.append(f"{sys.platform} keeps no limit of memory")
    return held


def _lower(resource: Any, which: int, soft: int, hard: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, highest = resource.getrlimit(which)
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(which, (soft, hard))
