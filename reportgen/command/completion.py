"""`reportgen completion`: the script by which a shell completes the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete reportgen's words.

    Bash: eval "$(reportgen completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc; fish:
    reportgen completion fish > ~/.config/fish/completions/reportgen.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    root = context.find_root().command
    click.echo(kind(root, {}, "reportgen", "_REPORTGEN_COMPLETE").source())
