"""Changes to the nodes of JSON and TOML, to lines, and to Python's syntax."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import FLOATS, INTEGERS, TEXTS, integer, plain, text

# Stands in a tree for what cannot be in one.
DEEP = "stands for nested lists"
DEPTHS = (300, 1500, 100_000)
LONGEST_SHOWN = 100_000


def changed_tree(generator: random.Random, tree: Any) -> Any:
    """A tree of lists, dictionaries and values with a node changed, dropped, doubled or moved."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places:
        return plain(generator)
    holder, key = generator.choice(places)
    how = generator.randrange(8)
    if how == 0:
        del holder[key]
    elif how == 1:
        other, place = generator.choice(places)
        holder[key] = copy.deepcopy(other[place])
    elif how == 2:
        _doubled(generator, holder, key)
    elif how == 3:
        holder[key] = [holder[key]]
    elif how == 4 and generator.random() < 0.2:
        holder[key] = DEEP
    else:
        holder[key] = _like(generator, holder[key])
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key or index) in a tree."""
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys = range(len(holder)) if isinstance(holder, list) else list(holder)
        for key in keys:
            yield holder, key
            if isinstance(holder[key], list | dict):
                waiting.append(holder[key])


def _doubled(generator: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        many = generator.choice((1, 1, 2, 100))
        holder[key:key] = [copy.deepcopy(holder[key]) for _ in range(many)]
    else:
        holder[text(generator)[:300]] = copy.deepcopy(holder[key])


def _like(generator: random.Random, value: Any) -> Any:
    """Mostly another value of the same type: those of others are refused at once."""
    if generator.random() < 0.3:
        return plain(generator)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return integer(generator)
    if isinstance(value, float):
        return generator.choice((*FLOATS, -value, value * 1e9))
    if isinstance(value, str):
        return generator.choice((text(generator), value + text(generator)[:300], value[:-1]))
    if isinstance(value, list):
        shuffled = copy.deepcopy(value)
        generator.shuffle(shuffled)
        return generator.choice(([], shuffled, shuffled * 3, shuffled[:1]))
    return plain(generator)


def changed_json(generator: random.Random, content: bytes) -> bytes:
    """JSON with a node changed."""
    tree = changed_tree(generator, json.loads(content))
    written = json.dumps(tree, ensure_ascii=generator.random() < 0.5)
    depth = generator.choice(DEPTHS)
    written = written.replace(f'"{DEEP}"', "[" * depth + "]" * depth)
    return written.encode("utf-8", "surrogatepass")


def changed_toml(generator: random.Random, content: bytes) -> bytes:
    """TOML with a node changed; tables are written in one line each."""
    tree = changed_tree(generator, tomllib.loads(content.decode()))
    lines = (f"{_toml(key)} = {_toml(value)}" for key, value in _entries(tree))
    depth = generator.choice(DEPTHS)
    written = "\n".join(lines).replace(f'"{DEEP}"', "[" * depth + "]" * depth)
    return written.encode("utf-8", "surrogatepass")


def _entries(tree: Any) -> Iterator[tuple[str, Any]]:
    return iter(tree.items() if isinstance(tree, dict) else [("value", tree)])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # Its basic strings are JSON's, but for two characters.
    return '""' if value is None else json.dumps(value).replace("\\u007f", "")


def changed_lines(generator: random.Random, content: bytes) -> bytes:
    """JSON lines with a line changed, dropped or doubled."""
    lines = content.splitlines()
    place = generator.randrange(len(lines))
    how = generator.randrange(4)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines[place:place] = [lines[place]] * generator.choice((1, 2, 1000))
    else:
        lines[place] = changed_json(generator, lines[place])
    return b"\n".join(lines)


WORD = re.compile(rb"[A-Za-z_]\w*|\d+(?:\.\d+)?|[^\sA-Za-z_0-9]")


def changed_source(generator: random.Random, content: bytes) -> bytes:
    """TorchScript source with a word, a number or a line changed."""
    if generator.random() < 0.3:
        lines = content.splitlines()
        place = generator.randrange(len(lines))
        lines[place : place + 1] = generator.choice(
            ([], [lines[place]] * 2, [b"  pass"], lines[::-1])
        )
        return b"\n".join(lines)
    words = list(WORD.finditer(content))
    if not words:
        return changed_bytes(generator, content)
    found, other = generator.choice(words), generator.choice(words)[0]
    word = generator.choice((other, other, b"", None, None))
    if word is None and found[0][:1].isdigit():
        word = str(generator.choice((*INTEGERS, *FLOATS))).encode()
    elif word is None:
        word = generator.choice((*NAMES, generator.choice(TEXTS).encode("utf-8", "replace")))
    return content[: found.start()] + word + content[found.end() :]


NAMES = (
    *(b"torch", b"ops", b"aten", b"prim", b"self", b"__torch__", b"annotate", b"uninitialized"),
    *(
        b"from_file",
        b"save",
        b"load",
        b"__setstate__",
        b"Tensor",
        b"List[int]",
        b"Optional[Tensor]",
    ),
    *(b"while True:\n    pass\n", b"as_strided", b"set_", b"resize_", b"_reshape_alias", b"empty"),
)
