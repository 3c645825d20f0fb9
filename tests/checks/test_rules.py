"""Rules as they are written, and a sentence for each line that is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reportgen.checks.config import read_check_table
from reportgen.checks.presets import PRESETS, preset_rules
from reportgen.checks.rules import Limit, read_rule
from reportgen.errors import CheckError, ReportgenError
from reportgen.report.name_path import NumberPath


@pytest.mark.parametrize("comparison", [">=", "<=", ">", "<", "==", "!="])
def test_every_comparison_is_read_with_and_without_spaces(comparison: str) -> None:
    for text in (f"a.b{comparison}1", f"a.b {comparison} 1", f"  a.b  {comparison}  1  "):
        rule = read_rule(text)
        assert (rule.number, rule.comparison, rule.limit) == (
            NumberPath(("a", "b")),
            comparison,
            Limit(1.0),
        )


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0.8", Limit(0.8)),
        ("-1e-3", Limit(-0.001)),
        (".5", Limit(0.5)),
        ("80%", Limit(0.8)),
        ("80 %", Limit(0.8)),
        ("true", Limit(truth=True)),
        ("false", Limit(truth=False)),
        ("baseline", Limit(of_baseline="value")),
        ("baseline.low", Limit(of_baseline="low")),
        ("baseline - 0.01", Limit(-0.01, of_baseline="value")),
        ("baseline.high+5%", Limit(0.05, of_baseline="high")),
        ("baseline * 1.1", Limit(1.1, of_baseline="value", times=True)),
    ],
)
def test_every_limit_is_read(text: str, limit: Limit) -> None:
    assert read_rule(f"x == {text}").limit == limit


def test_a_baseline_s_number_is_added_to_or_multiplied() -> None:
    assert read_rule("x >= baseline - 0.25").limit.beside(1.0) == 0.75
    assert read_rule("x >= baseline * 0.5").limit.beside(4.0) == 2.0


def test_words_of_the_verdict_are_read_whatever_their_case() -> None:
    rule = read_rule("verdict.additive in Yes, Roughly if measured")
    assert (rule.verdict, rule.words, rule.if_measured) == ("additive", ("yes", "roughly"), True)
    assert read_rule("verdict.subtraction is valid").words == ("valid",)
    # Without a word it is the number behind the line.
    assert read_rule("verdict.additive <= 0.1").number == NumberPath(("verdict", "additive"))


def test_a_quoted_name_may_hold_what_compares() -> None:
    rule = read_rule('off_data.panels."a >= b" <= 1')
    assert rule.number == NumberPath(("off_data", "panels", "a >= b"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no rule"),
        ("reconstruction.r2", "is no rule"),
        ("reconstruction.r2 => 0.8", "is no rule"),
        ("0.8 <= reconstruction.r2", "no name of a number"),
        ("a >= b", "'b' is no limit"),
        ("a >= 1 2", "'1 2' is no limit"),
        ("a >= baseline - ", "is no limit"),
        ("a >= baseline.middle", "is no limit"),
        ("a >= nan", "is no limit"),
        ("a >= 1e999", "larger than any number"),
        ("a >= baseline + 1e999%", "larger than any number"),
        ("a >= __import__('os')", "is no limit"),
        ("verdict.additve in yes", "perhaps for 'additive'"),
        ("verdict.additive in yess", "perhaps for 'yes'"),
        ("verdict.additive in yes,", "has no word ''"),
        ("verdict.units in yes", "a number and no words"),
        ("sum(a) >= 1", "there are count, min, max, mean"),
        ("a >= 1" + " " * 1000, "at most 1000 characters"),
    ],
)
def test_what_is_no_rule_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(CheckError) as refused:
        read_rule(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_rules_come_from_a_table_of_the_settings_file_or_a_file_of_their_own(
    tmp_path: Path,
) -> None:
    lines = """rules = [
      "a >= 1",
      { rule = "b >= 2", severity = "warning", reason = "fig. 3" },
    ]
    strict = true
    """
    alone, within = tmp_path / "r.toml", tmp_path / "reportgen.toml"
    alone.write_text(lines, encoding="utf-8")
    within.write_text(f"seed = 3\n[check]\n{lines}", encoding="utf-8")
    for table in (read_check_table(alone, alone=True), read_check_table(within)):
        assert [rule.text for rule in table.rules] == ["a >= 1", "b >= 2"]
        assert (table.rules[1].severity, table.rules[1].reason) == ("warning", "fig. 3")
        assert table.strict
    assert read_check_table(alone).rules == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("check = 3", "write a table, [check]"),
        ("[check]\nrule = []", "perhaps for 'rules'"),
        ("[check]\nrules = 'a >= 1'", "no list"),
        ("[check]\nrules = [3]", "'3' is no rule"),
        ("[check]\nrules = [{rule = 'a >= 1', severe = 1}]", "perhaps for 'severity'"),
        ("[check]\nrules = [{rule = 'a >= 1', severity = 'fatal'}]", "error or warning"),
        ("[check]\nrules = [{rule = 'a >= 1', reason = 3}]", "its reason a text"),
        ("[check]\nrules = ['a']", "is no rule"),
        ("[check]\npreset = 'releas'", "no preset 'releas'"),
        ("[check]\nstrict = 'yes'", "true or false"),
        ("[check", "cannot be read as TOML"),
    ],
)
def test_a_table_that_is_wrong_is_one_sentence(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "reportgen.toml"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(ReportgenError) as refused:
        read_check_table(file)
    assert said in str(refused.value)


def test_presets_look_at_the_baseline_only_where_there_is_one() -> None:
    for name in PRESETS:
        alone = preset_rules(name, with_baseline=False)
        assert not any(rule.limit.of_baseline for rule in alone)
        assert len(preset_rules(name, with_baseline=True)) > len(alone)


def test_the_parser_evaluates_nothing() -> None:
    source = Path("reportgen/checks/rules.py").read_text(encoding="utf-8")
    assert not re.search(r"\b(eval|exec|compile)\(", source.replace("re.compile(", ""))
