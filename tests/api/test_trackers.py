"""Numbers in experiment trackers are the report's own, read back from what the tracker stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reportgen.api.report import Report
from reportgen.api.trackers import metrics_of, tags_of
from reportgen.errors import SettingsError
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import example_results


@pytest.fixture(scope="module")
def report() -> Report:
    return Report(example_results())


def test_metrics_are_headline_numbers_with_their_intervals(report: Report) -> None:
    found = metrics_of(report, "report/")
    r2 = report["reconstruction.r2"]
    assert isinstance(r2, Estimate)
    assert found["report/reconstruction.r2"] == r2.value
    assert found["report/reconstruction.r2.low"] == r2.low
    assert found["report/reconstruction.r2.high"] == r2.high
    assert found["report/health.live"] == report["health.live"]


def test_tags_are_checksums_of_what_was_studied(report: Report) -> None:
    source = report.results.provenance.data
    assert source is not None
    assert tags_of(report)["data_sha256"] == source.sha256


def test_event_files_of_tensorboard_hold_the_numbers(report: Report, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path))
    report.log_to(writer, step=7)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = {tag: events.Scalars(tag)[0] for tag in events.Tags()["scalars"]}
    expected = metrics_of(report, "reportgen/")
    assert {tag: event.value for tag, event in logged.items()} == pytest.approx(expected, rel=1e-6)
    assert {event.step for event in logged.values()} == {7}
    text = events.Tensors("reportgen/verdict/text_summary")[0]
    assert "Does it reconstruct?" in text.tensor_proto.string_val[0].decode()


def test_another_target_is_refused(report: Report) -> None:
    targets: list[Any] = ["comet", 3]
    for target in targets:
        with pytest.raises(SettingsError, match="log_to takes"):
            report.log_to(target)
