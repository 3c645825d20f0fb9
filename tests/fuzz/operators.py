"""Every operator that a file's graph may use, called with hostile arguments in confined processes.

    python -m tests.fuzz.operators --calls 300 --seed 1

Each call goes the way that it goes in the loader: `check_arguments`, then the operator. It is made
twice, over heaps that were filled with other bytes: what returns another result has read beside its
tensors, though nothing told. An operator that crashes or does that has to go from the list, or its
arguments have to be checked.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.fuzz.one_thread import one_thread

one_thread()

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from reportgen.confined.jobs import confinement_for  # noqa: E402
from reportgen.errors import ModelError  # noqa: E402
from reportgen.loading.graph.argument_checks import check_arguments  # noqa: E402
from reportgen.loading.graph.operators import ALLOWED, resolve_aten  # noqa: E402
from reportgen.settings import Settings  # noqa: E402
from tests.fuzz.nursery import Outcome, read_confined  # noqa: E402
from tests.fuzz.values_of_types import SHAPES, argument_of  # noqa: E402

MOST_MEMORY = 3 * 10**9
# An operator that only ever takes long is left after so many.
MOST_SLOW = 3
# The allocator's setting of what it fills memory with, and two such contents.
MALLOPT = ctypes.CDLL(None).mallopt
M_PERTURB, HEAP_CONTENTS = -6, (85, 170)
LARGEST_COMPARED = 10**6
# They return memory as it is.
UNFILLED = ("empty", "new_empty")


def overloads() -> Iterator[torch._ops.OpOverload]:
    """Every overload that a graph can name."""
    for name in sorted(ALLOWED):
        packet = getattr(torch.ops.aten, name, None)
        for overload in [] if packet is None else packet.overloads():
            found = resolve_aten(name, overload, trust=False)
            if found is not None:
                yield found


class DiffersError(BaseException):
    """A result depends on what lies in memory beside the arguments."""


def call(overload: torch._ops.OpOverload, seed: str) -> None:
    """One call with arguments of this seed, made twice.

    Raises ModelError where it is refused, and DiffersError.
    """
    found = []
    for content in HEAP_CONTENTS:
        MALLOPT(M_PERTURB, content)
        found.append(_contents(_called(overload, seed)))
    if found[0] != found[1] and not overload._opname.startswith(UNFILLED):
        raise DiffersError(f"{overload} returned two results: {found[0][:3]}, {found[1][:3]}")


def _called(overload: torch._ops.OpOverload, seed: str) -> Any:
    generator = random.Random(seed)
    torch.manual_seed(0)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    common = generator.random() < 0.6
    shape = generator.choice(SHAPES)
    for argument in overload._schema.arguments:
        if argument.has_default_value() and generator.random() < 0.5:
            value = argument.default_value
        else:
            value = argument_of(argument.real_type, generator, shape if common else None)
        if argument.kwarg_only:
            kwargs[argument.name] = value
        else:
            args.append(value)
    try:
        check_arguments(overload, args, kwargs)
        with torch.no_grad():
            return overload(*args, **kwargs)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(str(error)[:200]) from None


def _contents(value: Any) -> list[bytes]:
    """The bytes of all that came back."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.numel() > LARGEST_COMPARED:
            return []
        plain = value.resolve_conj().resolve_neg().contiguous().reshape(-1)
        # One number may keep a stride that its bytes cannot have.
        packed = torch.empty(len(plain), dtype=plain.dtype).copy_(plain)
        return [packed.view(torch.uint8).numpy().tobytes() if len(plain) else b""]
    if isinstance(value, list | tuple):
        return [content for part in value for content in _contents(part)]
    return []


def main() -> None:
    """Call every overload, and print and keep what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.operators", description=__doc__)
    parser.add_argument("--calls", type=int, default=300, help="of each overload")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at the most")
    parser.add_argument("--only", nargs="*", help="names of operators")
    parser.add_argument("--found", type=Path, default=Path("operators-found.json"))
    said = parser.parse_args()
    order = confinement_for([], Settings(memory=0.25), models=[], code=False)
    order = replace(order, memory_bytes=MOST_MEMORY)
    counts: Counter[str] = Counter()
    found: dict[str, list[str]] = {}
    wanted = [o for o in overloads() if not said.only or o._opname in said.only]
    # In another order with another seed: where time runs out, others are left.
    random.Random(said.seed).shuffle(wanted)
    tried: list[torch._ops.OpOverload] = []
    until = time.monotonic() + said.seconds
    for overload in wanted:
        if time.monotonic() > until:
            break
        tried.append(overload)
        seeds = [f"{said.seed} {overload} {number}" for number in range(said.calls)]
        for seed, outcome in zip(seeds, _outcomes(overload, seeds, order), strict=False):
            counts[outcome.kind] += 1
            if outcome.kind in ("crashed", "reached", "slow", "traceback"):
                found.setdefault(f"{outcome.kind} {overload}", []).append(f"{seed}: {outcome.said}")
                said.found.write_text(json.dumps(found, indent=1))
    names = len({overload._opname for overload in tried})
    print(f"{names} operators, {len(tried)} of {len(wanted)} overloads, ", end="")
    print(f"{sum(counts.values()):,} calls: {dict(counts)}")
    for each, calls in sorted(found.items()):
        print(each, len(calls), calls[0])


def _outcomes(overload: Any, seeds: list[str], order: Any) -> list[Outcome]:
    """Outcomes of calls, one after another; those that crash once more, alone."""
    outcomes: list[Outcome] = []
    slow = 0
    reads: list[Callable[[], None]] = [partial(call, overload, seed) for seed in seeds]
    while len(outcomes) < len(reads) and slow < MOST_SLOW:
        outcomes += read_confined(reads[len(outcomes) :], order, most_deaths=1)
        slow += outcomes[-1].kind == "slow"
    for place, outcome in enumerate(outcomes):
        if outcome.kind == "crashed":
            (alone,) = read_confined([reads[place]], order)
            if alone.kind != "crashed":
                outcomes[place] = replace(outcome, said=f"(behind others) {outcome.said}")
    return outcomes


if __name__ == "__main__":
    if "GLIBC_TUNABLES" not in os.environ:
        # Memory that a thread keeps for itself is not filled anew.
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz.operators", *sys.argv[1:]])
    main()
