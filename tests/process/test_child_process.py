"""However a confined child ends, the parent says it in one sentence, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reportgen.errors import BugError, ChildError, ModelError, OutputError, ReportgenError
from reportgen.process.channel import ChannelError, Message
from tests.process.confined import REPOSITORY
from tests.process.hostile import child, confinement

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def run(code: str, **others: Any) -> list[Message]:
    with child(textwrap.dedent(code), **others) as process:
        return list(process.messages())


def death(code: str, **others: Any) -> str:
    with pytest.raises(ChildError) as caught:
        run(code, **others)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    assert "model.pt and images" in sentence and "nothing was written" in sentence
    return sentence


def test_what_it_says_arrives() -> None:
    (done,) = run("said['sum'] = a + 1", a=41)
    assert done.fields["said"] == {"sum": 42}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGFPE)", "SIGFPE"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "SIGBUS"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory runs out"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os._exit(0)", "exit code 0"),
        (
            "import sys; sys.setrecursionlimit(2**30); x = []\n"
            "for _ in range(10**6): x = [x]\nrepr(x)",
            "SIG",
        ),
    ],
)
def test_a_crash_is_one_sentence_that_names_it(code: str, name: str) -> None:
    assert name in death(code)


def test_the_sentence_has_the_step_and_the_last_words() -> None:
    code = """
    import os
    channel.send("step", name="model")
    os.write(2, b"free(): \\x1b[31minvalid pointer\\n")
    os.abort()
    """
    with pytest.raises(ChildError) as caught, child(textwrap.dedent(code)) as process:
        for message in process.messages():
            process.doing = message.text("name", 99)
    assert "at the step model" in str(caught.value)
    assert "its last words were: free(): \\x1b[31minvalid pointer" in str(caught.value)


def test_last_words_that_came_with_the_last_message_are_not_lost() -> None:
    code = """
    import os
    os.write(2, b"free(): invalid pointer\\n")
    channel.send("step", name="model")
    import time
    time.sleep(0.5)
    os.abort()
    """
    with pytest.raises(ChildError) as caught, child(textwrap.dedent(code)) as process:
        for _ in process.messages():
            pass
    assert "its last words were: free(): invalid pointer" in str(caught.value)


def test_memory_beyond_the_limit_is_one_sentence() -> None:
    order = confinement(memory_bytes=2**30, memory_said="--memory 1 allows")
    assert "the 1.1 GB that --memory 1 allows" in death("bytearray(2**31)", order=order)
    said = 'raise RuntimeError("[enforce fail] DefaultCPUAllocator: can\'t allocate memory: you …")'
    assert "--memory 1 allows" in death(said, order=order)


def test_time_beyond_the_limit_is_one_sentence() -> None:
    order = confinement(cpu_seconds=1, time_said="--max-seconds 1 allows")
    assert "the 1 seconds of computing that --max-seconds 1 allows" in death(
        "while True: pass", order=order
    )


def test_bad_input_is_the_error_that_it_raised() -> None:
    with pytest.raises(ModelError, match=r"^model.pt is\\nno model.$"):
        run("from reportgen.errors import ModelError; raise ModelError('model.pt is\\nno model.')")
    with pytest.raises(OutputError):
        run("from reportgen.errors import OutputError; raise OutputError('no')")


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(BugError) as caught:
        run("1 / 0")
    assert "ZeroDivisionError" in str(caught.value) and "Traceback" in str(caught.value)
    assert not isinstance(caught.value, ReportgenError)


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05hello",
        b"\x00\x00\x00\x02[]",
        b'\x00\x00\x00\x35{"kind": "x", "fields": {}, "parts": [999999999999]}  ',
        b'\x00\x00\x00\x2b{"kind": "x", "fields": {}, "parts": [-1]}  ',
        b'\x00\x00\x00\x2b{"kind": 1.5, "fields": {}, "parts": []}    ',
        (200_000).to_bytes(4, "big") + b"[" * 200_000,
    ],
    ids=["length", "text", "list", "size", "negative", "kind", "deep"],
)
def test_what_is_no_message_ends_it(sent: bytes) -> None:
    code = """
    import time
    channel._outgoing.write(sent)
    channel._outgoing.flush()
    time.sleep(60)
    """
    started = time.monotonic()
    assert "sent what is no message" in death(code, sent=sent)
    assert time.monotonic() - started < 20


def test_a_message_that_breaks_off_is_one_sentence() -> None:
    death("import os; os.write(channel._outgoing.fileno(), b'\\0\\0\\1\\0{'); os._exit(0)")


def test_a_message_that_its_reader_does_not_believe_ends_it() -> None:
    with (
        pytest.raises(ChildError, match="sent what is no message"),
        child("import time; channel.send('step', name=7); time.sleep(60)") as process,
    ):
        for message in process.messages():
            message.text("name", 99)


def test_what_it_prints_comes_out_escaped_a_line_at_a_time() -> None:
    said: list[str] = []
    code = """
    import sys
    print("first \\x1b[2J")
    print("x" * 5000, file=sys.stderr)
    sys.stdout.flush()
    """
    run(code, say=said.append)
    assert "first \\x1b[2J" in said
    assert max(map(len, said)) <= 500


class StopError(Exception):
    pass


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


WAITING = "import os, time; channel.send('step', number=os.getpid()); time.sleep(60)"


def test_it_ends_with_the_block_it_lives_in() -> None:
    numbers = []
    with pytest.raises(StopError), child(WAITING) as process:
        for message in process.messages():
            numbers.append(message.count("number"))
            raise StopError
    assert not alive(numbers[0])


@pytest.mark.slow
def test_it_ends_when_its_parent_is_killed() -> None:
    code = f"""
    from tests.process.hostile import child
    with child({WAITING!r}) as process:
        for message in process.messages():
            print(message.count("number"), flush=True)
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    assert alive(number)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert soon(lambda: not alive(number))


def test_an_interruption_from_the_terminal_is_the_parent_s_to_decide() -> None:
    code = """
    import os, signal
    os.kill(os.getpid(), signal.SIGINT)
    said["still"] = "here"
    """
    assert run(code)[-1].fields["said"] == {"still": "here"}


def children() -> set[str]:
    """Processes that this one has started and that are not gone, by number; other tests' too."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(status.parent.name)
    return found


def test_it_leaves_no_file_no_process_and_no_descriptor(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    others = children()
    with child("pass"):
        assert not before or children() > others
    for code in ("pass", "1 / 0", "import os; os.abort()", "raise MemoryError"):
        with pytest.raises((BugError, ChildError)) if code != "pass" else child("pass"):
            run(code)
    assert list(tmp_path.iterdir()) == []
    if before:
        assert len(list(descriptors.iterdir())) == before
    assert children() == others


def test_a_message_s_fields_are_checked() -> None:
    message = Message("x", {"text": "a", "count": 3, "number": 0.5, "truth": True, "nan": 1e400})
    assert (message.text("text", 1), message.count("count"), message.number("number")) == (
        *("a", 3),
        0.5,
    )
    for wrong in (
        lambda: message.text("text", 0),
        lambda: message.text("count", 9),
        lambda: message.text("none", 9),
        lambda: message.count("count", 2),
        lambda: message.count("truth"),
        lambda: message.count("number"),
        lambda: message.number("nan"),
        lambda: message.number("truth"),
    ):
        with pytest.raises(ChannelError):
            wrong()


def test_signals_have_their_names() -> None:
    from reportgen.process.child_process import _signal_name

    assert _signal_name(-signal.SIGSEGV) == "SIGSEGV"
    assert _signal_name(-63) and _signal_name(1) == ""
