"""Changes to zip and tar archives and their members."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import integer, text

ChangeByName = Callable[[random.Random, str, bytes], bytes]
BOMB = bytes(50_000_000)
# Signature, and the places of sizes, offset, method and flags in a zip's central directory.
CENTRAL, CENTRAL_FIELDS = (
    b"PK\x01\x02",
    ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)),
)
LOCAL, LOCAL_FIELDS = b"PK\x03\x04", ((6, 2), (8, 2), (18, 4), (22, 4), (26, 2))
END, END_FIELDS = b"PK\x05\x06", ((8, 2), (10, 2), (12, 4), (16, 4), (20, 2))


def changed_zip(generator: random.Random, content: bytes, change: ChangeByName) -> bytes:
    """A zip archive with a member, or its directory, changed; checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(i.filename, archive.read(i), i.compress_type) for i in archive.infolist()]
    place = generator.randrange(len(members))
    name, record, method = members[place]
    how = generator.randrange(14)
    if how == 0:
        del members[place]
    elif how == 1:
        members.append((name, changed_bytes(generator, record), method))
    elif how == 2:
        name = generator.choice((text(generator), name + text(generator)[:60], name.upper()))
        members[place] = name.encode("utf-8", "replace").decode(), record, method
    elif how == 3:
        generator.shuffle(members)
    elif how == 4:
        members[place] = name, record, generator.choice((0, 8, 12, 14))
    elif how == 5 and generator.random() < 0.1:
        members[place] = name, BOMB, 8
    elif how == 6:
        other = generator.choice(members)
        members[place] = name, other[1], method
    elif how not in (7, 8):
        members[place] = name, change(generator, name, record), method
    written = _zipped(members)
    return _lying(generator, written) if how in (7, 8) else written


def _zipped(members: list[tuple[str, bytes, int]]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, record, method in members:
            archive.writestr(zipfile.ZipInfo(name), record, method)
    return written.getvalue()


def _lying(generator: random.Random, content: bytes) -> bytes:
    """With a field of one of its headers changed."""
    mark, known = generator.choice(
        (
            (CENTRAL, CENTRAL_FIELDS),
            (CENTRAL, CENTRAL_FIELDS),
            (LOCAL, LOCAL_FIELDS),
            (END, END_FIELDS),
        )
    )
    place, size = generator.choice(known)
    starts = [found.start() for found in re.finditer(re.escape(mark), content)]
    start = generator.choice(starts) + place
    number = (integer(generator) % 2 ** (8 * size)).to_bytes(size, "little")
    return content[:start] + number + content[start + size :]


def changed_tar(generator: random.Random, content: bytes) -> bytes:
    """A tar archive with a member, or a field of its header, changed."""
    from tests.fuzz.mutation import changed

    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [(entry, archive.extractfile(entry)) for entry in archive.getmembers()]
        records = [(entry, b"" if file is None else file.read()) for entry, file in members]
    place = generator.randrange(len(records))
    entry, record = records[place]
    how = generator.randrange(9)
    if how == 0:
        del records[place]
    elif how == 1:
        records.insert(place, records[place])
    elif how == 2:
        entry.name = text(generator).replace("\0", "") or "x"
    elif how == 3:
        kinds = (
            b"1",
            b"2",
            b"3",
            b"4",
            b"5",
            b"6",
            b"7",
            b"L",
            b"K",
            b"x",
            b"g",
            b"S",
            b"V",
            b"\0",
        )
        entry.type, entry.linkname = generator.choice(kinds), "../../etc/passwd"
    elif how not in (4, 5):
        records[place] = entry, changed(generator, entry.name, record)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=generator.choice((0, 1, 2))) as archive:
        for each, body in records:
            each.size = len(body)
            archive.addfile(each, io.BytesIO(body))
    found = written.getvalue()
    return _lying_tar(generator, found) if how in (4, 5) else found


# Name, mode, owner, size, time, kind, link, magic, device of a header.
TAR_FIELDS = (
    (0, 100),
    (100, 8),
    (108, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (329, 8),
)


def _lying_tar(generator: random.Random, content: bytes) -> bytes:
    """With a field of a header changed, and its checksum right."""
    headers = [at for at in range(0, len(content), 512) if content[at + 257 : at + 262] == b"ustar"]
    start = generator.choice(headers)
    header = bytearray(content[start : start + 512])
    place, size = generator.choice(TAR_FIELDS)
    octal = b"%0*o" % (
        size - 1,
        abs(integer(generator)) % 8 ** min(size - 1, 11) if size > 1 else 0,
    )
    binary = b"\x80" + struct.pack(">Q", integer(generator) % 2**64).rjust(size - 1, b"\0")
    value = generator.choice((octal, binary, b"-1", b"9" * size, b"\xff" * size))
    header[place : place + size] = value[:size].ljust(size, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return content[:start] + bytes(header) + content[start + 512 :]


def changed_tar_gz(generator: random.Random, content: bytes) -> bytes:
    """Likewise, compressed."""
    return gzip.compress(changed_tar(generator, gzip.decompress(content)), 1)
