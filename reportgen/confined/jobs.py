"""The commands' jobs from the parent's side: checked, started in a confined child, written.

Nothing of a model file or its images is opened here. What the child hands over is bytes of a size
that was agreed on, and texts that are escaped before they are shown.
"""

from __future__ import annotations

import compileall
import contextlib
import importlib.util
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.confined.doors import Cabinet, Door, Reader, Reducer
from reportgen.confined.limits import memory_limit, time_limit
from reportgen.confined.readable import drivers_own, pythons_own, with_links
from reportgen.confined.received import files_of, inspection_of, outcome_of
from reportgen.confined.tasks import BuildTask, InspectTask, RenderTask
from reportgen.delivery.collisions import Input
from reportgen.delivery.delivery import Delivery, Destination, ReportFiles
from reportgen.delivery.output import RESULTS_FILES
from reportgen.loading.options import LoadingOptions
from reportgen.outcome import BuildOutcome, deliver
from reportgen.process.channel import Channel, ChannelError, Message
from reportgen.process.child_process import ChildProcess, Confinement
from reportgen.process.confinement import Held
from reportgen.process.progress import QuietProgress
from reportgen.report.question import ENTRY_POINTS
from reportgen.request import BuildRequest, named_in
from reportgen.settings import Settings
from reportgen.shown import shown
from reportgen.study.code_folder import CodeFolder
from reportgen.study.subject import GivenSets

if TYPE_CHECKING:
    from reportgen.process.ranks import Ranks

ADAPTER = re.compile(r"(.+\.py|[A-Za-z_][\w.]*):[A-Za-z_]\w*")
# What a child without a limit of memory may hand over.
LARGEST_MESSAGE = 2**36
LONGEST_LINE, LONGEST_SENTENCE = 500, 4000


def build(
    request: BuildRequest, settings: Settings, progress: QuietProgress
) -> BuildOutcome | None:
    """Make a report in a confined child and write it; None on ranks that do not write it.

    Raises a ReportgenError for bad input, and where the child dies; then nothing is written.
    BugError for a fault of ours.
    """
    delivery = Delivery(request.destination, request.inputs())
    made = make_report(
        request,
        settings,
        progress,
        written_over=delivery.written_over,
        with_results=request.results_folder is not None,
    )
    return None if made is None else deliver(delivery, *made, progress)


def make_report(
    request: BuildRequest,
    settings: Settings,
    progress: QuietProgress,
    *,
    written_over: frozenset[tuple[int, int]] = frozenset(),
    with_results: bool = True,
    alone: bool = False,
    given: GivenSets | None = None,
) -> tuple[ReportFiles, BuildOutcome] | None:
    """A report's files, made in a confined child; nothing but the cache is written.

    None on ranks that do not write the report. `written_over` are device and inode of files that
    must not be among the images; `alone` leaves other ranks be; `given` are images that can be
    pickled, and stand for those of the request. Raises as `build`.
    """
    started = time.monotonic()
    ranks = None if alone else _ranks()
    cache = None if request.cache is None else CodeFolder(request.cache)
    inputs = [given.path for given in request.inputs()]
    specs = (request.model, *request.replicates)
    confinement = confinement_for(
        inputs if request.cache is None else [*inputs, request.cache],
        settings,
        models=models_named(request.loading, specs),
        code=names_code(request.loading, specs),
    )
    with contextlib.ExitStack() as stack:
        scratch = _scratch(stack)
        task = BuildTask(
            request,
            settings,
            written_over,
            rank=ranks.rank if ranks else 0,
            ranks=ranks.count if ranks else 1,
            scratch=scratch,
            with_results=with_results,
            limits=_said_of(confinement),
            started=started,
            given=given,
        )
        child = ChildProcess(
            task,
            confinement,
            most_bytes=confinement.memory_bytes or LARGEST_MESSAGE,
            about=f"{shown(request.model)} and {shown(request.data)}",
            say=progress.said,
            descriptors=() if scratch is None else (scratch,),
        )
        table_given = any(path.is_file() for path in (request.data, request.fit_data) if path)
        doors = (stack.enter_context(Cabinet(cache)), Reader(table_given), Reducer(ranks))
        done = listen(stack.enter_context(child), progress, doors)
        return (files_of(done), outcome_of(done)) if done.fields.get("made") is True else None


def inspect(
    model: Path,
    data: Path | None,
    loading: LoadingOptions,
    size: tuple[int, int] | None,
    labels: Path | None = None,
) -> dict[str, Any]:
    """Describe a model file and how it would be read, as `Inspection.as_json` does.

    Raises as `build`.
    """
    settings = Settings()
    request = BuildRequest(model, data or model, Path(os.devnull), labels=labels, loading=loading)
    confinement = confinement_for(
        [given.path for given in request.inputs()],
        settings,
        models=models_named(loading, (model,)),
        code=names_code(loading, (model,)),
    )
    child = ChildProcess(
        InspectTask(model, data, loading, size, labels),
        confinement,
        most_bytes=confinement.memory_bytes or LARGEST_MESSAGE,
        about=shown(model) if data is None else f"{shown(model)} and {shown(data)}",
        say=QuietProgress().said,
    )
    with child:
        door = Reader(data is not None and data.is_file())
        done = listen(child, QuietProgress(), (door,))
        return inspection_of(done)


