"""Errors of an author's own code, as its own: kind, message, file, line, and what follows."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from reportgen.errors import ModelError, ReportgenError
from reportgen.loading.modules.held_device import asks_for_gpu
from reportgen.loading.sentences import first_line, shape_text

_NOT_THE_AUTHORS = (
    str(Path(torch.__file__).parent),
    str(Path(__file__).parents[2]),
    sysconfig.get_paths()["stdlib"] + "/",
)
_INSTALLED = sysconfig.get_paths()["purelib"]
# How torch, NumPy and einops say that shapes disagree.
_SHAPES = re.compile(
    r"shapes? .*(cannot be multiplied|is invalid|mismatch|must match|not match)|size mismatch"
    r"|shape '\[.*\]' is invalid|must match the (existing )?size|[Ss]izes of tensors must match"
    r"|expected input|[Ee]xpected \d+D|weight of size|normalized_shape|[Kk]ernel size can't be"
    r"|[Oo]utput size is too small|[Dd]imension out of range|values to unpack \(expected"
    r"|must have the same|number of dim|rearrange|expected .* dim|to have \d+ channels"
    r"|channels? .*expected|expected .*channels|view size|unflatten|divisible|too many indices"
    r"|Given groups=|Calculated padded input size|[Pp]adding size should be less"
    r"|same number of dimensions|must be smaller than|does not match the shape|non-?singleton"
)


class OwnCodeError(ModelError):
    """The author's own code fails, whatever the images."""


def is_about_shapes(error: BaseException) -> bool:
    """Tell whether an error says that shapes disagree, as for images of another size."""
    return not isinstance(error, AttributeError | NameError | ImportError) and bool(
        _SHAPES.search(str(error))
    )


def place_of(error: BaseException) -> str:
    """ "net.py, line 8": the last line of the author's own that was running; "" for none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith((*_NOT_THE_AUTHORS, "<"))]
    written = [frame for frame in own if not frame.filename.startswith(_INSTALLED)]
    last = (written or own)[-1:]
    return f"{Path(last[0].filename).name}, line {last[0].lineno}" if last else ""


def own_reason(error: BaseException) -> str:
    """ "AssertionError: message (net.py, line 8)"."""
    place = place_of(error)
    said = f"{type(error).__name__}: {first_line(error)}".rstrip(".")
    return f"{said} ({place})" if place else said


@contextmanager
def own_errors(count: int) -> Iterator[None]:
    """Say what the author's own code raises on so many images, where it took others, as its own."""
    try:
        yield
    except (ReportgenError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if not place_of(error):
            raise
        raise OwnCodeError(
            f"the model's own code fails on {count} images at once: {own_reason(error)}. It has to "
            "take any number of them."
        ) from error


def own_code_error(error: BaseException, optional: list[str], shape: Sequence[int]) -> OwnCodeError:
    """The sentence for what a model's own code raised, with the advice that follows from it.

    Parameters
    ----------
    optional : names of the inputs of its forward that were left at None.
    shape : of the images it was given.
    """
    reason = own_reason(error)
    if asks_for_gpu(error):
        place = place_of(error) or "the model's code"
        return OwnCodeError(
            f"{place}, asks for a GPU that is not here ({first_line(error)}): take .cuda() out, or "
            "use a machine with one."
        )
    if optional and "NoneType" in str(error):
        named = " and ".join(repr(name) for name in optional)
        return OwnCodeError(
            f"the model's own code fails: {reason}. Its forward takes {named} too, and got None: "
            "if that is the image's class, say --condition labels; if it is anything else, wrap "
            "the model in a function whose encode and decode fill it in, and name that as MODEL, "
            "file.py:function."
        )
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        return OwnCodeError(
            f"the model's own code fails: {reason}. If that is a keyword by which its forward "
            "takes the image's class, say --condition labels; else mend it there."
        )
    if isinstance(error, ImportError):
        return OwnCodeError(f"the model's own code fails: {reason}; install what it imports.")
    return OwnCodeError(
        f"the model's own code fails on images of {shape_text(shape)}: {reason}. Mend it there; if "
        "it takes other images, resize these."
    )
