"""One file to be written: replaced whole where it is a file, written through where it is none."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from reportgen.errors import OutputError
from reportgen.shown import shown

OWN_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|\d+))/fd/(\d+)")
# Files there are the system's: what is written to them is an order, or another's memory.
SYSTEM_FOLDERS = (Path("/proc"), Path("/sys"))
MOST_LINKS = 40
NEW_MODE = 0o644
# The folder lets nobody put another file in this one's place: a mount point, a sticky folder.
HELD_IN_PLACE = (errno.EBUSY, errno.EPERM, errno.EACCES)


class Target:
    """A file that will be written, found behind all links.

    A regular file, or one that is not there yet, is written beside its place and renamed. A device,
    a named pipe, or a descriptor of this process (/dev/stdout) gets the bytes and stays what it is.

    Parameters
    ----------
    path : as it was given.
    flag : the option that it was given with, for sentences.

    Raises OutputError where it can be seen at once that nothing can be written.
    """

    def __init__(self, path: Path, flag: str) -> None:
        self.path, self.flag = path, flag
        try:
            self.place = _behind_links(path)
            self.descriptor = _own_descriptor(self.place)
            self._is_stream = self.descriptor is not None or self._refuse_or_classify()
        except (OSError, ValueError) as error:
            raise OutputError(self._sentence(error)) from error

    @property
    def is_stream(self) -> bool:
        """Tell whether bytes pass through: no earlier content, and none that can be put back."""
        return self._is_stream

    def status(self) -> os.stat_result | None:
        """Return the status of what is there now, behind all links; None for nothing."""
        try:
            return self.place.stat() if self.descriptor is None else os.fstat(self.descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def check(self) -> None:
        """Raises OutputError where the bytes could not be written now. Leaves no trace."""
        try:
            if self.descriptor is not None:
                _require_writable(self.descriptor)
            elif self._is_stream:
                if not os.access(self.place, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            elif not self._can_be_overwritten():
                check_writable(self.place.parent, self.path)
        except OSError as error:
            raise OutputError(self._sentence(error)) from error

    def stage(self, content: bytes, undo: ExitStack) -> Staged:
        """Write the content beside the file, or keep it for a stream; `undo` learns to remove it.

        Raises OSError.
        """
        if self._is_stream:
            return Staged(self, content, None)
        try:
            beside = _write_beside(self.place, content)
        except OSError:
            if not self._can_be_overwritten():
                raise
            return Staged(self, content, None)
        undo.callback(beside.unlink, missing_ok=True)
        return Staged(self, content, beside)

    def _refuse_or_classify(self) -> bool:
        """Tell whether the path is a device's or pipe's; raises OSError for what cannot be one."""
        status = self.status()
        if any(self.place.is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            raise OSError(errno.EACCES, "it belongs to the system")
        if status is None or stat.S_ISREG(status.st_mode):
            return False
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, "it is a folder")
        if stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode):
            return True
        raise OSError(errno.EINVAL, "it is a disk or a socket")

    def _can_be_overwritten(self) -> bool:
        """Tell whether the file may be written to though its folder takes no other in its place."""
        if not self.place.is_file() or not os.access(self.place, os.W_OK):
            return False
        try:
            check_writable(self.place.parent, self.path)
        except OutputError:
            return True
        return False

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.errno == errno.EISDIR:
            return f"{shown(self.path)} is a folder; give {self.flag} the name of a file."
        reason = getattr(error, "strerror", None) or error
        return f"{shown(self.path)} cannot be written: {reason}."


class Staged:
    """Content that waits for its place."""

    def __init__(self, target: Target, content: bytes, beside: Path | None) -> None:
        self._target, self._content, self._beside = target, content, beside

    @property
    def is_stream(self) -> bool:
        """Tell whether nobody can take it back once it is put."""
        return self._target.is_stream

    def put(self, undo: ExitStack) -> list[Path]:
        """Put the content in its place; `undo` learns how to take it back.

        Returns files that were only needed for that. Raises OSError.
        """
        if self._target.is_stream:
            self._pour()
            return []
        place = self._target.place
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{place} is a folder")
        if not place.exists():
            undo.callback(place.unlink, missing_ok=True)
            assert self._beside is not None, "only what is there is overwritten"
            self._beside.replace(place)
            return []
        needless = []
        if self._beside is not None:
            needless = [_keep(place, undo, _link_or_copy), self._beside]
            try:
                self._beside.replace(place)
                return needless
            except OSError as error:
                if error.errno not in HELD_IN_PLACE or not os.access(place, os.W_OK):
                    raise
        # A second name would be overwritten with the first.
        needless.append(_keep(place, undo, _copy))
        place.write_bytes(self._content)
        return needless

    def _pour(self) -> None:
        descriptor = self._target.descriptor
        if descriptor is None:
            file = self._target.place.open("wb", buffering=0)
        else:
            file = os.fdopen(os.dup(descriptor), "wb", buffering=0)
        with file:
            rest = memoryview(self._content)
            while rest:
                rest = rest[file.write(rest) or 0 :]


def check_writable(folder: Path, target: Path) -> None:
    """Raises OutputError, about `target`, where nothing can be written in `folder`."""
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise OutputError(f"{shown(target)} cannot be written: {shown(folder)} {state}.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{shown(target)} cannot be written: {error.strerror or error} in {shown(folder)}."
        ) from error


def _behind_links(path: Path) -> Path:
    """The path behind all links, but for those that stand for a descriptor of this process."""
    for _ in range(MOST_LINKS):
        if path.name in ("", ".."):
            return Path(os.path.realpath(path))
        path = Path(os.path.realpath(path.parent)) / path.name
        if _own_descriptor(path) is not None or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _own_descriptor(path: Path) -> int | None:
    found = OWN_DESCRIPTOR.fullmatch(str(path))
    if found is None or path.parts[2] not in ("fd", "self", "thread-self", str(os.getpid())):
        return None
    return int(found[1])


def _require_writable(descriptor: int) -> None:
    import fcntl

    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "it is open for reading only")


def _keep(place: Path, undo: ExitStack, keep: Callable[[Path, Path], None]) -> Path:
    """Keep a copy of the file beside it; `undo` learns to put it back and to remove it."""
    name = f".{place.name[:40]}.{os.urandom(6).hex()}.earlier"
    earlier = _folder_for_copies(place) / name
    undo.callback(earlier.unlink, missing_ok=True)
    keep(place, earlier)
    undo.callback(_put_back, earlier, place)
    return earlier


def _link_or_copy(place: Path, earlier: Path) -> None:
    try:
        os.link(place, earlier)
    except (OSError, AttributeError, NotImplementedError):
        # Not on exFAT, on most network drives, nor where os.link itself is missing.
        _copy(place, earlier)


def _copy(place: Path, earlier: Path) -> None:
    with place.open("rb") as source, earlier.open("xb") as copy:
        shutil.copyfileobj(source, copy)
    with contextlib.suppress(OSError):
        shutil.copymode(place, earlier)


def _put_back(earlier: Path, place: Path) -> None:
    try:
        earlier.replace(place)
    except OSError:
        # One file under two names is as it was.
        with contextlib.suppress(shutil.SameFileError):
            shutil.copyfile(earlier, place)


def _folder_for_copies(place: Path) -> Path:
    """The file's own folder, or where temporary files go when that takes none."""
    return place.parent if os.access(place.parent, os.W_OK) else Path(tempfile.gettempdir())


def _write_beside(place: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name[:40]}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Some network drives know no modes.
        with contextlib.suppress(OSError):
            beside.chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else NEW_MODE)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside
