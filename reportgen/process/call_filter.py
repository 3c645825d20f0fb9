"""seccomp: which system calls a process may no longer make, as a program that the kernel runs.

Everything that starts a program, opens a connection, reaches into another process or changes a
file by its name answers EPERM. It is a list of what is forbidden: numerical libraries make many
calls, and not the same ones everywhere. What Landlock holds too is here a second time, and holds
alone where the kernel has no Landlock.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass

from reportgen.process.system_calls import LAST_NUMBER, NUMBERS, X86_64, call, number_of

PROGRAMS = ("fork", "vfork", "execve", "execveat")
CONNECTIONS = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"),
)
ALWAYS = (
    *("unshare", "setns", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"),
    *("pidfd_getfd", "pidfd_send_signal", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("process_madvise", "process_mrelease", "kcmp"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
    *("memfd_create", "memfd_secret", "bpf", "userfaultfd", "perf_event_open"),
    *("mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig"),
    *("fsmount", "fspick", "mount_setattr", "open_tree_attr", "kexec_load", "kexec_file_load"),
    *("init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct"),
    *("quotactl", "quotactl_fd", "add_key", "request_key", "keyctl", "sethostname"),
    *("setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "syslog"),
    *("vhangup", "iopl", "ioperm", "modify_ldt", "uselib", "lookup_dcookie", "nfsservctl"),
    *("personality", "fanotify_init", "fanotify_mark", "name_to_handle_at", "open_by_handle_at"),
    # Landlock knows nothing of these.
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "utimensat", "futimesat", "setxattr", "lsetxattr", "fsetxattr"),
    *("setxattrat", "removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
    *("file_setattr", "truncate"),
)
FILES = (
    *("creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat"),
    *("renameat2", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat"),
)
# Asked for first by libraries that fall back on the older call, whose arguments can be seen.
UNKNOWN = ("clone3", "openat2")

CLONE_THREAD = 0x10000
OPENED_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Orders to a terminal: type these characters for the user, or paste the selection.
TERMINAL_ORDERS = (0x5412, 0x541C)
# fcntl: send somebody signals about this file.
OWNERS = (8, 10, 15)
X32_CALLS = 0x40000000

# From linux/bpf_common.h and linux/seccomp.h.
LOAD, AND = 0x20, 0x54
JUMP_IF_EQUAL, JUMP_IF_GREATER, JUMP_IF_AT_LEAST, JUMP_IF_SET = 0x15, 0x25, 0x35, 0x45
RETURN = 0x06
ALLOW, ANSWER_ERROR, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
SET_MODE_FILTER, ALL_THREADS, LEAVE_SPECULATION = 1, 1, 4
CALL_NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


@dataclass(frozen=True)
class Forbidden:
    """System calls that the filter forbids besides those that it always does.

    Attributes
    ----------
    programs, connections : starting any, opening any.
    files : making, removing, renaming files, and opening one for writing.
    """

    programs: bool = True
    connections: bool = True
    files: bool = True


Code = list[tuple[int, int, int, int]]


def filter_program(machine: int, forbidden: Forbidden, own_process: int) -> Code:
    """The filter as instructions (code, steps if true, steps if false, value)."""
    refuse = _answer(errno.EPERM)
    code: Code = [
        (LOAD, 0, 0, ARCHITECTURE),
        # The 32-bit calls of the same kernel have other numbers: nobody here makes them.
        (JUMP_IF_EQUAL, 1, 0, machine),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, CALL_NUMBER),
    ]
    if machine == X86_64:
        code += [(JUMP_IF_AT_LEAST, 0, 1, X32_CALLS), (RETURN, 0, 0, KILL_PROCESS)]
    code += [(JUMP_IF_GREATER, 0, 1, LAST_NUMBER), (RETURN, 0, 0, _answer(errno.ENOSYS))]
    names = [*ALWAYS]
    names += PROGRAMS if forbidden.programs else ()
    names += CONNECTIONS if forbidden.connections else ()
    names += FILES if forbidden.files else ()
    for number in _numbers(names, machine):
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    for number in _numbers(UNKNOWN, machine):
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, _answer(errno.ENOSYS))]
    if forbidden.programs:
        # Without this flag it is a fork; with it, a thread.
        code += _only_if(machine, "clone", 0, [(JUMP_IF_SET, 0, 1, CLONE_THREAD)])
    if forbidden.files:
        for name, place in (("open", 1), ("openat", 2)):
            code += _only_if(machine, name, place, [(JUMP_IF_SET, 1, 0, OPENED_FOR_WRITING)])
    for name in ("kill", "tgkill"):
        code += _only_if(machine, name, 0, [(JUMP_IF_EQUAL, 0, 1, own_process)])
    itself = [(JUMP_IF_EQUAL, 1, 0, 0), (JUMP_IF_EQUAL, 0, 1, own_process)]
    code += _only_if(machine, "prlimit64", 0, itself)
    for name, orders in (("ioctl", TERMINAL_ORDERS), ("fcntl", OWNERS)):
        steps = [(JUMP_IF_EQUAL, len(orders) - place, 0, o) for place, o in enumerate(orders)]
        code += _only_if(machine, name, 1, steps)
    return [*code, (RETURN, 0, 0, ALLOW)]


def install(machine: int, forbidden: Forbidden) -> None:
    """Hold this process, and all that it starts, to the filter. Raises OSError.

    Needs "no new privileges" to be set.
    """
    code = filter_program(machine, forbidden, os.getpid())
    instructions = (_Instruction * len(code))(*(_Instruction(*step) for step in code))
    program = _Program(len(code), instructions)
    try:
        # Otherwise older kernels slow down all that the process computes.
        left_out = call("seccomp", SET_MODE_FILTER, ALL_THREADS | LEAVE_SPECULATION, program)
    except OSError:
        left_out = call("seccomp", SET_MODE_FILTER, ALL_THREADS, program)
    if left_out:
        raise OSError(errno.EBUSY, f"seccomp: thread {left_out} has a filter of its own")


def _numbers(names: Iterable[str], machine: int) -> list[int]:
    numbers = (number_of(name, machine) for name in names)
    return [number for number in numbers if number is not None]


def _answer(error: int) -> int:
    return ANSWER_ERROR | error


def _only_if(machine: int, name: str, place: int, steps: Code) -> Code:
    """Allow a call only where `steps`, looking at an argument, come out at their end.

    One step further than the end refuses. The lower half of the argument is looked at: all of
    these are 32 bits wide in the kernel.
    """
    assert name in NUMBERS
    number = number_of(name, machine)
    if number is None:
        return []
    inner: Code = [
        (LOAD, 0, 0, FIRST_ARGUMENT + 8 * place),
        *steps,
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, _answer(errno.EPERM)),
    ]
    return [(JUMP_IF_EQUAL, 0, len(inner), number), *inner]
