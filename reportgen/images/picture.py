"""One picture file: its header without decoding, and its pixels as Pillow decodes them.

Colours are converted as `Image.convert("RGB")` does it, which is also how torchvision's folder
data sets read them, so that the report sees what the model most likely saw: palettes and CMYK
become RGB, and alpha is dropped unless four channels are asked for. EXIF orientation is applied.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib"),
        *("tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm"),
    )
)
# Only formats decoded in this process: EPS, for one, would start Ghostscript.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM")
# Those that a sentence names.
USUAL_FORMATS = "PNG, JPEG, WebP, BMP, TIFF or GIF"
# Pillow's own limit, from which on it suspects a decompression bomb; another library may have
# switched Pillow's off.
LARGEST_PICTURE = 1024**3 // 4 // 3
LARGEST_FILE = 2**30
LFS_POINTER = b"version https://git-lfs"
ORIENTATION = 0x0112
GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "F"))


class UnreadableImageError(Exception):
    """An error for a picture that cannot be used; its text is the reason."""


@dataclass(frozen=True)
class Header:
    """The size and type that a picture has once it is decoded, from its file's header.

    Attributes
    ----------
    width, height : pixels, after EXIF orientation.
    channels : 1 for greyscale, else 3.
    dtype : uint8, uint16 (16-bit greyscale) or float32 (floating-point TIFF).
    alpha : whether it has transparency.
    animated : whether more frames follow the first.
    """

    width: int
    height: int
    channels: int
    dtype: np.dtype
    alpha: bool
    animated: bool


def read_header(stream: BinaryIO) -> Header:
    """The header, without decoding pixels (except palette images, to see which colours they use).

    Raises UnreadableImageError.
    """
    with _opened(stream) as image:
        width, height = image.size
        if image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        return Header(
            width,
            height,
            channels=1 if _is_grey(image) else 3,
            dtype=_dtype(image.mode),
            alpha=image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info,
            animated=image.format != "MPO" and bool(getattr(image, "is_animated", False)),
        )


def read_pixels(stream: BinaryIO, header: Header, channels: int, dtype: np.dtype) -> np.ndarray:
    """Decode to (channels, H, W) of `dtype`, which is at least as wide as the header's.

    Four channels are red, green, blue and alpha; a picture without transparency is opaque.
    Raises UnreadableImageError, also where the decoded size is not the header's.
    """
    with _opened(stream) as image:
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != (header.width, header.height):
            raise UnreadableImageError("its size changes while it is decoded")
        pixels = _widened(_native_pixels(image, channels), dtype)
    if pixels.ndim == 2:
        repeated = np.broadcast_to(pixels, (channels, *pixels.shape))
        return _with_white_alpha(repeated) if channels == 4 else repeated
    return pixels.transpose(2, 0, 1)


def picture_pixels(image: Image.Image) -> np.ndarray:
    """A picture in memory, (H, W) where it is grey, else (H, W, 3); alpha is dropped.

    uint8, uint16 or float32 in [0, 1]. Raises UnreadableImageError.
    """
    return _native_pixels(image, 1 if _is_grey(image) else 3)


@contextmanager
def without_pillow_warnings() -> Iterator[None]:
    """Silence Pillow's warnings of odd files: what matters of them is in the header."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    try:
        with Image.open(stream, formats=FORMATS) as image:
            if image.width * image.height > LARGEST_PICTURE:
                raise UnreadableImageError(_too_large(image.width, image.height))
            yield image
    except (UnreadableImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(_unidentified(stream)) from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(
            f"it would decode to more than {LARGEST_PICTURE} pixels"
        ) from error
    except Exception as error:
        # Pillow's decoders raise almost any kind on damaged files, SyntaxError and struct.error
        # among them; the file is named with the reason, never passed over in silence.
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UnreadableImageError(f"damaged: {reason}") from error


def _too_large(width: int, height: int) -> str:
    return f"{width}×{height} pixels, more than the {LARGEST_PICTURE} that are read"


def _unidentified(stream: BinaryIO) -> str:
    stream.seek(0)
    start = stream.read(len(LFS_POINTER))
    if not start:
        return "empty file"
    if start == LFS_POINTER:
        return "a Git LFS pointer, not the image; run `git lfs pull`"
    return f"not an image in one of the formats {', '.join(FORMATS)}"


def _orientation(image: Image.Image) -> int:
    # PNG may carry EXIF behind the pixels; getexif() would decode them all to look.
    return int(image.getexif().get(ORIENTATION, 1)) if "exif" in image.info else 1


def _is_grey(image: Image.Image) -> bool:
    if image.mode not in ("P", "PA"):
        return image.mode in GREY_MODES or image.mode.startswith("I;16")
    colours = np.asarray(image.convert("RGB"))
    return bool((colours == colours[..., :1]).all())


def _dtype(mode: str) -> np.dtype:
    if mode == "F":
        return np.dtype(np.float32)
    return np.dtype(np.uint16 if mode.startswith("I") else np.uint8)


def _native_pixels(image: Image.Image, channels: int) -> np.ndarray:
    """The picture's pixels, (H, W) or (H, W, channels), in its own depth."""
    if image.mode == "F":
        values = np.asarray(image)
        if not np.isfinite(values).all():
            raise UnreadableImageError("its floating-point pixels are not all finite")
        return values
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableImageError("its integer pixels are not all between 0 and 65535")
        return values.astype(np.uint16)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _with_white_alpha(pixels: np.ndarray) -> np.ndarray:
    opaque = pixels.copy()
    opaque[3] = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    return opaque


def _widened(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The same brightness in `dtype`: 255, 65535 and 1.0 are all white."""
    if pixels.dtype == dtype:
        return pixels
    if dtype == np.uint16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return to_unit_interval(pixels)


def to_unit_interval(pixels: np.ndarray) -> np.ndarray:
    """uint8, uint16 or float32 pixels → float32 in [0, 1]."""
    if pixels.dtype == np.float32:
        return pixels
    scaled = pixels.astype(np.float32)
    scaled /= np.float32(np.iinfo(pixels.dtype).max)
    return scaled
