"""Firefox without a driver: the few Marionette commands that the tests need, over its socket."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

SECONDS = 60


class Firefox:
    """A headless Firefox with a fresh profile in `folder`.

    Marionette's frames are "LENGTH:JSON"; a command is [0, id, name, parameters] and its answer
    [1, id, error, result].
    """

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir()
        # Port 0: a free one, written to the profile.
        (folder / "user.js").write_text('user_pref("marionette.port", 0);\n')
        self.process = subprocess.Popen(
            [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.count = 0
        self.socket = socket.create_connection(("127.0.0.1", self._port(folder)), SECONDS)
        self._read()
        self.command("WebDriver:NewSession")

    def command(self, name: str, /, **parameters: Any) -> Any:
        """The command's result; fails with Firefox's own words."""
        self.count += 1
        message = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def open(self, page: Path) -> None:
        """Returns once the page is loaded."""
        self.command("WebDriver:Navigate", url=page.as_uri())

    def run(self, script: str, *given: Any) -> Any:
        """What a function body returns in the page."""
        return self.command("WebDriver:ExecuteScript", script=script, args=list(given))["value"]

    def close(self) -> None:
        """Ends this Firefox."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(SECONDS)

    def _port(self, folder: Path) -> int:
        written = folder / "MarionetteActivePort"
        end = time.monotonic() + SECONDS
        while not (written.exists() and written.read_text()):
            assert self.process.poll() is None, f"Firefox ended with {self.process.returncode}"
            assert time.monotonic() < end, f"Firefox did not open its port in {SECONDS} s"
            time.sleep(0.05)
        return int(written.read_text())

    def _read(self) -> Any:
        length = b""
        while (byte := self.socket.recv(1)) != b":":
            assert byte, "Firefox closed its port"
            length += byte
        data = b""
        while len(data) < int(length):
            data += self.socket.recv(int(length) - len(data))
        return json.loads(data)
