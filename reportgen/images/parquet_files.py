"""Parquet files of pictures, or of paths → `ImageSet`: one file, or a folder of shards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from reportgen.errors import DataError
from reportgen.images.arrow_columns import read_columns
from reportgen.images.arrow_pictures import open_rows
from reportgen.images.arrow_shards import ParquetShard, ShardRows
from reportgen.images.checksum import file_source, files_source
from reportgen.images.image_set import ImageSet
from reportgen.images.listing import FolderWalk
from reportgen.images.names import SPLITS, natural_order
from reportgen.images.open_options import OpenOptions
from reportgen.images.parquet_table import listed_table
from reportgen.images.table_file import open_listed
from reportgen.shown import shown

SUFFIX = frozenset((".parquet",))
# As the Hugging Face hub names shards: train-00000-of-00003.parquet.
SHARD = re.compile(r"(?P<split>[\w.-]+?)-\d+-of-\d+(?:-\w+)?\.parquet")


def open_parquet(path: Path, options: OpenOptions) -> ImageSet:
    """A parquet file with a column of pictures or of paths; see `open_images`."""
    where = shown(str(path))
    rows = ShardRows([ParquetShard(path, path.name, where)], where)
    if read_columns(rows.schema, where).images:
        return open_rows(rows, where, options, lambda: file_source(path))
    options.refuse_part(where)
    return open_listed(path, listed_table(rows, where), options)


def open_parquet_folder(root: Path, options: OpenOptions) -> ImageSet:
    """A folder of parquet files with pictures, of one split; see `open_images`."""
    where = shown(str(root))
    names = sorted(FolderWalk(root, SUFFIX).names(), key=natural_order)
    split, _, column = (options.part or "").partition(":")
    by_split: dict[str, list[str]] = {}
    for name in names:
        by_split.setdefault(_split_of(name), []).append(name)
    if split in by_split and split:
        names = by_split[split]
    elif len(by_split) > 1:
        raise DataError(choose_split(where, by_split))
    else:
        column = options.part or ""
    shards = [ParquetShard(root / name, PurePosixPath(name).name, where) for name in names]
    options = replace(options, part=column or None)
    rows = ShardRows(shards, where)
    return open_rows(rows, where, options, lambda: files_source(root, names))


def choose_split(where: str, splits: Iterable[str]) -> str:
    """The sentence that asks for one of several splits."""
    named = sorted(shown(split) for split in splits)
    example = "test" if "test" in named else named[-1]
    listed = ", ".join(split or "(no name)" for split in named)
    return f"{where} holds the splits {listed}; name one after a colon, as {where}:{example}."


def _split_of(name: str) -> str:
    """The split in a shard's name, else in those of its folders; "" for none."""
    *folders, file = name.split("/")
    numbered = SHARD.fullmatch(file)
    if numbered:
        return numbered["split"]
    parts = [PurePosixPath(file).stem, *reversed(folders)]
    return next((part for part in parts if part.lower() in SPLITS), "")
