"""results.npz: the arrays of images of a report, read only where they are what they claim to be."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

# A page has 25 MB at most; what it is made of never comes near.
MOST_BYTES = 2**31
# NumPy reads a header as Python text, and lets that parser's errors through; zipfile raises
# RuntimeError and NotImplementedError for members that are encrypted or of a later format.
UNREADABLE = (
    *(OSError, ValueError, EOFError, RuntimeError, NotImplementedError, KeyError, TypeError),
    *(SyntaxError, TokenError, struct.error, zipfile.BadZipFile, zlib.error),
)


def read_image_arrays(source: Path | BinaryIO) -> dict[str, np.ndarray]:
    """Every array in an .npz file by its name.

    Raises one of UNREADABLE for damaged files, and for arrays of Python's objects.
    """
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MOST_BYTES:
            raise ValueError(f"results.npz claims more than {MOST_BYTES / 1e9:.1f} GB")
        return {
            member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members
        }


def _array(content: bytes) -> np.ndarray:
    """The array in an .npy file's bytes; its header is checked before memory is spent on it."""
    stream = io.BytesIO(content)
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, fortran_order, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran_order, dtype = npy_format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"an array has the format version {version[0]}.{version[1]}")
    start = stream.tell()
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("an array holds Python's objects, or fewer than none")
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError("an array has fewer or more numbers than it claims")
    flat = np.frombuffer(bytearray(content), dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran_order else "C")
