"""Messages between two processes over a pair of pipes; the other side is not believed.

A message is four bytes of length, a JSON object of that many bytes, and the binary parts whose
lengths the object names. Nothing in it is ever run, and no more is read than was agreed on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

LARGEST_HEADER = 2**24
MOST_PARTS = 100_000


class ChannelError(Exception):
    """The other side has gone, or sent what is no message."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    kind : what it is about.
    fields : plain values by name, as JSON has them.
    parts : bytes that come with it.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    parts: tuple[bytes, ...] = ()

    def text(self, name: str, most: int) -> str:
        """A field that is a text of at most so many characters. Raises ChannelError."""
        value = self.fields.get(name)
        if not isinstance(value, str) or len(value) > most:
            raise ChannelError(f"{self.kind}: {name} is no text of at most {most} characters")
        return value

    def count(self, name: str, most: int = 2**62) -> int:
        """A field that is a whole number from 0. Raises ChannelError."""
        value = self.fields.get(name)
        if type(value) is not int or not 0 <= value <= most:
            raise ChannelError(f"{self.kind}: {name} is no number from 0 to {most}")
        return value

    def number(self, name: str) -> float:
        """A field that is a finite number. Raises ChannelError."""
        value = self.fields.get(name)
        if type(value) not in (int, float) or not abs(value) < 1e300:  # type: ignore[arg-type]
            raise ChannelError(f"{self.kind}: {name} is no number")
        return float(value)  # type: ignore[arg-type]


class Channel:
    """Sends to one pipe and receives from another; threads may send at once.

    `most_bytes` is what the parts of one received message may have together.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, most_bytes: int) -> None:
        self._incoming, self._outgoing, self._most_bytes = incoming, outgoing, most_bytes
        self._sending, self._asking = threading.Lock(), threading.Lock()

    def send(self, kind: str, parts: Sequence[bytes | memoryview] = (), **fields: Any) -> None:
        """Send a message. Raises ChannelError where nobody listens."""
        views = [memoryview(part).cast("B") for part in parts]
        plain = {"kind": kind, "fields": fields, "parts": [view.nbytes for view in views]}
        header = json.dumps(plain, allow_nan=False).encode("ascii")
        with self._sending:
            try:
                self._outgoing.write(len(header).to_bytes(4, "big") + header)
                for view in views:
                    self._outgoing.write(view)
                self._outgoing.flush()
            except (OSError, ValueError) as error:
                raise ChannelError(f"nobody listens ({error})") from error

    def receive(self) -> Message | None:
        """The next message; None where the other side has ended. Raises ChannelError."""
        length = self._incoming.read(4)
        if not length:
            return None
        size = int.from_bytes(length, "big")
        if len(length) < 4 or size > LARGEST_HEADER:
            raise ChannelError("what came is no message")
        header = self._exactly(size)
        try:
            plain = json.loads(header)
            kind, fields, sizes = plain["kind"], plain["fields"], plain["parts"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ChannelError("what came is no message") from error
        sound = isinstance(kind, str) and isinstance(fields, dict) and isinstance(sizes, list)
        if not sound or len(sizes) > MOST_PARTS or not all(type(s) is int for s in sizes):
            raise ChannelError("what came is no message")
        if min(sizes, default=0) < 0 or sum(sizes) > self._most_bytes:
            raise ChannelError(f"a message of {sum(sizes)} bytes is larger than was agreed on")
        return Message(kind, fields, tuple(self._exactly(size) for size in sizes))

    def ask(self, kind: str, parts: Sequence[bytes | memoryview] = (), **fields: Any) -> Message:
        """Send a message and wait for the answer to it. Raises ChannelError."""
        with self._asking:
            self.send(kind, parts, **fields)
            answer = self.receive()
        if answer is None:
            raise ChannelError("the other side has ended")
        return answer

    def _exactly(self, size: int) -> bytes:
        content = self._incoming.read(size)
        if len(content) < size:
            raise ChannelError("a message broke off")
        return content
