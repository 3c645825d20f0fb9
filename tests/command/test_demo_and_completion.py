"""The sample that is shown, and the scripts by which shells complete words."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from reportgen.command.cli import main
from reportgen.command.demo import sample_folder


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0, done.output
    assert f"_REPORTGEN_COMPLETE={shell}_complete" in done.output


def test_words_are_completed() -> None:
    environment = {
        **{"_REPORTGEN_COMPLETE": "bash_complete", "COMP_CWORD": "1"},
        "COMP_WORDS": "reportgen comp",
    }
    done = CliRunner().invoke(main, prog_name="reportgen", env=environment)
    assert "completion" in done.output


def test_the_sample_is_there() -> None:
    assert (sample_folder() / "fashion_vae" / "model.pt2").is_file()
    assert len(list((sample_folder() / "fashion_images").glob("*/*.png"))) == 1000
