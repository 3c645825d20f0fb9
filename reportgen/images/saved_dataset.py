"""A data set that Hugging Face's `datasets` saved to disk → `ImageSet`.

`Dataset.save_to_disk` writes `.arrow` files and says in `state.json` which; only these are read,
by pyarrow. Nothing in the folder is code to it, and nothing is fetched.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from reportgen.errors import DataError
from reportgen.images.arrow_pictures import open_rows
from reportgen.images.arrow_shards import ShardRows, StreamShard
from reportgen.images.checksum import file_source, files_source
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.parquet_files import choose_split
from reportgen.shown import shown

STATE = "state.json"
INFORMATION = "dataset_info.json"
SPLITS = "dataset_dict.json"
LARGEST_JSON = 2**24


def is_saved_dataset(folder: Path) -> bool:
    """Tell whether `save_to_disk` wrote this folder, with one split or several."""
    # Unlike pathlib's is_file, lexists does not raise where a folder may not be entered.
    one = all(os.path.lexists(folder / name) for name in (STATE, INFORMATION))
    return one or os.path.lexists(folder / SPLITS)


def open_saved_dataset(folder: Path, options: OpenOptions) -> ImageSet:
    """A saved data set, or one split of several; see `open_images`."""
    where = shown(str(folder))
    if (folder / STATE).is_file():
        return _open_split(folder, options)
    splits = _json(folder / SPLITS).get("splits")
    if not isinstance(splits, list) or not splits or not all(map(_is_plain_name, splits)):
        raise DataError(f"{shown(str(folder / SPLITS))} names no splits; save the data set again.")
    split, _, column = (options.part or "").partition(":")
    if len(splits) == 1 and split not in splits:
        split, column = splits[0], options.part or ""
    if split not in splits:
        raise DataError(choose_split(where, splits))
    return _open_split(folder / split, replace(options, part=column or None))


def open_arrow(path: Path, options: OpenOptions) -> ImageSet:
    """One `.arrow` file of a data set, or of the cache of `datasets`; see `open_images`."""
    where = shown(str(path))
    rows = ShardRows([StreamShard(path, where)], where)
    return open_rows(rows, where, options, lambda: file_source(path))


def _open_split(folder: Path, options: OpenOptions) -> ImageSet:
    where = shown(str(folder))
    names = _data_files(folder)
    shards = [StreamShard(folder / name, shown(str(folder / name))) for name in names]
    rows = ShardRows(shards, where)
    return open_rows(rows, where, options, lambda: files_source(folder, (*names, STATE)))


def _data_files(folder: Path) -> list[str]:
    """Names of the files of rows, in order. Raises DataError where they lead elsewhere."""
    where = shown(str(folder / STATE))
    state = _json(folder / STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DataError(
            f"{where} lists a choice of its rows, as old versions of Hugging Face's datasets wrote "
            "it, which is not read; load it and save it again with save_to_disk."
        )
    files = state.get("_data_files")
    if not isinstance(files, list):
        files = []
    names = [str(entry.get("filename")) for entry in files if isinstance(entry, dict)]
    if not names or not all(map(_is_plain_name, names)):
        raise DataError(f"{where} does not name the data set's files beside it.")
    if len(set(names)) < len(names):
        raise DataError(f"{where} names a file twice.")
    return names


def _is_plain_name(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _json(path: Path) -> dict[str, Any]:
    where = shown(str(path))
    if path.stat().st_size > LARGEST_JSON:
        raise DataError(f"{where} is too large for a description in JSON; it is refused as unsafe.")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise DataError(f"{where} is not a JSON object.")
    return content
