"""Paths that a confined process may read: the inputs, and Python's and its libraries' own."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from reportgen.report.template_folder import template_folder

# Of a system's own Python, not all of /usr.
SYSTEM_PREFIXES = {Path("/usr"), Path("/usr/local"), Path("/")}
# Libraries, fonts, time zones; what libraries ask of the processor, the memory and themselves.
SYSTEM_FILES = (
    *("/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib", "/usr/local/lib64"),
    *("/usr/local/share", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/sys/vm", "/proc/sys/kernel", "/sys/devices/system", "/sys/fs/cgroup"),
    *("/sys/kernel/mm", "/dev/urandom"),
)
# What a GPU's driver reads, and what it writes to.
DRIVER_FILES = (
    *("/proc/driver", "/proc/devices", "/proc/modules", "/sys/bus", "/sys/class", "/sys/devices"),
    *(
        "/sys/module",
        "/usr/local/cuda",
        "/opt/rocm",
        "/etc/OpenCL",
        "/etc/alternatives",
        "/run/nvidia",
    ),
    "/usr/local/nvidia",
)
DRIVER_DEVICES = ("/dev/kfd", "/dev/dri", "/dev/shm")
# From so many links out of a folder on, the folders that they lead to are given whole.
MOST_LINKS = 4096


def pythons_own(work: Iterable[Path] = ()) -> list[Path]:
    """Folders and files that an interpreter needs to go on importing.

    Folders on its path count where they hold packages, and not where they hold `work` (the inputs,
    the folder that the user is in, the user's own): what lies beside those is nobody's business.
    """
    package = Path(__file__).resolve().parents[1]
    found = [package, template_folder(), *map(Path, SYSTEM_FILES)]
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found += [prefix for prefix in map(Path, prefixes) if prefix not in SYSTEM_PREFIXES]
    found += [] if sys.pycache_prefix is None else [Path(sys.pycache_prefix)]
    found += [Path(folder) for folder in (*site.getsitepackages(), site.getusersitepackages())]
    kept_shut = [path.resolve() for path in (*work, Path.cwd(), Path.home())]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    for entry in (*sys.path, *libraries):
        folder = Path(entry).resolve()
        if entry and not any(path.is_relative_to(folder) for path in kept_shut):
            found.append(folder)
    return found


def drivers_own() -> tuple[list[Path], list[Path]]:
    """Return the files that a GPU's driver reads, and the devices that it writes to."""
    devices = [*Path("/dev").glob("nvidia*"), *map(Path, DRIVER_DEVICES)]
    return [*map(Path, DRIVER_FILES)], devices


def with_links(paths: Iterable[Path]) -> list[Path]:
    """The paths, and whatever links in those that are folders lead to outside them."""
    found = []
    for path in paths:
        found.append(path)
        if path.is_dir():
            outside = {Path(os.path.realpath(link)) for link in _links_below(path)}
            root = Path(os.path.realpath(path))
            leading_out = [there for there in outside if not there.is_relative_to(root)]
            if len(leading_out) > MOST_LINKS:
                leading_out = list({there.parent for there in leading_out})
            found += leading_out
    return found


def _links_below(folder: Path) -> Iterator[str]:
    """Every link below a folder, also in folders that links lead to."""
    waiting, listed = [str(folder)], set()
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(place)
        if real in listed:
            continue
        listed.add(real)
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        yield entry.path
                    if entry.is_dir():
                        waiting.append(entry.path)
        except OSError:
            # Who reads the folder says what is wrong with it.
            continue
