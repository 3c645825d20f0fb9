"""A folder of images, or an array file, becomes an `ImageSet`. From outside: `open_images`."""

from reportgen.images.class_names import with_class_names
from reportgen.images.image_set import ImageSet, SkippedImage
from reportgen.images.opening import open_images
from reportgen.images.white import with_white

__all__ = ["ImageSet", "SkippedImage", "open_images", "with_class_names", "with_white"]
