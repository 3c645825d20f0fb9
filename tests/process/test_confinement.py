"""A confined process reads what it was given, and does nothing else: hostile code, run on purpose.

Where the kernel lacks Landlock or seccomp, these tests fail: nobody is to believe in what is not
held. `Held` says it there.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import socket
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from reportgen.process import call_filter
from reportgen.process.system_calls import AARCH64, NUMBERS, X86_64, number_of
from tests.process.confined import run_confined, said_by

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
REFUSED = {"EPERM", "EACCES"}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with data/image.png, which is given, and beside.txt, which is not."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "image.png").write_text("pixels")
    (tmp_path / "beside.txt").write_text("secret")
    return tmp_path


def test_it_reads_what_it_was_given_and_nothing_beside(work: Path) -> None:
    said = said_by(
        """
        data, beside = map(Path, sys.argv[2:])
        confine([data])
        said["given"] = outcome((data / "image.png").read_text)
        said["listed"] = outcome(lambda: os.listdir(data))
        for name, path in {
            "beside": beside,
            "around": data / ".." / "beside.txt",
            "passwords": Path("/etc/passwd"),
            "parent": Path(f"/proc/{os.getppid()}/environ"),
            "memory": Path(f"/proc/{os.getppid()}/mem"),
        }.items():
            said[name] = outcome(path.read_bytes)
        said["folder"] = outcome(lambda: os.listdir(data.parent))
        """,
        work / "data",
        work / "beside.txt",
    )
    assert said.pop("given") == "pixels" and said.pop("listed") == ["image.png"]
    assert set(said.values()) <= REFUSED, said


WRITING = textwrap.dedent("""
    data = Path(sys.argv[2])
    given, marker = data / "image.png", data / "marker"
    attempts = {
        "create": lambda: marker.write_text("x"),
        "open": lambda: os.open(given, os.O_WRONLY),
        "open and truncate": lambda: os.open(given, os.O_RDONLY | os.O_TRUNC),
        "append": lambda: given.open("a"),
        "temporary": lambda: os.open(data, os.O_TMPFILE | os.O_RDWR),
        "truncate": lambda: os.truncate(given, 0),
        "remove": given.unlink,
        "rename": lambda: given.rename(marker),
        "folder": (data / "new").mkdir,
        "remove folder": data.rmdir,
        "link": lambda: marker.hardlink_to(given),
        "symbolic link": lambda: marker.symlink_to(given),
        "pipe": lambda: os.mkfifo(marker),
        "mode": lambda: given.chmod(0o777),
        "owner": lambda: os.chown(given, 1, 1),
        "times": lambda: os.utime(given, (0, 0)),
        "attribute": lambda: os.setxattr(given, "user.x", b"x"),
        "home": lambda: (Path.home() / ".marker").write_text("x"),
        "shared memory": lambda: Path("/dev/shm/marker").write_text("x"),
    }
    said |= {name: outcome(attempt) for name, attempt in attempts.items()}
