"""Sentences of errors as they are said to a Python program: keywords in place of flags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from reportgen.errors import ReportgenError

# What the command line calls otherwise.
OTHER_NAMES = {"fit_data": "fit_images", "max_size": "max_page_megabytes"}
TAKING_NOTHING = {"trust"}
_VALUE = r"'[^']*'|-?\d[\w.,]*\d|\d+-bit|imagenet|dataset|logits|pixels|labels|max"
_FLAGS = re.compile(rf"--([a-z][a-z-]+)(?: ({_VALUE})(?![\w-]))?( (?=--))?")
_OUTPUT = re.compile(r"(?<![\w-])-o(?![\w-])")
_DATA = re.compile(r"(?<![\w-])DATA(?![\w-])")


def in_keywords(sentence: str) -> str:
    """The sentence with `normalize='0,1'` in place of `--normalize 0,1`."""
    said = _FLAGS.sub(_keyword, sentence)
    return _DATA.sub("images", _OUTPUT.sub("page", said))


def _keyword(found: re.Match[str]) -> str:
    name = found[1].replace("-", "_")
    name = OTHER_NAMES.get(name, name)
    value = "True" if name in TAKING_NOTHING else found[2]
    joined = ", " if found[3] else ""
    if value is None:
        return f"{name}{joined}"
    is_plain = value == "True" or value.startswith("'")
    return f"{name}={value if is_plain else repr(value)}{joined}"


@contextmanager
def said_in_keywords() -> Iterator[None]:
    """Say the errors of this block in keywords; their causes stay what they were."""
    try:
        yield
    except ReportgenError as error:
        said = in_keywords(str(error))
        if said == str(error):
            raise
        raise type(error)(said) from error.__cause__
