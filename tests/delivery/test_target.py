"""One file: replaced whole, or written through where it is a device, a pipe or a link."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reportgen.delivery.output import Output
from reportgen.delivery.target import Target
from reportgen.errors import OutputError


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def no_links(*arguments: object, **keywords: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def write(folder: Path, layout: str, text: str) -> None:
    page = folder / ("report" if layout == "folder" else "r.html")
    beside = {"assets/page.js": f"{text} script".encode()} if layout == "folder" else None
    output = Output(page, folder / "results", layout)
    output.write(f"{text} page", f"{text} json", f"{text} npz".encode(), beside)


@pytest.mark.parametrize("layout", ["file", "folder"])
def test_a_second_report_is_written_where_hard_links_are_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path, layout, "first")
    before = listing(tmp_path)
    write(tmp_path, layout, "second")
    after = listing(tmp_path)
    assert after.keys() == before.keys()
    assert all(content.startswith(b"second") for content in after.values())


class Interruption:
    """Control-C at one of the steps of writing; afterwards everything works again."""

    def __init__(self, at: int) -> None:
        self.at, self.calls = at, 0

    def guard(self, genuine: Callable) -> Callable:
        def call(*arguments, **keywords):
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt
            return genuine(*arguments, **keywords)

        return call

    @property
    def happened(self) -> bool:
        return self.calls >= self.at


@pytest.mark.parametrize("layout", ["file", "folder"])
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("earlier", [True, False])
def test_an_interruption_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, links: bool, earlier: bool
) -> None:
    steps = 0
    for at in range(1, 100):
        folder = tmp_path / str(at)
        folder.mkdir()
        if earlier:
            write(folder, layout, "first")
        before = listing(folder)
        interruption = Interruption(at)
        with monkeypatch.context() as patch:
            patch.setattr(os, "link", interruption.guard(os.link if links else no_links))
            for owner, name in (
                (os, "fdopen"),
                (os, "fsync"),
                (Path, "replace"),
                (Path, "chmod"),
                (Path, "mkdir"),
                (shutil, "copyfileobj"),
            ):
                patch.setattr(owner, name, interruption.guard(getattr(owner, name)))
            try:
                write(folder, layout, "second")
            except KeyboardInterrupt:
                assert listing(folder) == before, f"step {at}"
        if not interruption.happened:
            break
        steps += 1
    assert steps > 5
    assert all(content.startswith(b"second") for content in listing(folder).values())


def test_a_link_to_a_file_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "page").write_text("first")
    link = tmp_path / "r.html"
    link.symlink_to("there/page")
    Output(link).write("second", "", b"")
    assert link.is_symlink()
    assert listing(tmp_path) == {"r.html": b"second", "there/page": b"second"}


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "r.html").symlink_to("page")
    Output(tmp_path / "r.html").write("new", "", b"")
    assert (tmp_path / "r.html").is_symlink()
    assert (tmp_path / "page").read_text() == "new"


def test_links_in_a_circle_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="levels of symbolic links"):
        Output(tmp_path / "a")


def test_a_pipe_gets_the_page_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    page = "<p>" * 100_000
    Output(pipe).write(page, "", b"")
    reader.join(10)
    assert read == [page.encode()]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_the_null_device_takes_the_page_and_stays_a_device(tmp_path: Path) -> None:
    Output(Path(os.devnull), tmp_path / "results").write("page", "{}", b"npz")
    assert Path(os.devnull).is_char_device()
    assert listing(tmp_path) == {"results/results.json": b"{}", "results/results.npz": b"npz"}


def test_a_device_that_takes_nothing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    output = Output(Path("/dev/full"), tmp_path / "results")
    with pytest.raises(OutputError, match="No space left"):
        output.write("page", "{}", b"npz")
    assert listing(tmp_path) == {}
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_gets_the_page_behind_what_it_already_has(
    tmp_path: Path, kind: str, name: str
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from reportgen.delivery.output import Output;"
        "os.write(1, b'before '); Output(Path(sys.argv[1])).write('page', '', b'');"
        "os.write(1, b' after')"
    )
    out = tmp_path / "out"
    with out.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code, name],
            stdout=file if kind == "file" else subprocess.PIPE,
            check=True,
        )
    got = out.read_bytes() if kind == "file" else done.stdout
    assert got == b"before page after"


@pytest.mark.parametrize(
    "path",
    [
        Path("/proc/self/mem"),
        Path("/proc/self/environ"),
        Path("/sys/kernel/x.html"),
        Path("x" * 300),
        Path("x\0y"),
        Path("/"),
        Path(),
        Path("/nowhere/at/all/r.html"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_one_sentence_before_any_work(path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        Output(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    assert len(sentence) < 350


def test_a_disk_is_not_written_to(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    try:
        os.mknod(disk, 0o060644, os.makedev(240, 250))
    except PermissionError:
        pytest.skip("only root may make a device")
    with pytest.raises(OutputError, match="a disk or a socket"):
        Output(disk)


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("first")
    page.chmod(0o600)
    Output(page).write("second", "", b"")
    assert page.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that nothing can be put in the place of, as one that a container mounts alone."""
    page = tmp_path / "r.html"
    page.write_text("first")
    genuine = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if Path(target) == page:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return genuine(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return page


def test_a_file_held_in_its_place_is_overwritten(held: Path, tmp_path: Path) -> None:
    inode = held.stat().st_ino
    Output(held).write("second", "", b"")
    assert listing(tmp_path) == {"r.html": b"second"}
    assert held.stat().st_ino == inode


def test_a_file_held_in_its_place_is_put_back_when_a_later_one_fails(
    held: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    output = Output(held, tmp_path / "results")
    (tmp_path / "results" / "results.npz").mkdir()
    with pytest.raises(OutputError):
        output.write("second", "{}", b"npz")
    assert listing(tmp_path) == {"r.html": b"first"}


def test_a_named_file_in_a_folder_that_takes_no_other_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reportgen.delivery import target

    page = tmp_path / "folder" / "r.html"
    page.parent.mkdir()
    page.write_text("first")
    genuine = target.tempfile.mkstemp
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def denied(*arguments: object, dir: Path | None = None, **keywords: object):
        if dir == page.parent:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return genuine(*arguments, dir=dir, **keywords)

    for name in ("mkstemp", "TemporaryFile"):
        monkeypatch.setattr(target.tempfile, name, denied)
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != page.parent and access(path, mode)
    )
    monkeypatch.setattr(target.tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(os, "link", no_links)
    Output(page).write("second", "", b"")
    assert listing(tmp_path) == {"folder/r.html": b"second"}


def test_where_two_names_lead_is_one_target(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert Target(tmp_path / "b" / "x", "-o").place == Target(tmp_path / "a" / "x", "-o").place
