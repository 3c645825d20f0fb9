# What contributors run: `just` lists the recipes, `pip install rust-just` brings the command (the
# extra `dev` does too). Each is one line that can be typed as it stands.

set positional-arguments

[private]
default:
    @just --list

# The tests without the slow ones, as the README runs them.
test *arguments:
    .venv/bin/pytest "$@"

# Some tests in one process, slow ones too: just one tests/report/test_page.py -k hostile
one +arguments:
    .venv/bin/pytest -n 0 -m "" "$@"

# The slow tests.
slow *arguments:
    .venv/bin/pytest -m slow "$@"

# All tests, and which lines and branches of reportgen/ they leave out.
coverage *arguments:
    rm -rf .coverage && .ci/counted .coverage .venv/bin/pytest -m "" "$@" && .venv/bin/python -m slipcover --branch --skip-covered --fail-under 95 --out .coverage/merged.json --merge .coverage/*/merged.json

# Linters, as CI runs them.
lint:
    .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

# The schema of results.json, made from the types.
schema:
    .venv/bin/python -m reportgen.command.schema > reportgen/report/results.schema.json

# The command line's reference and the list of numbers, made from the commands and the types.
docs:
    .venv/bin/python -m reportgen.command.reference > docs/command-line.md && .venv/bin/python -m reportgen.command.number_names > docs/numbers.md

# The documents as a web site in site/, a warning being an error; `mkdocs serve` shows it while you write.
site:
    .venv/bin/mkdocs build --strict

# Times and memory, on a quiet machine; writes docs/benchmarks.md.
benchmarks:
    .venv/bin/pytest tests/benchmarks -c tests/benchmarks/pytest.ini

# All that CI does, on a clean checkout.
ci:
    bash .ci/run

# Damaged and hostile files of every format: just fuzz --seconds 3600 --seed 1; fuzz-found/ has what fails.
fuzz *arguments:
    .venv/bin/python -m tests.fuzz "$@"

# The operators that graphs may use, with hostile arguments: just operators --calls 300 --seed 1.
operators *arguments:
    .venv/bin/python -m tests.fuzz.operators "$@"
