"""Landlock: which files a process may still open, as rules that the kernel keeps.

It binds the thread that asks for it and everything that thread starts, and cannot be taken back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from reportgen.process.system_calls import call

# Rights, from linux/landlock.h.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_AND_MAKE = sum(1 << place for place in range(4, 13))
REFER, TRUNCATE, DEVICE_ORDERS = 1 << 13, 1 << 14, 1 << 15
READING = READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_ORDERS
TCP = 1 << 0 | 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1
# From which version of its interface on the kernel knows them.
FIRST_WITH = {REFER: 2, TRUNCATE: 3, DEVICE_ORDERS: 5}
FIRST_WITH_TCP, FIRST_WITH_SCOPES = 4, 6
ASK_VERSION, PATH_BENEATH = 1, 1


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("connections", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's interface. Raises OSError where there is none."""
    return call("landlock_create_ruleset", None, 0, ASK_VERSION)


def restrict_files(
    readable: Iterable[Path] | None, writable: Iterable[Path], *, connections: bool, programs: bool
) -> int:
    """Hold this thread, and all that it starts, to these files and folders.

    Parameters
    ----------
    readable : files, and folders with all below them, that may be opened for reading; None for
        all there are.
    writable : likewise for reading and writing, and for making and removing files.
    connections, programs : whether TCP connections, and starting programs, stay allowed.

    Returns the version of the kernel's interface. Paths that are not there are left out. Raises
    OSError. Needs "no new privileges" to be set.
    """
    known = version()
    rights = EXECUTE | WRITE_FILE | READING | REMOVE_AND_MAKE
    rights |= sum(right for right, first in FIRST_WITH.items() if known >= first)
    if programs:
        rights &= ~EXECUTE
    if readable is None:
        rights &= ~READING
    ruleset = _Ruleset(rights, 0 if connections or known < FIRST_WITH_TCP else TCP, 0)
    if known >= FIRST_WITH_SCOPES:
        ruleset.scopes = ABSTRACT_SOCKETS | SIGNALS
    # An older kernel takes no more fields than it knows, unless they are 0.
    descriptor = call("landlock_create_ruleset", ruleset, ctypes.sizeof(ruleset), 0)
    try:
        for path in readable or ():
            _allow(descriptor, path, READING & rights)
        for path in writable:
            _allow(descriptor, path, (rights & ~EXECUTE) | READING & rights)
        call("landlock_restrict_self", descriptor, 0)
    finally:
        os.close(descriptor)
    return known


def _allow(ruleset: int, path: Path, rights: int) -> None:
    # What is not there, or may not be entered, need not be allowed.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= OF_FILES
            if rights:
                _add_rule(ruleset, rights, descriptor)
        finally:
            os.close(descriptor)


def _add_rule(ruleset: int, rights: int, descriptor: int) -> None:
    try:
        call("landlock_add_rule", ruleset, PATH_BENEATH, _Beneath(rights, descriptor), 0)
    except OSError as error:
        # A pipe or a socket of no file system has no rule, and needs none.
        if error.errno != errno.EBADFD:
            raise
