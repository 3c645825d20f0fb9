"""Maps of points: one scale for both axes, pictures at their points, walks with crosses."""

from __future__ import annotations

import re

import numpy as np

from reportgen.figures.maps import HEIGHT, TILE, WIDTH, Walked, map_chart

POINTS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 1.0], [2.0, 0.5]])


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)h0", path)]


def test_both_axes_have_one_scale_and_up_is_up() -> None:
    chart = map_chart(POINTS, np.zeros(4, int), np.zeros(0, int))
    (group,) = chart.groups
    at = coordinates(group.dots)
    assert len(at) == 4
    low_left, upper_left, middle, right = sorted(at, key=lambda p: (p[0], -p[1]))
    assert abs((right[0] - low_left[0]) - 4 * (low_left[1] - upper_left[1])) < 0.3
    assert upper_left[1] < middle[1] < low_left[1]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in at)


def test_a_pictured_point_is_a_tile_around_it_and_no_dot() -> None:
    chart = map_chart(POINTS, np.array([0, 1, 1, 2]), np.array([1, 3]))
    assert [group.number for group in chart.groups] == [0, 1]
    assert [(tile.place, tile.number) for tile in chart.tiles] == [(0, 1), (1, 2)]
    whole = map_chart(POINTS, np.zeros(4, int), np.zeros(0, int))
    right = max(coordinates(whole.groups[0].dots))
    assert (chart.tiles[0].x + TILE / 2, chart.tiles[0].y + TILE / 2) == right


def test_flagged_frames_are_crosses_and_the_map_has_room_for_the_walk() -> None:
    walk = Walked(
        "3", np.array([[0.0, 0.0], [4.0, 2.0], [8.0, 4.0]]), np.array([False, True, True])
    )
    (track,) = map_chart(POINTS, np.zeros(4, int), np.zeros(0, int), [walk]).tracks
    assert len(coordinates(track.dots)) == 1
    assert track.crosses.count("M") == 2
    assert track.name == "3"
    x, y, anchor = track.end
    assert anchor == "start"
    assert 0 < x <= WIDTH
    assert 0 < y < HEIGHT


def test_points_that_are_all_one_are_in_the_middle() -> None:
    chart = map_chart(np.zeros((3, 2)), np.zeros(3, int), np.zeros(0, int))
    assert coordinates(chart.groups[0].dots) == [(WIDTH / 2, HEIGHT / 2)]
