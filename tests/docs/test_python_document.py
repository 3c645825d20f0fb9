"""The code in docs/python.md runs, block after block, as a reader would type it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.decomposition import PCA

import reportgen
from tests.api.models import pixels
from tests.api.test_report import QUICK

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_block_of_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = reportgen.build

    def quick(*given: Any, **said: Any) -> reportgen.Report:
        return build(*given, **{**QUICK, **said})

    # The arguments are the document's; fewer rows are behind each number.
    monkeypatch.setattr(reportgen, "build", quick, raising=False)
    monkeypatch.chdir(tmp_path)
    images = (pixels(60, 12) / 255).astype("float32")
    names: dict[str, Any] = {"images": images, "model": PCA(4).fit(images.reshape(60, -1))}
    assert len(BLOCKS) == 10
    for block in BLOCKS:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert {"report.html", "results", "model.pt2", "walk.pdf", "compare.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
    printed = capsys.readouterr().out
    assert "Does it reconstruct?" in printed and "PCA is not fitted" in printed
    assert list(names["report"].frame("units")["name"]) == ["0", "1", "2", "3"]
