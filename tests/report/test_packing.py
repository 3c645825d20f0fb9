"""Packed numbers, read back without our own code."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np

from reportgen.report.packing import levels, packed_arrays


def test_a_packed_header_is_json_and_arrays_lie_in_planes_of_bytes() -> None:
    halves = np.array([[1.5, -2.0], [0.0, 65504.0]], np.float16)
    whole = np.array([1, 258, 65535], np.uint16)
    text = packed_arrays({"name": "</script>\u202e", "far": np.inf}, {"a": halves, "b": whole})
    assert not set(text) & set("<>&'\"\\")
    letters = text.translate(str.maketrans(",/.", "<>&"))
    content = gzip.decompress(base64.b85decode(letters))
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    assert header["name"] == "</script>\u202e"
    assert header["far"] is None
    rest = content[4 + length :]
    for name, kind, expected in (("a", "<f2", halves), ("b", "<u2", whole)):
        stored, start, count = header["arrays"][name]
        assert stored == kind[1:]
        planes = np.frombuffer(rest[start : start + 2 * count], np.uint8).reshape(2, count)
        np.testing.assert_array_equal(planes.T.copy().view(kind).ravel(), expected.ravel())


def test_levels_are_within_half_a_step_of_the_numbers() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1e4, 0] + [0, 5, 7]
    packed = levels(values)
    again = packed["low"] + packed["step"] * packed["levels"].astype(np.float64)
    np.testing.assert_allclose(again[:, 2], 7)
    assert (np.abs(again - values) <= np.ptp(values, axis=0) / 65535).all()
