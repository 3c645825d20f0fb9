"""Numbers by name: each way through the results, and a sentence for each that leads nowhere."""

from __future__ import annotations

import json
import math
import re

import pytest

from reportgen.errors import NumberNameError
from reportgen.questions import QUESTIONS
from reportgen.report.name_path import NumberPath, path_text, read_number, read_path
from reportgen.report.number_names import NumberNames
from reportgen.report.number_places import as_estimate, names_in
from reportgen.report.results import Results
from reportgen.report.store import results_json
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import without


@pytest.fixture(scope="module")
def names(results: Results) -> NumberNames:
    return NumberNames(results, QUESTIONS)


def refusal(names: NumberNames, name: str) -> str:
    with pytest.raises(NumberNameError) as refused:
        names.find(name)
    return str(refused.value)


def test_a_name_gives_the_number_with_its_interval(names: NumberNames, results: Results) -> None:
    r2 = results.answers["reconstruction"].r2
    assert names["reconstruction.r2"] == r2
    assert names["reconstruction.r2.value"] == r2.value
    assert names["reconstruction.r2.low"] == r2.low
    assert names["reconstruction.r2.high"] == r2.high


def test_places_in_lists_and_arrays_are_counted_from_zero(
    names: NumberNames, results: Results
) -> None:
    assert names["units[3].damage"] == results.units[3].damage
    assert names["units[0].index"] == results.units[0].index
    matrix = results.answers["interactions"].matrix
    assert names["interactions.matrix[0][1]"] == matrix[0, 1]
    assert isinstance(names["interactions.matrix[0][1]"], float)
    assert names["control.passed"] is True


def test_functions_look_at_every_entry_of_the_lists_on_the_way(
    names: NumberNames, results: Results
) -> None:
    highs = [unit.damage.high for unit in results.units if unit.damage]
    assert names["max(units.damage.high)"] == max(highs)
    assert names["min(units.damage.high)"] == min(highs)
    assert names["mean(units.damage.high)"] == pytest.approx(sum(highs) / len(highs))
    assert names["max(interactions.matrix)"] == results.answers["interactions"].matrix.max()
    does = [factor.does.value for unit in results.units for factor in unit.draws]
    assert names["min( units.draws.does )"] == min(does)


def test_count_counts_what_is_not_empty_or_holds_a_word(
    names: NumberNames, results: Results
) -> None:
    drawing = sum(bool(unit.draws) for unit in results.units)
    assert 0 < drawing < len(results.units)
    assert names["count(units.draws)"] == drawing
    assert names["count(units.damage)"] == len(results.units)
    factors = results.answers["tracking"].units
    named = sum(factor.name == "odd" for unit in factors for factor in unit.factors)
    assert names["count(tracking.units.factors.name, odd)"] == named > 0
    assert names["count(units.health, collapsed)"] == 0
    assert (
        "no value there can be 'colapsed'"
        in refusal(names, "count(units.health, colapsed)").lower()
    )
    assert "there are no words" in refusal(names, "count(units.damage, high)")


def test_a_line_of_the_verdict_is_known_by_what_it_asks(
    names: NumberNames, results: Results
) -> None:
    gap = results.answers["additivity"].up.gap
    assert names["verdict.additive"] == gap
    assert names["verdict.additive.high"] == gap.high
    assert names.words("additive")[0] == tuple(results.verdict[2].words)
    assert "nearest name is 'verdict.additive'" in refusal(names, "verdict.additve")


