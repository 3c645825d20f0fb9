"""Requests that a confined child may make of its parent, and the answers."""

from __future__ import annotations

import errno
import os
import re
import stat
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from reportgen.process.channel import Channel, ChannelError, Message
from reportgen.study.code_folder import ENTRY, CodeFolder, UnfinishedEntry

if TYPE_CHECKING:
    from reportgen.process.ranks import Ranks

LONGEST_PATH = 2**14
LARGEST_PIECE = 2**24
LARGEST_ENTRY = 2**36
# How pictures begin, whatever their names are: see `FORMATS` in images/picture.py.
PICTURES = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|BM|[(l|]\0\0\0|II[*+]\0|MM\0[*+]|P[1-7fF]\s", re.S
)


class Door(Protocol):
    """Answers some kinds of messages."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of messages that come through it."""
        ...

    def answer(self, message: Message, channel: Channel) -> None:
        """Do what was asked, or say no. Raises ChannelError for what nobody should ask."""
        ...


class Cabinet:
    """Keeps entries of the cache; a context, which leaves no unfinished one."""

    kinds = ("codes", "piece", "codes done")

    def __init__(self, folder: CodeFolder | None) -> None:
        self._folder = folder
        self._entry: UnfinishedEntry | None = None
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._entry is not None:
            self._entry.abandon()

    def answer(self, message: Message, channel: Channel) -> None:
        """Start, continue or finish an entry. Raises SettingsError where there is no room."""
        if message.kind == "codes":
            name = message.text("name", 100)
            if self._folder is None or self._entry is not None or not ENTRY.fullmatch(name):
                raise ChannelError("no entry can begin here")
            self._entry = self._folder.start(name)
            return
        if self._entry is None:
            raise ChannelError("no entry has begun")
        if message.kind == "codes done":
            self._entry.finish()
            self._entry = None
            return
        for piece in message.parts:
            self._written += len(piece)
            if self._written > LARGEST_ENTRY:
                raise ChannelError("the codes are more than there can be")
            self._entry.add(piece)


class Reader:
    """Reads pictures that a table lists, wherever they are; the child reads what it was given.

    A table may come from a stranger and list anything: what does not begin like a picture stays
    unread, and so does everything where no table was given.
    """

    kinds = ("outside",)

    def __init__(self, table_given: bool) -> None:
        self._table_given = table_given

    def answer(self, message: Message, channel: Channel) -> None:
        """Send the size of a file, and so many bytes of it."""
        place, size = message.count("place"), message.count("size", LARGEST_PIECE)
        try:
            path = os.fsdecode(bytes.fromhex(message.text("path", LONGEST_PATH)))
        except ValueError as error:
            raise ChannelError("a path is no text") from error
        try:
            whole, content = self._read(path, place, size)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it has no such name"
            channel.send("no picture", reason=reason)
            return
        channel.send("outside", [content], size=whole)

    def _read(self, path: str, place: int, size: int) -> tuple[int, bytes]:
        if not self._table_given:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        # A named pipe would wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if not PICTURES.match(file.read(16)):
                raise OSError(errno.EINVAL, "it does not begin like a picture")
            file.seek(place)
            return status.st_size, file.read(size)


class Reducer:
    """Adds up with the other ranks' parents what the child sends."""

    kinds = ("reduce",)

    def __init__(self, ranks: Ranks | None) -> None:
        self._ranks = ranks

    def answer(self, message: Message, channel: Channel) -> None:
        """Send the sums back. Raises RankError where another rank has stopped."""
        from reportgen.confined.remote_ranks import reduce_for_child

        if self._ranks is None or len(message.parts) != 1:
            raise ChannelError("there is nobody to add up with")
        how, dtype = message.text("how", 10), message.text("dtype", 10)
        try:
            total = reduce_for_child(self._ranks, how, dtype, message.parts[0])
        except ValueError as error:
            raise ChannelError(str(error)) from error
        channel.send("reduce", [total.data])
