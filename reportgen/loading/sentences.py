"""Words for sentences: shapes, names, and the errors of other people's code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reportgen.errors import ModelError
from reportgen.shown import shown

Kinds = type[Exception] | tuple[type[Exception], ...]


def shape_text(shape: Sequence[int | None]) -> str:
    """ "3×32×32"; "any" for sizes that are free."""
    return "×".join("any" if size is None else str(size) for size in shape)


def few(names: Collection[str], count: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(shown(name) for name in list(names)[:count]) + more


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    return shown(str(error).strip().partition("\n")[0]) or type(error).__name__


def no_autoencoder(
    returned: str, image: Sequence[int], shapes: Iterable[Sequence[int] | None] = ()
) -> str:
    """The reason for refusing a model that returns tensors of these shapes for an image."""
    for shape in shapes:
        # As many channels, and maps of another size: strides and paddings that do not fit.
        if shape is None or len(shape) != 3 or len(image) != 3:
            continue
        ratio = min(shape[1:]) / min(image[1:])
        if shape[0] == image[0] and 0.5 < ratio < 2:
            return (
                f"the model returns {shape_text(shape)} for an image of {shape_text(image)}: its "
                "layers do not keep this size, so its output cannot be compared with the image; "
                "resize the images to what it was trained on, such as a multiple of 16"
            )
    return (
        f"the model returns {returned or 'no tensors'} for an image of {shape_text(image)}, so it "
        "is no autoencoder of these images; a classifier or a lone encoder has nothing to decode"
    )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name before what a ModelError of this block says, where it does not say it."""
    try:
        yield
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"{path}: {error}") from error


@contextmanager
def refusing(
    kinds: Kinds, sentence: str, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn errors of these kinds, raised by other people's code in this block, into a ModelError.

    In its sentence, <kind> and <reason> stand for the error's class and first line. A ModelError
    passes as it is, and so do the kinds in `passing`.
    """
    try:
        yield
    except kinds as error:
        if isinstance(error, (ModelError, *passing)):
            raise
        said = sentence.replace("<kind>", type(error).__name__)
        said = said.replace("<reason>", first_line(error))
        raise ModelError(said) from error