def test_what_was_not_measured_is_none_and_says_why(names: NumberNames, results: Results) -> None:
    found = names.find("replicates.r2[0]")
    assert found.value is None
    assert "--replicates" in found.reason
    assert names.find("max(replicates.units.median)").value is None
    lacking = NumberNames(without(results, "reconstruction"), QUESTIONS)
    assert lacking.find("reconstruction.r2.low").reason == "no reconstruction here"
    assert lacking.find("verdict.reconstructs").reason == "No reconstruction here"
    assert "nearest name is 'reconstruction.r2'" in refusal(lacking, "reconstruction.r22")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reconstrution.r2", "nearest name is 'reconstruction.r2'"),
        ("reconstruction", "reconstruction holds reconstruction.r2,"),
        ("reconstruction.r2.middle", "There is no number"),
        ("reconstruction.r2[0]", "There is no number"),
        ("units.damage", "say units[0].damage"),
        ("units[0]", "units[0] holds units[0].index"),
        ("units", "count(units)"),
        ("units[99].damage", "has 4 entries"),
        ("interactions.matrix", "say interactions.matrix[0]"),
        ("contributions.pictures[0]", "There is no number"),
        ("title", "title is no number"),
        ("max(title)", "title is no number"),
        ("live.decoder", "There is no number"),
        ("extensions.none.x", "There is no number"),
        ('off_data.panels."none"', "There is no number"),
        ("sum(units.damage)", "there are count, min, max, mean"),
        ("max(units.damage, x)", "count(PATH, WORD) alone"),
        ("a..b", "no name of a number"),
        ("", "no name of a number"),
        ("units[-1].damage", "no name of a number"),
        ("__class__", "There is no number"),
        ("units[0].__class__", "There is no number"),
        ("x" * 501, "at most 500 characters"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_sentence(
    names: NumberNames, name: str, said: str
) -> None:
    sentence = refusal(names, name)
    assert said in sentence
    assert "\n" not in sentence


def test_paths_are_written_as_they_are_read() -> None:
    for text in ("reconstruction.r2.low", "units[3].damage", 'off_data.panels."last-in ablation"'):
        assert path_text(read_path(text)) == text
    assert read_number("count(units.health, collapsed)") == NumberPath(
        ("units", "health"), "count", "collapsed"
    )


def test_every_number_of_results_json_is_listed_and_each_name_gives_it_again(
    names: NumberNames, results: Results
) -> None:
    plain = json.loads(results_json(results))
    listed = {number.name: number for number in names}
    assert len(listed) == len(list(names))
    for name, number in listed.items():
        if number.shape:
            assert names[name + "[0]" * len(number.shape)] is None or number.shape
        else:
            assert names[name] == number.value
    for name in plain_numbers({key: plain[key] for key in plain if key not in ("live", "verdict")}):
        assert name in listed, name


def plain_numbers(value: object, path: str = "") -> list[str]:
    """Names of all numbers in JSON, made without the types; arrays of numbers by their own name."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high"}:
            return [path]
        if set(value) == {"images", "shape"}:
            return []
        found = []
        for key, entry in value.items():
            part = key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else f'"{key}"'
            found += plain_numbers(entry, f"{path}.{part}" if path else part)
        return found
    if isinstance(value, list):
        if path == "pixel_range" or any(isinstance(entry, dict) for entry in value):
            return [
                n for k, entry in enumerate(value) for n in plain_numbers(entry, f"{path}[{k}]")
            ]
        return []
    return [path] if isinstance(value, int | float) else []


def test_every_number_that_a_report_has_stands_among_the_names_of_the_types(
    names: NumberNames,
) -> None:
    asked = [question for question in QUESTIONS if question.answer is not None]
    documented = {
        re.sub(r"\[\d+\]", "", name)
        for question in asked
        for name in names_in(question.answer, (question.name,))
    }
    own = {number.name for number in names} - {"units"}
    own = {name for name in own if name.split(".")[0] in {question.name for question in asked}}
    assert len(own) > 100
    for name in own:
        plain = re.sub(r"\[\d+\]", "", name)
        # Below a name that the data chooses, as of a factor, stands NAME.
        assert plain in documented or f"{plain.rpartition('.')[0]}.NAME" in documented, name


def test_a_plain_number_has_no_interval() -> None:
    whole = as_estimate(3)
    assert whole.value == 3
    assert math.isnan(whole.low)
    assert as_estimate(Estimate(1.0, 0.5, 2.0)).high == 2.0
    assert math.isnan(as_estimate(None).value)
