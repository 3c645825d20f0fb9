"""The house rules: who imports whom, how long a module may be, what may not be loaded for help."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "reportgen"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE = 330
TEMPLATES = REPOSITORY / "templates"
LONGEST_TEMPLATE_LINE = 110  # In characters: sentences hold signs of several bytes.
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "tools", "stuff"}
# Words that open a clause, of which a docstring without a question mark is not to consist.
HEADLESS = re.compile(r"(What|Which|Where|Whether|When|Why|How|That)\b")

# Which rooms each room may use, besides itself. A new dependency between rooms is a decision:
# it is made here, and in the table of CONTRIBUTING.md.
MAY_USE: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "shown": set(),
    "outcome": {"checks", "delivery", "process", "suite"},
    "confined": {
        *("checks", "collection", "comparison", "delivery", "errors", "job", "loading", "outcome"),
        *("process", "report", "request", "settings", "shown", "statistics", "study", "suite"),
    },
    "request": {"delivery", "loading", "settings"},
    "settings": {"errors", "shown"},
    "autoencoder": {"errors"},
    "process": {"errors", "shown"},
    "delivery": {"errors", "process", "shown"},
    "statistics": {"autoencoder"},
    "images": {"autoencoder", "errors", "loading", "shown"},
    "loading": {"autoencoder", "errors", "process", "shown"},
    "engine": {"autoencoder", "process"},
    "study": {
        *("autoencoder", "engine", "errors", "images", "process", "settings"),
        *("shown", "statistics", "version"),
    },
    "analyses": {"autoencoder", "engine", "process", "settings", "statistics", "study"},
    "suite": {
        *("analyses", "autoencoder", "engine", "errors", "images", "process", "settings"),
        *("statistics", "study"),
    },
    "live": {"analyses", "process", "statistics", "study"},
    "figures": {"statistics"},
    "report": {
        *("analyses", "autoencoder", "delivery", "errors", "figures", "images"),
        *("live", "settings", "shown", "statistics", "study", "suite", "version"),
    },
    "checks": {"errors", "questions", "report", "settings", "shown", "statistics"},
    "collection": {
        *("checks", "delivery", "errors", "figures", "questions", "report", "shown", "statistics"),
        "version",
    },
    "comparison": {
        *("analyses", "delivery", "errors", "figures", "questions", "report", "shown"),
        *("statistics", "version"),
    },
    "questions": {"analyses", "errors", "report", "study", "suite"},
    "job": {
        *("analyses", "checks", "delivery", "images", "live", "loading", "opening", "outcome"),
        *("planning", "process", "questions", "report", "request", "settings", "study", "suite"),
    },
    "planning": {
        *("engine", "images", "process", "questions", "settings", "study", "suite"),
    },
    "opening": {
        *("autoencoder", "errors", "images", "loading", "process", "request", "settings", "study"),
    },
    "api": {
        *("autoencoder", "checks", "comparison", "confined", "delivery", "errors", "images", "job"),
        *("loading", "opening", "outcome", "plots", "process", "questions", "report", "request"),
        *("settings", "shown", "statistics", "study"),
    },
    "lightning": {"api", "errors"},
    "plots": {"analyses", "errors", "figures", "report"},
    "command": {
        *("checks", "collection", "comparison", "confined", "delivery", "errors", "job"),
        *("loading", "outcome", "plots", "process", "questions", "report", "request"),
        *("settings", "shown", "suite", "version"),
    },
    "__main__": {"command"},
    "__init__": {"api", "errors", "loading", "statistics", "version"},
}
# Libraries that only these rooms may use: what draws, prints, reads files or parses commands.
ONLY_IN: dict[str, set[str]] = {
    "click": {"command"},
    "rich": {"process", "command"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "PIL": {"images", "figures"},
    "safetensors": {"loading"},
    "matplotlib": {"figures", "plots", "api"},
}


# The floors of loading/: what each may use of the others, besides its own files. The last is the
# pages that put the others together; the first, every other file that lies in loading/ itself.
LOADING_PAGES = {"__init__", "assemble", "given", "inspection", "load", "model_file", "saving"}
LOADING_MAY_USE = {
    "terms": set(),
    "graph": {"terms"},
    "modules": {"terms", "graph"},
    "formats": {"terms", "graph", "modules"},
    "pages": {"terms", "graph", "modules", "formats"},
}
# Folders that are entered by their door alone, the names that their __init__ gives.
CLOSED = ("loading.formats.exported", "loading.formats.onnx", "loading.formats.torchscript")


@dataclass(frozen=True)
class Import:
    """One imported module, and the names taken from it."""

    module: str
    names: tuple[str, ...]

    @property
    def library(self) -> str:
        """The top-level package."""
        return self.module.split(".")[0]

    @property
    def room(self) -> str:
        """The room of reportgen that it leads to; "" for reportgen itself."""
        return self.module.partition(".")[2].partition(".")[0]


def room_of(path: Path) -> str:
    """The first part of a module's path below the package: "study", "analyses", …"""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[Import]:
    """Every import statement of a module, wherever it stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which room it leads to"
            names = tuple(alias.name for alias in node.names)
            if node.module == "reportgen":
                submodules = [name for name in names if (PACKAGE / name).exists()]
                submodules += [name for name in names if (PACKAGE / f"{name}.py").exists()]
                yield from (Import(f"reportgen.{name}", ()) for name in submodules)
            else:
                yield Import(node.module or "", names)


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path, line: int = 0) -> str:
    """A place in the source as messages print it."""
    place = path.relative_to(REPOSITORY).as_posix()
    return f"{place}:{line}" if line else place


def below(folder: str) -> list[Path]:
    """The modules of one room that is a folder."""
    return [path for path in MODULES if room_of(path) == folder]


def test_the_rules_name_exactly_the_rooms_there_are() -> None:
    rooms = {room_of(path) for path in MODULES}
    assert rooms == set(MAY_USE)


def test_rooms_use_only_the_rooms_they_may() -> None:
    broken = [
        f"{shown(path)} imports {used.module}"
        for path in MODULES
        for used in imports_of(path)
        if used.library == "reportgen"
        and used.room not in {"", room_of(path), *MAY_USE.get(room_of(path), ())}
    ]
    assert broken == []


def test_the_rules_allow_no_circle() -> None:
    remaining = {room: set(used) for room, used in MAY_USE.items()}
    while remaining:
        free = [room for room, used in remaining.items() if not used & set(remaining)]
        assert free, f"a circle among {sorted(remaining)}"
        for room in free:
            del remaining[room]


def module_of(path: Path) -> str:
    """ "reportgen.loading.options", as it is imported."""
    name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def known_modules() -> frozenset[str]:
    """Every module of reportgen, as it is imported."""
    return frozenset(module_of(each) for each in MODULES)


@cache
def files_used_by(path: Path) -> frozenset[str]:
    """The files of reportgen that a file imports when it runs, wherever it does."""
    known = known_modules()
    typing_alone = {
        id(node)
        for block in ast.walk(parsed(path))
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    used: set[str] = set()
    for node in ast.walk(parsed(path)):
        if id(node) in typing_alone:
            continue
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            used |= inner & known or {str(node.module)}
    return frozenset(used & known - {module_of(path)})


def test_no_files_import_each_other_in_a_circle() -> None:
    uses = {module_of(path): files_used_by(path) for path in MODULES}
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def floor_of(module: str) -> str:
    """The floor of loading/ that a module lies on."""
    name = module.removeprefix("reportgen.loading").removeprefix(".").partition(".")[0]
    if name in LOADING_MAY_USE:
        return name
    return "pages" if (name or "__init__") in LOADING_PAGES else "terms"


def test_loading_is_built_floor_upon_floor() -> None:
    broken = [
        f"{shown(path)} imports {used}"
        for path in below("loading")
        for used in files_used_by(path)
        if used.startswith("reportgen.loading")
        and (floor := floor_of(module_of(path))) != (other := floor_of(used))
        and other not in LOADING_MAY_USE[floor]
    ]
    assert broken == []


def test_closed_folders_are_entered_by_their_door() -> None:
    broken = [
        f"{shown(path)} imports {used}"
        for folder in CLOSED
        for path in MODULES
        for used in files_used_by(path)
        if used.startswith(f"reportgen.{folder}.")
        and not module_of(path).startswith(f"reportgen.{folder}")
    ]
    assert broken == []


def test_analyses_do_not_import_each_other() -> None:
    broken = [
        f"{shown(path)} imports {used.module}"
        for path in below("analyses")
        for used in imports_of(path)
        if used.module.startswith("reportgen.analyses.")
        and not used.module.startswith("reportgen.analyses.shared.")
    ]
    assert broken == []


def test_the_report_knows_results_but_runs_no_analysis() -> None:
    broken = [
        f"{shown(path)} imports {used}"
        for path in below("report")
        for used in imports_of(path)
        if used.library == "reportgen"
        and used.room in ("analyses", "suite")
        and not (used.names and all(name[0].isupper() for name in used.names))
    ]
    assert broken == []


def test_libraries_stay_in_their_rooms() -> None:
    broken = [
        f"{shown(path)} imports {used.module}"
        for path in MODULES
        for used in imports_of(path)
        if room_of(path) not in ONLY_IN.get(used.library, {room_of(path)})
    ]
    assert broken == []


def test_figures_know_nothing_of_models() -> None:
    libraries = {used.library for path in below("figures") for used in imports_of(path)}
    assert libraries & {"torch", "sklearn"} == set()


def calls_of(path: Path) -> Iterator[tuple[str, int]]:
    """What a module calls, as written, and the line; a block that only runs as a script is not."""
    for statement in parsed(path).body:
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node.lineno


def test_the_model_is_called_by_the_engine_alone() -> None:
    models_own = re.compile(r"autoencoder\.(encode|decode|forward|posterior_sd)$")
    broken = [
        f"{shown(path, line)} calls {called}, which nobody counts"
        for path in MODULES
        if room_of(path) not in ("engine", "loading", "autoencoder")
        for called, line in calls_of(path)
        if models_own.search(called)
    ]
    assert broken == []


def test_the_engine_has_one_door() -> None:
    import reportgen.engine

    broken = [
        f"{shown(path)} imports {', '.join(used.names)} of {used.module}"
        for path in MODULES
        for used in imports_of(path)
        if room_of(path) != "engine"
        and used.library == "reportgen"
        and used.room == "engine"
        and not (used.module == "reportgen.engine" and {*used.names} <= {*reportgen.engine.__all__})
    ]
    assert broken == []


def test_what_makes_forwards_fast_is_known_to_the_engine_alone_and_left_out_by_one_switch() -> None:
    fast = PACKAGE / "engine" / "fast"
    known = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for used in imports_of(path)
        if used.module.startswith("reportgen.engine.fast") and not path.is_relative_to(fast)
    }
    assert known == {"engine/engine.py"}


def test_the_engine_is_imported_without_torch() -> None:
    code = "import sys, reportgen.engine; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_only_the_command_and_its_progress_print() -> None:
    broken = [
        shown(path, line)
        for path in MODULES
        if room_of(path) not in ("command", "process")
        for called, line in calls_of(path)
        if called == "print"
    ]
    assert broken == []


def test_modules_are_short() -> None:
    lines = {shown(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > LONGEST_MODULE} == {}


def test_lines_of_templates_are_short() -> None:
    templates = [path for path in sorted(TEMPLATES.rglob("*")) if path.is_file()]
    broken = [
        shown(path, number)
        for path in templates
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST_TEMPLATE_LINE
    ]
    assert broken == []
    assert {"report.html.j2", "style.css", "live.js"} <= {path.name for path in templates}


def test_modules_are_named_for_what_they_hold() -> None:
    names = {
        part.lower().removesuffix(".py")
        for path in MODULES
        for part in path.relative_to(REPOSITORY).parts
    }
    assert names & NAMES_THAT_SAY_NOTHING == set()


def test_no_function_writes_to_a_module_variable() -> None:
    broken = [
        shown(path, node.lineno)
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Global)
    ]
    assert broken == []


def test_every_library_is_a_declared_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = list(project["project"]["dependencies"])
    for extra, wanted in project["project"]["optional-dependencies"].items():
        if extra not in ("test", "dev"):
            requirements += wanted
    declared = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
    import_names = {"scikit-learn": "sklearn", "pillow": "PIL"}
    allowed = {import_names.get(name, name) for name in declared}
    # Jinja2 cannot be installed without MarkupSafe, whose Markup is part of its interface.
    allowed |= {"reportgen", "markupsafe", *sys.stdlib_module_names}
    used = {used.library for path in MODULES for used in imports_of(path)}
    assert used - allowed == set()


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from reportgen.command.cli import main\n"
        "for words in (['--help'], ['build', '--help']):\n"
        "    assert CliRunner().invoke(main, words).exit_code == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "click" in loaded
    heavy = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "jinja2"}
    assert loaded & heavy == set()


def test_every_analysis_is_run_and_documented() -> None:
    from reportgen.questions import QUESTIONS, runs_of

    analyses = {path.stem for path in (PACKAGE / "analyses").glob("*.py")} - {"__init__"}
    assert analyses <= set(runs_of(QUESTIONS))
    for name in analyses:
        assert ast.get_docstring(parsed(PACKAGE / "analyses" / f"{name}.py")), name


def test_every_section_has_its_template_and_every_template_its_section() -> None:
    from reportgen.questions import QUESTIONS

    folder = REPOSITORY / "templates" / "sections"
    templates = {path.name.removesuffix(".html.j2") for path in folder.glob("[!_]*.html.j2")}
    assert templates == {question.name for question in QUESTIONS if question.title}


def test_every_question_has_a_template_that_says_how_to_read_it_and_its_limits() -> None:
    from reportgen.questions import QUESTIONS

    folder = REPOSITORY / "templates" / "sections"
    for question in QUESTIONS:
        if question.title and question.describes != "build":
            template = (folder / f"{question.name}.html.j2").read_text(encoding="utf-8")
            assert "{% block reading %}" in template, question.name
            assert "{% block limits %}" in template, question.name


def test_every_topic_is_some_note_s_and_no_longer_than_its_column() -> None:
    """That a note has no other is mypy's to say."""
    from typing import get_args

    from reportgen.autoencoder import Topic

    used = {
        node.args[0].value
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Note"
        if isinstance(node.args[0], ast.Constant)
    }
    assert used == set(get_args(Topic))
    assert [*get_args(Topic)] == sorted(get_args(Topic))
    assert all(len(topic) < 12 for topic in used)


