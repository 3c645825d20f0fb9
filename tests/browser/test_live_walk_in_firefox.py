"""Firefox: torch's own frames in the live walk, and images that are explained on the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reportgen.report.results import Results
from tests.browser.firefox import Firefox
from tests.report.example import example_results, page_of

# In Chromium the same is tested without: test_live_walk.py.
pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEVELS = """
  const canvas = document.querySelector("#walk [data-live=image]");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [...data].filter((_, k) => k % 4 === 0);
"""

# Once the decoder is unpacked, the walk starts from the first walked image, as the strips do.
AT_THE_FIRST = """
  const done = arguments[0];
  const ready = () => {
    if (!document.querySelector("#walk input[type=number]")) return setTimeout(ready, 50);
    document.querySelector('.choices [data-place="0"]').click();
    requestAnimationFrame(() => requestAnimationFrame(done));
  };
  ready();
"""


@pytest.fixture(scope="module")
def results() -> Results:
    return example_results(units=3, side=12, live=True)


@pytest.fixture(scope="module")
def opened(firefox: Firefox, results: Results, tmp_path_factory: pytest.TempPathFactory) -> Firefox:
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(page_of(results).html, encoding="utf-8")
    firefox.open(page)
    firefox.command("WebDriver:ExecuteAsyncScript", script=AT_THE_FIRST, args=[])
    return firefox


def move(firefox: Firefox, place: int, value: float) -> np.ndarray:
    """Grey levels of the picture once a unit's number was typed in."""
    firefox.run(
        """
        const typed = document.querySelectorAll("#walk input[type=number]")[arguments[0]];
        typed.value = String(arguments[1]);
        typed.dispatchEvent(new Event("input"));
        """,
        place,
        value,
    )
    # The picture is drawn in the next frame.
    firefox.command(
        "WebDriver:ExecuteAsyncScript",
        script="requestAnimationFrame(() => requestAnimationFrame(arguments[0]))",
        args=[],
    )
    return np.array(firefox.run(LEVELS))


def test_firefox_decodes_torch_s_frames(opened: Firefox, results: Results) -> None:
    walks = results.answers["traversal"]
    assert walks is not None
    assert results.live is not None
    for place, unit in enumerate(results.live.units):
        walked = walks.units.index(unit)
        for frame in (0, -1):
            opened.run("document.querySelector('#walk [data-live=reset]').click()")
            value = float(walks.supported.values[0, walked, frame])
            torchs = walks.supported.frames[0, walked, frame].ravel()
            levels = np.rint(255 * np.clip(torchs, 0, 1))
            assert np.abs(move(opened, place, value) - levels).max() <= 1


def test_firefox_says_the_gap_and_keeps_the_page_s_width(opened: Firefox) -> None:
    opened.run("document.querySelector('#walk [data-live=example]').click()")
    opened.command("WebDriver:ExecuteAsyncScript", script="setTimeout(arguments[0], 400)", args=[])
    assert opened.run("return document.querySelector('.live-gap').textContent").startswith("Gap ")
    assert opened.run("return location.hash").startswith("#walk=0&u")
    assert opened.run("return document.documentElement.scrollWidth <= window.innerWidth")


def test_firefox_explains_images_of_the_gallery_and_a_reader_s_own(
    opened: Firefox, tmp_path: Path
) -> None:
    explained = """
      const [begins, done] = arguments;
      const ready = () => {
        const article = document.querySelector("#image-live");
        const says = article.querySelector("[data-lab=state]").textContent;
        const name = article.querySelector("[data-lab=name]").textContent;
        const isReady = name.startsWith(begins) && says.startsWith("Shares sum");
        if (!isReady) return setTimeout(ready, 20);
        const sums = [...article.querySelectorAll(".sum")];
        done([says, ...sums.map((sum) => sum.querySelectorAll("canvas").length)]);
      };
      ready();
    """
    opened.run("document.querySelector('[data-lab=open]').click()")
    opened.run("document.querySelectorAll('.gallery-tile')[30].click()")
    name = opened.run("return document.querySelectorAll('.gallery-tile')[30].title.split(',')[0]")
    given = {"script": explained, "args": [name]}
    says, *pictures = opened.command("WebDriver:ExecuteAsyncScript", **given)["value"]
    assert "Shares sum to 100.0\u202f%" in says
    assert "PCA's shares sum to 100.0\u202f%" in says
    assert min(pictures) >= 4
    picture = tmp_path / "mine.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(picture)
    chooser = {"using": "css selector", "value": ".own-image input"}
    (element,) = opened.command("WebDriver:FindElement", **chooser)["value"].values()
    opened.command("WebDriver:ElementSendKeys", id=element, text=str(picture))
    given = {"script": explained, "args": ["mine.png"]}
    says, *pictures = opened.command("WebDriver:ExecuteAsyncScript", **given)["value"]
    assert "real images' codes" in says
    assert min(pictures) >= 4
