"""The command, with hostile code where a model would be: nothing is read, written or reached."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import reportgen
from reportgen.command.cli import main
from reportgen.confined import limits
from reportgen.confined.jobs import confinement_for, models_named
from reportgen.errors import ReportgenError
from reportgen.loading.options import LoadingOptions
from reportgen.process.child_process import ChildProcess, Confinement
from reportgen.request import BuildRequest
from reportgen.settings import Settings
from tests.process.confined import REPOSITORY
from tests.process.hostile import TESTS, Hostile
from tests.slow import slow_but

pytestmark = pytest.mark.confined
FEW = ("--rows", "8", "--no-live")
WANTS = (
    "open('marker.txt', 'w')",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
    "import subprocess; subprocess.run(['true'])",
    "import tempfile; tempfile.mkdtemp()",
)
ENDS = ("KeyboardInterrupt", "SystemExit(3)", "GeneratorExit")
NET = """
    import os
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
            self.decoder = nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (1, 8, 8)))
            {own}

        def forward(self, x):
            return self.decoder(self.encoder(x))
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """model.pt (a pickled module), weights.pt, 30 images in data, and beside.txt."""
    torch.manual_seed(0)
    module = torch.nn.Sequential()
    module.add_module("encoder", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    decoder = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    module.add_module("decoder", decoder)
    torch.save(module, tmp_path / "model.pt")
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "data").mkdir()
    generator = np.random.default_rng(0)
    for number in range(30):
        pixels = generator.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number:02}.png")
    (tmp_path / "beside.txt").write_text("secret")
    return tmp_path


def build(work: Path, *words: object, model: str = "model.pt", data: str = "data") -> Result:
    arguments = ["build", work / model, work / data, "-o", work / "r.html", *FEW, *words]
    return CliRunner().invoke(main, [str(word) for word in arguments])


def refusal(done: Result, work: Path) -> str:
    assert done.exit_code == 2, done.output
    assert done.output.count("\n") == 1, done.output
    assert not (work / "r.html").exists()
    return done.output


def with_net(work: Path, own: str) -> tuple[str, ...]:
    code = textwrap.dedent(NET).replace("{own}", own)
    (work / "net.py").write_text(code)
    return ("--model-class", f"{work / 'net.py'}:Net")


