"""What stands above the sections: what follows, what was assumed, why in sample, and trust."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reportgen.analyses.trust import Bottleneck
from reportgen.autoencoder import Note
from reportgen.report.headline import headline_of
from reportgen.report.results import Results
from reportgen.report.verdict import verdict_of
from reportgen.report.words import CAN_BE_SUMMED, IS_VALID, Scale, Word
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import page_of, with_answers
from tests.report.parsed import parsed


def with_words(results: Results, scale: Scale, *said: Word) -> Results:
    lines = tuple(
        replace(line, words=said) if line.question == scale.question else line
        for line in results.verdict
    )
    return replace(results, verdict=lines)


@pytest.mark.parametrize(
    ("said", "text", "section"),
    [
        ((Word.YES,), "What units do alone may be added up.", ""),
        ((Word.ROUGHLY, Word.YES), "What units do alone adds up only roughly.", ""),
        ((Word.ROUGHLY,), "What units do alone adds up only roughly.", ""),
        ((Word.NO,), "Do not add up what units do alone", "contributions"),
        ((Word.NO, Word.ROUGHLY), "even roughly, these images do not settle", "contributions"),
        ((Word.NO, Word.ROUGHLY, Word.YES), "these images do not settle", "contributions"),
    ],
)
def test_what_follows_for_sums_goes_no_further_than_the_words(results, said, text, section) -> None:
    follows = headline_of(with_words(results, CAN_BE_SUMMED, *said)).follows
    assert text in follows[0].text
    assert follows[0].section == section


@pytest.mark.parametrize(
    ("said", "text", "section"),
    [
        ((Word.VALID,), "Zeroing a unit and subtracting shows its part of an image.", ""),
        ((Word.ROUGHLY, Word.VALID), "shows its part of an image roughly.", "subtraction"),
        ((Word.ROUGHLY,), "shows its part of an image roughly.", "subtraction"),
        ((Word.NO,), "does not show its part", "subtraction"),
        ((Word.NO, Word.ROUGHLY), "Whether zeroing a unit and subtracting shows", "subtraction"),
    ],
)
def test_what_follows_for_subtraction_goes_no_further(results, said, text, section) -> None:
    follows = headline_of(with_words(results, IS_VALID, *said)).follows
    assert text in follows[-1].text
    assert follows[-1].section == section


def test_zeroing_that_is_valid_off_data_says_so_where_it_follows(results: Results) -> None:
    valid = with_words(results, IS_VALID, Word.VALID)
    lines = tuple(
        replace(line, word="Valid, but off data") if line.question == IS_VALID.question else line
        for line in valid.verdict
    )
    follows = headline_of(replace(valid, verdict=lines)).follows[-1]
    assert follows.text.endswith("shows its part of an image, by way of codes that are off data.")


def test_nothing_follows_from_what_is_unknown(results: Results) -> None:
    unknown = with_words(with_words(results, CAN_BE_SUMMED), IS_VALID)
    assert headline_of(unknown).follows == ()
    assert "What follows." not in parsed(page_of(unknown).html).text


def with_r2(results: Results, value: float) -> Results:
    changed = replace(
        results.answers["reconstruction"], r2=Estimate(value, value - 0.01, value + 0.01)
    )
    return with_answers(results, reconstruction=changed)


@pytest.mark.parametrize(("r2", "said"), [(0.499, True), (0.5, False), (-0.3, True)])
def test_what_was_assumed_of_the_pixels_leads_where_r2_is_below_a_half(results, r2, said) -> None:
    provenance = replace(
        results.provenance,
        model_notes=(Note("format", "A file."), Note("scaling", "Pixels go in on [-1, 1].")),
        data_notes=(Note("scaling", "uint8 values were divided by 255."), Note("size", "Small.")),
    )
    changed = with_r2(replace(results, provenance=provenance), r2)
    expected = (
        "Model: Pixels go in on [-1, 1].",
        "Data: uint8 values were divided by 255.",
    )
    assert headline_of(changed).assumed == (expected if said else ())
    text = parsed(page_of(changed).html).one("section", id="verdict").text
    assert ("check what was assumed of the pixels" in text) == said
    assert all((part in text) == said for part in expected)


def test_without_a_note_pixels_were_taken_as_they_are(results: Results) -> None:
    bare = replace(results, provenance=replace(results.provenance, model_notes=(), data_notes=()))
    assert headline_of(with_r2(bare, 0.1)).assumed == ("Pixels were taken as they are, on [0, 1].",)


def test_the_two_reasons_for_in_sample_are_told_apart(results: Results) -> None:
    in_sample = with_answers(results, trust=replace(results.answers["trust"], in_sample=True))
    same = replace(
        in_sample, provenance=replace(results.provenance, fit_data=results.provenance.data)
    )
    assert headline_of(results).in_sample == ""
    assert "were fitted on others" in parsed(page_of(results).html).text
    assert headline_of(in_sample).in_sample == "160 images were too few to split"
    assert headline_of(same).in_sample == (
        "--fit-data names the 160 images of the report themselves"
    )
    for changed in (in_sample, same):
        verdict = verdict_of(changed.answers, changed.units, changed.settings, {})
        text = parsed(page_of(replace(changed, verdict=verdict)).html).text
        assert "held-out" not in text
        assert "Held-out" not in text
        assert "were fitted on others" not in text
        assert headline_of(changed).in_sample in text


@pytest.mark.parametrize("bottleneck", list(Bottleneck))
def test_every_finding_on_the_bottleneck_has_its_words(results, bottleneck) -> None:
    trust = replace(results.answers["trust"], bottleneck=bottleneck, noise_held=False)
    found = [
        item
        for item in headline_of(with_answers(results, trust=trust)).trust
        if "bottleneck" in item.text or "split" in item.text
    ]
    assert len(found) == 1
    assert found[0].good == (bottleneck is Bottleneck.COMPLETE)
    if bottleneck is Bottleneck.STOCHASTIC:
        assert "stochastic: check of the split skipped" in found[0].text
        assert "around" not in found[0].text


def test_dead_units_are_counted_in_the_trust_line(results: Results) -> None:
    health = results.answers["health"]
    for dead, said in ((0, "no unit is dead"), (1, "1 of 4 units has"), (2, "2 of 4 units have")):
        changed = with_answers(results, health=replace(health, live=4 - dead))
        assert headline_of(changed).trust[-1].text.startswith(said)
