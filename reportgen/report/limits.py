"""Reasons for a section to mislead for this model, from the numbers of its own results."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.code_book import CodeBook
from reportgen.report import numbers
from reportgen.report.headline import WORRYING_OFF_DATA, in_sample_reason
from reportgen.report.question import Question
from reportgen.report.results import Results

FEW_IMAGES = 32
MOST_NAMED = 6


def limits_of(question: Question, results: Results) -> tuple[str, ...]:
    """Sentences on what to beware of in a section of this report; empty where nothing stands out.

    Few images, units that go together and codes off data concern every question that is asked of
    the model; the rest are the question's own.
    """
    if question.describes == "build":
        return ()
    answer = results.answer(question.name)
    if answer is None and question.answer is not None:
        return ()
    return (
        *_in_sample(results),
        *_few_images(answer),
        *_heavy_tails(answer),
        *(_correlated(results) if question.moves_units else ()),
        *_off_data(question, results),
        *_wordless(question, results),
        *question.limits(answer, results),
    )


def _in_sample(results: Results) -> Iterator[str]:
    reason = in_sample_reason(results)
    if reason:
        yield (
            f"{reason}: everything was fitted and tested on the same images, and may look better "
            "than on others."
        )


def _few_images(answer: object) -> Iterator[str]:
    rows = getattr(answer, "rows", None)
    if isinstance(rows, int) and rows < FEW_IMAGES:
        yield f"Only {rows} images stand behind these numbers, too few for intervals to be exact."


def _heavy_tails(answer: object) -> Iterator[str]:
    names = getattr(answer, "heavy_tailed", ())
    if names:
        yield (
            "Few images decide here: the largest 1 % of them hold over a quarter of the sums "
            f"behind {numbers.listed(names)}, and the intervals are too narrow. In a simulation of "
            "codes with heavy tails (Student's t, 2.5 degrees of freedom), 95 % intervals of R² "
            "and of the linear share held the truth in about 70 % of data sets, those of "
            "equivalent components in 58 %, those of misses in 91 %."
        )


def _correlated(results: Results) -> Iterator[str]:
    pairs = {
        (min(unit.index, other), max(unit.index, other)): r
        for unit in results.units
        for other, r in unit.correlated_with
    }
    if not pairs:
        return
    names = {unit.index: unit.name for unit in results.units}
    strongest = sorted(pairs.items(), key=lambda pair: -abs(pair[1]))
    listed = [
        f"{names[first]} and {names[second]} (r {numbers.signed(r)})"
        for (first, second), r in strongest[:MOST_NAMED]
    ]
    more = f", and {len(pairs) - MOST_NAMED} more pairs" if len(pairs) > MOST_NAMED else ""
    yield (
        f"Some units go together: {', '.join(listed)}{more}. Moving one of them without the other "
        "may make codes unlike those of images, and each may look less needed than the pair is."
    )


def _wordless(question: Question, results: Results) -> Iterator[str]:
    moved = any(question.moved(results.answer(question.name), results))
    if moved and results.answers.of(CodeBook) is not None:
        yield (
            "The code is made of words of a code book, and the codes that are moved here hold none "
            "of them: the model can encode no image as such a code."
        )


def _off_data(question: Question, results: Results) -> Iterator[str]:
    if results.off_data is None:
        return
    for codes in question.moved(results.answer(question.name), results):
        if codes.off_data.value > WORRYING_OFF_DATA:
            yield (
                f"{numbers.plain(codes.off_data, 'percent')} of the {codes.name} are off data, "
                f"against {numbers.plain(results.off_data.real_codes, 'percent')} of real codes: "
                "pictures of those show what the decoder makes of codes unlike these images'."
            )
