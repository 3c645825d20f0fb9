"""Changes to the opcodes of pickles."""

from __future__ import annotations

import itertools
import pickletools
import random
import struct
from typing import Any

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import FLOATS, integer, text

GLOBALS = (
    *(b"posix\nsystem", b"os\nsystem", b"builtins\nexec", b"builtins\neval", b"builtins\ngetattr"),
    *(b"builtins\nbytearray", b"builtins\nset", b"builtins\nfrozenset", b"builtins\ncomplex"),
    *(b"builtins\nopen", b"builtins\nlist", b"builtins\nrange", b"subprocess\nPopen"),
    *(b"collections\nOrderedDict", b"collections\ndefaultdict", b"collections\ndeque"),
    *(b"torch._utils\n_rebuild_tensor_v2", b"torch._utils\n_rebuild_parameter", b"torch\nSize"),
    *(b"torch._utils\n_rebuild_sparse_tensor", b"torch._utils\n_rebuild_qtensor", b"torch\ndevice"),
    *(b"torch._utils\n_rebuild_meta_tensor_no_storage", b"torch._tensor\n_rebuild_from_type_v2"),
    *(b"torch\nFloatStorage", b"torch\nDoubleStorage", b"torch\nQInt8Storage", b"torch\nfloat16"),
    *(b"torch.storage\nUntypedStorage", b"torch\nload", b"torch\nfrom_file", b"_codecs\nencode"),
    *(b"torch.nn.modules.linear\nLinear", b"torch.nn.modules.rnn\nLSTM", b"torch.nn\nModule"),
    *(b"torch.nn.modules.container\nSequential", b"torch.nn.parameter\nParameter"),
    *(b"numpy._core.multiarray\n_reconstruct", b"numpy\ndtype", b"torch.utils.data\nTensorDataset"),
    *(b"torch.nn.modules.upsampling\nUpsample", b"torch.distributions.normal\nNormal"),
    *(b"__main__\nNet", b"__torch__\nNet", b"torch.jit._pickle\nbuild_intlist"),
)


def _touching(function: bytes) -> bytes:
    order = b"touch marker" if function.endswith(b"system") else b"open('marker', 'w')"
    return b"c" + function + b"\nX" + struct.pack("<I", len(order)) + order + b"\x85R"


SNIPPETS = (
    *(_touching(b"posix\nsystem"), _touching(b"builtins\nexec"), b"cbuiltins\nbytearray\n"),
    *(b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R", b"r\xff\xff\xff\x7f", b"h\xff", b"q\xff"),
    *(
        b"\x8a\xff",
        b"\x8b\xff\xff\xff\x7f",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x93",
        b"\x92",
    ),
    *(b"}", b"]", b")", b"(", b"t", b"R", b"b", b"\x81", b"0", b"1", b"2", b"a", b"e", b"s", b"u"),
    *(b"Q", b"N", b"\x88", b"K\x05", b"X\x01\x00\x00\x00a", b"\x8f", b"\x90", b"\x91", b"\x94"),
    *(
        b".",
        b"\x80\x04",
        b"\x80\x05",
        b"\x95\x00\x00\x00\x00\x00\x00\x00\x01",
        b"\x82\x01",
        b"\x97",
    ),
    *(b"(" * 2000 + b"t" * 2000, b"]" * 5000, b"K\x01\x85" * 100, b"2" * 1000),
)


def changed_pickle(generator: random.Random, content: bytes) -> bytes:
    """A pickle with an opcode changed, dropped, doubled, moved or put in."""
    steps, end = _steps(content)
    if not steps:
        return changed_bytes(generator, content)
    place = generator.randrange(len(steps))
    how = generator.randrange(10)
    if how == 0:
        del steps[place]
    elif how == 1:
        steps.insert(place, steps[place])
    elif how == 2:
        other = generator.randrange(len(steps))
        steps[place], steps[other] = steps[other], steps[place]
    elif how in (3, 4):
        steps.insert(place, (None, generator.choice(SNIPPETS)))
    elif how == 5:
        steps.insert(place, (None, b"c" + generator.choice(GLOBALS) + b"\n"))
    else:
        place = _with_argument(generator, steps)
        steps[place] = (None, _with_another(generator, *steps[place]))
    return b"".join(step for _, step in steps) + content[end:]


def _steps(content: bytes) -> tuple[list[tuple[Any, bytes]], int]:
    """Name and bytes of each opcode of the first pickle, and where that ends."""
    found = [(code.name, place) for code, _, place in pickletools.genops(content)]
    places = [place for _, place in found] + [found[-1][1] + 1]
    pieces = [content[start:end] for start, end in itertools.pairwise(places)]
    return [(name, piece) for (name, _), piece in zip(found, pieces, strict=True)], places[-1]


ARGUMENTS = ("GLOBAL", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "BINFLOAT", "BINGET")


def _with_argument(generator: random.Random, steps: list[tuple[Any, bytes]]) -> int:
    places = [place for place, (name, _) in enumerate(steps) if name in ARGUMENTS]
    return generator.choice(places or range(len(steps)))


def _with_another(generator: random.Random, name: Any, step: bytes) -> bytes:
    if name == "GLOBAL":
        return b"c" + generator.choice(GLOBALS) + b"\n"
    if name in ("BININT", "BININT1", "BININT2", "LONG1"):
        return whole_number(integer(generator))
    if name == "BINUNICODE":
        written = text(generator).encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(written)) + written
    if name == "BINFLOAT":
        return b"G" + struct.pack(">d", generator.choice(FLOATS))
    if name == "BINGET":
        return b"h" + bytes([generator.randrange(256)])
    return changed_bytes(generator, step)


def whole_number(number: int) -> bytes:
    """The opcode of a whole number, as pickle writes it in protocol 2."""
    if -(2**31) <= number < 2**31:
        return b"J" + struct.pack("<i", number)
    size = number.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + number.to_bytes(size, "little", signed=True)
