"""TIFF stacks and scans, as tifffile, pydicom, astropy and nibabel write them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from astropy.io import fits
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.damage import reads_or_refuses
from tests.images.pictures import noise
from tests.process.confined import run_confined

STACK = noise(6, 5, 7)
UNIT = np.float32(255)


def dicom(path: Path, pixels: np.ndarray, **tags: object) -> None:
    """A file of one frame (H, W) or of several (n, H, W)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = pydicom.Dataset()
    scan.file_meta = meta
    scan.SOPClassUID, scan.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    scan.Rows, scan.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        scan.NumberOfFrames = len(pixels)
    scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    scan.BitsAllocated = scan.BitsStored = bits
    scan.HighBit, scan.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    scan.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(scan, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    scan.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pages_of_a_tiff_are_images(tmp_path: Path, options: dict, byteorder: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", STACK, byteorder=byteorder, **options)
    images = open_images(tmp_path / "x.tif")
    assert images.names[2] == "x.tif[2]"
    np.testing.assert_allclose(images.read(slice(None))[:, 0], STACK / UNIT, rtol=1e-6)
    chosen = open_images(tmp_path / "x.tif", limit=3)
    rows = [int(name[-2]) for name in chosen.names]
    np.testing.assert_allclose(chosen.read(slice(None))[:, 0], STACK[rows] / UNIT, rtol=1e-6)


def test_pages_that_pillow_wrote_are_images_too(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(page) for page in STACK)
    first.save(tmp_path / "x.tif", save_all=True, append_images=others)
    images = open_images(tmp_path / "x.tif")
    np.testing.assert_allclose(images.read(slice(None))[:, 0], STACK / UNIT, rtol=1e-6)


@pytest.mark.parametrize("axes", ["TCYX", "TYXS"])
@pytest.mark.parametrize("name", ["x.ome.tif", "x.tif"])
def test_channels_of_each_time_are_one_image(tmp_path: Path, name: str, axes: str) -> None:
    stack = noise(4, 3, 16, 17)
    stored = stack if axes == "TCYX" else stack.transpose(0, 2, 3, 1)
    kind = {"photometric": "minisblack" if axes == "TCYX" else "rgb"}
    tifffile.imwrite(tmp_path / name, stored, metadata={"axes": axes}, **kind)
    images = open_images(tmp_path / name)
    np.testing.assert_allclose(images.read(slice(None)), stack / UNIT, rtol=1e-6)


def test_a_folder_of_stacks_has_classes_and_all_pages(tmp_path: Path) -> None:
    for i, kind in enumerate(("cat", "dog")):
        (tmp_path / kind).mkdir()
        pages = STACK[i * 3 : i * 3 + 3]
        tifffile.imwrite(tmp_path / kind / "a.tif", pages, photometric="minisblack")
    images = open_images(tmp_path)
    assert images.names[4] == "dog/a.tif[1]" and images.labels == ("cat",) * 3 + ("dog",) * 3
    np.testing.assert_allclose(images.read([4])[0, 0], STACK[4] / UNIT, rtol=1e-6)


@pytest.mark.parametrize("channels", [2, 7])
def test_a_folder_of_tiffs_of_many_channels(tmp_path: Path, channels: int) -> None:
    stack = noise(3, channels, 16, 17)
    for i, pixels in enumerate(stack):
        options = {"photometric": "minisblack", "planarconfig": "separate"}
        tifffile.imwrite(tmp_path / f"{i}.tif", pixels, **options)
    images = open_images(tmp_path)
    assert images.names == ("0.tif", "1.tif", "2.tif")
    np.testing.assert_allclose(images.read(slice(None)), stack / UNIT, rtol=1e-6)


def test_transparency_and_several_frames_of_a_palette_stay_pictures(tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(noise(5, 7, 2, seed=i), "LA").save(tmp_path / f"{i}.tif")
    images = open_images(tmp_path)
    assert images.shape == (1, 5, 7)
    np.testing.assert_allclose(images.read([1])[0, 0], noise(5, 7, 2, seed=1)[..., 0] / UNIT)
    for i in range(2):
        frames = [Image.fromarray(STACK[2 * i + k]).convert("P") for k in range(2)]
        frames[0].save(tmp_path / f"{i}.tif", save_all=True, append_images=frames[1:])
    assert open_images(tmp_path).names == ("0.tif", "1.tif")


def test_white_is_the_highest_number(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", 255 - STACK, photometric="miniswhite")
    np.testing.assert_allclose(
        open_images(tmp_path / "x.tif").read([3])[0, 0], STACK[3] / UNIT, rtol=1e-6
    )


def test_damaged_stacks_are_left_out_or_one_sentence(tmp_path: Path) -> None:
    for i in range(3):
        tifffile.imwrite(tmp_path / f"{i}.tif", STACK, compression="zlib")
    whole = (tmp_path / "1.tif").read_bytes()
    (tmp_path / "1.tif").write_bytes(whole[: len(whole) // 2])
    images = open_images(tmp_path)
    assert [each.name for each in images.skipped] == ["1.tif"] and len(images) == 12
    assert "invalid page offset" in images.skipped[0].reason
    (tmp_path / "one.tif").write_bytes(whole)
    reads_or_refuses(tmp_path / "one.tif", 60)


def slices_of_dicom(folder: Path) -> np.ndarray:
    for i, pixels in enumerate(STACK):
        dicom(folder / f"{i}.dcm", pixels)
    return STACK / UNIT


def frames_of_dicom(folder: Path) -> np.ndarray:
    dicom(folder / "x.dcm", STACK)
    return STACK / UNIT


def cube_of_fits(folder: Path) -> np.ndarray:
    folder.mkdir()
    cube = np.random.default_rng(0).random(STACK.shape).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(cube)]).writeto(folder / "x.fits")
    return cube


def pictures_of_fits(folder: Path) -> np.ndarray:
    folder.mkdir()
    for i, pixels in enumerate(STACK):
        fits.PrimaryHDU(pixels.astype(np.int16)).writeto(folder / f"{i}.fits")
    return STACK / UNIT


def packed_fits(folder: Path) -> np.ndarray:
    folder.mkdir()
    packed = fits.CompImageHDU(STACK.astype(np.int16))
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(folder / "x.fits")
    return STACK / UNIT


def volume(folder: Path, name: str = "x.nii") -> np.ndarray:
    folder.mkdir()
    values = np.random.default_rng(0).random((5, 7, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / name)
    return values.transpose(2, 0, 1)


def packed_volume(folder: Path) -> np.ndarray:
    return volume(folder, "x.nii.gz")


def slices_without_suffix(folder: Path) -> np.ndarray:
    for i, pixels in enumerate(STACK):
        dicom(folder / f"IM{i}", pixels)
    (folder / "README").write_text("slices")
    return STACK / UNIT


SCANS = [
    *(slices_of_dicom, frames_of_dicom, cube_of_fits, pictures_of_fits, packed_fits, volume),
]


@pytest.mark.parametrize("written", [*SCANS, slices_without_suffix, packed_volume])
def test_slices_of_scans_are_images(tmp_path: Path, written: Callable[[Path], np.ndarray]) -> None:
    expected = written(tmp_path / "data")
    files = sorted((tmp_path / "data").iterdir())
    given = files[0] if len(files) == 1 else tmp_path / "data"
    assert len(open_images(tmp_path / "data")) == len(expected)
    images = open_images(given)
    np.testing.assert_allclose(images.read(slice(None))[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(images.read([4, 1])[:, 0], expected[[4, 1]], rtol=1e-6)


@pytest.mark.parametrize("written", [*SCANS, packed_volume])
def test_cut_scans_are_one_sentence_or_left_out(
    tmp_path: Path, written: Callable[[Path], np.ndarray]
) -> None:
    written(tmp_path / "data")
    first = min((tmp_path / "data").iterdir())
    whole = first.read_bytes()
    for length in (len(whole) // 2, 400, 140):
        first.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught:
            open_images(first)
        assert first.name in str(caught.value) and "\n" not in str(caught.value)


def longer_dicom(folder: Path) -> Path:
    """A file that claims 2 GB of pixels."""
    dicom(folder / "x.dcm", STACK)
    place = (folder / "x.dcm").read_bytes().index(b"\xe0\x7f\x10\x00OB") + 8
    return claiming(folder / "x.dcm", place)


def longer_tiff(folder: Path) -> Path:
    """A file whose second page claims to be packed in 2 GB."""
    folder.mkdir()
    tifffile.imwrite(folder / "x.tif", STACK, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(folder / "x.tif") as file:
        place = file.pages[1].tags["StripByteCounts"].valueoffset
    return claiming(folder / "x.tif", place)


def claiming(path: Path, place: int) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[:place] + b"\xf0\xff\xff\x7f" + content[place + 4 :])
    return path


@pytest.mark.parametrize("written", [longer_dicom, longer_tiff])
def test_memory_is_not_taken_for_what_a_file_claims(
    tmp_path: Path, written: Callable[[Path], Path]
) -> None:
    path = written(tmp_path / "data")
    tracemalloc.start()
    try:
        with suppress(DataError):
            assert len(open_images(path)) == 6
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("card", ["TFIELDS = 4294967295", "HIERARCH ZNAXIS = 99999999"])
def test_a_fits_header_without_end_is_one_sentence(tmp_path: Path, card: str) -> None:
    packed_fits(tmp_path / "data")
    path = tmp_path / "data" / "x.fits"
    content = path.read_bytes()
    place = content.index(card.replace("HIERARCH ", "").split(" ")[0].encode())
    path.write_bytes(content[:place] + card.ljust(80).encode() + content[place + 80 :])
    with pytest.raises(DataError, match="999 axes or columns"):
        open_images(path)


def test_a_fits_header_that_claims_more_than_the_file_has_is_one_sentence(tmp_path: Path) -> None:
    packed_fits(tmp_path / "data")
    path = tmp_path / "data" / "x.fits"
    content = path.read_bytes()
    place = content.rindex(b"NAXIS2  =", 0, content.index(b"TFIELDS"))
    card = b"NAXIS2  =        1099511627775".ljust(80)
    path.write_bytes(content[:place] + card + content[place + 80 :])
    with pytest.raises(DataError, match="more than the file has"):
        open_images(path)


def test_a_packed_fits_file_is_not_unpacked(tmp_path: Path) -> None:
    cube_of_fits(tmp_path / "data")
    path = tmp_path / "data" / "x.fits"
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match="does not begin as FITS"):
        open_images(path)


@pytest.mark.parametrize("written", [frames_of_dicom, cube_of_fits, volume, packed_volume])
def test_damaged_scans_are_read_or_one_sentence(
    tmp_path: Path, written: Callable[[Path], np.ndarray]
) -> None:
    written(tmp_path / "data")
    (path,) = (tmp_path / "data").iterdir()
    reads_or_refuses(path, 30)


def test_hounsfield_units_and_inverted_scans(tmp_path: Path) -> None:
    stored = noise(2, 5, 7, dtype=np.uint16)
    for i in range(2):
        tags = {"RescaleSlope": 2, "RescaleIntercept": -1024}
        dicom(tmp_path / "ct" / f"{i}.dcm", stored[i], **tags)
        inverted = {"PhotometricInterpretation": "MONOCHROME1"}
        dicom(tmp_path / "xray" / f"{i}.dcm", stored[i], **inverted)
    images = open_images(tmp_path / "ct")
    np.testing.assert_allclose(images.read([1])[0, 0], stored[1] * 2.0 - 1024, rtol=1e-6)
    images = open_images(tmp_path / "xray")
    np.testing.assert_allclose(images.read([1])[0, 0], -stored[1].astype(float), rtol=1e-6)


def test_scans_are_read_in_the_process_that_is_held_to_its_inputs(tmp_path: Path) -> None:
    kinds = {
        "tiff": lambda folder: folder.mkdir() or tifffile.imwrite(folder / "x.tif", STACK),
        "dicom": slices_of_dicom,
        "fits": cube_of_fits,
        "nifti": volume,
    }
    for name, written in kinds.items():
        written(tmp_path / name)
    said = run_confined(
        """
        confine([sys.argv[2]])
        from reportgen.images import open_images
        for name in ("tiff", "dicom", "fits", "nifti"):
            images = open_images(Path(sys.argv[2]) / name)
            said[name] = len(images.read(slice(None)))
        """,
        tmp_path,
    )
    assert json.loads(said.stdout) == dict.fromkeys(kinds, 6), said.stderr
