"""`reportgen demo`: a report on a model and images that come with the package."""

from __future__ import annotations

from pathlib import Path

import click


def sample_folder() -> Path:
    """The folder of fashion_vae and fashion_images: in a wheel inside the package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "sample"
    return inside if inside.is_dir() else package.parent / "sample_models"


@click.command()
@click.option(
    "-o",
    "page",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="Where the page goes.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def demo(context: click.Context, page: Path, quiet: bool) -> None:
    """Report on a sample, a variational autoencoder of Fashion-MNIST that comes with reportgen."""
    root = context.find_root().command
    assert isinstance(root, click.Group), "demo is a command of reportgen"
    folder = sample_folder()
    context.invoke(
        root.commands["build"],
        model=folder / "fashion_vae" / "model.pt2",
        data=folder / "fashion_images",
        page=page,
        quiet=quiet,
    )
