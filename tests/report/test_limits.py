"""Limits that hold for one model: named exactly where its numbers pass the cut-off."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from reportgen.analyses.code_book import CodeBook
from reportgen.analyses.pre_activation import PreActivation
from reportgen.report.limits import limits_of
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import example_results, page_of, question_named, with_answers
from tests.report.parsed import parsed


def limits_in(results: Results, section: str) -> tuple[str, ...]:
    return limits_of(question_named(section), results)


def of_all(share: float) -> Estimate:
    """A share of codes that were all looked at."""
    return Estimate(share, np.nan, np.nan)


def test_where_the_code_is_words_every_section_that_moves_codes_says_that_they_hold_none(
    results: Results,
) -> None:
    said = "The code is made of words of a code book"
    book = with_answers(results, code_book=object.__new__(CodeBook))
    for section in ("contributions", "traversal", "ablation"):
        assert not any(limit.startswith(said) for limit in limits_in(results, section))
        assert any(limit.startswith(said) for limit in limits_in(book, section))
    assert not any(limit.startswith(said) for limit in limits_in(book, "reconstruction"))


def calm(results: Results) -> Results:
    """The same results without anything to warn of in the sections that are changed below."""
    units = tuple(replace(unit, correlated_with=()) for unit in results.units)
    ablation = replace(
        results.answers["ablation"], rows=64, off_data_solo=of_all(0.1), off_data_last=of_all(0.1)
    )
    contributions = replace(
        results.answers["contributions"],
        rows=64,
        off_data_share=of_all(0.1),
        shares=tuple(
            replace(share, rank_low=share.rank, rank_high=share.rank)
            for share in results.answers["contributions"].shares
        ),
    )
    changed = replace(results, units=units)
    return with_answers(changed, ablation=ablation, contributions=contributions)


def test_calm_results_have_no_limits_of_their_own(results: Results) -> None:
    assert limits_in(calm(results), "units") == ()
    assert limits_in(calm(results), "contributions") == ()


def test_units_that_go_together_are_named_once_beside_ablation(results: Results) -> None:
    base = calm(results)
    first, second, *others = base.units
    together = (
        replace(first, correlated_with=((second.index, -0.83),)),
        replace(second, correlated_with=((first.index, -0.83),)),
        *others,
    )
    (sentence,) = limits_in(replace(base, units=together), "units")
    low, high = sorted((first, second), key=lambda unit: unit.index)
    assert f"{low.name} and {high.name} (r −0.83)." in sentence
    assert "more pairs" not in sentence


@pytest.mark.parametrize(("pairs", "more"), [(6, ""), (7, ", and 1 more pairs")])
def test_the_six_closest_pairs_are_named_and_the_others_counted(
    results: Results, pairs: int, more: str
) -> None:
    base = calm(results)
    first = base.units[0]
    others = tuple(100 + place for place in range(pairs))
    # The closest last, every second one the other way round.
    correlations = [(0.71 + 0.02 * n) * (-1) ** n for n in range(pairs)]
    units = (
        replace(first, correlated_with=tuple(zip(others, correlations, strict=True))),
        *(replace(first, index=other, name=f"u{other}", correlated_with=()) for other in others),
    )
    (sentence,) = limits_in(replace(base, units=units), "units")
    closest = others[::-1][:6]
    places = [sentence.index(f"{first.name} and u{other} (r ") for other in closest]
    assert places == sorted(places)
    assert sentence.count("(r ") == 6
    assert f"){more}. Moving one of them" in sentence


@pytest.mark.parametrize(("share", "warned"), [(0.25, False), (0.26, True)])
def test_moved_codes_are_named_from_a_quarter_off_data(
    results: Results, share: float, warned: bool
) -> None:
    base = calm(results)
    paths = replace(base.answers["contributions"], off_data_share=of_all(share))
    found = limits_in(with_answers(base, contributions=paths), "contributions")
    assert bool(found) == warned
    assert all("26.0\u202f% of the codes on the paths are off data" in text for text in found)


def test_few_images_and_open_ranks_are_said(results: Results) -> None:
    base = calm(results)
    shares = list(base.answers["contributions"].shares)
    shares[1] = replace(shares[1], rank_low=1, rank_high=3)
    few = replace(base.answers["contributions"], rows=31, shares=tuple(shares))
    found = limits_in(with_answers(base, contributions=few), "contributions")
    assert found == (
        "Only 31 images stand behind these numbers, too few for intervals to be exact.",
        f"The ranks of unit {shares[1].name} are not settled by 31 images.",
    )
    enough = replace(base.answers["contributions"], rows=32)
    assert limits_in(with_answers(base, contributions=enough), "contributions") == ()


def test_in_sample_numbers_are_said_in_every_section_of_evidence(results: Results) -> None:
    too_few = with_answers(results, trust=replace(results.answers["trust"], in_sample=True))
    same = replace(results.provenance, fit_data=results.provenance.data)
    reasons = {
        "160 images were too few to split: ": too_few,
        "--fit-data names the 160 images of the report themselves: ": replace(
            too_few, provenance=same
        ),
    }
    for reason, in_sample in reasons.items():
        for section in ("traversal", "units", "linearity", "trust"):
            sentence = limits_in(in_sample, section)[0]
            assert sentence.startswith(reason)
            assert "fitted and tested on the same images" in sentence
        assert limits_in(in_sample, "method") == ()


def test_units_bound_by_the_others_are_named_beside_the_walk(results: Results) -> None:
    ratios = np.full(len(results.answers["traversal"].names), 0.9)
    ratios[0] = 0.1
    bound = replace(results.answers["traversal"], deviation_ratios=ratios)
    sentences = limits_in(with_answers(results, traversal=bound), "traversal")
    assert any(f"what unit {bound.names[0]} may do is less than" in s for s in sentences)


def test_undetermined_components_are_numbered_from_one(results: Results) -> None:
    reconstruction = results.answers["reconstruction"]
    for near, named in (
        ([0, 2], "components 1, 3 and the one after each"),
        ([1], "component 2 and the one after it"),
    ):
        order = np.zeros(len(reconstruction.order_undetermined), dtype=bool)
        order[near] = True
        changed = with_answers(
            results,
            reconstruction=replace(reconstruction, order_undetermined=order, fit_rows=10_000),
        )
        (sentence,) = limits_in(changed, "reconstruction")
        assert f"The order of PCA's {named} is not determined" in sentence
        assert (
            f"Too close in variance to be ordered: {named}." in parsed(page_of(changed).html).text
        )


def test_few_images_for_the_regression_are_said(results: Results) -> None:
    for rows, warned in ((10, False), (9, True)):
        linearity = replace(
            results.answers["linearity"],
            regressors=5,
            fit_rows=rows * 5,
            test_rows=results.answers["linearity"].test_rows,
        )
        found = limits_in(with_answers(results, linearity=linearity), "linearity")
        assert any("regressors are few" in sentence for sentence in found) == warned


@pytest.mark.parametrize(
    ("names", "said"), [(("R²",), "the sums behind R²,"), (("R²", "k′"), "the sums behind R², k′,")]
)
def test_numbers_that_few_images_hold_are_named_one_or_several(
    names: tuple[str, ...], said: str, results: Results
) -> None:
    heavy = replace(results.answers["reconstruction"], heavy_tailed=names)
    found = limits_in(with_answers(results, reconstruction=heavy), "reconstruction")
    assert sum(said in sentence for sentence in found) == 1


def test_rho_above_its_own_interval_is_said_to_be_too_large(results: Results) -> None:
    base = calm(results)
    for high, warned in ((0.6, False), (0.49, True)):
        pooled = replace(base.answers["one_picture"].pooled_context, value=0.5, low=0.4, high=high)
        changed = replace(base.answers["one_picture"], pooled_context=pooled, rows=64)
        found = limits_in(with_answers(base, one_picture=changed), "one_picture")
        said = [sentence for sentence in found if "too large" in sentence]
        assert len(said) == warned
        assert all("[0.400, 0.490]" in sentence for sentence in said)


def test_units_of_several_numbers_are_not_blamed_for_several_pictures(results: Results) -> None:
    """The same in the units' sentences, which say nothing of pictures then."""
    spatial = example_results(units=3, code_sites=2)
    sentence = "several numbers of the code"
    assert any(sentence in text for text in limits_in(spatial, "one_picture"))
    assert not any(sentence in text for text in limits_in(results, "one_picture"))
    assert not any("picture" in unit.sentence for unit in spatial.units)
    assert any("picture" in unit.sentence for unit in results.units)


