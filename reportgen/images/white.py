"""Pictures of images that use little of their scale, drawn on the part that they use."""

from __future__ import annotations

from dataclasses import replace

from reportgen.autoencoder import Note
from reportgen.images.image_set import ImageSet


def with_white(images: ImageSet, white: float | None) -> ImageSet:
    """The same images, drawn from 0 to the pixel that the model takes for white; None for any."""
    if white is None or images.pixel_range[0] < 0:
        return images
    text = f"Pictures are drawn from 0 to {white:.4g}, which the model takes for white."
    notes = (*images.notes, Note("scaling", text))
    return replace(images, pixel_range=(0.0, white), notes=notes)