def test_every_question_has_a_test_of_its_own() -> None:
    tests = {path.stem for path in (REPOSITORY / "tests").rglob("test_*.py")}
    analyses = {path.stem for path in (PACKAGE / "analyses").glob("*.py")} - {"__init__"}
    assert {name for name in analyses if f"test_{name}" not in tests} == set()


def documented(
    path: Path,
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef, str]]:
    """Every docstring of a module: its place, what it describes, and its text."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield shown(path, getattr(node, "lineno", 1)), node, docstring


def is_headless(docstring: str) -> bool:
    """Tell whether a docstring opens with a clause that nothing governs; a question may."""
    first_sentence = re.split(r"(?<=[.?!])\s", docstring)[0]
    return bool(HEADLESS.match(docstring)) and not first_sentence.endswith("?")


def test_docstrings_open_with_a_noun_or_a_verb() -> None:
    broken = [
        f"{place} {docstring.splitlines()[0]}"
        for path in MODULES
        for place, _, docstring in documented(path)
        if is_headless(docstring)
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("docstring", "headless"),
    [
        ("What a unit does.", True),
        ("Whether there is any? No: nobody asks that of a clause.", False),
        ("Which units are alive? Values of every unit.", False),
        ("How many there are.\n\nIs that all?", True),
        ("Whatever is left.", False),
        ("Tell whether there is any.", False),
    ],
)
def test_a_headless_docstring_is_known_from_a_question(docstring: str, headless: bool) -> None:
    assert is_headless(docstring) is headless


def fields_of(node: ast.ClassDef) -> set[str]:
    """The public fields that a class's body declares, or that its methods set."""
    names = {
        part.target.id
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    names |= {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and ast.unparse(part.value) == "self"
    }
    return {name for name in names if not name.startswith("_")}


def test_docstrings_list_the_attributes_that_there_are_and_no_others() -> None:
    broken, seen = [], 0
    for path in MODULES:
        for place, node, docstring in documented(path):
            if not isinstance(node, ast.ClassDef) or "Attributes\n" not in docstring:
                continue
            if node.name.startswith("_"):
                continue
            seen += 1
            section = docstring.split("Attributes\n", 1)[1].split("\n\n")[0]
            heads = re.findall(r"^([a-z_0-9, ]+?) (?:\(.*\) )?:", section, flags=re.MULTILINE)
            listed = {name.strip() for head in heads for name in re.split(r",| and ", head)}
            fields = fields_of(node)
            computed = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            told = docstring.partition("Parameters\n")[2] + section
            unnamed = {name for name in fields if not re.search(rf"\b{name}\b", told)}
            invented = listed - fields - computed
            if unnamed or invented:
                broken.append(f"{place} {node.name}: lacks {unnamed}, invents {invented}")
    assert broken == []
    assert seen > 50
