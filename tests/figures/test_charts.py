"""Chart coordinates: what the SVG is written from."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.figures.axes import Axis, axis_over
from reportgen.figures.charts import (
    Curve,
    dot_plot,
    histogram,
    interval_bar,
    line_chart,
    scatter_chart,
    stacked_bar,
)


def test_an_axis_maps_its_ends_to_its_ends_and_holds_values_beyond_them() -> None:
    axis = Axis(0.0, 2.0, 10.0, 110.0)
    assert [axis(value) for value in (0, 1, 2, -5, 9)] == [10.0, 60.0, 110.0, 10.0, 110.0]


def test_ticks_are_round_lie_inside_and_carry_their_own_value() -> None:
    axis = Axis(-0.21, 0.97, 0.0, 1000.0)
    for tick in axis.ticks(5):
        value = float(tick.label.replace("−", "-"))
        assert axis(value) == pytest.approx(tick.position, abs=0.1)
    assert [tick.label for tick in Axis(0.0, 1.0, 0.0, 1.0).ticks(5)] == [
        "0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1.0",
    ]


def test_an_axis_that_counts_has_whole_ticks() -> None:
    axes = [Axis(0.0, float(last), 0.0, 1.0) for last in (1, 2, 14)]
    labels = [[tick.label for tick in axis.ticks(6, whole=True)] for axis in axes]
    assert labels == [["0", "1"], ["0", "1", "2"], ["0", "5", "10"]]


def test_quarter_steps_keep_their_two_decimals() -> None:
    labels = [tick.label for tick in Axis(0.0, 0.1, 0.0, 1.0).ticks(4)]
    assert labels == ["0", "0.025", "0.050", "0.075", "0.100"]


def test_constant_or_undefined_data_still_has_an_axis() -> None:
    assert axis_over(np.array([np.nan]), 0, 1).high > axis_over(np.array([np.nan]), 0, 1).low
    assert axis_over(np.zeros(3), 0, 1).ticks()


def test_a_curve_rises_on_the_page_where_its_numbers_rise() -> None:
    chart = line_chart(
        [Curve("model", np.arange(3), np.array([0.1, 0.5, 0.9]), marked=True)], "k", "R²", top=1.0
    )
    heights = [y for _, y in chart.lines[0].marks]
    assert heights == sorted(heights, reverse=True)
    assert chart.zero is None


def test_negative_numbers_get_a_zero_line() -> None:
    chart = line_chart([Curve("model", np.arange(2), np.array([-1.0, 1.0]))], "k", "R²", top=1.0)
    assert chart.zero == pytest.approx((chart.top + chart.bottom) / 2, abs=0.1)


def test_dots_that_coincide_are_drawn_once_and_undefined_ones_not_at_all() -> None:
    x = np.array([1.0, 1.0, 2.0, np.nan])
    assert scatter_chart(x, x, "x", "y").cloud.count("M") == 2


def test_bars_of_a_histogram_count_its_filled_bins() -> None:
    drawn = histogram(
        np.array([3, 0, 1]), np.array([0.0, 1.0, 2.0, 3.0]), [(1.5, "mean"), (9, "q")]
    )
    assert drawn.bars.count("M") == 2
    assert [name for _, name in drawn.marks] == ["mean"]


def test_interval_bars_are_parts_of_the_largest_and_never_negative() -> None:
    assert interval_bar(0.25, 0.2, 0.3, 0.5).length == 50
    assert interval_bar(-0.1, -0.2, 0.0, 0.5).length == 0
    assert interval_bar(float("nan"), float("nan"), float("nan"), 0.5).length == 0


def test_a_stacked_bar_fills_its_length_exactly() -> None:
    parts = stacked_bar([0.5, 0.3, 0.2])
    assert [part.start for part in parts] == [0, 50, 80]
    assert sum(part.length for part in parts) == pytest.approx(100)
    assert stacked_bar([float("nan"), -0.1])[0].length == 0


def test_undefined_numbers_have_no_dot() -> None:
    undefined = (float("nan"),) * 3
    plot = dot_plot(["unit 0"], [undefined], [(0.5, 0.4, 0.6)])
    assert plot.rows[0].first is None
    assert plot.rows[0].second is not None


@pytest.mark.parametrize("values", [[-1e308, 1e308], [1e300, 1e300], [5e-324, 0.0]])
def test_an_axis_has_a_length_whatever_the_numbers(values: list[float]) -> None:
    axis = axis_over(np.array(values), 0.0, 100.0, include=values[0])
    assert 1 <= len(axis.ticks()) < 20
    assert all(0 <= tick.position <= 100 for tick in axis.ticks())
