"""Figures for papers show the numbers and pictures of the results."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.analyses.partial_reconstruction import PartialReconstruction
from reportgen.analyses.traversal import Traversal
from reportgen.api.report import Report
from reportgen.command.cli import main
from reportgen.errors import FigureError
from reportgen.figures.colours import around_grey, diverging
from reportgen.plots import KINDS, draw_figure, figures_of, file_of
from reportgen.plots.pictures import PicturePainter
from reportgen.report.results import Results
from reportgen.suite.answers import Answers
from tests.report.example import example_results, with_answers

# In dots, of which a figure has 100 an inch.
LETTER = 4


@pytest.fixture(scope="module")
def results() -> Results:
    return example_results()


def shown(axes: object) -> np.ndarray:
    return np.asarray(axes.get_images()[0].get_array())  # type: ignore[attr-defined]


def test_contributions_show_the_images_own_largest_parts(results: Results) -> None:
    found = results.answers.of(Contributions)
    axes = draw_figure(results, "contributions", image=1).axes
    np.testing.assert_allclose(shown(axes[0]).ravel(), found.originals[1].clip(0, 1), atol=1e-6)
    order = np.argsort(-np.abs(found.row_shares[1]))
    limit = max(np.abs(found.pictures[1]).max(), np.abs(found.pca_pictures[1]).max())
    first = found.pictures[1, order[0]].reshape(8, 8) / limit
    np.testing.assert_allclose(shown(axes[3]), diverging(first) / 255)
    assert axes[3].get_title().startswith(f"unit {found.shares[order[0]].name}\n")


@pytest.mark.parametrize("leads", [False, True])
def test_contributions_are_by_what_comes_first_or_as_asked(results: Results, leads: bool) -> None:
    along = replace(results.answers.of(DirectionContributions), leads=leads)
    changed = with_answers(results, direction_contributions=along)
    first = draw_figure(changed, "contributions").axes[3]
    assert first.get_title().startswith("direction\n" if leads else "unit ")
    order = np.argsort(-np.abs(along.row_shares[0, :-1]))
    asked = draw_figure(changed, "contributions", by="direction").axes
    limit = max(np.abs(along.pictures[0]).max(), 0)
    pca = results.answers.of(Contributions).pca_pictures[0]
    limit = max(limit, np.abs(pca).max())
    picture = along.pictures[0, order[0]].reshape(8, 8) / limit
    np.testing.assert_allclose(shown(asked[3]), diverging(picture) / 255)
    with pytest.raises(FigureError, match='by "unit" or by "direction", not by pixel'):
        draw_figure(changed, "contributions", by="pixel")


def test_a_walk_along_a_direction_shows_its_frames(results: Results) -> None:
    moves = results.answers.of(DirectionMoves)
    figure = draw_figure(results, "walk", direction=2)
    assert len(figure.axes) == 9
    last = moves.frames[1, -1].reshape(8, 8).clip(0, 1)
    np.testing.assert_allclose(shown(figure.axes[-1]), last, atol=1e-6)
    with pytest.raises(FigureError, match="no picture of direction"):
        draw_figure(results, "walk", direction=99)


def test_titles_of_neighbouring_pictures_do_not_run_into_each_other(results: Results) -> None:
    columns = len(draw_figure(results, "contributions").axes) // 2
    # Six parts of each fill a column of a paper.
    figure = draw_figure(results, "contributions", width=85 * columns / 9)
    figure.draw_without_rendering()
    for row in (figure.axes[:columns], figure.axes[columns:]):
        boxes = [axes.title.get_window_extent() for axes in row if axes.get_title()]
        assert all(one.x1 + LETTER < next.x0 for one, next in pairwise(boxes))


def test_differences_of_colour_images_are_around_grey() -> None:
    signed = np.linspace(-2, 2, 3 * 4 * 5)
    axes = Figure().subplots()
    PicturePainter((3, 4, 5), (0, 1)).difference(axes, signed, limit=2)
    expected = around_grey(signed.reshape(3, 4, 5).transpose(1, 2, 0) / 2) / 255
    np.testing.assert_allclose(shown(axes), expected)


def test_a_walk_shows_the_frames_of_its_unit(results: Results) -> None:
    found = results.answers.of(Traversal)
    unit = found.names[-1]
    figure = draw_figure(results, "walk", unit=int(unit), image=1)
    frames = found.supported.frames[1, -1].clip(0, 1)
    for place in (0, -1):
        np.testing.assert_allclose(shown(figure.axes[place]).ravel(), frames[place], atol=1e-6)
    assert figure.get_suptitle() == f"unit {unit}"


def test_curves_go_through_the_estimates(results: Results) -> None:
    found = results.answers.of(PartialReconstruction)
    model, pca = draw_figure(results, "partial_reconstruction").axes[0].get_lines()
    assert list(model.get_ydata()) == [estimate.value for estimate in found.model_r2]
    assert list(pca.get_ydata()) == [estimate.value for estimate in found.pca_r2]


def test_bars_are_the_units_shares(results: Results) -> None:
    bars = draw_figure(results, "units").axes[0].patches
    shares = [100 * unit.share.value for unit in results.units if unit.share is not None]
    assert [bar.get_width() for bar in bars] == pytest.approx(shares)


@pytest.mark.parametrize("format", ["pdf", "svg", "png"])
def test_a_figure_gives_the_same_file_each_time(results: Results, format: str) -> None:
    files = [file_of(draw_figure(results, "units"), format, dpi=100) for _ in range(2)]
    assert files[0] == files[1]
    if format == "svg":
        texts = ElementTree.fromstring(files[0]).iter("{http://www.w3.org/2000/svg}text")
        assert "share of the change, %" in {text.text for text in texts}


def test_a_figure_that_cannot_be_drawn_is_one_sentence(results: Results) -> None:
    for said, words in (
        ({"kind": "wlak"}, "there is no figure 'wlak', perhaps for 'walk'"),
        ({"kind": "walk", "unit": 99}, "no picture of unit 99; pictured are"),
        ({"kind": "units", "width": 1e30}, "cannot be 1e\\+30 mm wide"),
        ({"kind": "units", "unit": 1}, "units takes no 'unit'"),
    ):
        with pytest.raises(FigureError, match=words):
            Report(results).figure(**said)
    without = replace(results, answers=Answers({**dict(results.answers), "traversal": None}))
    with pytest.raises(FigureError, match="traversal cannot be drawn"):
        draw_figure(without, "walk")
    assert all("unit" not in call for _, call in figures_of(without))


def test_the_command_writes_every_figure_of_results(results: Results, tmp_path: Path) -> None:
    Report(results).save_results(tmp_path / "results")
    words = ["figures", tmp_path / "results", "-o", tmp_path / "out", "--format", "png"]
    done = CliRunner().invoke(main, [*map(str, words), "--dpi", "60", "--width", "100mm"])
    assert done.exit_code == 0, done.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    walked = results.answers.of(Traversal).names
    directions = len(results.answers.of(DirectionMoves).frames)
    walks = [*walked, *(f"direction-{place + 1}" for place in range(directions))]
    others = {*KINDS, "contributions-direction"} - {"walk"}
    assert written == {f"{name}.png" for name in (*(f"walk-{w}" for w in walks), *others)}
    assert Image.open(tmp_path / "out" / "units.png").width == round(60 * 100 / 25.4)
    done = CliRunner().invoke(main, [*map(str, words), "--width", "wide"])
    assert done.exit_code == 2 and "--width is 'wide'" in done.output
    (tmp_path / "out" / "units.png").unlink()
    (tmp_path / "out" / "units.png").symlink_to(tmp_path / "results" / "results.json")
    done = CliRunner().invoke(main, [*map(str, words)])
    assert done.exit_code == 2 and "would be written over" in done.output


def test_a_notebook_shows_a_figure_without_pyplot(results: Results) -> None:
    shown = draw_figure(results, "units", width=85)._repr_png_()  # type: ignore[attr-defined]
    with Image.open(io.BytesIO(shown)) as picture:
        assert picture.format == "PNG" and picture.width == round(85 / 25.4 * 200)
