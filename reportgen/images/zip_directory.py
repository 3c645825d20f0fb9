"""A zip archive's directory as a stream, and the archive with but a few of its members.

zipfile holds an object for every member, 600 MB for a million. Here the directory is read record
by record, and zipfile is shown a file whose directory lists the wanted members alone.

Format: PKWARE's APPNOTE.TXT, sections 4.3.12 to 4.3.16.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

RECORD = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCATOR = struct.Struct("<4sIQI")
LARGE_END = struct.Struct("<4sQ2H2I4Q")
RECORD_MARK, END_MARK = b"PK\x01\x02", b"PK\x05\x06"
LOCATOR_MARK, LARGE_END_MARK = b"PK\x06\x07", b"PK\x06\x06"
LONGEST_COMMENT = 2**16 - 1
IN_UTF_8 = 0x800
UNKNOWN = 2**32 - 1


class Entry(NamedTuple):
    """A member's name, as zipfile would decode it, and its record in the directory."""

    name: str
    record: bytes


def read_entries(path: Path) -> Iterator[Entry]:
    """Every member of an archive, in the directory's order.

    Raises BadZipFile.
    """
    with path.open("rb") as stream:
        start, size = _directory(stream)
        stream.seek(start)
        while size > 0:
            head = _exactly(stream, RECORD.size)
            fields = RECORD.unpack(head)
            if fields[0] != RECORD_MARK:
                raise zipfile.BadZipFile("a damaged directory")
            flags, lengths = fields[3], fields[10:13]
            rest = _exactly(stream, sum(lengths))
            size -= RECORD.size + len(rest)
            name = rest[: lengths[0]].decode("utf-8" if flags & IN_UTF_8 else "cp437")
            yield Entry(name.partition("\0")[0], head + rest)


def archive_of(path: Path, records: Sequence[bytes]) -> zipfile.ZipFile:
    """The archive as if these records, as `read_entries` gives them, were its directory.

    Raises BadZipFile.
    """
    stream = path.open("rb")
    try:
        start, _ = _directory(stream)
        directory = b"".join(records)
        sizes = len(records), len(records), len(directory), start
        large_end = LARGE_END.pack(LARGE_END_MARK, LARGE_END.size - 12, 45, 45, 0, 0, *sizes)
        locator = LOCATOR.pack(LOCATOR_MARK, 0, start + len(directory), 1)
        end = END.pack(END_MARK, 0, 0, 2**16 - 1, 2**16 - 1, UNKNOWN, UNKNOWN, 0)
        return zipfile.ZipFile(_Spliced(stream, start, directory + large_end + locator + end))
    except BaseException:
        stream.close()
        raise


class _Spliced(io.RawIOBase):
    """The first `length` bytes of a stream, then other bytes."""

    def __init__(self, stream: BinaryIO, length: int, tail: bytes) -> None:
        self._stream = stream
        self._length = length
        self._tail = tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = (0, self._position, self._length + len(self._tail))[whence]
        if origin + offset < 0:
            raise OSError("a position before the start")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = self._length - self._position
        if left > 0:
            self._stream.seek(self._position)
            content = self._stream.read(min(left, len(buffer)))
        else:
            content = self._tail[-left : len(buffer) - left]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _directory(stream: BinaryIO) -> tuple[int, int]:
    """Where the directory starts, and its bytes."""
    file_bytes = stream.seek(0, io.SEEK_END)
    tail_start = max(0, file_bytes - END.size - LONGEST_COMMENT)
    stream.seek(tail_start)
    tail = stream.read()
    place = tail.rfind(END_MARK)
    if place < 0 or len(tail) - place < END.size:
        raise zipfile.BadZipFile("it has no directory; is it complete?")
    end = tail_start + place
    *_, size, start, _ = END.unpack_from(tail, place)
    if end >= LOCATOR.size:
        stream.seek(end - LOCATOR.size)
        mark, _, large_end, _ = LOCATOR.unpack(stream.read(LOCATOR.size))
        if mark == LOCATOR_MARK:
            stream.seek(min(large_end, file_bytes))
            fields = LARGE_END.unpack(_exactly(stream, LARGE_END.size))
            if fields[0] != LARGE_END_MARK:
                raise zipfile.BadZipFile("a damaged directory")
            size, start, end = fields[8], fields[9], large_end
    if start + size != end:
        raise zipfile.BadZipFile("its directory is not where it says")
    return start, size


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise zipfile.BadZipFile("its directory is cut off")
    return content
