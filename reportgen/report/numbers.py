"""Formats of numbers, everywhere alike: three significant digits, a real minus sign.

Percentages have at most three decimals: beyond them a share says nothing to a reader, who sees 0,
and results.json holds it in full.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from reportgen.statistics.bootstrap import Estimate

DIGITS = 3
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-3, 1e6
SMALLEST_FULL_PERCENTAGE, PERCENT_DECIMALS = 0.1, 3
NO_EFFECT = 1e-10
THIN_SPACE, NO_BREAK_SPACE = "\u202f", "\u00a0"
MOST_LISTED = 6
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = DIGITS) -> str:
    """Three significant digits; powers of ten only below .001 and from a million."""
    if value is None or math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    exponent = int(power)
    if SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        rounded = float(f"{mantissa}e{exponent}")
        text = f"{rounded:,.{max(0, digits - 1 - exponent)}f}"
    else:
        text = f"{mantissa} × 10{str(exponent).translate(SUPERSCRIPTS)}"
    return text.replace("-", "−", 1) if value < 0 else text


def percent(value: float | None, digits: int = DIGITS) -> str:
    """A share in percent: .432 as "43.2 %"."""
    if value is None or math.isnan(value):
        return "undefined"
    return f"{_percentage(value, digits)}{THIN_SPACE}%"


def percentage(value: float | None, digits: int = DIGITS) -> str:
    """A share in percent without the sign, for tables whose heading has it."""
    if value is None or math.isnan(value):
        return "undefined"
    return _percentage(value, digits)


def _percentage(share: float, digits: int = DIGITS) -> str:
    value = 100 * share
    if value == 0 or not math.isfinite(value):
        return number(value)
    if abs(value) < SMALLEST_FULL_PERCENTAGE:
        rounded = f"{abs(value):.{PERCENT_DECIMALS}f}"
        if not float(rounded):
            return number(0)
        return ("−" if value < 0 else "") + rounded
    return number(value, digits)


def short(value: float) -> str:
    """A number as someone chose it, without padding: 0.01, 1, 1e-06."""
    return f"{value:g}".replace("-", "−", 1) if value < 0 else f"{value:g}"


def signed(value: float | None) -> str:
    """A correlation: two decimals, "−0.97"."""
    if value is None or math.isnan(value):
        return "undefined"
    text = f"{abs(value):.2f}"
    return f"−{text}" if value < 0 and text != "0.00" else text


def count(value: int) -> str:
    """A whole number with separators: 12,345."""
    return f"{value:,}"


def bytes_(value: int) -> str:
    """A size: "812 kB", "1.25 MB"."""
    if value < 1000:
        return f"{value}{THIN_SPACE}B"
    if value < 999_500:
        return f"{number(value / 1000)}{THIN_SPACE}kB"
    return f"{number(value / 1e6)}{THIN_SPACE}MB"


NumberScale = Literal["ratio", "percent", "times"]
"""How a number is printed: as it is, times 100 with a sign, or as a multiple, "4.52 times"."""


def in_scale(value: float, scale: NumberScale) -> str:
    """A number on its scale."""
    if scale == "percent":
        return percent(value)
    return number(value) + (f"{NO_BREAK_SPACE}times" if scale == "times" else "")


def interval(estimate: Estimate, scale: NumberScale = "ratio") -> str:
    """The 95 % interval in brackets, on the scale of its number; "" where there is none."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    print_one = _percentage if scale == "percent" else number
    return f"[{print_one(estimate.low)}, {print_one(estimate.high)}]"


def plain(estimate: Estimate | None, scale: NumberScale = "ratio") -> str:
    """A number and its interval as text, for alternative texts of pictures."""
    if estimate is None:
        return "not measured"
    return f"{in_scale(estimate.value, scale)} {interval(estimate, scale)}".strip()


def has_effect(estimate: Estimate | None) -> bool:
    """Tell whether a ratio's numerator is more than rounding, so that a number can be printed."""
    return estimate is not None and not abs(estimate.value) < NO_EFFECT


def unbroken(text: str) -> str:
    """Prose in which no line ends before "%", within an interval, or between a symbol or the word
    "unit" and its number.
    """
    text = re.sub(r"(?<=\d) %", f"{THIN_SPACE}%", text)
    text = re.sub(r"\[[^\[\]]*\]", lambda part: part[0].replace(" ", NO_BREAK_SPACE), text)
    return re.sub(r"\b(R²|ρ|r|\|r\||AUC|[Uu]nits?) (?=[−\d])", rf"\1{NO_BREAK_SPACE}", text)


def with_plain_spaces(text: str) -> str:
    """Prose for results.json and the terminal; `unbroken` puts a page's spaces back."""
    return text.replace(THIN_SPACE, " ").replace(NO_BREAK_SPACE, " ")


def words(name: str) -> str:
    """A field's name as words: "one_picture" as "one picture"."""
    return name.replace("_", " ")


def capitalise(text: str) -> str:
    """Capitalise the first letter, unless that is a symbol such as ρ or x̂; the rest as it is."""
    symbol = text[:1] > "z" or text[1:2] > "z"
    return text if symbol else text[:1].upper() + text[1:]


def units(names: Sequence[object]) -> str:
    """Units by name: "unit 3", "units 3, 5"."""
    return numbered("unit", names)


def numbered(noun: str, names: Sequence[object]) -> str:
    """A noun with the names or numbers of what it stands for, in the plural where they are many."""
    return f"{noun}{'' if len(names) == 1 else 's'} {listed(names)}"


def listed(names: Iterable[object]) -> str:
    """The first six, and how many more."""
    texts = [str(name) for name in names]
    more = len(texts) - MOST_LISTED
    return ", ".join(texts[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
