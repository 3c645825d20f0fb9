"""A minute of the fuzzer with a fixed seed, and what the fuzzer itself has to notice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.fuzz.mutation import changed
from tests.fuzz.mutation.pickles import changed_pickle
from tests.fuzz.reading import SUBJECTS, TOGETHER
from tests.process.confined import REPOSITORY

# Each format as often as its weight says: a minute on two cores.
ONE_TURN = TOGETHER * sum(subject.weight for subject in SUBJECTS.values())


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_unchanged_files_are_read_and_a_minute_of_mutants_finds_nothing(tmp_path: Path) -> None:
    found = tmp_path / "found"
    done = run("-m", "tests.fuzz", "--count", str(ONE_TURN), "--seed", "0", "--found", str(found))
    assert done.returncode == 0, done.stderr
    assert f"| **together** | {ONE_TURN:,} |" in done.stdout
    filed = [json.loads(path.read_text()) for path in sorted(found.glob("*/outcome.json"))]
    assert len(SUBJECTS) > 29
    assert [(each["kind"], each["subject"], each["number"], each["said"]) for each in filed] == []


@pytest.mark.slow
def test_operators_that_trust_their_arguments_do_not_get_them(tmp_path: Path) -> None:
    only = ("native_batch_norm", "view", "_reshape_alias", "repeat_interleave", "_fft_c2r", "div")
    words = ("--calls", "60", "--only", *only, "--found", str(tmp_path / "found.json"))
    done = run("-m", "tests.fuzz.operators", *words)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "found.json").exists(), done.stdout


@pytest.mark.slow
def test_what_becomes_of_a_file_is_noticed(tmp_path: Path) -> None:
    code = """
    import ctypes, json, os, sys
    from pathlib import Path
    from reportgen.errors import DataError
    from reportgen.process.child_process import Confinement
    from tests.fuzz import nursery
    from tests.process.confined import PYTHONS_OWN

    def refuse():
        raise DataError("no")

    def loop():
        while True:
            pass

    nursery.MOST_SECONDS = 1
    reads = {
        "read": lambda: None,
        "refused": refuse,
        "traceback": lambda: 1 / 0,
        "crashed": lambda: ctypes.string_at(0),
        "memory": lambda: bytearray(2**40),
        "slow": loop,
        "reached by writing": lambda: Path("marker").write_text("x"),
        "reached by a program": lambda: os.system("touch marker"),
    }
    order = Confinement((*map(Path, PYTHONS_OWN),), memory_bytes=2**30)
    found = nursery.read_confined(list(reads.values()), order)
    for name, outcome in zip(reads, found, strict=True):
        print(name.partition(" ")[0], outcome.kind)
    """
    done = run("-c", textwrap.dedent(code))
    said = [line.split() for line in done.stdout.splitlines()]
    assert len(said) == 8 and all(expected == kind for expected, kind in said), done.stdout
    assert not (REPOSITORY / "marker").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"a": [1, 2.5, "x", null], "b": {"c": true}}'),
        ("a.toml", b'a = [1, 2]\nb = "x"\n[c]\nd = 1.5\n'),
        ("a.csv", b"file,size\na.png,1\nb.png,2\n"),
        ("a.py", b"def forward(self, x: Tensor) -> Tensor:\n  return torch.relu(x)\n"),
        ("a.unknown", bytes(range(200))),
    ],
)
def test_the_same_seed_gives_the_same_mutant(name: str, content: bytes) -> None:
    made = [changed(random.Random(seed), name, content) for seed in range(40)]
    assert made == [changed(random.Random(seed), name, content) for seed in range(40)]
    assert len(set(made)) > 20
    assert sum(mutant != content for mutant in made) > 30


def test_pickles_are_changed_by_their_opcodes() -> None:
    import pickle
    import pickletools

    content = pickle.dumps({"a": [1, 2.5, "x"], "b": None}, protocol=2)
    parsed = 0
    for seed in range(60):
        mutant = changed_pickle(random.Random(seed), content)
        try:
            parsed += bool(list(pickletools.genops(mutant)))
        except Exception:
            continue
    assert parsed > 30
