"""Mutants of every format, one after another, each read in a confined process of its own."""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from reportgen.confined.jobs import confinement_for
from reportgen.process.child_process import Confinement
from reportgen.settings import Settings
from tests.fuzz.mutation import changed
from tests.fuzz.mutation.folders import changed_folder, file_contents, write_files
from tests.fuzz.nursery import SOUND, Outcome, read_confined
from tests.fuzz.originals import pixels, write_originals
from tests.fuzz.reading import SUBJECTS, TOGETHER, Subject

# Less than a build may have, so that what takes much without need is found.
MOST_MEMORY = 3 * 10**9
# Libraries that do so when they are imported.
START_THREADS = ("onnxruntime", "tensorstore")


@dataclass(frozen=True)
class Mutant:
    """A changed file or folder; the same three values make the same one.

    Attributes
    ----------
    seed, subject, number : the campaign's, a name in SUBJECTS, and a number of its own.
    """

    seed: int
    subject: str
    number: int

    @property
    def generator(self) -> random.Random:
        """Its own random numbers."""
        return random.Random(f"{self.seed} {self.subject} {self.number}")


class Campaign:
    """Tries mutants and files those that fail; a context.

    Parameters
    ----------
    found : a folder, where each mutant that fails is filed with what became of it.

    Attributes
    ----------
    counts : subject → what became of its mutants.
    """

    def __init__(self, found: Path) -> None:
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in SUBJECTS}
        self._found = found

    def __enter__(self) -> Campaign:
        self._work = Path(tempfile.mkdtemp(prefix="reportgen-fuzz-"))
        tempfile.tempdir = tempfile.gettempdir()
        os.environ["MPLCONFIGDIR"] = str(self._work)
        # Mutants of archives hold two members of one name on purpose.
        warnings.filterwarnings("ignore", "Duplicate name")
        context = multiprocessing.get_context("spawn")
        writer = context.Process(target=write_originals, args=(self._work / "originals",))
        writer.start()
        writer.join()
        assert writer.exitcode == 0, "the original files could not be written"
        tried = self._work / "tried"
        tried.mkdir()
        np.save(tried / "grey.npy", pixels(8))
        np.save(tried / "tiny.npy", pixels(8, (1, 6, 6)))
        np.save(tried / "colour.npy", pixels(8, (3, 16, 16)))
        self._orders = {name: self._order(subject) for name, subject in SUBJECTS.items()}
        self._warm_up()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._work)

    def try_originals(self, names: Iterable[str]) -> dict[str, Outcome]:
        """What becomes of the unchanged files of these formats, where they are not read."""
        outcomes = {name: self._tried(name, [self._original(name)])[0] for name in names}
        return {name: outcome for name, outcome in outcomes.items() if outcome.kind != "read"}

    def run(self, mutants: Iterable[Mutant], seconds: float | None = None) -> None:
        """Try mutants, for so many seconds at most."""
        until = time.monotonic() + (float("inf") if seconds is None else seconds)
        for name, together in _batches(mutants):
            if time.monotonic() > until:
                return
            files = [self.files_of(mutant) for mutant in together]
            for mutant, outcome in zip(together, self._tried(name, files), strict=True):
                if outcome.kind not in ("read", "refused"):
                    outcome = self._confirmed(mutant, outcome)
                self.counts[name][outcome.kind] += 1
                if outcome.kind not in ("read", "refused"):
                    self._file(mutant, outcome)

    def _confirmed(self, mutant: Mutant, among_others: Outcome) -> Outcome:
        """What becomes of it alone; what others can do nothing for stays."""
        alone = self.try_one(mutant)
        if alone.kind in SOUND and among_others.kind in ("crashed", "traceback", "reached"):
            return replace(among_others, said=f"(behind others) {among_others.said}")
        return alone

    def try_one(self, mutant: Mutant, loud: bool = False) -> Outcome:
        """Make a mutant, read it alone, and say what became of it."""
        return self._tried(mutant.subject, [self.files_of(mutant)], loud)[0]

    def files_of(self, mutant: Mutant) -> dict[str, object]:
        """The files of a mutant by name, as `write_files` takes them."""
        generator, files = mutant.generator, self._original(mutant.subject)
        subject = SUBJECTS[mutant.subject]
        chosen = [
            name
            for name in files
            if name.endswith(subject.changing) or name.startswith(subject.changing)
        ]
        name = generator.choice(chosen)
        if len(chosen) > 1 and generator.random() < 0.1:
            return changed_folder(generator, files, name)
        content = files[name]
        assert isinstance(content, bytes)
        return {**files, name: changed(generator, name, content)}

    def _original(self, name: str) -> dict[str, object]:
        return dict(file_contents(self._work / "originals" / name))

    def _tried(
        self, name: str, all_files: list[dict[str, object]], loud: bool = False
    ) -> list[Outcome]:
        folders = [self._work / "tried" / f"files-{place}" for place in range(len(all_files))]
        for folder, files in zip(folders, all_files, strict=True):
            write_files(folder, files)
        before = [_listing(folder) for folder in folders]
        read = SUBJECTS[name].read
        reads = [partial(read, folder) for folder in folders]
        outcomes = read_confined(reads, self._orders[name], loud)
        return [
            outcome
            if _listing(folder) == listed
            else replace(outcome, kind="reached", said="it left files behind")
            for outcome, folder, listed in zip(outcomes, folders, before, strict=True)
        ]

    def _order(self, subject: Subject) -> Confinement:
        """The commands' own confinement of what reads these files, with less memory."""
        tried = self._work / "tried"
        order = confinement_for([tried], Settings(memory=0.25), models=[], code=subject.names_code)
        return replace(order, memory_bytes=MOST_MEMORY)

    def _warm_up(self) -> None:
        """Import here what children import as they read the originals: this starts no thread."""
        for name in SUBJECTS:
            folder = self._work / "tried" / "files-0"
            write_files(folder, self._original(name))
            for module in _imported_by(name, folder):
                if module.partition(".")[0] not in START_THREADS:
                    with suppress(Exception):
                        importlib.import_module(module)
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())
        assert threads == 1, f"{threads} threads here: a fork would not be whole"
        gc.collect()
        gc.freeze()

    def _file(self, mutant: Mutant, outcome: Outcome) -> None:
        place = self._found / f"{outcome.kind}-{mutant.subject}-{mutant.seed}-{mutant.number}"
        write_files(place, self.files_of(mutant))
        said = {"seed": mutant.seed, "subject": mutant.subject, "number": mutant.number}
        said |= {"kind": outcome.kind, "said": outcome.said, "seconds": outcome.seconds}
        (place / "outcome.json").write_text(json.dumps(said | {"bytes": outcome.bytes}, indent=1))


