"""Rules that reportgen brings."""

from __future__ import annotations

from reportgen.checks.rules import Rule, read_rule

# What has to hold before a model is handed to others: name, rule, reason.
_RELEASE = (
    ("count(failures) == 0", "every section was made"),
    ("control.passed == true if measured", "the instrument reads zero on PCA"),
    ("verdict.reconstructs in partly, well", "what follows describes the data"),
    ("max(off_data.panels) <= 50% if measured", "most codes that were moved are like real ones"),
)
_RELEASE_BESIDE_BASELINE = (
    ("reconstruction.r2 >= baseline.low", "it reconstructs as well as the baseline"),
    ("count(units.health) <= baseline", "no more units are unhealthy"),
    ("additivity.up.gap <= baseline.high if measured", "effects add up as well"),
    ("subtraction.miss_zero <= baseline.high if measured", "zero and subtract is as valid"),
)
PRESETS = ("release",)


def preset_rules(name: str, *, with_baseline: bool) -> tuple[Rule, ...]:
    """The rules of a preset; those that look at a baseline only where there is one."""
    assert name in PRESETS
    chosen = _RELEASE + (_RELEASE_BESIDE_BASELINE if with_baseline else ())
    return tuple(read_rule(rule, reason=reason) for rule, reason in chosen)
