"""The height and width that a model fixes, read from its file before any image is."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from reportgen.errors import ModelError
from reportgen.loading.formats.reading import read_model
from reportgen.loading.formats.sniff import ModelFormat, sniff
from reportgen.loading.graph.program import Program
from reportgen.loading.load import model_in
from reportgen.loading.modules.adapter import is_adapter
from reportgen.loading.options import LoadingOptions, with_sidecar

if TYPE_CHECKING:
    from reportgen.loading.formats.onnx.graph import OnnxGraph

# Only graphs say what they take; the rest would have to be run.
GRAPHS = (ModelFormat.EXPORTED, ModelFormat.EXPORTED_ZIP, ModelFormat.ONNX)
CHANNELS = (1, 3, 4)


def find_fixed_size(path: str | PathLike[str], options: LoadingOptions) -> tuple[int, int] | None:
    """See `reportgen.loading.fixed_image_size`."""
    if not is_adapter(str(path)):
        path = model_in(Path(path))
        try:
            kind = sniff(path)
            options, _ = with_sidecar(path, options)
            if options.input_shape is None and kind in GRAPHS:
                model = read_model(path, kind, options)
                assert isinstance(model, Program) or kind is ModelFormat.ONNX
                return _declared_size(model)  # type: ignore[arg-type]
        except ModelError:
            # What is wrong with the file is said, in full, when it is loaded.
            return None
    return None if options.input_shape is None else options.input_shape[1:]


def _declared_size(model: Program | OnnxGraph) -> tuple[int, int] | None:
    declared = model.declared_shape if isinstance(model, Program) else model.declared_shape()
    return size_of(declared or ())


def size_of(declared: tuple[int | None, ...]) -> tuple[int, int] | None:
    """Height and width in a batch's shape, (N, C, H, W), (N, H, W, C) or (N, H, W).

    None where they are free, or the images are flat: a length may be any height and width.
    """
    sizes = declared[1:]
    if len(sizes) == 3:
        channels_last = sizes[2] in CHANNELS and sizes[0] not in CHANNELS
        sizes = sizes[:2] if channels_last else sizes[1:]
    if len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        return None
    return sizes[0], sizes[1]