def mutants(seed: int, subjects: Iterable[str] = SUBJECTS, start: int = 0) -> Iterator[Mutant]:
    """Mutants without end, of formats in turn, each as often as its weight says."""
    turn = [name for name in subjects for _ in range(SUBJECTS[name].weight)]
    random.Random(seed).shuffle(turn)
    number = start
    while True:
        for name in turn:
            for _ in range(TOGETHER):
                yield Mutant(seed, name, number)
                number += 1


def _batches(mutants: Iterable[Mutant]) -> Iterator[tuple[str, list[Mutant]]]:
    """Mutants of one format that follow one another, as many as are tried in one process."""
    for name, group in itertools.groupby(mutants, lambda mutant: mutant.subject):
        while together := list(itertools.islice(group, TOGETHER)):
            yield name, together


def _imported_by(name: str, folder: Path) -> list[str]:
    """Names of the modules that reading a subject's original imports, found out in a fork."""
    incoming, outgoing = os.pipe()
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        before = set(sys.modules)
        with suppress(BaseException):
            SUBJECTS[name].read(folder)
        with os.fdopen(outgoing, "w") as out:
            out.write("\n".join(module for module in sys.modules if module not in before))
        os._exit(0)
    os.close(outgoing)
    with os.fdopen(incoming) as file:
        found = file.read().split()
    os.waitpid(child, 0)
    return found


def _listing(folder: Path) -> list[str]:
    return sorted(os.fsencode(path.relative_to(folder)).hex() for path in folder.rglob("*"))
