"""One small file, or folder, of each format that is read: what mutants are made from.

Written in a process of its own, which may start threads.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from tests.fuzz.net import Net
from tests.loading.files import export
from tests.loading.test_onnx import export_onnx

SHAPE = (1, 8, 8)
GOLD = Path(__file__).parents[1] / "loading" / "gold"


def write_originals(folder: Path) -> None:
    """Write a folder for each format, and a set of images that models are read with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, write in WRITERS.items():
            (folder / name).mkdir(parents=True)
            torch.manual_seed(0)
            write(folder / name)


def net() -> Net:
    """Untrained, in evaluation mode."""
    return Net().eval()


def chain() -> nn.Sequential:
    """The like, of torch's own layers alone."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, 2, 1),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 3),
        nn.Linear(3, 64),
        nn.Unflatten(1, SHAPE),
    ).eval()


def pixels(count: int = 6, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Images, uint8."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def weights(folder: Path) -> None:
    torch.save(net().state_dict(), folder / "model.pt")


def older_weights(folder: Path) -> None:
    torch.save(net().state_dict(), folder / "model.pkl.pt", _use_new_zipfile_serialization=False)


def checkpoint(folder: Path) -> None:
    model = net()
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.rand(2, *SHAPE))[0].sum().backward()
    optimiser.step()
    content = {"epoch": 3, "state_dict": {f"model.{k}": v for k, v in model.state_dict().items()}}
    content |= {"optimizer_states": [optimiser.state_dict()], "hyper_parameters": {"width": 2}}
    content |= {"pytorch-lightning_version": "2.3.0", "loops": {}, "callbacks": {}}
    torch.save(content, folder / "model.pt")


def pickled(folder: Path) -> None:
    torch.save(chain(), folder / "model.pt")


def safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(net().state_dict(), folder / "model.safetensors")


def scripted(folder: Path) -> None:
    torch.jit.save(torch.jit.script(net()), folder / "model.pt")


def traced(folder: Path) -> None:
    torch.jit.save(torch.jit.trace(net(), torch.rand(2, *SHAPE)), folder / "model.pt")


def exported(folder: Path) -> None:
    export(net(), torch.rand(2, *SHAPE), folder / "model.pt2")


def older_exported(folder: Path) -> None:
    shutil.copy(GOLD / "torch_2_6.pt2", folder / "model.pt2")


def saved(folder: Path) -> None:
    import reportgen

    reportgen.save(
        net(), folder / "model.pt2", example=torch.rand(2, *SHAPE), classes=["cat", "dog"]
    )


def onnx(folder: Path) -> None:
    export_onnx(net(), torch.rand(2, *SHAPE), folder / "model.onnx")


def diffusers(folder: Path) -> None:
    _tiny_diffusers().save_pretrained(folder / "model")


def sharded(folder: Path) -> None:
    _tiny_diffusers().save_pretrained(folder / "model", max_shard_size="8KB")


def _tiny_diffusers() -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 4),
        norm_num_groups=2,
        latent_channels=2,
        layers_per_block=1,
        sample_size=16,
        mid_block_add_attention=False,
    ).eval()


def pythae(folder: Path) -> None:
    from pythae.models import VAE, VAEConfig

    VAE(VAEConfig(input_dim=SHAPE, latent_dim=3)).save(str(folder / "model"))


def halves(folder: Path) -> None:
    model = chain()
    torch.save(model[:5], folder / "encoder.pt")
    torch.save(model[5:], folder / "decoder.pt")


def sidecar(folder: Path) -> None:
    pickled(folder)
    (folder / "model.toml").write_text(
        'normalize = "0,1"\noutput = "pixels"\nbottleneck = "4"\ninput_shape = [1, 8, 8]\n'
        'classes = ["cat", "dog"]\nweights = "ema"\n[model_args]\nwidth = 2\n'
    )


def _pictures(folder: Path, suffix: str, **options: Any) -> None:
    for place, image in enumerate(pixels(4, (8, 8, 3))):
        path = folder / "images" / ("cat" if place % 2 else "dog") / f"{place}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, **options)


def png(folder: Path) -> None:
    _pictures(folder, ".png")


def jpeg(folder: Path) -> None:
    _pictures(folder, ".jpg")


def webp(folder: Path) -> None:
    _pictures(folder, ".webp", lossless=True)


def tiff(folder: Path) -> None:
    _pictures(folder, ".tif", compression="tiff_lzw")


def gif(folder: Path) -> None:
    _pictures(folder, ".gif")


def bmp(folder: Path) -> None:
    _pictures(folder, ".bmp")


def labels(folder: Path) -> None:
    _pictures(folder, ".png")
    lines = ["file,label,size,word", "dog/0.png,a,1.5,x", "cat/1.png,b,2,y", "2.png,a,,z"]
    (folder / "images" / "labels.csv").write_text("\n".join(lines))


def json_labels(folder: Path) -> None:
    _pictures(folder, ".png")
    lines = [{"file_name": f"{i}.png", "label": "ab"[i % 2], "size": i / 2} for i in range(4)]
    (folder / "images" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))


def path_table(folder: Path) -> None:
    _pictures(folder, ".png")
    lines = [
        "path\tlabel\tsize",
        *(f"images/{'dog' if i % 2 == 0 else 'cat'}/{i}.png\tb\t{i}" for i in range(4)),
    ]
    (folder / "table.tsv").write_text("\n".join(lines))


def npy(folder: Path) -> None:
    np.save(folder / "images.npy", pixels())


def npz(folder: Path) -> None:
    np.savez(
        folder / "images.npz",
        x_train=pixels(),
        y_train=np.arange(6) % 2,
        latents_values=np.random.default_rng(0).random((6, 2)),
    )


def idx(folder: Path) -> None:
    content = b"\0\0\x08\x03" + struct.pack(">III", 6, 8, 8) + pixels().tobytes()
    (folder / "images-idx3-ubyte.idx").write_bytes(content)


def zipped(folder: Path) -> None:
    _pictures(folder, ".png")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for path in sorted((folder / "images").rglob("*.png")):
            archive.write(path, path.relative_to(folder))
        archive.writestr("labels.csv", "file,label\n0.png,a\n1.png,b\n2.png,a\n3.png,b\n")
    shutil.rmtree(folder / "images")


def tar(folder: Path) -> None:
    (folder / "images.tar").write_bytes(_tar())


def tar_gz(folder: Path) -> None:
    (folder / "images.tar.gz").write_bytes(gzip.compress(_tar()))


def _tar() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for place, image in enumerate(pixels(4, (8, 8))):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            for name, content in ((f"{place}.png", buffer.getvalue()), (f"{place}.cls", b"1")):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def parquet(folder: Path) -> None:
    rows().to_parquet(folder / "images.parquet")


def saved_dataset(folder: Path) -> None:
    rows().save_to_disk(folder / "images")


def rows() -> Any:
    """A data set of pictures, classes and numbers."""
    import datasets

    datasets.disable_progress_bars()
    given = {
        "image": [Image.fromarray(image) for image in pixels(4, (8, 8))],
        "label": [0, 1, 0, 1],
        "size": [0.5, 1.5, 2.5, 3.5],
        "word": ["a", "b", "c", "d"],
    }
    features = datasets.Features(
        image=datasets.Image(),
        label=datasets.ClassLabel(names=["cat", "dog"]),
        size=datasets.Value("float32"),
        word=datasets.Value("string"),
    )
    return datasets.Dataset.from_dict(given, features=features)


def tensors(folder: Path) -> None:
    images = torch.from_numpy(pixels())
    torch.save({"images": images, "labels": torch.arange(6)}, folder / "images.pt")


def hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "images.h5", "w") as file:
        file.create_dataset("images", data=pixels(), chunks=(2, *SHAPE), compression="gzip")
        file.create_dataset("labels", data=np.arange(6) % 2)


def zarr(folder: Path) -> None:
    import zarr

    group = zarr.open_group(str(folder / "images"), mode="w", zarr_format=3)
    group.create_array("images", data=pixels(), chunks=(3, *SHAPE))
    group.create_array("labels", data=np.arange(6) % 2)


def dicom(folder: Path) -> None:
    import pydicom

    from tests.images.test_stacks import dicom as write_dicom

    for name in ("plain.dcm", "packed.dcm"):
        write_dicom(folder / "images" / name, pixels(3, SHAPE[1:]))
    scan = pydicom.dcmread(folder / "images" / "packed.dcm")
    scan.compress(pydicom.uid.RLELossless)
    scan.save_as(folder / "images" / "packed.dcm")


def fits(folder: Path) -> None:
    from astropy.io import fits as astropy

    (folder / "images").mkdir()
    cube = pixels(3, SHAPE[1:]).astype(np.int16)
    units = [astropy.PrimaryHDU(), astropy.ImageHDU(cube)]
    astropy.HDUList(units).writeto(folder / "images" / "plain.fits")
    for kind in ("RICE_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"):
        tiles = (1, 8, 8) if kind == "HCOMPRESS_1" else None
        packed = astropy.CompImageHDU(cube, compression_type=kind, tile_shape=tiles)
        units = [astropy.PrimaryHDU(), packed]
        astropy.HDUList(units).writeto(folder / "images" / f"{kind}.fits")


def nifti(folder: Path) -> None:
    import nibabel

    (folder / "images").mkdir()
    volume = pixels(3, SHAPE[1:]).transpose(1, 2, 0).astype(np.int16)
    for name in ("plain.nii", "packed.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "images" / name)


def tiff_stack(folder: Path) -> None:
    import tifffile

    pages = pixels(3, SHAPE[1:])
    tifffile.imwrite(folder / "images.tif", pages, compression="zlib", photometric="minisblack")


def array_folder(folder: Path) -> None:
    for place, image in enumerate(pixels(4)):
        path = folder / "images" / ("cat" if place % 2 else "dog") / f"{place}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, image)


def cifar(folder: Path) -> None:
    from tests.images.test_torchvision_folders import cifar10

    cifar10(folder / "images")


def settings(folder: Path) -> None:
    (folder / "reportgen.toml").write_text(
        'rows = 64\nseed = 1\neffort = "quick"\nmemory = 1.0\ntitle = "Digits"\nresize = "8,8"\n'
        "picture_rows = 8\nwalk_frames = 5\nlimit = 100\nmax_seconds = 60\nsmall_gap = 0.05\n"
        'live = true\n[loading]\nnormalize = "0,1"\nclasses = ["a", "b"]\ninput_shape = [1, 8, 8]\n'
    )


def groups(folder: Path) -> None:
    (folder / "groups.toml").write_text('colour = [0, 2]\nshape = [1]\n"a b" = [3, 4, 5]\n')


def results(folder: Path) -> None:
    from reportgen.report.store import image_archive, results_json
    from tests.report.example import example_results

    found = example_results(images=60, units=3, live=True)
    (folder / "results").mkdir()
    (folder / "results" / "results.json").write_text(results_json(found), encoding="utf-8")
    (folder / "results" / "results.npz").write_bytes(image_archive(found))


def compared(folder: Path) -> None:
    results(folder)
    shutil.copytree(folder / "results", folder / "other")


def checked(folder: Path) -> None:
    from tests.report.example import example_results, page_of

    page = page_of(example_results(images=60, units=3, live=True))
    (folder / "page.html").write_text(page.html, encoding="utf-8")


def cache(folder: Path) -> None:
    pickled(folder)
    np.save(folder / "images.npy", pixels(40))
    from tests.fuzz.reading import cached_codes, store_codes

    store_codes(folder)
    assert cached_codes(folder) is not None


WRITERS: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (
        *(weights, older_weights, checkpoint, pickled, safetensors, scripted, traced, exported),
        *(older_exported, saved, onnx, diffusers, sharded, pythae, halves, sidecar),
        *(png, jpeg, webp, tiff, gif, bmp, labels, json_labels, path_table, npy, npz, idx, zipped),
        *(tar, tar_gz, parquet, saved_dataset, tensors, hdf5, zarr, dicom, fits, nifti, tiff_stack),
        *(array_folder, cifar, settings, groups, results, compared, checked, cache),
    )
}
