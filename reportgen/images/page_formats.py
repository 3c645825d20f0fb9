"""Files that hold images as pages, frames or slices: which kind a file or a folder is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from reportgen.images.file_rows import PageFormat, open_page_file
from reportgen.images.image_set import ImageSet
from reportgen.images.listing import FolderWalk
from reportgen.images.numpy_file import NumpyFiles
from reportgen.images.open_options import OpenOptions
from reportgen.images.scan_files import DicomFiles, FitsFiles, NiftiFiles
from reportgen.images.tiff_files import TiffFiles

DICOM_MARK = slice(128, 132), b"DICM"
NIFTI_MARKS = ((slice(344, 348), b"n+1\0"), (slice(4, 8), b"n+2\0"))
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
FITS_MARK = b"SIMPLE  ="
# A folder of scans may begin with notes.
LOOKED_INTO = 16


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


def format_of_folder(root: Path, suffixes: Counter[str]) -> PageFormat | None:
    """The kind of file that a folder without pictures holds, by the suffixes of its files.

    Scanners leave the suffix out: the first such files are looked into.
    """
    forms: tuple[PageFormat, ...] = (NumpyFiles(), DicomFiles(), FitsFiles(), NiftiFiles())
    for form in forms:
        # A packed file, or one without a suffix, may be anything.
        if any(suffixes[suffix] for suffix in form.suffixes - {"", ".gz"}):
            return form
    if suffixes[".gz"] and any(name.endswith(".nii.gz") for name in _first(root, ".gz")):
        return NiftiFiles()
    if suffixes[""] and any(_is_dicom(root / name) for name in _first(root, "")):
        return DicomFiles()
    return None


def _first(root: Path, suffix: str) -> Iterator[str]:
    return islice(FolderWalk(root, frozenset((suffix,))).names(), LOOKED_INTO)


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        place, mark = DICOM_MARK
        return stream.read(place.stop)[place] == mark


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
