"""Numbers for the page's scripts: a header and arrays, packed by gzip and written as text."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

# Kinds of arrays by the name that the script knows them by.
KINDS = {"u1": np.uint8, "u2": np.uint16, "f2": np.float16, "f4": np.float32}


def packed_arrays(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Base 85 of the gzipped bytes that `templates/assets/live.js` unpacks.

    The header's length as four bytes, the header as JSON (null for what is infinite or NaN), then
    the arrays, whose kind, place and length stand in the header under "arrays". Of each array all
    first bytes come before all second ones: neighbouring values are alike in their high bytes.
    The same numbers give the same text.
    """
    places, parts, start = {}, [], 0
    for name, values in arrays.items():
        kind = next(known for known, dtype in KINDS.items() if values.dtype == dtype)
        raw = np.ascontiguousarray(values, dtype=f"<{kind}").reshape(-1)
        part = raw.view(np.uint8).reshape(len(raw), -1).T.tobytes()
        places[name] = [kind, start, len(raw)]
        parts.append(part)
        start += len(part)
    text = json.dumps(
        _finite({**header, "arrays": places}),
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode("utf-8")
    content = len(text).to_bytes(4, "little") + text + b"".join(parts)
    return _in_base_85(gzip.compress(content, mtime=0))


# Letters of Python's base 85 that mean something in HTML, and others in their place.
HARMLESS = str.maketrans("<>&", ",/.")


def _in_base_85(content: bytes) -> str:
    """Text of 5 letters for 4 bytes, 6 % shorter than base64, which any script element can hold."""
    return base64.b85encode(content).decode("ascii").translate(HARMLESS)


def packed(content: bytes) -> str:
    """Base64 of gzip, of text under half of its length; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")


def levels(values: np.ndarray) -> dict[str, np.ndarray]:
    """(n, m) numbers as uint16 over each column's range: `levels`, and `low` and `step` (m,)."""
    low, high = values.min(axis=0), values.max(axis=0)
    step = ((high - low) / 65535).astype(np.float32)
    shifted = np.divide(values - low, step, out=np.zeros(values.shape), where=step > 0)
    whole = np.clip(np.rint(shifted), 0, 65535).astype(np.uint16)
    return {"levels": whole, "low": low.astype(np.float32), "step": step}


def _finite(value: Any) -> Any:
    """The same value with None, JSON's null, for every number that is infinite or NaN."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
