"""Every option of how a model is read stands in one place; flags, TOML, Python and docs follow."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from reportgen import loading
from reportgen.command.cli import build, main
from reportgen.command.cli import inspect as inspect_command
from reportgen.errors import SettingsError
from reportgen.loading import LoadingOptions, autoencoder_from_module, load_autoencoder, save
from reportgen.loading.options import Place, flag_of, options_at
from reportgen.request import command_line
from reportgen.settings import Settings
from tests.loading.image_array import random_images

DOCS = Path(__file__).resolve().parents[2] / "docs"
GREY = (1, 12, 12)
IMAGES = random_images(GREY)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(144, 20), nn.Linear(20, 4), nn.Linear(4, 144), nn.Unflatten(1, GREY)
    ).eval()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("load_autoencoder", ("model.pt",)),
        ("inspect_model", ("model.pt",)),
        ("autoencoder_from_module", (model(), IMAGES)),
        ("save", (model(), "model.pt2")),
    ],
)
def test_an_unknown_keyword_is_named_with_the_nearest(
    function: str, arguments: tuple[Any, ...]
) -> None:
    needed = {"load_autoencoder": {"images": IMAGES}, "save": {"example": torch.rand(2, *GREY)}}
    with pytest.raises(SettingsError) as caught:
        getattr(loading, function)(*arguments, **needed.get(function, {}), normalise="0,1")
    sentence = str(caught.value)
    assert sentence.startswith(
        f"{function} has the unknown option 'normalise', perhaps for 'normalize'; the options are "
    )
    assert sentence.endswith(".")


def test_what_is_said_of_files_alone_is_no_option_of_a_module_in_memory(tmp_path: Path) -> None:
    for name, value in (("trust", True), ("model_class", "net.py:Net"), ("model_args", {})):
        with pytest.raises(SettingsError, match=f"unknown option '{name}'"):
            autoencoder_from_module(model(), IMAGES, **{name: value})
    with pytest.raises(SettingsError, match="unknown option 'input_shape'"):
        save(model(), tmp_path / "a.pt2", example=torch.rand(2, *GREY), input_shape=GREY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("normalize", 1, "normalize must be a text in quotes"),
        ("model_args", "width=3", "model_args must be a table"),
        ("input_shape", (1, 12), r"input_shape must be \[channels, height, width\]"),
        ("input_shape", (1, 12, 0), "input_shape must be"),
        ("input_shape", (True, 12, 12), "input_shape must be"),
        ("classes", "cat", "classes must be a list of names"),
        ("trust", "yes", "trust must be true or false"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        LoadingOptions(**{name: value})
    with pytest.raises(SettingsError, match=f"^load_autoencoder: {words}"):
        load_autoencoder("model.pt", images=IMAGES, **{name: value})


def test_lists_and_numpy_s_numbers_will_do() -> None:
    said = LoadingOptions(input_shape=list(np.array(GREY)), classes=["cat", "dog"])
    assert (said.input_shape, said.classes) == (GREY, ("cat", "dog"))


def test_options_come_back_from_their_own_flags() -> None:
    said = LoadingOptions(
        model_class="a b.py:Net",
        model_args={"width": 32, "name": "it's"},
        input_shape=(3, 64, 48),
        normalize="mean=0.5 std=0.25",
        trust=True,
    )
    line = command_line(Path("m"), Path("d"), said)
    context = build.make_context("build", shlex.split(line)[2:])
    assert LoadingOptions.of_flags(context.params) == said


def test_what_one_says_is_completed_by_another_only_where_it_says_nothing() -> None:
    said = LoadingOptions(normalize="0,1")
    other = LoadingOptions(normalize="-1,1", output="logits", trust=True, device="cuda")
    both, used = said.completed(other)
    assert both == LoadingOptions(normalize="0,1", output="logits", trust=True)
    assert used == ("output", "trust")


def test_every_option_of_the_command_is_one_of_build_and_inspect() -> None:
    for command in (build, inspect_command):
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {flag_of(option) for option in options_at(Place.COMMAND)} <= flags
    # The one that is a setting of the whole build.
    others = {option.name for option in fields(LoadingOptions)} - {
        option.name for option in options_at(Place.COMMAND)
    }
    assert others == {"device", "classes"} and hasattr(Settings(), "device")


def test_every_option_explains_itself_in_its_own_words() -> None:
    helps = [option.metadata["help"] for option in fields(LoadingOptions)]
    assert all(len(text) > 15 for text in helps) and len(set(helps)) == len(helps)


def test_the_document_lists_every_option_where_it_may_be_said() -> None:
    def ticked(place: Place, option: Any) -> str:
        return "yes" if place in option.metadata["places"] else ""

    rows = ["| option | flag | TOML | module in memory | `save` | |", "|---|---|---|---|---|---|"]
    for option in fields(LoadingOptions):
        placeholder = option.metadata["placeholder"].replace("|", "\\|")
        flag = f"`{flag_of(option)} {placeholder}".strip() + "`"
        if Place.COMMAND not in option.metadata["places"]:
            flag = "`--device`, a setting" if option.name == "device" else ""
        places = [ticked(place, option) for place in (Place.BESIDE, Place.MODULE, Place.SAVED)]
        rows.append(
            f"| `{option.name}` | {flag} | {' | '.join(places)} | {option.metadata['help']} |"
        )
    table = "\n".join(rows)
    assert table in (DOCS / "models.md").read_text(encoding="utf-8"), f"docs/models.md:\n{table}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model without a word about itself, and images for it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    save(model(), "net.pt2", example=torch.rand(4, *GREY))
    (tmp_path / "images").mkdir()
    for number in range(24):
        pixels = (IMAGES.pixels[number, 0] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def looked_at(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["inspect", "net.pt2", "images", *arguments])


def test_the_table_loading_says_what_flags_say_less_strongly(folder: Path) -> None:
    (folder / "reportgen.toml").write_text(
        'seed = 3\n[loading]\nnormalize = "-1,1"\noutput = "pixels"\ninput_shape = [1, 12, 12]\n'
    )
    assert "Pixel scale -1,1 (pixels out), as given." in looked_at().output
    (folder / "model.toml").write_text('normalize = "0,255"\nbottleneck = "linear"\n')
    found = looked_at().output
    assert "Pixel scale -1,1 (pixels out), as given." in found
    assert "node linear in 1, 20 numbers" in found
    assert "Pixel scale 0,1 (pixels out), as given." in looked_at("--normalize", "0,1").output


def test_the_command_in_the_report_repeats_what_the_table_says(folder: Path) -> None:
    (folder / "reportgen.toml").write_text('[loading]\nnormalize = "0,1"\noutput = "pixels"\n')
    done = CliRunner().invoke(main, ["build", "net.pt2", "images", "--effort", "quick"])
    assert done.exit_code == 0, done.output
    assert "reportgen build net.pt2 images --normalize 0,1 --output pixels --effort quick" in (
        folder / "report.html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[loading]\nnormalise = '0,1'", "reportgen.toml, [loading] has the unknown key"),
        ("[loading]\nnormalise = '0,1'", "perhaps for 'normalize'"),
        ("[loading]\ntrust = true", "unknown key 'trust'"),
        ("[loading]\nnormalize = 1", "reportgen.toml, [loading]: normalize must be a text"),
        ("loading = 3", "sets loading to 3; write a table, [loading]"),
        ("sed = 3", "reportgen.toml sets 'sed', perhaps for 'seed'"),
    ],
)
def test_a_wrong_line_of_the_table_is_named(folder: Path, toml: str, words: str) -> None:
    (folder / "reportgen.toml").write_text(toml)
    done = looked_at()
    assert done.exit_code == 2 and words in done.output


def test_a_settings_file_that_was_only_found_cannot_name_code_to_run(folder: Path) -> None:
    source = (
        "from torch import nn\nraise RuntimeError('net.py ran')\n" + inspect.getsource(model)
    ).replace("def model() -> nn.Module", "class Net(nn.Sequential):\n    pass\ndef model()")
    (folder / "net.py").write_text(source.replace("torch.manual_seed(0)", "GREY = (1, 12, 12)"))
    torch.save(model().state_dict(), "net.pt2")
    (folder / "reportgen.toml").write_text('[loading]\nmodel_class = "net.py:Net"\n')
    done = looked_at()
    assert done.exit_code == 2
    assert "reportgen.toml names code to import (net.py:Net)" in done.output
    assert "net.py ran" not in done.output
    assert "net.py ran" in looked_at("--config", "reportgen.toml").output
