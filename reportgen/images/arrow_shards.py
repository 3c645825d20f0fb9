"""Files of rows as pyarrow reads them, piece by piece: parquet, and Arrow's own stream format."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reportgen.errors import DataError
from reportgen.images.arrow_columns import arrow_damage_is_a_sentence
from reportgen.shown import shown

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 8 * 2**20
MOST_BATCH_ROWS = 1024
READ_BUFFER_BYTES = 2**20
# A file that unpacks to this many times its bytes holds no pictures.
MOST_UNPACKED = 1000
LARGEST_UNCHECKED = 32 * 2**20
# Nothing has more, and a damaged header any number.
MOST_ROWS = 2**31
# As Python's csv module.
LONGEST_TEXT = 2**17


class Shard(Protocol):
    """One file of rows, in pieces that can be read without those before them.

    Attributes
    ----------
    name : the file's name.
    where : its path, for sentences.
    schema : its columns.
    piece_rows : number of rows of each piece.
    """

    name: str
    where: str
    schema: pa.Schema
    piece_rows: list[int]

    def batches(self, piece: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of one piece in order, a few at a time. Raises DataError."""
        ...


class ParquetShard:
    """A parquet file; its pieces are row groups. See `Shard`.

    Bytes and text are left in the file's dictionaries, where one large value may stand for a
    million rows.
    """

    def __init__(self, source: Path | bytes, name: str, where: str) -> None:
        self.name = name
        self.where = where
        if isinstance(source, Path):
            require_regular_file(source, where)
        with arrow_damage_is_a_sentence(where):
            import pyarrow as pa
            import pyarrow.parquet as parquet

            # Never mapped: a file that shrinks must not end the process.
            stream = (
                pa.BufferReader(source) if isinstance(source, bytes) else pa.OSFile(str(source))
            )
            metadata = parquet.ParquetFile(stream).metadata
            leaves = (metadata.schema.column(leaf) for leaf in range(metadata.num_columns))
            self._file = parquet.ParquetFile(
                stream,
                metadata=metadata,
                read_dictionary=[
                    leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"
                ],
                # Pages come through a small buffer, not a column at once.
                buffer_size=READ_BUFFER_BYTES,
                pre_buffer=False,
            )
            self.schema = self._file.schema_arrow
            self._groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
            self.piece_rows = [group.num_rows for group in self._groups]
            packed = stream.size()
        # The columns' own metadata says more, but pyarrow aborts the process where it is damaged.
        unpacked = sum(group.total_byte_size for group in self._groups)
        if unpacked > max(LARGEST_UNCHECKED, MOST_UNPACKED * packed):
            raise DataError(
                f"{where} would unpack from {packed} bytes to {unpacked}; refused as unsafe."
            )

    def batches(self, piece: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Shard`."""
        group = self._groups[piece]
        row_bytes = max(1, group.total_byte_size) // max(1, group.num_rows)
        size = min(MOST_BATCH_ROWS, max(1, BATCH_BYTES // max(1, row_bytes)))
        with arrow_damage_is_a_sentence(self.where):
            for batch in self._file.iter_batches(
                batch_size=size, row_groups=[piece], columns=list(columns), use_threads=False
            ):
                _refuse_long_text(batch, self.where)
                yield batch


def _refuse_long_text(batch: pa.RecordBatch, where: str) -> None:
    """Raise DataError for long texts: each row would get a copy of one that the file holds once."""
    import pyarrow as pa
    import pyarrow.compute as compute

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if isinstance(column, pa.DictionaryArray) and pa.types.is_string(column.type.value_type):
            longest = compute.max(compute.binary_length(column.dictionary)).as_py() or 0
            if longest > LONGEST_TEXT:
                raise DataError(
                    f"{where} holds a text of {longest} bytes in column {shown(name)}, more than "
                    f"the {LONGEST_TEXT} that are read; remove the column."
                )


class StreamShard:
    """An `.arrow` file as `datasets` saves it; its pieces are record batches. See `Shard`.

    It is read a batch at a time, never mapped, and every offset in a batch is checked before the
    batch is used.
    """

    def __init__(self, path: Path, where: str) -> None:
        self.name = path.name
        self.where = where
        self.piece_rows = []
        self._starts: list[int] = []
        require_regular_file(path, where)
        with arrow_damage_is_a_sentence(where):
            import pyarrow as pa

            self._file = pa.OSFile(str(path))
            self.schema = pa.ipc.read_schema(self._next_message("schema"))
            while True:
                start = self._file.tell()
                try:
                    batch = self._next_batch()
                except EOFError:
                    return
                self._starts.append(start)
                self.piece_rows.append(batch.num_rows)

    def batches(self, piece: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Shard`."""
        with arrow_damage_is_a_sentence(self.where):
            self._file.seek(self._starts[piece])
            batch = self._next_batch().select(list(columns))
            batch.validate(full=True)
            yield batch

    def _next_batch(self) -> pa.RecordBatch:
        import pyarrow as pa

        return pa.ipc.read_record_batch(self._next_message("record batch"), self.schema)

    def _next_message(self, kind: str) -> pa.Message:
        """Read the stream's next message. Raises EOFError at its end."""
        import pyarrow as pa

        message = pa.ipc.read_message(self._file)
        if message.type != kind:
            # Dictionaries would have to be kept for the batches after them; datasets writes none.
            raise ValueError(f"a {message.type} where a {kind} was expected")
        return message


def require_regular_file(path: Path, where: str) -> None:
    """Raise DataError where a path is no regular file: reading a named pipe might never end."""
    # The name is from a file, and may be none that a file can have.
    if not os.path.isfile(path):  # noqa: PTH113
        raise DataError(f"{where} does not exist, or is no regular file.")


class ShardRows:
    """Rows of several shards as one table. Reading forwards is cheap, in any order possible.

    `count` is the number of rows.
    """

    def __init__(self, shards: Sequence[Shard], where: str) -> None:
        self.shards = tuple(shards)
        first = self.shards[0]
        for shard in self.shards:
            if not shard.schema.equals(first.schema):
                raise DataError(
                    f"{where}: {shown(shard.name)} has other columns than {shown(first.name)}; "
                    "give one of the files."
                )
        self.schema = first.schema
        pieces = [
            (shard, piece, count)
            for shard in self.shards
            for piece, count in enumerate(shard.piece_rows)
        ]
        self._pieces = [(shard, piece) for shard, piece, _ in pieces]
        self._ends = list(accumulate(count for _, _, count in pieces))
        self.count = self._ends[-1] if self._ends else 0
        if min((count for _, _, count in pieces), default=0) < 0 or self.count > MOST_ROWS:
            raise DataError(f"{where} is damaged: it claims to have {self.count} rows.")

    def names(self, rows: Sequence[int]) -> list[str]:
        """Names of rows, such as "train.parquet[17]", from their numbers in the whole table."""
        ends = list(accumulate(sum(shard.piece_rows) for shard in self.shards))
        named = []
        for row in rows:
            place = bisect_right(ends, row)
            start = ends[place - 1] if place else 0
            named.append(f"{self.shards[place].name}[{row - start}]")
        return named

    def values(self, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Every row's values, in order. Raises DataError."""
        for shard, piece in self._pieces:
            for batch in shard.batches(piece, columns):
                with arrow_damage_is_a_sentence(shard.where):
                    cells = [batch.column(name).to_pylist() for name in columns]
                yield from zip(*cells, strict=True)

    def cursor(self, columns: Sequence[str]) -> RowCursor:
        """A reader of these columns."""
        return RowCursor(self, columns)

    def piece_of(self, row: int) -> tuple[Shard, int, int]:
        """The shard and piece that hold a row, and the number of the piece's first row."""
        place = bisect_right(self._ends, row)
        shard, piece = self._pieces[place]
        return shard, piece, self._ends[place - 1] if place else 0


class RowCursor:
    """Some columns of a table, row by row; holds one batch of rows at a time."""

    def __init__(self, rows: ShardRows, columns: Sequence[str]) -> None:
        self._rows = rows
        self._columns = tuple(columns)
        self._batch: pa.RecordBatch | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        # Row numbers that `_batch` covers, and the piece's first.
        self._start = self._stop = self._piece_start = -1

    def read(self, row: int) -> list[Any]:
        """One row's values, in the order of the columns. Raises DataError."""
        shard, piece, first = self._rows.piece_of(row)
        if first != self._piece_start or row < self._start:
            self._batches = shard.batches(piece, self._columns)
            self._piece_start = self._start = self._stop = first
        with arrow_damage_is_a_sentence(shard.where):
            while row >= self._stop:
                batch = next(self._batches, None)
                if batch is None:
                    raise DataError(f"{shard.where} is damaged: it has fewer rows than it says.")
                self._batch = batch
                self._start, self._stop = self._stop, self._stop + batch.num_rows
            assert self._batch is not None
            place = row - self._start
            return [self._batch.column(name)[place].as_py() for name in self._columns]
