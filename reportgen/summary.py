"""What the terminal shows once a report is written."""

from __future__ import annotations

from reportgen.build import BuildOutcome
from reportgen.progress import QuietProgress


def summary_lines(outcome: BuildOutcome, progress: QuietProgress) -> list[str]:
    """The verdict, what went unanswered, the page and its size, and where the time went."""
    lines = []
    results = outcome.results
    for answer in results.verdict:
        number = answer.number
        if number is None:
            lines.append(f"{answer.question:<32}{answer.word}")
            continue
        scale, sign = (100, " %") if answer.scale == "percent" else (1, "")
        value, low, high = (f"{scale * x:.3g}" for x in (number.value, number.low, number.high))
        lines.append(
            f"{answer.question:<32}{answer.word}: {value}{sign} [{low}, {high}] {answer.measure}"
        )
    control = results.control
    if control is not None:
        state = "passed" if control.passed else "FAILED: do not trust the numbers"
        lines.append(f"{'Linear control (PCA)':<32}{state}")
    for name, reason in {**results.unanswered, **results.failures}.items():
        lines.append(f"{name.replace('_', ' ')}: not answered, {reason}")
    slowest = sorted(progress.seconds.items(), key=lambda step: -step[1])[:5]
    seconds = sum(progress.seconds.values())
    lines.append(
        f"\n{outcome.page}  {outcome.page_bytes / 1e6:.2f} MB  {outcome.decodes:,} decodes  "
        f"{seconds:.1f} s, of which {outcome.model_seconds:.1f} s in the model"
    )
    lines.append("Most time: " + ", ".join(f"{name} {s:.1f} s" for name, s in slowest))
    return lines
