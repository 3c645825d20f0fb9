"""The whole model as one function, against which encoder and decoder are checked."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.loading.graph.operators import GAUSSIAN
from reportgen.loading.graph.quiet_noise import TOLERANCE, QuietNoise
from reportgen.loading.image_layout import ImageLayout, image_shape, tried_layout
from reportgen.loading.modules.held_device import asks_for_gpu
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.modules.own_errors import is_about_shapes, own_code_error
from reportgen.loading.modules.returned import flatten, image_of
from reportgen.loading.sentences import first_line, no_autoencoder, shape_text
from reportgen.loading.split import ImageMap, batch_note, relative_difference, sampling_note


@dataclass(frozen=True)
class WholeModel:
    """A model's own forward.

    Attributes
    ----------
    function : (n, C, H, W) → (n, C, H, W); None, with a reason, where it cannot be called so.
    output : for the images it was tried on, with sampling noise at its mean; None likewise.
    layout : how it takes images.
    draws : names of the random operators that it runs.
    reason : why there is no function; "" where there is.
    fixed_batch : how many images it takes at once; None for any number.
    """

    function: ImageMap | None
    output: Tensor | None
    layout: ImageLayout
    draws: frozenset[str]
    reason: str = ""
    fixed_batch: int | None = None

    @property
    def quiet_function(self) -> ImageMap | None:
        """`function` with sampling noise at its mean; `function` itself where it draws none."""
        function = self.function
        if function is None or not self.draws:
            return function

        def quiet(images: Tensor) -> Tensor:
            with QuietNoise():
                return function(images)

        return quiet

    def notes(self) -> Iterator[Note]:
        """Yield the notes of it for the report."""
        if self.fixed_batch is not None:
            yield batch_note(self.fixed_batch)
        if self.draws:
            yield sampling_note(sorted(self.draws))
        if self.function is None:
            yield Note(
                "check", f"The split is not checked against the model's own output: {self.reason}."
            )


def try_whole(model: ModelParts, images: Tensor) -> WholeModel:
    """Call the model's forward on images and find the reconstruction in what it returns.

    Raises DataError where it does not take these images in any layout.
    """
    shape = image_shape(images)
    plain = ImageLayout(shape, shape)
    needed = model.required(model.forward)
    if len(needed) > 1:
        reason = (
            f"the model's forward needs {len(needed)} inputs ({', '.join(needed)}) and not images "
            "alone; if the second is the image's class, say --condition labels, else give it "
            "methods encode(images) and decode(code)"
        )
        return WholeModel(None, None, plain, frozenset(), reason)
    try:
        layout = _tried(model, shape, images)
    except NotImplementedError:
        reason = (
            "the model has no forward of its own; give the network that it holds, or methods "
            "encode(images) and decode(code)"
        )
        return WholeModel(None, None, plain, frozenset(), reason)
    except model.misfits as error:
        if not model.is_python or is_about_shapes(error):
            raise DataError(_misfit(model, shape, error)) from error
        raise own_code_error(error, model.optional(model.forward), shape) from error
    with QuietNoise() as noise:
        returned = _run(model, layout, images)
    draws = frozenset(noise.draws)
    image = image_of(returned, len(images), math.prod(shape), layout.arrange(images))
    if image is None:
        _refuse_split_images(returned, images)
        return WholeModel(None, None, layout, draws, _no_image(returned, shape))
    return WholeModel(
        _function(model.forward, layout),
        layout.restore(image),
        layout,
        draws,
        fixed_batch=model.fixed_batch(),
    )


def _tried(model: ModelParts, shape: tuple[int, int, int], images: Tensor) -> ImageLayout:
    """The layout that the model takes; its own code is held to the device if it asks for a GPU."""

    def runs(layout: ImageLayout) -> None:
        _run(model, layout, images)

    def tells(error: Exception) -> bool:
        return model.is_python and not is_about_shapes(error)

    try:
        return tried_layout(shape, runs, tells)
    except model.misfits as error:
        if not asks_for_gpu(error) or not model.hold_device():
            raise
    return tried_layout(shape, runs, tells)


def _run(model: ModelParts, layout: ImageLayout, images: Tensor) -> Any:
    with torch.no_grad():
        # Some models change what they are given.
        return model.forward(layout.arrange(images).clone())


def _function(forward: Callable[[Tensor], Any], layout: ImageLayout) -> ImageMap:
    size = math.prod(layout.shape)

    def run(images: Tensor) -> Tensor:
        given = layout.arrange(images)
        image = image_of(forward(given.clone()), len(images), size, given)
        assert image is not None, "the model returned an image when it was tried"
        return layout.restore(image)

    return run


def sampling_in_training(
    model: ModelParts, whole: WholeModel, images: Tensor
) -> tuple[ImageMap | None, bool]:
    """The whole model as it samples in training, where it does and its mean is the same as ever.

    The second value is whether it is known to sample in no mode.
    """
    in_training = model.in_training
    if in_training is None or whole.output is None:
        return None, False
    run = _function(in_training, whole.layout)
    failures: tuple[type[Exception], ...] = (*model.misfits, AssertionError)
    try:
        with QuietNoise(keep_all=True) as noise, torch.no_grad():
            quiet = run(images)
    except failures:
        # In training a model may want labels, or return its loss alone.
        return None, False
    if not relative_difference(whole.output, quiet) <= TOLERANCE:
        return None, False
    return (run, False) if noise.draws & GAUSSIAN else (None, True)


def held_still(draws: bool) -> contextlib.AbstractContextManager[Any]:
    """A context that holds noise at its mean where a function draws some, and else does nothing."""
    return QuietNoise() if draws else contextlib.nullcontext()


def _refuse_split_images(returned: Any, images: Tensor) -> None:
    """Raise DataError where a fixed view made several rows of each image."""
    for leaf in flatten(returned):
        if isinstance(leaf, Tensor) and leaf.dim() >= 2 and leaf.numel() == images.numel():
            shape = shape_text(images.shape[1:])
            raise DataError(
                f"The model makes {len(leaf)} rows of {len(images)} images of {shape}: they are "
                "not of the size it was trained on; resize the images."
            )


def _no_image(returned: Any, shape: tuple[int, int, int]) -> str:
    tensors = [leaf for leaf in flatten(returned) if isinstance(leaf, Tensor)]
    shapes = ", ".join(shape_text(leaf.shape[1:]) or "a number" for leaf in tensors)
    return no_autoencoder(shapes, shape, [tensor.shape[1:] for tensor in tensors])


def _misfit(model: ModelParts, shape: tuple[int, int, int], error: Exception) -> str:
    takes = f"takes {model.takes}" if model.takes else "does not take them"
    return (
        f"The images are {shape_text(shape)} (channels × height × width) and the model {takes} "
        f"({first_line(error)}); resize or convert the images to what it was trained on."
    )