""")


def files(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_nothing(work: Path) -> None:
    before = files(work)
    said = said_by(f"confine([sys.argv[2]], ['/dev/null'])\n{WRITING}", work / "data")
    assert set(said.values()) <= REFUSED, said
    assert files(work) == before


def test_it_writes_nothing_where_the_kernel_has_no_landlock(work: Path) -> None:
    before = files(work)
    absent = """
        def absent():
            raise OSError(errno.EOPNOTSUPP, "not compiled in")
        landlock.version = absent
        held = confine([sys.argv[2]], ["/dev/null"])
        assert held.landlock == 0 and held.seccomp
        assert "Landlock" in held.missing[0]
    """
    said = said_by(f"{textwrap.dedent(absent)}\n{WRITING}", work / "data")
    assert set(said.values()) <= REFUSED, said
    assert files(work) == before


def test_reading_may_be_left_open_while_writing_is_shut(work: Path) -> None:
    said = said_by(
        """
        beside = Path(sys.argv[2])
        held = confine(None)
        said["read"] = outcome(beside.read_text)
        said["listed"] = outcome(lambda: len(os.listdir("/etc")) > 0)
        said["open"] = held.reading_open
        said["write"] = outcome(lambda: beside.write_text("x"))
        said["new"] = outcome(lambda: beside.with_name("marker").write_text("x"))
        """,
        work / "beside.txt",
    )
    assert (said["read"], said["listed"], said["open"]) == ("secret", True, True)
    assert {said["write"], said["new"]} <= REFUSED


def test_what_is_given_for_writing_can_be_written(work: Path) -> None:
    said = said_by(
        """
        folder = Path(sys.argv[2])
        confine([], [folder])
        (folder / "new").mkdir()
        (folder / "new" / "marker").write_text("x")
        (folder / "new" / "marker").unlink()
        said["beside"] = outcome(lambda: (folder.parent / "marker").write_text("x"))
        """,
        work / "data",
    )
    assert said["beside"] in REFUSED
    assert (work / "data" / "new").is_dir()


def test_it_connects_to_nobody(work: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(work / "local"))
        local.listen()
        server.settimeout(0.2)
        said = said_by(
            """
            import socket
            port, folder = int(sys.argv[2]), sys.argv[3]
            confine([folder])
            families = {"tcp": (socket.AF_INET, socket.SOCK_STREAM)}
            families |= {"udp": (socket.AF_INET, socket.SOCK_DGRAM)}
            families |= {"local": (socket.AF_UNIX, socket.SOCK_STREAM)}
            families |= {"netlink": (socket.AF_NETLINK, socket.SOCK_RAW)}
            for name, family in families.items():
                said[name] = outcome(lambda: socket.socket(*family))
            said["connect"] = outcome(lambda: socket.create_connection(("127.0.0.1", port)))
            said["pair"] = outcome(socket.socketpair)
            """,
            server.getsockname()[1],
            work,
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert set(said.values()) == {"EPERM"}, said


def test_it_starts_no_program_and_no_process_but_threads(work: Path) -> None:
    said = said_by(
        """
        import multiprocessing, subprocess, threading
        confine()
        true = ["/bin/true"]
        said["fork"] = outcome(os.fork)
        said["forkpty"] = outcome(os.forkpty)
        said["exec"] = outcome(lambda: os.execv(true[0], true))
        said["spawn"] = outcome(lambda: os.posix_spawn(true[0], true, {}))
        said["subprocess"] = outcome(lambda: subprocess.run(true))
        said["worker"] = outcome(lambda: multiprocessing.get_context("fork").Process().start())
        done = []
        thread = threading.Thread(target=done.append, args=("ran",))
        thread.start()
        thread.join()
        said["thread"] = done[0]
        """
    )
    assert said.pop("thread") == "ran"
    assert set(said.values()) <= REFUSED, said


def test_every_forbidden_call_is_refused_by_its_number(work: Path) -> None:
    said = said_by(
        """
        confine()
        machine = system_calls.architecture()
        names = [*call_filter.ALWAYS, *call_filter.PROGRAMS, *call_filter.CONNECTIONS]
        for name in (*names, *call_filter.UNKNOWN):
            if system_calls.number_of(name, machine) is not None:
                said[name] = outcome(lambda: system_calls.call(name, 0, 0, 0, 0, 0, 0))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall(ctypes.c_long(system_calls.LAST_NUMBER + 1))
        said["later"] = errno.errorcode[ctypes.get_errno()]
        """
    )
    unknown = {*call_filter.UNKNOWN, "later"}
    assert {said.pop(name) for name in unknown} == {"ENOSYS"}
    assert set(said.values()) == {"EPERM"}, said
    assert len(said) > 100


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 calls are x86-64's")
def test_the_same_calls_under_other_numbers_end_the_process() -> None:
    done = run_confined("confine(); ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 39))")
    assert done.returncode == -signal.SIGSYS


def test_it_sends_signals_to_nobody_but_itself() -> None:
    said = said_by(
        """
        import resource, signal
        confine()
        parent = os.getppid()
        said["parent"] = outcome(lambda: os.kill(parent, 0))
        said["everybody"] = outcome(lambda: os.kill(-1, 0))
        said["group"] = outcome(lambda: os.killpg(os.getpgrp(), 0))
        said["limits"] = outcome(lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE))
        said["itself"] = outcome(lambda: os.kill(os.getpid(), 0))
        said["own limits"] = outcome(lambda: len(resource.getrlimit(resource.RLIMIT_NOFILE)))
        """
    )
    assert (said.pop("itself"), said.pop("own limits")) == (None, 2)
    assert set(said.values()) == {"EPERM"}, said


def test_it_can_still_end_itself() -> None:
    assert run_confined("confine(); os.abort()").returncode == -signal.SIGABRT


def test_it_types_nothing_into_the_terminal() -> None:
    said = said_by(
        """
        import fcntl, pty, termios
        _, terminal = pty.openpty()
        confine()
        said["type"] = outcome(lambda: fcntl.ioctl(terminal, termios.TIOCSTI, b"x"))
        said["size"] = outcome(lambda: len(os.get_terminal_size(terminal)))
        """
    )
    assert said == {"type": "EPERM", "size": 2}


def test_memory_beyond_the_limit_is_refused() -> None:
    said = said_by(
        """
        import mmap
        held = confine(memory_bytes=512 * 2**20)
        said["held"] = held.memory_bytes
        said["within"] = outcome(lambda: len(bytearray(200 * 2**20)))
        said["beyond"] = outcome(lambda: len(bytearray(600 * 2**20)))
        said["mapped"] = outcome(lambda: len(mmap.mmap(-1, 600 * 2**20, flags=mmap.MAP_PRIVATE)))
        """
    )
    assert said["held"] == 512 * 2**20 and said["within"] == 200 * 2**20
    assert (said["beyond"], said["mapped"]) == ("MemoryError", "ENOMEM")


def test_time_beyond_the_limit_ends_it() -> None:
    done = run_confined("confine(cpu_seconds=1)\nwhile True: pass")
    assert done.returncode == -signal.SIGXCPU


def test_it_is_refused_where_there_are_threads_already() -> None:
    done = run_confined(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()\nconfine()"
    )
    assert done.returncode == 1
    assert "call it before any is" in done.stderr


def test_a_plain_user_is_held_as_root_is() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "image.png").write_text("pixels")
        (Path(folder) / "beside.txt").write_text("secret")
        said = said_by(
            """
            data = Path(sys.argv[2])
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            beside = data.parent / "beside.txt"
            said["before"] = beside.read_text()
            held = confine([data])
            said["held"] = [held.landlock > 0, held.seccomp, *held.missing]
            said["given"] = outcome((data / "image.png").read_text)
            said["beside"] = outcome(beside.read_text)
            said["fork"] = outcome(os.fork)
            """,
            Path(folder) / "data",
        )
    assert said["held"] == [True, True]
    assert (said["before"], said["given"]) == ("secret", "pixels")
    assert {said["beside"], said["fork"]} <= REFUSED


@pytest.mark.skipif(os.getuid() != 0, reason="only root has rights to give up")
def test_root_keeps_no_right_but_to_read() -> None:
    said = said_by(
        """
        confine(["/proc/self"])
        lines = Path("/proc/self/status").read_text().splitlines()
        said |= {line[:6]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
        """
    )
    assert said["CapEff"] == said["CapPrm"] == 6


@pytest.mark.parametrize(
    ("machine", "header", "pattern"),
    [
        (X86_64, "x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
        (AARCH64, "asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
    ],
)
def test_calls_have_the_numbers_of_the_system_s_headers(
    machine: int, header: str, pattern: str
) -> None:
    path = Path("/usr/include") / header
    if not path.is_file():
        pytest.skip(f"{path} is not installed")
    defined = {name: int(number) for name, number in re.findall(pattern, path.read_text())}
    assert len(defined) > 300
    for name in NUMBERS:
        number = number_of(name, machine)
        # The headers may be older than the table.
        if number is None or name in defined or number <= max(defined.values()):
            assert defined.get(name) == number, name


def test_no_jump_of_the_filter_leaves_it() -> None:
    for machine in (X86_64, AARCH64):
        for forbidden in (call_filter.Forbidden(), call_filter.Forbidden(False, False, False)):
            code = call_filter.filter_program(machine, forbidden, 123)
            assert len(code) < 4096
            for place, (kind, if_true, if_false, _) in enumerate(code):
                assert max(if_true, if_false) < 256
                if kind != call_filter.RETURN:
                    assert place + 1 + max(if_true, if_false) < len(code)
