"""No field of an answer without a test that looks at it; what is left is listed by name."""

from __future__ import annotations

import re
from pathlib import Path

from reportgen.questions import QUESTIONS
from reportgen.report.schema import derived_schema

TESTS = Path(__file__).parent
# Where numbers are held against something else; tests of pages and of files hold none.
ROOMS = "analyses", "statistics", "study", "suite", "live"
# Shown, written and read by tests of the page alone.
NO_NUMBERS = {"Settings", "Provenance", "VerdictLine", "Unit", "SourceFile", "Note"}
UNTESTED = {
    # Judged in tests of the verdict, on decoders whose truth is known.
    "Additivity.baseline_off_data",
    "Additivity.cannot_be_judged",
    # Restated from the code or the study, whose own tests have them.
    "Baselines.donors",
    "Health.variational",
    "Interactions.sketched",
    "OnePicture.sketched",
    "PermutedCodes.sketched",
    "OffDataSummary.covariance_shrunk",
    "OffDataSummary.panels",
    "OffDataSummary.real_codes",
    "Trust.covariance_shrunk",
    # Tested in test_pca.py, by the function that gives it.
    "Reconstruction.order_undetermined",
    # The page's decoder is held against the model's images, and not by its parts.
    "LiveDecoder.checked",
    "LiveWalk.means",
    "LiveWalk.precision",
    "LiveWalk.slopes",
    "Step.inputs",
    "Step.numbers",
}


def test_every_field_of_an_answer_is_looked_at_by_a_test_of_numbers() -> None:
    files = [file for room in ROOMS for file in (TESTS / room).glob("test_*.py")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    looked_at = set(re.findall(r"\.(\w+)\b", text)) | set(re.findall(r'"(\w+)"', text))
    fields = {
        f"{kind}.{name}"
        for kind, definition in derived_schema(QUESTIONS)["$defs"].items()
        if kind not in NO_NUMBERS
        for name in definition["properties"]
        if name not in looked_at
    }
    assert fields == UNTESTED
