"""Code run in a process of its own that has given up what `confine` takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
# What an interpreter needs to go on importing.
PYTHONS_OWN = (
    sys.prefix,
    sys.base_prefix,
    str(REPOSITORY / "reportgen"),
    "/usr/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
)

PROLOGUE = """
import ctypes, errno, json, os, sys
from pathlib import Path
import reportgen.process.confinement as confinement
from reportgen.process import call_filter, landlock, system_calls

def outcome(attempt):
    try:
        return attempt()
    except BaseException as error:
        number = getattr(error, "errno", None)
        return errno.errorcode.get(number, type(error).__name__)

def confine(readable=(), writable=(), **others):
    own = None if readable is None else [*map(Path, json.loads(sys.argv[1])), *map(Path, readable)]
    return confinement.confine(own, [Path(p) for p in writable], **others)

said = {}
"""


def run_confined(code: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run `code`, which calls `confine(...)` itself and finds `arguments` in sys.argv[2:]."""
    words = [json.dumps(PYTHONS_OWN), *map(str, arguments)]
    script = f"{PROLOGUE}\n{textwrap.dedent(code)}\nprint(json.dumps(said))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def said_by(code: str, *arguments: object) -> dict[str, Any]:
    """What the code put in `said`."""
    done = run_confined(code, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
