"""The arrangement of images that a model takes: (n, C, H, W), flattened, or without channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from reportgen.errors import DataError, ModelError
from reportgen.loading.sentences import shape_text

CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class ImageLayout:
    """An arrangement of one image's numbers.

    Attributes
    ----------
    shape : (C, H, W) of the data.
    model_shape : what the model takes for one image: (C, H, W), (H, W, C), (P,) or (H, W).
    channels_last : whether that is (H, W, C), as models from TensorFlow take it.
    """

    shape: tuple[int, int, int]
    model_shape: tuple[int, ...]
    channels_last: bool = False

    def arrange(self, images: Tensor) -> Tensor:
        """(n, C, H, W) → (n, *model_shape), as the model takes it."""
        if self.channels_last:
            return images.permute(0, 2, 3, 1).contiguous()
        if self.model_shape == self.shape:
            return images
        return images.reshape(len(images), *self.model_shape)

    def restore(self, output: Tensor) -> Tensor:
        """The model's output → (n, C, H, W), contiguous."""
        if self.channels_last and tuple(output.shape[1:]) == self.model_shape:
            return output.permute(0, 3, 1, 2).contiguous()
        return output.reshape(len(output), *self.shape).contiguous()

    @property
    def note(self) -> str | None:
        """A sentence for the report where images are rearranged; None where they are not."""
        if self.channels_last:
            return "Images are given to the model with their channels last."
        if self.model_shape == self.shape:
            return None
        return f"Images are given to the model as {shape_text(self.model_shape)} numbers each."


def image_shape(images: Tensor) -> tuple[int, int, int]:
    """(C, H, W) of a batch of images."""
    _, channels, height, width = images.shape
    return int(channels), int(height), int(width)


def fixed_size(declared: tuple[int | None, ...]) -> tuple[int, int] | None:
    """Height and width in a batch's shape, (N, C, H, W), (N, H, W, C) or (N, H, W).

    None where they are free, or the images are flat: a length may be any height and width.
    """
    sizes = _channels_first(declared)
    if len(sizes) not in (2, 3):
        return None
    height, width = sizes[-2:]
    return None if height is None or width is None else (height, width)


def declared_images(declared: tuple[int | None, ...]) -> list[tuple[int, int, int]]:
    """The image shapes (C, H, W) that fit a declared batch; flat ones stand for square images."""
    sizes = [size for size in _channels_first(declared) if size is not None]
    if len(sizes) < len(declared) - 1:
        return []
    match sizes:
        case [channels, height, width]:
            return [(channels, height, width)]
        case [height, width]:
            return [(1, height, width)]
        case [size]:
            sides = [(channels, round((size / channels) ** 0.5)) for channels in CHANNELS]
            square = [(c, side, side) for c, side in sides if c * side * side == size]
            return square or [(1, 1, size)]
    return []


def _channels_first(declared: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The sizes of one image in a batch's shape, channels before height and width."""
    sizes = declared[1:]
    if len(sizes) == 3 and sizes[2] in CHANNELS and sizes[0] not in CHANNELS:
        return (sizes[2], *sizes[:2])
    return sizes


def declared_layout(declared: tuple[int | None, ...], shape: tuple[int, int, int]) -> ImageLayout:
    """The layout for a model whose file says what it takes (batch dimension included).

    Raises DataError where these images cannot be what it takes.
    """
    wanted = declared[1:]
    for candidate in (shape, (math.prod(shape),), shape[1:] if shape[0] == 1 else None):
        if candidate is not None and _fits(wanted, candidate):
            return ImageLayout(shape, candidate)
    last = (*shape[1:], shape[0])
    if _fits(wanted, last):
        return ImageLayout(shape, last, channels_last=True)
    raise DataError(
        f"The model takes images of {shape_text(wanted)} and these are {shape_text(shape)} "
        "(channels × height × width); resize or convert the images."
    )


def tried_layout(
    shape: tuple[int, int, int],
    runs: Callable[[ImageLayout], None],
    tells: Callable[[Exception], bool] = lambda error: False,
) -> ImageLayout:
    """The first layout that `runs` accepts, for a model that says nothing.

    `runs` raises RuntimeError, as torch does, or another error of the model's own, for shapes that
    do not fit. Raised is the first error that `tells` more than that the shapes do not fit, else
    the first layout's. Errors for the user pass at once.
    """
    candidates: list[tuple[int, ...]] = [shape, (math.prod(shape),)]
    if shape[0] == 1:
        candidates.append(shape[1:])
    errors: list[Exception] = []
    for candidate in candidates:
        layout = ImageLayout(shape, candidate)
        try:
            runs(layout)
        except (ModelError, DataError):
            raise
        except Exception as error:
            errors.append(error)
        else:
            return layout
    raise next(filter(tells, errors), errors[0])


def _fits(wanted: tuple[int | None, ...], candidate: tuple[int, ...]) -> bool:
    return len(wanted) == len(candidate) and all(
        size is None or size == given for size, given in zip(wanted, candidate, strict=True)
    )
