"""What stands above the sections: the trust line, and whether the page describes data at all."""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.analyses.health import Health
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.trust import Trust
from reportgen.report import numbers
from reportgen.report.results import Results
from reportgen.suite.control import Control

WORRYING_OFF_DATA = 0.25


@dataclass(frozen=True)
class TrustItem:
    """One part of the trust line: what was found, whether it is as it should be, where to read."""

    text: str
    good: bool
    section: str


@dataclass(frozen=True)
class Headline:
    """The page's head.

    Attributes
    ----------
    decoder_only : whether R² is below 0, so that the rest describes the decoder, not the data.
    trust : the parts of the trust line.
    """

    decoder_only: bool
    trust: tuple[TrustItem, ...]


def headline_of(results: Results) -> Headline:
    """From the same numbers as the sections."""
    reconstruction = results.answers.of(Reconstruction)
    return Headline(
        decoder_only=reconstruction is not None and reconstruction.r2.value < 0,
        trust=(*_control(results), *_bottleneck(results), *_codes(results), *_units(results)),
    )


def _control(results: Results) -> tuple[TrustItem, ...]:
    control = results.answers.of(Control)
    if control is None:
        return (TrustItem("the linear control was not run", False, "control"),)
    if not control.passed:
        return (
            TrustItem("the linear control failed: the instrument is at fault", False, "control"),
        )
    return (TrustItem("the linear control reads zero on PCA", True, "control"),)


def _bottleneck(results: Results) -> tuple[TrustItem, ...]:
    trust = results.answers.of(Trust)
    if trust is None:
        return ()
    sentences = {
        "complete": "the bottleneck is complete",
        "incomplete": "the bottleneck is incomplete: the model passes something around it",
        "stochastic": "the model's own forward is random, so the split could not be checked",
        "not checked": "the split could not be checked against a forward of the model's own",
    }
    held = ", its sampling noise held at the mean" if trust.noise_held else ""
    items = [TrustItem(sentences[trust.bottleneck] + held, trust.bottleneck == "complete", "trust")]
    if trust.in_sample:
        items.append(TrustItem("every number is in sample: too few images", False, "trust"))
    return tuple(items)


def _codes(results: Results) -> tuple[TrustItem, ...]:
    off_data = results.off_data
    if off_data is None or not off_data.panels:
        return ()
    worst, share = max(off_data.panels.items(), key=lambda panel: panel[1])
    text = (
        f"{numbers.percent(off_data.real_codes)} of real codes are flagged off data, "
        f"at most {numbers.percent(share)} of moved ones ({worst})"
    )
    return (TrustItem(text, share <= WORRYING_OFF_DATA, "trust"),)


def _units(results: Results) -> tuple[TrustItem, ...]:
    health = results.answers.of(Health)
    if health is None:
        return ()
    dead = len(health.units) - health.live
    if not dead:
        return (TrustItem("no unit is dead", True, "units"),)
    text = f"{dead} of {len(health.units)} units have next to no effect"
    return (TrustItem(text, True, "units"),)