def test_a_baseline_with_another_gap_is_named(results: Results) -> None:
    def starting(gaps: list[tuple[float, float]]) -> Results:
        rows = tuple(
            replace(row, gap=replace(row.gap, gap=Estimate((low + high) / 2, low, high)))
            for row, (low, high) in zip(
                results.answers["additivity"].by_baseline, gaps, strict=True
            )
        )
        return with_answers(
            results, additivity=replace(results.answers["additivity"], by_baseline=rows)
        )

    # Intervals that are no percentage point apart are of one gap: rounding has narrow ones.
    same = starting([(0.3, 0.5), (0.509, 0.6), (0.2, 0.291), (0.1, 0.9)])
    apart = starting([(0.3, 0.5), (0.512, 0.6), (0.2, 0.291), (0.1, 0.2)])
    assert not any("Where one starts" in text for text in limits_in(same, "additivity"))
    (said,) = (t for t in limits_in(apart, "additivity") if "Where one starts" in t)
    assert "from the medoid 55.6" in said and "; the zero code 15.0" in said
    assert "mean image" not in said


@pytest.mark.parametrize(("share", "warned"), [(0.25, False), (0.26, True)])
def test_a_large_rest_is_said_beside_shares(share, warned, results: Results) -> None:
    base = calm(results)
    *others, last = base.answers["contributions"].shares
    rest = replace(last, unit=-1, share=replace(last.share, value=share))
    changed = replace(base.answers["contributions"], shares=(*others, rest))
    found = limits_in(with_answers(base, contributions=changed), "contributions")
    assert any("of the change: which of them is not told" in text for text in found) == warned