def test_code_in_the_place_of_a_model_reaches_nothing(work: Path) -> None:
    request = BuildRequest(work / "model.pt", work / "data", work / "r.html")
    order = confinement_for(
        [given.path for given in request.inputs()], Settings(), models=[request.model], code=False
    )
    assert order.readable is not None and order.memory_bytes is not None
    readable = (*order.readable, TESTS)
    order = Confinement(readable, order.writable, order.memory_bytes, order.cpu_seconds)
    code = """
    import os, socket
    from pathlib import Path
    work = Path(folder)
    said["given"] = outcome(lambda: len((work / "data" / "03.png").read_bytes()) > 0)
    said["beside"] = outcome((work / "beside.txt").read_text)
    said["passwords"] = outcome(lambda: Path("/etc/passwd").read_text()[:4])
    said["home"] = outcome(lambda: os.listdir(Path.home()))
    said["marker"] = outcome(lambda: (work / "data" / "marker").write_text("x"))
    said["temporary"] = outcome(lambda: Path("/tmp/marker").write_text("x"))
    said["connect"] = outcome(lambda: socket.create_connection(("127.0.0.1", port)))
    said["fork"] = outcome(os.fork)
    said["program"] = outcome(lambda: os.posix_spawn("/bin/true", ["true"], {}))
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = {"folder": str(work), "port": server.getsockname()[1]}
        task = Hostile(textwrap.dedent(code), given)
        child = ChildProcess(task, order, most_bytes=2**20, about="it", say=print)
        with child:
            (done,) = child.messages()
    said = done.fields["said"]
    assert said.pop("given") is True
    assert set(said.values()) <= {"EPERM", "EACCES"}, said


@pytest.mark.slow
def test_a_model_that_crashes_is_one_sentence_and_the_next_build_is_right_and_says_what_held(
    work: Path,
) -> None:
    own = "import ctypes; torch.nn.ReLU.forward = torch.tanh; ctypes.string_at(0)"
    sentence = refusal(build(work, *with_net(work, own), model="weights.pt"), work)
    assert "SIGSEGV" in sentence and "weights.pt" in sentence
    assert torch.nn.ReLU()(torch.tensor([2.0])) == 2.0
    assert build(work).exit_code == 0
    page = (work / "r.html").read_text(encoding="utf-8")
    assert "held by Landlock" in page and "GB of memory" in page


class Marks:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.place,)


@pytest.mark.slow
def test_from_python_hostile_models_are_exceptions_and_leave_the_process_clean(work: Path) -> None:
    here = {"rows": 8, "effort": "quick", "live": False}
    torch.save(Marks(work / "marker"), work / "hostile.pt")
    before = torch.nn.ReLU.forward
    with_net(work, "import ctypes; torch.nn.ReLU.forward = torch.tanh; ctypes.string_at(0)")
    named = {"model_class": f"{work / 'net.py'}:Net"}
    for name, said, says in (("hostile.pt", {}, "hostile.pt"), ("weights.pt", named, "SIGSEGV")):
        with pytest.raises(ReportgenError, match=says) as caught:
            reportgen.build(str(work / name), str(work / "data"), **here, **said)
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert torch.nn.ReLU.forward is before and not (work / "marker").exists()
    found = [
        reportgen.build(str(work / "model.pt"), str(work / "data"), trust=trust, **here)
        for trust in (False, True)
    ]
    confined, trusted = (report["reconstruction.r2"] for report in found)
    assert confined == trusted


@pytest.mark.parametrize("own", slow_but(WANTS[:1], WANTS))
def test_what_named_code_wants_beyond_reading_names_trust(work: Path, own: str) -> None:
    done = build(work, *with_net(work, own), model="weights.pt")
    assert "--trust" in refusal(done, work)


@pytest.mark.slow
def test_named_code_may_read_what_it_needs(work: Path) -> None:
    own = f"assert open({str(work / 'beside.txt')!r}).read() == 'secret'"
    done = build(work, *with_net(work, own), model="weights.pt")
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_images_behind_links_and_in_tables_are_read(work: Path, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    linked = work / "linked"
    linked.mkdir()
    for place, path in enumerate(sorted((work / "data").iterdir())):
        there = elsewhere / path.name
        there.write_bytes(path.read_bytes())
        if place % 2:
            (linked / path.name).symlink_to(there)
        else:
            (linked / path.name).write_bytes(path.read_bytes())
    assert build(work, data="linked").exit_code == 0
    lines = [f"{elsewhere / path.name},1\n" for path in sorted((work / "data").iterdir())]
    (work / "table.csv").write_text(
        "".join(["file,number\n", *lines, f"{work / 'beside.txt'},2\n"])
    )
    done = build(work, data="table.csv")
    assert done.exit_code == 0, done.output
    page = (work / "r.html").read_text(encoding="utf-8")
    assert "it does not begin like a picture" in page and "secret" not in page


@pytest.mark.slow
def test_a_cold_cache_a_warm_one_and_none_give_the_same_bytes(work: Path) -> None:
    pages = []
    for words in ((), ("--cache", work / "cache"), ("--cache", work / "cache")):
        assert build(work, *words, "--results", work / "results").exit_code == 0
        written = [work / "r.html", *sorted((work / "results").iterdir())]
        pages.append([path.read_bytes() for path in written])
    assert pages[0] == pages[1] == pages[2]
    (entry,) = (work / "cache").iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 4
    entry.write_bytes(content)
    assert build(work, "--cache", work / "cache").exit_code == 0
    assert (work / "r.html").read_bytes() == pages[0][0]


@pytest.mark.slow
def test_a_question_of_a_package_that_lies_beside_the_images_is_asked(work: Path) -> None:
    shutil.copytree(REPOSITORY / "tests" / "extension" / "unit_sparsity", work / "unit_sparsity")
    described = work / "unit_sparsity-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: unit-sparsity\nVersion: 1\n")
    (described / "entry_points.txt").write_text(
        "[reportgen.questions]\nunit_sparsity = unit_sparsity:QUESTION\n"
    )
    command = [sys.executable, "-m", "reportgen", "build", "model.pt", "data", *FEW, "-q"]
    paths = {"PYTHONPATH": f"{work}{os.pathsep}{REPOSITORY}"}
    subprocess.run(command, cwd=work, env=os.environ | paths, check=True)
    assert "Unit sparsity" in (work / "report.html").read_text(encoding="utf-8")


def test_a_request_to_end_leaves_neither_process_nor_file(work: Path) -> None:
    words = with_net(work, "open(os.environ['LISTENER'], 'rb').read(1)\n        while True: pass")
    (work / "temporary").mkdir()
    os.mkfifo(work / "started")
    before = sorted(path.name for path in work.iterdir())
    command = [sys.executable, "-m", "reportgen", "build", "weights.pt", "data", *words]
    here = {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(work / "temporary")}
    here["LISTENER"] = str(work / "started")
    with subprocess.Popen(command, cwd=work, env=os.environ | here) as process:
        # Opened when the child opens it.
        with (work / "started").open("wb") as started:
            (child,) = map(int, children_of(process.pid))
            started.write(b"x")
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not [*(work / "temporary").iterdir()]
    assert sorted(path.name for path in work.iterdir() if path.name != "__pycache__") == before


def children_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.slow
def test_what_named_code_runs_out_of_names_memory(work: Path) -> None:
    own = "kept = [bytearray(10**9) for _ in range(100)]"
    words = (*with_net(work, f"self.{own}"), "--memory", "0.5")
    said = refusal(build(work, *words, model="weights.pt"), work)
    assert "memory" in said


@pytest.mark.slow
def test_a_library_that_asks_a_compiler_for_another_does_without(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As cuda.pathfinder does, which torch imports: for a compiler it makes a temporary file."""
    (work / "bin").mkdir()
    (work / "bin" / "gcc").write_text("#!/bin/sh\n")
    (work / "bin" / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{work / 'bin'}:{os.environ['PATH']}")
    words = with_net(work, "import ctypes.util; ctypes.util.find_library('no such library')")
    done = build(work, *words, model="weights.pt")
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_the_report_says_what_trust_allows(work: Path) -> None:
    assert build(work, "--trust").exit_code == 0
    assert "with --trust the model may do" in (work / "r.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_names_and_titles_that_are_not_utf_8_stand_escaped_on_the_page(work: Path) -> None:
    """From the model's name to a class's: nothing of them fails after the whole analysis."""
    name = os.fsdecode(b"m\xff")
    (work / "model.pt").rename(work / f"{name}.pt")
    (work / "data" / name).mkdir()
    for picture in sorted((work / "data").glob("1*.png")):
        picture.rename(work / "data" / name / f"{name}{picture.name}")
    (work / "data" / "other").mkdir()
    for picture in sorted((work / "data").glob("*.png")):
        picture.rename(work / "data" / "other" / picture.name)
    (work / "data").rename(work / f"d{name}")
    written = ("--results", work / "results", "--title", os.fsdecode(b"t\xff"))
    done = build(work, *written, model=f"{name}.pt", data=f"d{name}")
    assert done.exit_code == 0, done.output
    page = (work / "r.html").read_text(encoding="utf-8")
    assert "t\\xff" in page and "m\\xff" in page
    page = CliRunner().invoke(
        main, ["render", str(work / "results"), "-o", str(work / "again.html")]
    )
    assert page.exit_code == 0, page.output


@pytest.mark.slow
@pytest.mark.parametrize("raised", ENDS)
def test_code_that_ends_the_program_is_one_sentence(work: Path, raised: str) -> None:
    done = build(work, *with_net(work, f"raise {raised}"), model="weights.pt")
    assert raised.partition("(")[0] in refusal(done, work)


def test_every_file_of_a_model_counts_for_the_memory_that_it_may_take(work: Path) -> None:
    halves = LoadingOptions(encoder=str(work / "model.pt"), decoder=str(work / "weights.pt"))
    both = [work / "model.pt", work / "weights.pt"]
    assert models_named(halves, [work / "model.pt"]) == both
    assert models_named(LoadingOptions(decoder="decoder"), [work / "model.pt"]) == both[:1]


@pytest.mark.slow
def test_max_seconds_hold_the_child_from_its_start_to_its_end(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = build(work, "--max-seconds", "120")
    assert done.exit_code == 0, done.output
    assert "seconds of computing" in (work / "r.html").read_text(encoding="utf-8")
    (work / "r.html").unlink()
    monkeypatch.setattr(limits, "BESIDES", 3)
    monkeypatch.setattr(limits, "TIMES_THE_SECONDS", 0)
    endless = with_net(work, "while True: pass")
    said = refusal(build(work, *endless, "--max-seconds", "5", model="weights.pt"), work)
    assert "seconds of computing that --max-seconds 5.0 allows" in said
