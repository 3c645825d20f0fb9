"""Changes to tables: the cells of text files, the columns and cells of Arrow's formats."""

from __future__ import annotations

import io
import json
import random
import struct
from typing import Any

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.pictures import changed_png
from tests.fuzz.mutation.texts import changed_json
from tests.fuzz.mutation.values import FLOATS, integer, text


def changed_table(generator: random.Random, content: bytes) -> bytes:
    """A table of text with a cell, a line or its heading changed."""
    separator = b"\t" if b"\t" in content else b","
    rows = [line.split(separator) for line in content.splitlines()]
    place = generator.randrange(len(rows))
    column = generator.randrange(len(rows[place]))
    how = generator.randrange(8)
    if how == 0:
        del rows[place]
    elif how == 1:
        rows[place:place] = [rows[place]] * generator.choice((1, 2, 1000))
    elif how == 2:
        rows[place].insert(column, b"")
    elif how == 3:
        rows[0][column % len(rows[0])] = rows[0][0]
    elif how == 4:
        rows = [row[:column] for row in rows]
    else:
        words = (text(generator), str(integer(generator)), str(generator.choice(FLOATS)))
        rows[place][column] = generator.choice(words).encode("utf-8", "surrogatepass")
    return b"\n".join(separator.join(row) for row in rows)


def changed_parquet(generator: random.Random, content: bytes) -> bytes:
    """A parquet file with a column, a cell or its footer changed; the footer's length is right."""
    import pyarrow.parquet as parquet

    if generator.random() < 0.5:
        (length,) = struct.unpack_from("<I", content, len(content) - 8)
        footer = changed_bytes(generator, content[-8 - length : -8])
        return content[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1"
    written = io.BytesIO()
    table = _changed_columns(generator, parquet.read_table(io.BytesIO(content), use_threads=False))
    parquet.write_table(
        table, written, compression=generator.choice(("none", "snappy", "gzip", "zstd"))
    )
    return written.getvalue()


def changed_arrow(generator: random.Random, content: bytes) -> bytes:
    """A file in Arrow's stream format with a column or cell changed, or the bytes of its schema."""
    import pyarrow as arrow

    if generator.random() < 0.5:
        (length,) = struct.unpack_from("<I", content, 4)
        schema = changed_bytes(generator, content[8 : 8 + length])
        return content[:8] + schema[:length].ljust(length, b"\0") + content[8 + length :]
    table = arrow.ipc.open_stream(io.BytesIO(content)).read_all()
    table = _changed_columns(generator, table)
    written = io.BytesIO()
    with arrow.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return written.getvalue()


def _changed_columns(generator: random.Random, table: Any) -> Any:
    import pyarrow as arrow

    place = generator.randrange(table.num_columns)
    name, column = table.column_names[place], table.column(place)
    how = generator.randrange(7)
    if how == 0 and table.num_columns > 1:
        return table.remove_column(place)
    if how == 1:
        return table.rename_columns(
            [text(generator)[:300] if n == name else n for n in table.column_names]
        )
    if how == 2:
        return table.append_column(name, column)
    if how == 3:
        metadata = {
            key: changed_json(generator, value) if value[:1] == b"{" else value
            for key, value in (table.schema.metadata or {}).items()
        }
        metadata[b"huggingface"] = metadata.get(
            b"huggingface", json.dumps({"info": {"features": {name: {"_type": "Image"}}}}).encode()
        )
        return table.replace_schema_metadata(metadata)
    if how == 4:
        types = (arrow.int64(), arrow.float32(), arrow.string(), arrow.binary(), arrow.bool_())
        kind = generator.choice((*types, arrow.list_(arrow.int64()), arrow.null(), arrow.date32()))
        return table.set_column(place, name, arrow.nulls(table.num_rows, kind))
    if how == 5:
        return table.slice(generator.randrange(table.num_rows), generator.choice((0, 1, 2)))
    cells = column.to_pylist()
    row = generator.randrange(len(cells))
    cells[row] = _changed_cell(generator, cells[row])
    return table.set_column(place, name, arrow.array(cells, column.type))


def _changed_cell(generator: random.Random, cell: Any) -> Any:
    if generator.random() < 0.15:
        return None
    if isinstance(cell, dict):
        key = generator.choice(list(cell))
        return {**cell, key: _changed_cell(generator, cell[key])}
    if isinstance(cell, bytes):
        change = changed_png if cell.startswith(b"\x89PNG") else changed_bytes
        return change(generator, cell)
    if isinstance(cell, str):
        return text(generator).encode("utf-8", "replace").decode()
    if isinstance(cell, float):
        return generator.choice(FLOATS)
    return integer(generator) % 2**31
