"""`reportgen check`: rules that a report's numbers have to keep."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen.command.jobs import end_with
from reportgen.command.options import summary_options
from reportgen.errors import BugError, CheckError, ReportgenError

if TYPE_CHECKING:
    from reportgen.checks.checking import Checked
    from reportgen.checks.rules import Rule

RULE_BROKEN = 4
FORMATS = "text", "github", "junit", "json", "markdown"
EPILOG = """
\b
Examples:
  reportgen check results/ "reconstruction.r2.low >= 0.8" "count(units.health) <= 1"
  reportgen check results/ "verdict.additive in yes, roughly"
  reportgen check results/ "reconstruction.r2 >= baseline.low" --baseline last-release/
  reportgen check report.html --list

\b
A rule is: NUMBER >= LIMIT (or <=, >, <, ==, !=), where LIMIT is a number, a percentage, true,
false, or the baseline's number as baseline, baseline.low, baseline + 0.01, baseline * 1.1;
or: verdict.LINE in WORD, WORD. "if measured" at its end lets numbers pass that were not
measured. Numbers are named as in results.json (docs/numbers.md); count(…), min(…), max(…) and
mean(…) look through lists.

\b
Exit codes: 0 all rules are kept, 1 a bug in reportgen, 2 bad input, 4 a rule is broken.
"""


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help='A TOML file with rules = ["…"], alone or in its table [check] [default, where no RULE is '
    "given: reportgen.toml here].",
)
@click.option("--preset", type=click.Choice(["release"]), help="Also hold reportgen's own rules.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="RESULTS",
    help="The results that rules with the word baseline compare with.",
)
@click.option(
    "--other-images", is_flag=True, help="The baseline may have been made from other images."
)
@click.option(
    "--format",
    "written_as",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Text; annotations of a GitHub run; JUnit's XML; a JSON list; a Markdown table.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where that goes [default: standard output].",
)
@click.option("--strict", is_flag=True, help="A broken rule that is a warning fails too.")
@click.option("--list", "lists", is_flag=True, help="Print every number by its name, and end.")
@summary_options
def check(
    results: Path,
    rules: tuple[str, ...],
    rules_file: Path | None,
    preset: str | None,
    baseline: Path | None,
    other_images: bool,
    written_as: str,
    output: Path | None,
    strict: bool,
    lists: bool,
    summary: Path | None,
    link: str,
    preview: Path | None,
) -> None:
    """Hold rules against the numbers of a report.

    RESULTS is a folder that build --results wrote, its results.json, or a page that reportgen made.
    A rule compares a number with a limit: "reconstruction.r2.low >= 0.8". Rules may stand in
    reportgen.toml, in its table [check]. A number that was not measured breaks its rule.
    """
    try:
        from reportgen.checks.checking import CheckRequest
        from reportgen.confined.result_jobs import check as check_confined
        from reportgen.confined.result_jobs import inputs_at
        from reportgen.delivery.collisions import Input
        from reportgen.delivery.files import Files

        chosen, strict = _chosen(rules, rules_file, preset, strict, baseline is not None, lists)
        inputs = inputs_at(results, "RESULTS")
        inputs += () if baseline is None else inputs_at(baseline, "--baseline")
        inputs += (Input("the file of rules", rules_file or Path("reportgen.toml")),)
        files = Files({"-o": output, "--summary": summary, "--preview": preview}, inputs)
        checked = check_confined(
            CheckRequest(
                results=results,
                rules=None if lists else chosen,
                baseline=baseline,
                other_images=other_images,
                lists=lists,
                summary=summary is not None,
                preview=preview is not None,
                link=link,
                strict=strict,
            )
        )
        text = _listed(checked, written_as) if lists else _written(checked, written_as, strict)
        files.write({"-o": text, "--summary": checked.summary, "--preview": checked.preview})
    except (ReportgenError, BugError) as error:
        end_with(error)
    if output is None:
        click.echo(text, nl=False, err=files.fills_stdout)
    elif not lists:
        click.echo(_written(checked, "text", strict), nl=False, err=files.fills_stdout)
    from reportgen.checks.outcomes import broken_of

    sys.exit(RULE_BROKEN if broken_of(checked.outcomes, strict=strict) else 0)


def _chosen(
    said: tuple[str, ...],
    file: Path | None,
    preset: str | None,
    strict: bool,
    with_baseline: bool,
    lists: bool,
) -> tuple[tuple[Rule, ...], bool]:
    """The rules that are asked for, and whether warnings count; those said replace the file's.

    Raises CheckError where there are none.
    """
    from reportgen.checks.config import CheckTable, read_check_table
    from reportgen.checks.presets import preset_rules
    from reportgen.checks.rules import read_rule

    here = Path("reportgen.toml")
    table = CheckTable()
    if file is not None:
        table = read_check_table(file, alone=True)
    elif not (said or preset or lists) and here.is_file():
        table = read_check_table(here)
    rules = table.rules + tuple(read_rule(rule) for rule in said)
    if chosen := preset or table.preset:
        rules += preset_rules(chosen, with_baseline=with_baseline)
    if not rules and not lists:
        raise CheckError(
            "There is no rule to hold; write one behind RESULTS as 'reconstruction.r2.low >= 0.8', "
            "or in the table [check] of reportgen.toml, or say --preset release."
        )
    return rules, strict or table.strict


def _written(checked: Checked, written_as: str, strict: bool) -> bytes:
    from reportgen.checks import formats
    from reportgen.checks.summary import rules_table

    outcomes = checked.outcomes
    if written_as == "junit":
        return formats.junit_of(outcomes, checked.title, strict=strict)
    if written_as == "json":
        return formats.json_of(outcomes).encode()
    if written_as == "github":
        return formats.github_of(outcomes, strict=strict).encode()
    if written_as == "markdown":
        return rules_table(outcomes).encode()
    return formats.text_of(outcomes, strict=strict).encode()


def _listed(checked: Checked, written_as: str) -> bytes:
    """All numbers: a line each, or as JSON."""
    from reportgen.report import numbers
    from reportgen.report.number_places import as_estimate

    if written_as == "json":
        return _json_of(checked)
    lines = []
    for number in checked.numbers:
        if number.shape:
            sides = " × ".join(map(str, number.shape))
            said = f"{sides} numbers" if number.shape != (1,) else "1 number"
        elif number.value is None:
            said = "not measured"
        elif isinstance(number.value, bool):
            said = "true" if number.value else "false"
        elif isinstance(number.value, int):
            said = str(number.value)
        else:
            said = numbers.with_plain_spaces(numbers.plain(as_estimate(number.value)))
        lines.append(f"{number.name:<46} {said}")
    return ("\n".join(lines) + "\n").encode()


def _json_of(checked: Checked) -> bytes:
    import math

    plain: list[dict[str, Any]] = []
    for number in checked.numbers:
        entry: dict[str, Any] = {"name": number.name}
        if number.shape:
            entry["shape"] = list(number.shape)
        elif isinstance(number.value, bool | int) or number.value is None:
            entry["value"] = number.value
        else:
            ends = vars(number.estimate)
            entry |= {name: end for name, end in ends.items() if math.isfinite(end)}
        plain.append(entry)
    return (json.dumps(plain, ensure_ascii=False, indent=1) + "\n").encode()
