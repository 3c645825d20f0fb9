"""Files that hold images as pages, frames or slices: which kind a file or a folder is of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from reportgen.images.file_rows import PageFormat, open_page_file
from reportgen.images.image_set import ImageSet
from reportgen.images.numpy_file import NumpyFiles
from reportgen.images.open_options import OpenOptions
from reportgen.images.scan_files import DicomFiles, FitsFiles, NiftiFiles
from reportgen.images.tiff_files import TiffFiles

DICOM_MARK = slice(128, 132), b"DICM"
NIFTI_MARKS = ((slice(344, 348), b"n+1\0"), (slice(4, 8), b"n+2\0"))
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
FITS_MARK = b"SIMPLE  ="


def format_of_head(head: bytes) -> str | None:
    """The name of the function below that reads a file of these first bytes, or None."""
    if head.startswith(TIFF_MARKS):
        return "open_tiff"
    if head.startswith(FITS_MARK):
        return "open_fits"
    if head[DICOM_MARK[0]] == DICOM_MARK[1]:
        return "open_dicom"
    is_nifti = any(head[place] == mark for place, mark in NIFTI_MARKS)
    return "open_nifti" if is_nifti else None


def format_of_folder(suffixes: Counter[str]) -> PageFormat | None:
    """The kind of file that a folder without pictures holds, by the suffixes of its files."""
    forms: tuple[PageFormat, ...] = (NumpyFiles(), DicomFiles(), FitsFiles(), NiftiFiles())
    for form in forms:
        # A packed file, or one without a suffix, may be anything.
        if any(suffixes[suffix] for suffix in form.suffixes - {"", ".gz"}):
            return form
    return None


def open_tiff(path: Path, options: OpenOptions) -> ImageSet:
    """A TIFF file of several pages; see `open_images`."""
    return open_page_file(path, TiffFiles(), options)


def open_dicom(path: Path, options: OpenOptions) -> ImageSet:
    """A DICOM file of several frames; see `open_images`."""
    return open_page_file(path, DicomFiles(), options)


def open_fits(path: Path, options: OpenOptions) -> ImageSet:
    """A FITS file of a cube; see `open_images`."""
    return open_page_file(path, FitsFiles(), options)


def open_nifti(path: Path, options: OpenOptions) -> ImageSet:
    """A NIfTI volume, packed or not; see `open_images`."""
    return open_page_file(path, NiftiFiles(), options)
