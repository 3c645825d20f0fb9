"""The lines above the sections: the trust line, and whether the page describes data at all."""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.analyses.health import Health
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.trust import Bottleneck, Trust
from reportgen.report import numbers, words
from reportgen.report.results import Results, VerdictLine
from reportgen.suite.control import Control

WORRYING_OFF_DATA = 0.25


@dataclass(frozen=True)
class TrustItem:
    """One part of the trust line: what was found, whether it is as it should be, where to read."""

    text: str
    good: bool
    section: str


@dataclass(frozen=True)
class Consequence:
    """A sentence on what follows from the verdict, and a section to see; "" for none."""

    text: str
    section: str


@dataclass(frozen=True)
class Headline:
    """The page's head.

    Attributes
    ----------
    decoder_only : whether R² is below 0, so that the rest describes the decoder, not the data.
    assumed : where R² is below a half, what was assumed of the pixels: a wrong scale looks like a
        bad model. Empty where it is above.
    follows : what the verdict means for someone who adds up or subtracts pictures.
    in_sample : why nothing on the page is from images that were left out; "" where it is.
    trust : the parts of the trust line.
    """

    decoder_only: bool
    assumed: tuple[str, ...]
    follows: tuple[Consequence, ...]
    in_sample: str
    trust: tuple[TrustItem, ...]


def headline_of(results: Results) -> Headline:
    """Make the headline from the same numbers as the sections."""
    reconstruction = results.answers.of(Reconstruction)
    return Headline(
        decoder_only=reconstruction is not None and reconstruction.r2.value < 0,
        assumed=_assumed(results),
        follows=(*_of_sums(results), *_of_subtraction(results)),
        in_sample=in_sample_reason(results),
        trust=(*_control(results), *_bottleneck(results), *_codes(results), *_units(results)),
    )


def in_sample_reason(results: Results) -> str:
    """Say why fit and test images are the same; "" where they are not."""
    trust = results.answers.of(Trust)
    if trust is None or not trust.in_sample:
        return ""
    count = numbers.count(results.provenance.images)
    if results.provenance.fit_data is not None:
        return f"--fit-data names the {count} images of the report themselves"
    return f"{count} images were too few to split"


def _assumed(results: Results) -> tuple[str, ...]:
    reconstruction = results.answers.of(Reconstruction)
    limit = results.settings.partly_reconstructed
    if reconstruction is None or not reconstruction.r2.value < limit:
        return ()
    provenance = results.provenance
    said = [
        *(f"Model: {note.text}" for note in provenance.model_notes if note.topic == "scaling"),
        *(f"Data: {note.text}" for note in provenance.data_notes if note.topic == "scaling"),
    ]
    low, high = (numbers.short(end) for end in results.pixel_range)
    return tuple(said) or (f"Pixels were taken as they are, on [{low}, {high}].",)


def _of_sums(results: Results) -> tuple[Consequence, ...]:
    said = _words_of(results, words.CAN_BE_SUMMED)
    if not said:
        return ()
    if said == (words.Word.YES,):
        return (Consequence("What units do alone may be added up.", ""),)
    if words.Word.NO not in said:
        return (Consequence("What units do alone adds up only roughly.", ""),)
    if len(said) > 1:
        text = "Whether what units do alone adds up, even roughly, these images do not settle."
    else:
        text = "Do not add up what units do alone: there are pictures that do add up."
    return (Consequence(text, "contributions"),)


def _of_subtraction(results: Results) -> tuple[Consequence, ...]:
    said = _words_of(results, words.IS_VALID)
    if not said:
        return ()
    shows = "Zeroing a unit and subtracting shows its part of an image"
    if said == (words.Word.VALID,) and _off_data(results, words.IS_VALID):
        return (Consequence(f"{shows}, by way of codes that are off data.", "subtraction"),)
    if said == (words.Word.VALID,):
        return (Consequence(f"{shows}.", ""),)
    if words.Word.NO not in said:
        return (Consequence(f"{shows} roughly.", "subtraction"),)
    if len(said) > 1:
        text = f"Whether {shows[0].lower()}{shows[1:]}, even roughly, these images do not settle."
    else:
        text = "Zeroing a unit and subtracting does not show its part of an image."
    return (Consequence(text, "subtraction"),)


def _words_of(results: Results, scale: words.Scale) -> tuple[words.Word, ...]:
    line = _line_of(results, scale)
    return () if line is None else line.words


def _off_data(results: Results, scale: words.Scale) -> bool:
    line = _line_of(results, scale)
    return line is not None and words.OFF_DATA.said in line.word


def _line_of(results: Results, scale: words.Scale) -> VerdictLine | None:
    return next((line for line in results.verdict if line.question == scale.question), None)


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
        Bottleneck.COMPLETE: "the bottleneck is complete",
        Bottleneck.INCOMPLETE: "the bottleneck is incomplete: the model passes something around it",
        Bottleneck.STOCHASTIC: "the model's own forward is stochastic: check of the split skipped",
        Bottleneck.NOT_CHECKED: "the split could not be checked against a forward of the model's "
        "own",
    }
    held = ", its sampling noise held at the mean" if trust.noise_held else ""
    complete = trust.bottleneck is Bottleneck.COMPLETE
    items = [TrustItem(sentences[trust.bottleneck] + held, complete, "trust")]
    reason = in_sample_reason(results)
    if reason:
        items.append(TrustItem(f"every number is in sample: {reason}", False, "trust"))
    return tuple(items)


def _codes(results: Results) -> tuple[TrustItem, ...]:
    off_data = results.off_data
    if off_data is None or not off_data.panels:
        return ()
    worst, share = max(off_data.panels.items(), key=lambda panel: panel[1].value)
    text = (
        f"{numbers.percent(off_data.real_codes.value)} of real codes are flagged off data, "
        f"at most {numbers.percent(share.value)} of moved ones ({worst})"
    )
    return (TrustItem(text, share.value <= WORRYING_OFF_DATA, "trust"),)


def _units(results: Results) -> tuple[TrustItem, ...]:
    health = results.answers.of(Health)
    if health is None:
        return ()
    dead = len(health.units) - health.live
    if not dead:
        return (TrustItem("no unit is dead", True, "units"),)
    verb = "has" if dead == 1 else "have"
    text = f"{dead} of {len(health.units)} units {verb} next to no effect"
    return (TrustItem(text, True, "units"),)
