"""Writes a model so that `reportgen build` needs no flag for it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from reportgen.errors import DataError, ModelError, OutputError
from reportgen.loading.formats.reading import read_model
from reportgen.loading.formats.sniff import sniff
from reportgen.loading.known_scalings import parse_scaling
from reportgen.loading.modules.evaluated import Evaluated
from reportgen.loading.modules.model_parts import parts_of_module
from reportgen.loading.modules.module_graph import export_module
from reportgen.loading.modules.pair import SplitPair
from reportgen.loading.modules.returned import distribution_mean, flatten, is_distribution
from reportgen.loading.modules.split_parts import find_pair
from reportgen.loading.modules.whole import try_whole
from reportgen.loading.options import DESCRIBED, LoadingOptions
from reportgen.loading.sentences import shape_text
from reportgen.loading.split import exact_arithmetic, relative_difference
from reportgen.shown import of_kind

TOLERANCE = 1e-5
IMAGE_KEYS = ("image", "img", "pixel_values", "images")
# Float tensors that a saved model returns, in this order.
IMAGE, CODE, SD = 0, 1, 2


def save_model(model: nn.Module, path: Path, example: Any, options: LoadingOptions) -> None:
    """Export a model with a description of itself; see `reportgen.loading.save`."""
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model is {of_kind(model)}; save writes a torch.nn.Module, and other models "
            "are given to reportgen.build as they are."
        )
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path} cannot be written: {path.parent} is no folder; make it first.")
    sample = _example_images(example)
    if options.normalize is not None:
        parse_scaling(options.normalize, sample)
    if options.output not in (None, "pixels", "logits"):
        raise ModelError(f"output {options.output!r} is not known; give pixels or logits.")
    evaluated = Evaluated(copy.deepcopy(model), "cpu", is_ours=True)
    module = evaluated.module
    pair = None
    if options.bottleneck is None:
        parts = parts_of_module(evaluated)
        pair = find_pair(parts, try_whole(parts, sample), sample, options, [])
    described: nn.Module = module
    description: dict[str, Any] = {"code_output": None, "sd_output": None}
    if pair is not None:
        described = _Described(module, pair, sample)
        description["code_output"] = CODE
        description["sd_output"] = SD if pair.reading.spread is not None else None
    said = {name: value for name, value in options.said().items() if name in DESCRIBED}
    description |= {"version": 1, "options": said, "classes": list(options.classes)}
    evaluated.settle()
    program = export_module(described, sample[:2], flattened=pair is None)
    with _writing(path) as file:
        torch.export.save(program, file, extra_files={"reportgen.json": json.dumps(description)})
    _check(path, pair, sample, options)


def _example_images(example: Any) -> Tensor:
    """At least two images (n, C, H, W) of an array, a tensor, or a batch that begins with them.

    Raises DataError.
    """
    if isinstance(example, Mapping):
        example = next((example[k] for k in IMAGE_KEYS if k in example), next(iter(example), None))
    if isinstance(example, list | tuple) and len(example):
        example = example[0]
    images = example if isinstance(example, Tensor) else _as_tensor(example)
    if images.dim() != 4 or len(images) < 2 or not images.is_floating_point():
        raise DataError(
            f"example is {shape_text(images.shape)} of {str(images.dtype).removeprefix('torch.')}; "
            "it must be at least two float images, (n, C, H, W), as the model takes them."
        )
    return images.detach().float().cpu().clone()


def _as_tensor(example: Any) -> Tensor:
    try:
        return torch.from_numpy(np.array(example))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"example is {of_kind(example)}; give images as a tensor or an array, (n, C, H, W)."
        ) from error


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


class _Described(nn.Module):
    """A model that returns image, code and, where it has one, posterior sd."""

    def __init__(self, module: nn.Module, pair: SplitPair, sample: Tensor) -> None:
        super().__init__()
        self.module = module
        self._pair = pair
        self._image = _place_of_image(pair, sample)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        pair = self._pair
        encoded = pair.pair.encode(pair.layout.arrange(images))
        code = pair.reading.mean(encoded)
        decoded = flatten(pair.pair.decode(code))[self._image]
        image = distribution_mean(decoded) if is_distribution(decoded) else decoded
        returned = (image.reshape(images.shape), code)
        if pair.reading.spread is None:
            return returned
        return (*returned, pair.reading.spread.sd(encoded))


def _place_of_image(pair: SplitPair, sample: Tensor) -> int:
    """The place of the reconstruction among the values that the decoder returns."""
    with torch.no_grad():
        code = pair.encode(sample)
        leaves = flatten(pair.pair.decode(code))
    for place, leaf in enumerate(leaves):
        value = distribution_mean(leaf) if is_distribution(leaf) else leaf
        if isinstance(value, Tensor) and value.numel() == sample.numel():
            return place
    raise AssertionError("the decoder returned an image when it was tried")


def _check(path: Path, pair: SplitPair | None, sample: Tensor, options: LoadingOptions) -> None:
    """Read the file back and compare codes; it is removed where it would not do."""
    try:
        saved = read_model(path, sniff(path), LoadingOptions())
        split = saved.split(sample, LoadingOptions(bottleneck=options.bottleneck))
        if pair is None:
            return
        with exact_arithmetic("cpu"):
            difference = relative_difference(pair.encode(sample), split.encode(sample))
        if not difference <= TOLERANCE:
            raise ModelError(
                f"the saved model's codes differ by {difference:.2g} from the model's own; please "
                "report this."
            )
    except ModelError:
        path.unlink()
        raise
