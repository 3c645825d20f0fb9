"""Rules from a TOML file: the table [check] of reportgen.toml, or a file of rules alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportgen.checks.presets import PRESETS
from reportgen.checks.rules import Rule, read_rule
from reportgen.errors import CheckError, nearest
from reportgen.settings import read_toml
from reportgen.shown import quoted, shown

KEYS = "rules", "preset", "strict"
RULE_KEYS = "rule", "severity", "reason"
MOST_RULES = 1000


@dataclass(frozen=True)
class CheckTable:
    """The table [check].

    Attributes
    ----------
    rules : in their order.
    preset : the name of a preset; "" for none.
    strict : whether a broken rule that is a warning fails the command too.
    """

    rules: tuple[Rule, ...] = ()
    preset: str = ""
    strict: bool = False


def read_check_table(file: Path, *, alone: bool = False) -> CheckTable:
    """The table [check] of a file; of a file of rules `alone`, also its top level.

    Raises CheckError or SettingsError.
    """
    content = read_toml(file)
    table = content.get("check", content if alone else {})
    if not isinstance(table, dict):
        raise CheckError(f"{shown(file)} sets check to {quoted(table)}; write a table, [check].")
    for key in table:
        if key not in KEYS:
            raise CheckError(
                f"{shown(file)} sets {quoted(key)}{nearest(key, KEYS)}, which is nothing that "
                f"reportgen check knows; there are {', '.join(KEYS)}."
            )
    preset, strict = table.get("preset", ""), table.get("strict", False)
    if preset not in ("", *PRESETS):
        known = ", ".join(PRESETS)
        raise CheckError(f"{shown(file)}: there is no preset {quoted(preset)}; there is {known}.")
    if not isinstance(strict, bool):
        raise CheckError(f"{shown(file)} sets strict to {quoted(strict)}; write true or false.")
    return CheckTable(_rules(file, table.get("rules", [])), preset, strict)


def _rules(file: Path, listed: Any) -> tuple[Rule, ...]:
    if not isinstance(listed, list) or len(listed) > MOST_RULES:
        raise CheckError(
            f"{shown(file)}: rules is no list of at most {MOST_RULES} rules; write "
            'rules = ["reconstruction.r2.low >= 0.8"].'
        )
    return tuple(_rule(file, entry) for entry in listed)


def _rule(file: Path, entry: Any) -> Rule:
    if isinstance(entry, str):
        return read_rule(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("rule"), str):
        raise CheckError(
            f"{shown(file)}: {quoted(entry)} is no rule; write a text, or a table as "
            '{ rule = "linearity.linear >= 0.5", severity = "warning", reason = "…" }.'
        )
    for key in entry:
        if key not in RULE_KEYS:
            raise CheckError(
                f"{shown(file)}: a rule has no {quoted(key)}{nearest(key, RULE_KEYS)}; there are "
                f"{', '.join(RULE_KEYS)}."
            )
    severity, reason = entry.get("severity", "error"), entry.get("reason", "")
    if severity not in ("error", "warning") or not isinstance(reason, str):
        raise CheckError(
            f"{shown(file)}: the severity of a rule is error or warning, its reason a text."
        )
    return read_rule(entry["rule"], severity, reason)
