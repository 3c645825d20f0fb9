"""Scans, read slice by slice: DICOM by pydicom, FITS by astropy, NIfTI by nibabel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.errors import DataError
from reportgen.images.complaints import complaints_of
from reportgen.images.file_rows import Pages
from reportgen.images.fits_tiles import CLAIMS_MORE, check_tiles, depth_of_tiles
from reportgen.images.picture import LARGEST_FILE, LARGEST_PICTURE, UnreadableImageError
from reportgen.images.within_file import WithinFile
from reportgen.shown import shown

LOGGERS = {"nibabel": "nibabel.global"}
FITS_START = b"SIMPLE  ="
# The standard allows 999 axes and columns; the library goes through as many as a file claims.
_TOO_MANY = re.compile(rb"(?i)(?:HIERARCH\s+)?(?:TFIELDS|Z?NAXIS)\s*=\s*[+]?\d{4,}")
CARD, BLOCK = 80, 2880


@contextmanager
def _reading(path: Path, library: str, extra: str) -> Iterator[None]:
    """Say what is missing, or damaged: these libraries raise almost any kind of error."""
    try:
        # astropy makes a logger of its own kind, and must be the first to ask for it.
        import_module(library)
        with complaints_of(LOGGERS.get(library, library)):
            yield
    except (UnreadableImageError, DataError, MemoryError):
        raise
    except ImportError as error:
        raise DataError(
            f"{shown(str(path))} cannot be read without {library}, or a part of it, which is not "
            f"installed: pip install 'reportgen[{extra}]' ({shown(str(error)[:100])})."
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UnreadableImageError(f"damaged or of an unsupported kind: {reason}") from error


def _checked(count: int, shape: tuple[int, ...], dtype: np.dtype) -> Pages:
    if len(shape) not in (2, 3) or not 0 < int(np.prod(shape, dtype=object)) <= 4 * LARGEST_PICTURE:
        raise UnreadableImageError(f"its images have the shape {shape}, which is not read")
    if count < 1:
        raise UnreadableImageError("it holds no image")
    return Pages(count, shape, dtype)


class DicomFiles:
    """DICOM files, of one frame or several; see `PageFormat`.

    Values are those of the modality (Hounsfield units of CT) where the file says how; white is the
    highest.
    """

    name = "DICOM file"
    suffixes = frozenset((".dcm", ".dicom", ".ima", ""))
    holds_one = False

    def pages(self, path: Path) -> Pages:
        """See `PageFormat`; every frame is read once, to find damage."""
        frames = self._frames(path, None)
        return _checked(len(frames), frames.shape[1:], frames.dtype)

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """See `PageFormat`."""
        return self._frames(path, places)

    def _frames(self, path: Path, places: np.ndarray | None) -> np.ndarray:
        with _reading(path, "pydicom", "dicom"):
            import pydicom
            from pydicom.pixels.processing import apply_rescale

            with WithinFile(path) as file:
                scan = pydicom.dcmread(file)
            if "PixelData" not in scan and "FloatPixelData" not in scan:
                raise UnreadableImageError("it holds no pixels")
            claimed = int(scan.Rows) * int(scan.Columns) * int(scan.get("NumberOfFrames") or 1)
            if claimed * 4 > 4 * LARGEST_FILE:
                raise UnreadableImageError("its frames are more than are read")
            values = scan.pixel_array
            is_colour = int(scan.get("SamplesPerPixel", 1)) > 1
            single = values.ndim == (3 if is_colour else 2)
            frames = values[None] if single else values
            frames = apply_rescale(frames, scan)
            if scan.get("PhotometricInterpretation") == "MONOCHROME1":
                frames = -frames.astype(np.float64)
            chosen = frames if places is None else frames[places]
            return np.asarray(chosen, np.float32 if chosen.dtype.kind == "f" else None)


class FitsFiles:
    """FITS files: the first image in each, slice by slice where it is a cube; see `PageFormat`."""

    name = "FITS file"
    suffixes = frozenset((".fits", ".fit", ".fts"))
    holds_one = False

    def pages(self, path: Path) -> Pages:
        """See `PageFormat`; every slice is read once, to find damage."""
        _check_cards(path)
        with self._opened(path, check=True) as (image, outer):
            count = prod(outer)
            dtypes = {each.dtype for _, each in _slices(image, range(count), outer)}
            return _checked(count, tuple(image.shape[-2:]), np.result_type(*dtypes))

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """See `PageFormat`."""
        with self._opened(path) as (image, outer):
            found = dict(_slices(image, places.tolist(), outer))
            return np.stack([found[place] for place in places.tolist()])

    @contextmanager
    def _opened(self, path: Path, check: bool = False) -> Iterator[tuple[Any, tuple[int, ...]]]:
        """The first image, and the lengths of its axes before height and width."""
        with _reading(path, "astropy", "fits"):
            from astropy.io import fits

            with fits.open(path, memmap=False, lazy_load_hdus=True) as units:
                for number, unit in enumerate(units):
                    if unit.is_image and len(unit.shape) >= 2:
                        shape = tuple(int(n) for n in unit.shape)
                        _checked(max(1, prod(shape[:-2])), shape[-2:], np.dtype(np.float32))
                        _check_extent(unit, path.stat().st_size)
                        if check and isinstance(unit, fits.CompImageHDU):
                            check_tiles(path, unit, number)
                        yield unit, shape[:-2]
                        return
                raise UnreadableImageError("it holds no image")


def _check_extent(unit: Any, size: int) -> None:
    """Raise UnreadableImageError where a header claims more than its file has."""
    place = unit.fileinfo()
    # The last block need not be whole.
    if place is not None and place["datLoc"] + place["datSpan"] > size + BLOCK:
        raise UnreadableImageError(CLAIMS_MORE)


def _check_cards(path: Path) -> None:
    """Raise UnreadableImageError for packed files, and for headers that claim to have no end."""
    with path.open("rb") as file:
        if file.read(len(FITS_START)) != FITS_START:
            raise UnreadableImageError("it does not begin as FITS files do")
        whole = path.stat().st_size // CARD
        cards = np.memmap(file, f"S{CARD}", "r", shape=(whole,))
        starts = cards.view((np.uint8, CARD))[:, 0]
        for place in np.flatnonzero(np.isin(starts, np.frombuffer(b"TtZzNnHh", np.uint8))):
            if _TOO_MANY.match(cards[place]):
                raise UnreadableImageError("its header claims more than 999 axes or columns")


def _slices(
    image: Any, rows: Iterable[int], outer: tuple[int, ...]
) -> Iterator[tuple[int, np.ndarray]]:
    """Slices by their numbers, in another order: those of one tile follow one another.

    A tile is unpacked once, however many slices it holds.
    """
    depth = depth_of_tiles(image)
    section, kept, block = image.section, None, np.empty(0)

    def place_of(row: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        place = tuple(int(n) for n in np.unravel_index(row, outer)) if outer else ()
        return tuple(n - n % m for n, m in zip(place, depth, strict=True)), place

    for (start, place), row in sorted((place_of(row), row) for row in rows):
        if start != kept:
            within = (slice(n, n + m) for n, m in zip(start, depth, strict=True))
            block, kept = np.asarray(section[(*within, slice(None), slice(None))]), start
        yield row, block[tuple(n - m for n, m in zip(place, start, strict=True))]


class NiftiFiles:
    """NIfTI volumes, packed or not: slices along the third axis; see `PageFormat`.

    An image is `volume[:, :, k]` as nibabel gives it, not turned; of several volumes in one file,
    the slices of the first come first.
    """

    name = "NIfTI file"
    suffixes = frozenset((".nii", ".gz"))
    holds_one = False

    def __init__(self) -> None:
        self._unpacked: tuple[Path, np.ndarray] | None = None

    def pages(self, path: Path) -> Pages:
        """See `PageFormat`; every slice is read once, to find damage."""
        volume = self._volume(path)
        count, shape = prod(volume.shape[2:]), volume.shape[:2]
        return _checked(count, tuple(shape), np.dtype(np.float32))

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """See `PageFormat`."""
        volume = self._volume(path)
        with _reading(path, "nibabel", "nifti"):
            flat = volume.reshape(*volume.shape[:2], -1, order="F")
            return flat[:, :, places].transpose(2, 0, 1)

    def _volume(self, path: Path) -> np.ndarray:
        """The numbers of a file, the last of which is kept: a packed one has no places to go to."""
        if self._unpacked is None or self._unpacked[0] != path:
            with _reading(path, "nibabel", "nifti"):
                import nibabel

                image: Any = nibabel.load(path)
                shape = tuple(int(n) for n in image.shape)
                if len(shape) < 2 or 4 * prod(shape) > LARGEST_FILE:
                    raise UnreadableImageError(f"its shape {shape} is none that is read")
                self._unpacked = path, np.asarray(image.dataobj, np.float32)
        return self._unpacked[1]