@pytest.mark.parametrize(("share", "warned"), [(0.2, False), (0.21, True)])
def test_saturated_pixels_are_said_before_a_squash(share, warned, results: Results) -> None:
    pre = object.__new__(PreActivation)
    pre.__dict__.update(saturated_share=share, squash="sigmoid")
    found = limits_in(with_answers(results, pre_activation=pre), "linearity")
    assert any("at an end of the range" in text for text in found) == warned


def test_codes_outside_the_ellipse_are_compared_with_real_ones(results: Results) -> None:
    for share, warned in ((0.25, False), (0.3, True)):
        codes = replace(results.answers["permuted_codes"], far_share=share)
        found = limits_in(with_answers(results, permuted_codes=codes), "linearity")
        assert any("against 1 % of real ones" in text for text in found) == warned


def test_few_images_for_a_bin_and_shared_labels_are_said(results: Results) -> None:
    labels = SimpleNamespace(rows=499, information_gap=0.3)
    together = tuple(replace(unit, correlated_with=((1, 0.8),)) for unit in results.units)
    found = limits_in(
        with_answers(replace(results, units=together), label_metrics=labels), "label_metrics"
    )
    assert any("24 for each of a unit's 20 bins" in text for text in found)
    assert any("may lower MIG, SAP and completeness" in text for text in found)
    labels = SimpleNamespace(rows=500, information_gap=None)
    changed = with_answers(calm(results), label_metrics=labels)
    assert not limits_in(changed, "label_metrics")


def test_a_training_that_reconstructs_less_well_is_named(results: Results) -> None:
    low = results.answers["reconstruction"].r2.low
    others = SimpleNamespace(names=("a", "b"), r2=np.array([low - 0.049, low - 0.051]))
    found = limits_in(with_answers(results, replicates=others), "replicates")
    assert [text for text in found if text.startswith("b reconstructs less well")]
    assert not any(text.startswith("a") for text in found)


def test_the_fold_counts_the_limits_of_this_model(results: Results) -> None:
    base = calm(results)
    paths = replace(base.answers["contributions"], off_data_share=of_all(0.9))
    page = parsed(page_of(with_answers(base, contributions=paths)).html)
    section = page.one("section", id="contributions")
    summaries = [fold.one("summary").text for fold in section.all("details")]
    assert "Limits, 1 of this model and data" in summaries
    assert len(section.one("ul", **{"class": "own-limits"}).all("li")) == 1


def test_what_was_not_asked_is_listed_with_its_reason(results: Results) -> None:
    assert results.not_applicable
    section = parsed(page_of(results).html).one("section", id="provenance")
    for reason in results.not_applicable.values():
        assert reason[1:] in section.text
