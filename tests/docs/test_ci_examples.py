"""CI examples in docs/ci: what they run is there, and they are what their servers read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from reportgen.command.cli import main

FOLDER = Path(__file__).parents[2] / "docs" / "ci"
EXAMPLES = "github-actions.yml", "gitlab-ci.yml", "Jenkinsfile"


def commands_in(text: str) -> list[list[str]]:
    """Every call of reportgen in an example, as words."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = re.findall(r"(?:^|[ ':])(reportgen (?:build|check|compare) [^'\n]*)", joined, re.M)
    return [shlex.split(re.sub(r" \|\| true.*", "", line)) for line in found]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_command_of_an_example_is_one_of_ours(name: str) -> None:
    commands = commands_in((FOLDER / name).read_text(encoding="utf-8"))
    assert {words[1] for words in commands} == {"build", "check"}
    for words in commands:
        command = main.commands[words[1]]
        # Raises UsageError for an option or a choice that there is not.
        command.make_context(words[1], words[2:], resilient_parsing=False)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("github-actions.yml", ["vendor.github-workflows"]),
        ("gitlab-ci.yml", ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
)
def test_an_example_is_valid_by_the_schema_of_its_server(name: str, options: list[str]) -> None:
    arguments = ["--builtin-schema", *options, str(FOLDER / name)]
    found = CliRunner().invoke(check_jsonschema, arguments)
    assert found.exit_code == 0, found.output


def test_the_workflow_s_jobs_and_steps_are_as_github_reads_them() -> None:
    text = (FOLDER / "github-actions.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    # "on" is true to YAML 1.1, which GitHub's parser does not follow there.
    assert set(workflow) == {"name", True, "permissions", "jobs"}
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps"} <= set(job)
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
    # Nothing from a pull request is pasted into a script.
    for step in workflow["jobs"]["report"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_pipeline_of_gitlab_has_a_script_in_every_job() -> None:
    pipeline = yaml.safe_load((FOLDER / "gitlab-ci.yml").read_text(encoding="utf-8"))
    stages = pipeline.pop("stages")
    for job in pipeline.values():
        assert job["stage"] in stages
        assert job["script"]
    assert pipeline["report"]["artifacts"]["reports"]["junit"] == "junit.xml"


def test_the_readme_names_every_example() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in FOLDER.iterdir()} - {"README.md"} == set(EXAMPLES)
    assert all(f"[{name}]({name})" in text for name in EXAMPLES)
    assert isinstance(main, click.Group)
