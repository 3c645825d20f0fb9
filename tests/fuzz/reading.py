"""What the commands do with a file of each format, without what they compute from it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NET = f"{Path(__file__).parent / 'net.py'}:Net"


@dataclass(frozen=True)
class Subject:
    """A format, as it is tried.

    Attributes
    ----------
    read : reads it, given the folder that its writer in `originals` wrote.
    changing : ends of the names of files that are changed; the others stay as they are.
    names_code : whether the user names code of their own to read it with.
    weight : how often it is tried, beside others.
    said : its name in SECURITY.md.
    """

    read: Callable[[Path], object]
    said: str
    changing: tuple[str, ...] = ("",)
    names_code: bool = False
    weight: int = 1


def model(name: str, images: str = "grey", **options: Any) -> Callable[[Path], object]:
    """Inspect a model with images beside it, as `reportgen inspect MODEL DATA` does."""

    def read(folder: Path) -> object:
        from reportgen.errors import ModelError
        from reportgen.job import inspect
        from reportgen.loading.options import LoadingOptions

        places = {key: str(folder / value) for key, value in options.items() if key in HALVES}
        said = {key: value for key, value in options.items() if key == "model_class"}
        data = folder.parent / f"{images}.npy"
        found = inspect(folder / name, data, LoadingOptions(**said, **places)).as_json()
        if found["problem"]:
            raise ModelError(found["problem"])
        return found

    return read


# Mutants that one process reads, one after another.
TOGETHER = 20
HALVES = ("encoder", "decoder")


def images(name: str) -> Callable[[Path], object]:
    """Open images and read all of them, as a build does."""

    def read(folder: Path) -> object:
        from reportgen.images import open_images

        found = open_images(folder / name)
        sums = [float(np.nansum(batch)) for _, batch in found.batches(64)]
        return sums, found.labels, found.factors, found.names, found.notes, found.skipped

    return read


def settings(folder: Path) -> object:
    from reportgen.command.options import read_options

    return read_options({}, {}, folder / "reportgen.toml")


def groups(folder: Path) -> object:
    from reportgen.settings import read_groups

    return read_groups(folder / "groups.toml")


def results(folder: Path) -> object:
    from reportgen.job import render

    return render(folder / "results")


def compared(folder: Path) -> object:
    from reportgen.comparison.comparing import CompareRequest, compare_results

    found = CompareRequest((folder / "results", folder / "other"), ("one", "two"))
    return compare_results(found)


def checked(folder: Path) -> object:
    from reportgen.checks.checking import CheckRequest, check_results
    from reportgen.checks.rules import read_rule

    rules = "reconstruction.r2.low >= 0.1", "units[0].share >= 0", "verdict.additive in yes, no"
    asked = CheckRequest(
        folder / "page.html", tuple(map(read_rule, rules)), lists=True, summary=True, preview=True
    )
    return check_results(asked)


def _opened(folder: Path) -> tuple[Any, Any, np.ndarray]:
    from reportgen.images import open_images
    from reportgen.loading import load_autoencoder
    from reportgen.study.code_cache import CodeCache

    found = open_images(folder / "images.npy")
    cache = CodeCache(folder, load_autoencoder(folder / "model.pt", images=found, trust=True))
    return cache, found, np.zeros((8, 3), np.float32)


def store_codes(folder: Path) -> None:
    """Write the entry that `cached_codes` finds."""
    cache, found, first = _opened(folder)
    codes = np.random.default_rng(0).random((len(found), 3)).astype(np.float32)
    cache.store(found, first, codes, np.zeros((len(found), 2), np.int64))


def cached_codes(folder: Path) -> Any:
    """Look codes up. Raises where they are found and are others than were stored."""
    from reportgen.study import code_cache

    name = next(path.name for path in folder.iterdir() if path.name.startswith("codes-"))
    with (folder / name).open("rb") as file:
        size = file.seek(0, 2)
    dtype = code_cache._record(3)
    found = code_cache._sound(folder / name, size, 40, dtype)
    expected = np.random.default_rng(0).random((40, 3)).astype(np.float32)
    assert found is None or np.array_equal(found["code"], expected), "other codes than were stored"
    return found


SUBJECTS: dict[str, Subject] = {
    "weights": Subject(model("model.pt", model_class=NET), "torch.save, weights", names_code=True),
    "older_weights": Subject(
        model("model.pkl.pt", model_class=NET), "torch.save before 1.6", names_code=True
    ),
    "checkpoint": Subject(
        model("model.pt", model_class=NET), "Lightning checkpoint", names_code=True
    ),
    "pickled": Subject(model("model.pt"), "torch.save, a module"),
    "safetensors": Subject(
        model("model.safetensors", model_class=NET), "safetensors", names_code=True
    ),
    "scripted": Subject(model("model.pt"), "TorchScript, scripted"),
    "traced": Subject(model("model.pt"), "TorchScript, traced"),
    "exported": Subject(model("model.pt2"), "torch.export archive"),
    "older_exported": Subject(model("model.pt2", "tiny"), "torch.export archive, torch 2.6"),
    "saved": Subject(model("model.pt2"), "reportgen.save"),
    "onnx": Subject(model("model.onnx"), "ONNX"),
    "diffusers": Subject(model("model", "colour"), "diffusers folder"),
    "sharded": Subject(model("model", "colour"), "weights in shards, with an index"),
    "pythae": Subject(model("model"), "pythae folder"),
    "halves": Subject(
        model("encoder.pt", encoder="encoder.pt", decoder="decoder.pt"), "encoder and decoder files"
    ),
    "sidecar": Subject(model("model.pt"), "settings beside a model", (".toml",)),
    "png": Subject(images("images"), "folders of PNG", weight=3),
    "jpeg": Subject(images("images"), "folders of JPEG", weight=3),
    "webp": Subject(images("images"), "folders of WebP", weight=3),
    "tiff": Subject(images("images"), "folders of TIFF", weight=3),
    "gif": Subject(images("images"), "folders of GIF", weight=2),
    "bmp": Subject(images("images"), "folders of BMP", weight=2),
    "labels": Subject(images("images"), "labels.csv", (".csv",), weight=2),
    "json_labels": Subject(images("images"), "metadata.jsonl", (".jsonl",), weight=2),
    "path_table": Subject(images("table.tsv"), "table of paths", (".tsv",), weight=2),
    "npy": Subject(images("images.npy"), "npy", weight=3),
    "npz": Subject(images("images.npz"), "npz", weight=3),
    "idx": Subject(images("images-idx3-ubyte.idx"), "IDX", weight=3),
    "zipped": Subject(images("images.zip"), "zip of pictures", weight=3),
    "tar": Subject(images("images.tar"), "tar of pictures", weight=3),
    "tar_gz": Subject(images("images.tar.gz"), "tar.gz of pictures", weight=3),
    "parquet": Subject(images("images.parquet"), "parquet", weight=2),
    "saved_dataset": Subject(images("images"), "saved data set (Arrow)", weight=2),
    "tensors": Subject(images("images.pt"), "tensors of torch.save", weight=3),
    "hdf5": Subject(images("images.h5"), "HDF5", weight=2),
    "zarr": Subject(images("images"), "Zarr"),
    "dicom": Subject(images("images"), "DICOM", weight=2),
    "fits": Subject(images("images"), "FITS", weight=2),
    "nifti": Subject(images("images"), "NIfTI", weight=2),
    "tiff_stack": Subject(images("images.tif"), "TIFF stacks", weight=2),
    "array_folder": Subject(images("images"), "folders of npy", weight=2),
    "cifar": Subject(images("images"), "CIFAR's pickles", ("test_batch", "batches.meta")),
    "settings": Subject(settings, "reportgen.toml", weight=3),
    "groups": Subject(groups, "groups of units", weight=2),
    "results": Subject(results, "results.json and results.npz"),
    "compared": Subject(compared, "results that are compared", ("results/",)),
    "checked": Subject(checked, "page that is checked"),
    "cache": Subject(cached_codes, "cache entry", ("codes-",), weight=2),
}
