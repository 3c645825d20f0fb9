"""`reportgen build` end to end: samples, exit codes, identical bytes, bad input."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from reportgen import job
from reportgen.command.cli import main
from reportgen.questions import QUESTIONS
from reportgen.report.schema import derived_schema, shipped_schema
from reportgen.report.store import read_results, results_json
from tests.slow import slow_but

SAMPLES = Path(__file__).parent.parent / "sample_models"
FASHION = SAMPLES / "fashion_images"
MODELS = {
    "fashion_vae": (SAMPLES / "fashion_vae" / "model.pt2", FASHION),
    "fashion_autoencoder": (SAMPLES / "fashion_autoencoder" / "model.pt", FASHION),
    "shapes": (SAMPLES / "shapes" / "model.pt2", SAMPLES / "shapes" / "images"),
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module", params=slow_but(["fashion_vae"], MODELS))
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict:
    model, images = MODELS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    # One, which is slow, is built with more of everything.
    size = ("--rows", 32, "--limit", 200, "--effort", "quick")
    if request.param == "fashion_autoencoder":
        size = ("--rows", 64, "--limit", 400)
    result = run(
        *("build", model, images, "-o", folder / "report.html", "--results", folder),
        *(*size, "--check", "reconstruction.r2 >= 0.1", "--summary", folder / "summary.md"),
        *("--link", "https://example.org/", "--preview", folder / "preview.png"),
    )
    assert result.exit_code == 0, result.output
    return {
        "name": request.param,
        "folder": folder,
        "output": result.output,
        "json": json.loads((folder / "results.json").read_text(encoding="utf-8")),
        "page": (folder / "report.html").read_text(encoding="utf-8"),
    }


def test_a_build_holds_rules_and_writes_the_report_in_short(sample: dict) -> None:
    folder = sample["folder"]
    assert "1 rule: 1 kept" in sample["output"]
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("<!-- reportgen:")
    assert "https://example.org/" in summary
    with Image.open(folder / "preview.png") as preview:
        assert preview.size == (1200, 630)


def test_results_keep_what_comparing_needs_and_the_page_does_not(sample: dict) -> None:
    with np.load(sample["folder"] / "results.npz") as archive:
        codes, rows = archive["compare/codes"], archive["compare/rows"]
        r2 = archive["bootstrap/reconstruction.r2"]
    assert len(codes) == len(rows) == sample["json"]["provenance"]["test_rows"]
    assert len(np.unique(rows)) == len(rows)
    assert np.median(r2) == pytest.approx(sample["json"]["reconstruction"]["r2"]["value"], abs=0.01)
    assert "compare/codes" not in sample["page"]
    hashes = sample["json"]["provenance"]["rows_sha256"]
    assert {"all", "fit", "test", *sample["json"]["provenance"]["row_names"]} == set(hashes)


def test_a_rule_that_no_report_can_keep_is_refused_before_the_work_starts(tmp_path: Path) -> None:
    said = ("build", MODELS["fashion_vae"][0], FASHION, "-o", tmp_path / "r.html")
    for rule in (
        "reconstrution.r2 >= 0",
        "reconstruction.r2 => 0",
        "reconstruction.r2 >= baseline",
    ):
        refused = run(*said, "--check", rule)
        assert refused.exit_code == 2
        assert rule in refused.stderr
    assert not (tmp_path / "r.html").exists()


def test_contributions_of_every_sample_add_up(sample: dict) -> None:
    assert sample["json"]["contributions"]["completeness_error"] <= 1e-5
    shares = [share["share"]["value"] for share in sample["json"]["contributions"]["shares"]]
    assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_the_linear_control_passes_on_every_sample(sample: dict) -> None:
    control = sample["json"]["control"]
    assert control["passed"], control["checks"]
    assert control["additivity"]["up"]["gap"]["value"] <= 1e-4


def test_the_split_of_every_sample_is_the_whole_model(sample: dict) -> None:
    assert sample["json"]["trust"]["bottleneck"] == "complete"


def test_results_follow_the_shipped_schema(sample: dict) -> None:
    jsonschema.validate(sample["json"], shipped_schema())


def test_the_shipped_schema_is_the_one_that_the_types_imply() -> None:
    command = "python -m reportgen.command.schema > reportgen/report/results.schema.json"
    assert shipped_schema() == derived_schema(QUESTIONS), f"Make it again: {command}"


def test_the_page_is_made_again_from_results_alone(sample: dict) -> None:
    again = sample["folder"] / "again.html"
    assert run("render", sample["folder"], "-o", again).exit_code == 0
    assert again.read_text(encoding="utf-8") == sample["page"]


def test_results_read_back_are_the_results_written(sample: dict) -> None:
    text = (sample["folder"] / "results.json").read_text(encoding="utf-8")
    assert results_json(read_results(sample["folder"], QUESTIONS)) == text


def test_the_terminal_gets_the_verdict_path_size_and_decodes(sample: dict) -> None:
    for words in ("Does it reconstruct?", "report.html", "MB", "decodes", " s, of which"):
        assert words in sample["output"]


def test_the_page_stays_small_and_fetches_nothing(sample: dict) -> None:
    assert len(sample["page"].encode()) < 3e6
    assert 'src="http' not in sample["page"]
    assert "default-src 'none'" in html.unescape(sample["page"][:2000])


def test_the_shapes_sample_names_the_factors_that_its_units_carry(sample: dict) -> None:
    if sample["name"] != "shapes":
        return
    named = {factor["name"] for unit in sample["json"]["units"] for factor in unit["tracks"]}
    assert len(named & {"x", "y", "size", "hue"}) >= 2, named


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear autoencoder of torch's own classes, pickled, and 40 images for it."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    module = torch.nn.Sequential()
    module.add_module("encoder", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    decoder = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    module.add_module("decoder", decoder)
    torch.save(module, folder / "model.pt")
    images = folder / "images"
    images.mkdir()
    generator = np.random.default_rng(0)
    for number in range(40):
        pixels = generator.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    return folder


@pytest.mark.slow
def test_two_builds_give_identical_bytes_and_one_with_another_seed_gives_others(
    small: Path, tmp_path: Path
) -> None:
    made = []
    for place, seed in enumerate((0, 0, 1)):
        folder = tmp_path / str(place)
        folder.mkdir()
        written = ("-o", folder / "r.html", "--results", folder)
        result = run("build", small / "model.pt", small / "images", *written, "--seed", seed)
        assert result.exit_code == 0, result.output
        made.append([(folder / f).read_bytes() for f in ("r.html", "results.json", "results.npz")])
    assert made[0] == made[1]
    assert all(file != other for file, other in zip(made[0], made[2], strict=True))


def test_a_section_that_fails_is_named_and_everything_else_comes_out(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(study: object) -> None:
        raise ZeroDivisionError("planted")

    questions = tuple(
        replace(question, run=broken) if question.name == "linearity" else question
        for question in QUESTIONS
    )
    monkeypatch.setattr(job, "all_questions", lambda: questions)
    # Planted in this process, where --trust lets the build run.
    result = run(
        "build", "--trust", small / "model.pt", small / "images", "-o", tmp_path / "r.html"
    )
    assert result.exit_code == 3
    assert "ZeroDivisionError: planted" in (tmp_path / "r.html").read_text(encoding="utf-8")


def refusal(folder: Path, *arguments: object) -> str:
    """The one sentence of a refused build: exit code 2, no traceback, nothing written."""
    before = sorted(folder.iterdir())
    result = run("build", *arguments, "-o", folder / "r.html")
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert sorted(folder.iterdir()) == before
    lines = result.output.strip().splitlines()
    assert len(lines) == 1, result.output
    return lines[0]


def test_a_missing_model_is_named(small: Path, tmp_path: Path) -> None:
    assert "nowhere.pt" in refusal(tmp_path, small / "nowhere.pt", small / "images")


def test_missing_images_are_named(small: Path, tmp_path: Path) -> None:
    assert "nowhere" in refusal(tmp_path, small / "model.pt", small / "nowhere")


def test_a_text_file_is_no_model(small: Path, tmp_path: Path) -> None:
    text = tmp_path / "model.pt"
    text.write_text("weights, to follow")
    assert "model.pt" in refusal(tmp_path, text, small / "images")


def test_an_empty_folder_holds_no_images(small: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refusal(tmp_path, small / "model.pt", tmp_path / "empty")


def test_images_of_two_sizes_are_refused_with_both_names(small: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("L", (8, 8), 9).save(images / "a.png")
    Image.new("L", (9, 8), 9).save(images / "b.png")
    sentence = refusal(tmp_path, small / "model.pt", images)
    assert "a.png" in sentence or "b.png" in sentence
    assert "8" in sentence and "9" in sentence


def test_colour_images_do_not_fit_a_grey_model(small: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (number, 90, 200)).save(images / f"{number}.png")
    sentence = refusal(tmp_path, small / "model.pt", images)
    assert "3" in sentence and "1" in sentence


def test_a_corrupt_image_among_good_ones_is_skipped_and_named(small: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    generator = np.random.default_rng(1)
    for number in range(30):
        pixels = generator.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    (images / "broken.png").write_bytes((images / "3.png").read_bytes()[:40])
    result = run("build", small / "model.pt", images, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert "broken.png" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_one_image_is_too_few(small: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("L", (8, 8), 9).save(images / "a.png")
    refusal(tmp_path, small / "model.pt", images)


def saved(folder: Path, module: torch.nn.Module) -> Path:
    path = folder / "model.pt"
    torch.save(module, path)
    return path


def test_a_classifier_is_refused(small: Path, tmp_path: Path) -> None:
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    sentence = refusal(tmp_path, saved(tmp_path, classifier), small / "images")
    assert "10" in sentence


def test_not_a_number_in_the_weights_is_named(small: Path, tmp_path: Path) -> None:
    module = torch.load(small / "model.pt", weights_only=False)
    with torch.no_grad():
        module.decoder[0].weight[2, 1] = float("nan")
    sentence = refusal(tmp_path, saved(tmp_path, module), small / "images")
    assert "decoder.0.weight" in sentence


def test_one_unit_is_enough(small: Path, tmp_path: Path) -> None:
    module = torch.nn.Sequential()
    module.add_module("encoder", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1)))
    decoder = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    module.add_module("decoder", decoder)
    result = run("build", saved(tmp_path, module), small / "images", "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert "fewer than two units vary" in result.output


def test_constant_images_work_and_say_what_is_undefined(small: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(30):
        Image.new("L", (8, 8), 90).save(images / f"{number}.png")
    result = run("build", small / "model.pt", images, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert "undefined" in result.output


def test_a_missing_output_folder_is_named_before_any_work(small: Path, tmp_path: Path) -> None:
    result = run("build", small / "model.pt", small / "images", "-o", tmp_path / "none" / "r.html")
    assert result.exit_code == 2
    assert "none" in result.output


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refusal(tmp_path, small / "model.pt", small / "images")


def test_help_comes_fast_and_without_heavy_imports() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from reportgen.command.cli import main;"
        "assert CliRunner().invoke(main, ['build', '--help']).exit_code == 0;"
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'scipy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inspect_says_how_a_file_would_be_split_and_writes_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("inspect", small / "model.pt", small / "images", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["input_shape"], found["code_shape"]) == ([1, 8, 8], [3])
    assert list(tmp_path.iterdir()) == []


def test_inspect_names_what_is_missing(tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(3, 4)}, tmp_path / "weights.pt")
    result = run("inspect", tmp_path / "weights.pt")
    assert result.exit_code == 2
    assert "--model-class" in result.output


@pytest.mark.slow
def test_grey_files_saved_as_colour_are_read_for_a_grey_model(small: Path, tmp_path: Path) -> None:
    colour = tmp_path / "colour"
    colour.mkdir()
    for path in (small / "images").iterdir():
        Image.open(path).convert("RGB").save(colour / path.name)
    found = []
    for name, data in (("of grey", small / "images"), ("of colour", colour)):
        out = "--results", tmp_path / name, "-o", tmp_path / f"{name}.html", "-q"
        settings = "--normalize", "0,1", "--effort", "quick", "--fit-data", colour
        result = run("build", small / "model.pt", data, *settings, *out)
        assert result.exit_code == 0, result.output
        found.append(json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8")))
    grey, of_colour = found
    expected = grey["reconstruction"]["r2"]["value"]
    assert of_colour["reconstruction"]["r2"]["value"] == pytest.approx(expected)
    notes = of_colour["provenance"]["data_notes"]
    assert any("one channel was kept" in note["text"] for note in notes)


SLEEPER = """
import time
import torch

