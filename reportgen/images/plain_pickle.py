"""Pickles of plain values and NumPy arrays, as CIFAR is published, read without running any code.

The names of functions and classes that a pickle may hold are NumPy's alone, and what stands for
them is inert: it keeps what the pickle gives it, and arrays are made from that afterwards.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from reportgen.errors import DataError

KINDS = "buif"


class PickledArray:
    """An array as a pickle describes it: type, shape and bytes, none of them believed yet."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self, where: str) -> np.ndarray:
        """The array. Raises DataError where what is described does not fit together."""
        try:
            _, shape, dtype, is_fortran, content = self.state
            found = np.frombuffer(content, dtype.dtype())
            return found.reshape(shape, order="F" if is_fortran else "C")
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{where} is damaged: an array in it does not fit its bytes."
            ) from error


class PickledType:
    """The type of an array's numbers, as a pickle describes it."""

    def __init__(self, name: Any = None, *_: Any) -> None:
        self._name, self._state = name, None

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def dtype(self) -> np.dtype:
        """The type. Raises ValueError for anything but numbers."""
        name = self._name.decode("latin-1") if isinstance(self._name, bytes) else self._name
        order = self._state[1] if isinstance(self._state, tuple) else "|"
        order = order.decode("latin-1") if isinstance(order, bytes) else order
        if not isinstance(name, str) or name[:1] not in KINDS or order not in ("|", "<", ">", "="):
            raise ValueError("no type of numbers")
        return np.dtype(f"{order}{name}")


def _encoded(text: Any, encoding: Any = "latin-1") -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes are written in another way than Python's")
    return text.encode("latin-1")


# The class in Python: C's takes memory for any number in a memo.
_PythonsUnpickler: Any = pickle._Unpickler


class _Unpickler(_PythonsUnpickler):  # type: ignore[misc]
    def find_class(self, module: str, name: str) -> Any:
        core = module.replace("numpy._core", "numpy.core")
        known = {
            ("numpy.core.multiarray", "_reconstruct"): PickledArray,
            ("numpy", "ndarray"): PickledArray,
            ("numpy", "dtype"): PickledType,
            ("_codecs", "encode"): _encoded,
        }
        if (core, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[core, name]


def read_plain_pickle(content: bytes, where: str) -> dict[str, Any]:
    """The dictionary in a pickle, with keys as text and `PickledArray` for arrays.

    Raises DataError for anything else, and for what names code.
    """
    try:
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(
            f"{where} is no pickle of plain values, and nothing else is unpickled: {reason}."
        ) from error
    except Exception as error:
        # Damaged bytes make the unpickler stumble in any way.
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"{where} is damaged: {reason}.") from error
    if not isinstance(found, dict):
        raise DataError(f"{where} holds no dictionary of images and labels.")
    return {text(key): value for key, value in found.items() if isinstance(key, bytes | str)}


def text(value: bytes | str) -> str:
    """Text from Python 2's bytes, or Python 3's text."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