def render(folder: Path, destination: Destination) -> BuildOutcome:
    """Make the page again from a folder's results, in a confined child; write it and print it.

    Raises as `build`.
    """
    inputs = tuple(Input(f"{name} of DIR", folder / name) for name in RESULTS_FILES)
    delivery = Delivery(destination, inputs)
    done = run_on_results(RenderTask(folder, destination.layout), [folder])
    return deliver(delivery, files_of(done), outcome_of(done), QuietProgress())


def run_on_results(task: Callable[[Channel, Held], None], paths: Iterable[Path]) -> Message:
    """The last message of a confined child that may read results at these paths and nothing else.

    Raises as `build`.
    """
    read = list(paths)
    confinement = confinement_for(read, Settings(), models=read, code=False)
    child = ChildProcess(
        task,
        confinement,
        most_bytes=confinement.memory_bytes or LARGEST_MESSAGE,
        about=", ".join(shown(path) for path in read),
        say=QuietProgress().said,
    )
    with child:
        return listen(child, QuietProgress(), ())


def models_named(loading: LoadingOptions, models: Iterable[Path]) -> list[Path]:
    """Every file of a model that is read, those of an encoder and a decoder too, each once."""
    halves = [Path(half) for half in (loading.encoder, loading.decoder) if half]
    given = [*models, *(half for half in halves if half.is_file())]
    return list(dict.fromkeys(path for spec in given for path in named_in(spec)))


def names_code(loading: LoadingOptions, models: Iterable[Path]) -> bool:
    """Tell whether the user names code of their own that is to run."""
    functions = (ADAPTER.fullmatch(str(model)) and not model.exists() for model in models)
    return bool(loading.model_class) or any(functions)


def confinement_for(
    inputs: Iterable[Path], settings: Settings, *, models: Iterable[Path], code: bool
) -> Confinement:
    """Rights of a child that reads these inputs; with `code` of the user's own it may read all."""
    _compile_package()
    inputs = list(inputs)
    readable = None if code else [*pythons_own(work=inputs), *with_links(inputs)]
    devices: list[Path] = []
    if settings.device != "cpu":
        driver, devices = drivers_own()
        readable = readable and [*readable, *driver, *devices]
    return Confinement(
        readable=None if readable is None else tuple(readable),
        writable=tuple(devices),
        packages_of=ENTRY_POINTS,
        memory_bytes=memory_limit(settings.memory_bytes, models, settings.device),
        cpu_seconds=time_limit(settings.max_seconds),
        memory_said=f"--memory {settings.memory:g} allows in all; allow more with --memory",
        time_said=f"--max-seconds {settings.max_seconds} allows in all",
    )


def _said_of(confinement: Confinement) -> str:
    limits = []
    if confinement.memory_bytes is not None:
        limits.append(f"{confinement.memory_bytes / 1e9:.1f} GB of memory")
    if confinement.cpu_seconds is not None:
        limits.append(f"{confinement.cpu_seconds:,} seconds of computing")
    return f"At most {' and '.join(limits)}." if limits else "No limits of memory and time."


def listen(child: ChildProcess, progress: QuietProgress, doors: Iterable[Door]) -> Message:
    """Answer the child until it is done; returns its last message."""
    opened = {kind: door for door in doors for kind in door.kinds}
    with contextlib.ExitStack() as steps:
        for message in child.messages():
            if message.kind == "step":
                child.doing = message.text("name", LONGEST_LINE)
                steps.enter_context(progress.step(shown(child.doing)))
            elif message.kind == "step done":
                steps.close()
            elif message.kind == "decoded":
                known = message.fields.get("left") is not None
                left = message.number("left") if known else None
                progress.decoded(message.count("count"), left)
            elif message.kind == "planned":
                sentence = message.text("sentence", LONGEST_SENTENCE)
                progress.planned(shown(sentence, LONGEST_SENTENCE))
            elif message.kind == "encoded":
                progress.encoded(message.count("done"), message.count("of"))
            elif message.kind == "done":
                return message
            elif message.kind in opened:
                opened[message.kind].answer(message, child.channel)
            else:
                raise ChannelError(f"nobody knows what {message.kind} is")
    raise AssertionError("a child's messages end with done, or an error")


def _ranks() -> Ranks | None:
    """This process among those of its job; None alone, without the import that meeting takes."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return None
    from reportgen.process.ranks import join_ranks

    return join_ranks()


def _scratch(stack: contextlib.ExitStack) -> int | None:
    """A file without a name for the child; None where it has to make its own."""
    if os.name != "posix":
        return None
    return stack.enter_context(tempfile.TemporaryFile()).fileno()


def _compile_package() -> None:
    """Compile a checkout that never was: the child may not write what it compiles."""
    package = Path(__file__).resolve().parents[1]
    try:
        compiled = Path(importlib.util.cache_from_source(str(package / "job.py")))
    except NotImplementedError:
        return
    if not compiled.exists() and not sys.dont_write_bytecode:
        compileall.compile_dir(package, quiet=2)