WEIGHTS = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))

def load():
    def encode(images):
        time.sleep(0.01 * len(images))
        return torch.logit(images.flatten(1).clamp(1e-4, 1 - 1e-4)) @ torch.linalg.pinv(WEIGHTS)

    def decode(codes):
        time.sleep(0.01 * len(codes))
        return torch.sigmoid(codes @ WEIGHTS).view(-1, 1, 8, 8)

    return encode, decode
"""


def sleeping(folder: Path) -> tuple[str, Path]:
    """A model of 10 ms a decode, and images of it."""
    weights = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    codes = torch.randn(80, 4, generator=torch.Generator().manual_seed(1))
    np.save(folder / "x.npy", torch.sigmoid(codes @ weights).view(-1, 8, 8).numpy())
    (folder / "slow.py").write_text(SLEEPER)
    return f"{folder / 'slow.py'}:load", folder / "x.npy"


@pytest.mark.slow
def test_max_seconds_bounds_the_whole_build_and_the_page_says_what_was_spared(
    tmp_path: Path,
) -> None:
    model, data = sleeping(tmp_path)
    started = time.monotonic()
    result = run(
        *("build", model, data, "-o", tmp_path / "r.html", "--results", tmp_path),
        *("--max-seconds", 40, "--seed", 1),
    )
    assert result.exit_code == 0, result.output
    assert time.monotonic() - started < 48
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    note = next(n["text"] for n in results["provenance"]["data_notes"] if n["topic"] == "time")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "To stay within --max-seconds 40" in note and note in result.output
    assert page.count(html.escape(note, quote=False)) >= 2
    assert "permuted_codes" in results["not_applicable"]
    assert results["additivity"]["up"]["gap"]["value"] > 0


@pytest.mark.slow
def test_too_few_seconds_are_refused_before_the_build_begins(tmp_path: Path) -> None:
    model, data = sleeping(tmp_path)
    result = run("build", model, data, "-o", tmp_path / "r.html", "--max-seconds", 2)
    assert result.exit_code == 2
    assert "--max-seconds 2 is too short for a report" in result.output
    assert not (tmp_path / "r.html").exists()
