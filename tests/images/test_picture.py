"""Single pictures: every format and mode gives the pixels a viewer shows, or a reason."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reportgen.confined.doors import PICTURES
from reportgen.errors import DataError
from reportgen.images import open_images
from reportgen.images.picture import FORMATS, LARGEST_PICTURE
from tests.images.pictures import folder_of, noise, save

BIG_TIFF = ("TIFF", {"big_tiff": True})
LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".ppm")


def only(folder: Path) -> np.ndarray:
    """(C, H, W) of the first of two equal pictures in a folder."""
    images = open_images(folder)
    assert images.skipped == ()
    return images.read([0])[0]


def twice(folder: Path, suffix: str, picture: Image.Image, **options: object) -> Path:
    """Save a picture under two names."""
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        picture.save(folder / f"{name}{suffix}", **options)
    return folder


def notes_of(folder: Path) -> str:
    return " ".join(note.text for note in open_images(folder).notes)


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in FORMATS), BIG_TIFF])
def test_a_picture_of_every_format_is_one_to_the_confined_process_s_parent(
    name: str, options: dict[str, bool]
) -> None:
    """It opens the pictures that a table names, and nothing that does not begin like one."""
    file = io.BytesIO()
    Image.fromarray(noise(4, 4)).save(file, name, **options)
    assert PICTURES.match(file.getvalue())


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3)])
def test_lossless_formats_give_the_pixels_divided_by_255(
    tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    pixels = noise(*shape)
    read = only(twice(tmp_path, suffix, Image.fromarray(pixels)))
    expected = pixels.reshape(6, 4, -1).transpose(2, 0, 1) / 255
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, atol=1e-7)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("value", [0, 100, 255])
def test_lossy_formats_give_flat_colours(tmp_path: Path, suffix: str, value: int) -> None:
    folder = twice(tmp_path, suffix, Image.new("RGB", (16, 16), (value, value, value)))
    np.testing.assert_allclose(only(folder), np.full((3, 16, 16), value / 255), atol=2 / 255)


def test_greyscale_jpeg_has_one_channel(tmp_path: Path) -> None:
    assert only(twice(tmp_path, ".jpg", Image.new("L", (8, 8), 90))).shape == (1, 8, 8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_greyscale_is_divided_by_65535(tmp_path: Path, suffix: str) -> None:
    pixels = noise(5, 7, dtype=np.uint16)
    folder = twice(tmp_path, suffix, Image.fromarray(pixels))
    np.testing.assert_allclose(only(folder)[0], pixels / 65535, atol=1e-7)
    assert "16-bit pixels were divided by 65535" in notes_of(folder)


def test_big_endian_sixteen_bit_tiff_is_read_alike(tmp_path: Path) -> None:
    pixels = np.array([[0, 1, 256], [513, 65534, 65535]], dtype=np.uint16)
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(_big_endian_tiff(pixels))
    np.testing.assert_allclose(only(tmp_path)[0], pixels / 65535, atol=1e-7)


def _big_endian_tiff(pixels: np.ndarray) -> bytes:
    """A minimal TIFF, written by hand: one strip of 16-bit greyscale, Motorola byte order."""
    height, width = pixels.shape
    data = pixels.astype(">u2").tobytes()
    tags = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, height),
        (279, 4, len(data)),
    ]
    entries = b"".join(
        struct.pack(">HHI", tag, kind, 1)
        + (struct.pack(">HH", v, 0) if kind == 3 else struct.pack(">I", v))
        for tag, kind, v in tags
    )
    directory = struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0)
    return b"MM\x00*" + struct.pack(">I", 8 + len(data)) + data + directory


def test_depths_may_be_mixed_and_white_stays_white(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.array([[0, 128, 255]], dtype=np.uint8))
    save(tmp_path / "b.png", np.array([[0, 32896, 65535]], dtype=np.uint16))
    images = open_images(tmp_path).read([0, 1])
    np.testing.assert_allclose(images[0], images[1], atol=1e-7)
    np.testing.assert_allclose(images[0, 0, 0], [0, 128 / 255, 1], atol=1e-7)


def test_floating_point_tiff_within_0_and_1_is_kept(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((4, 4), dtype=np.float32)
    np.testing.assert_array_equal(only(twice(tmp_path, ".tif", Image.fromarray(pixels)))[0], pixels)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_floating_point_tiff_that_is_not_finite_is_left_out(tmp_path: Path, value: float) -> None:
    good = np.zeros((4, 4), dtype=np.float32)
    bad = good.copy()
    bad[1, 2] = value
    for name, pixels in (("a.tif", good), ("b.tif", good), ("c.tif", bad)):
        save(tmp_path / name, pixels)
    (skipped,) = open_images(tmp_path).skipped
    assert skipped.name == "c.tif" and "not all finite" in skipped.reason


def test_one_bit_images_are_black_and_white(tmp_path: Path) -> None:
    picture = Image.new("1", (8, 1))
    picture.putpixel((3, 0), 1)
    np.testing.assert_array_equal(
        only(twice(tmp_path, ".png", picture))[0, 0], [0, 0, 0, 1, 0, 0, 0, 0]
    )


def test_palette_colours_become_rgb(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    read = only(twice(tmp_path, ".png", picture))
    np.testing.assert_allclose(read[:, 0, 0] * 255, [10, 20, 30], atol=1e-4)
    np.testing.assert_allclose(read[:, 0, 1] * 255, [200, 100, 50], atol=1e-4)


def test_a_palette_of_greys_is_greyscale_though_unused_entries_are_not(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 10, 10, 200, 200, 200, 255, 0, 0])
    picture.putpixel((1, 0), 1)
    np.testing.assert_allclose(
        only(twice(tmp_path, ".png", picture)) * 255, [[[10, 200]]], atol=1e-4
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_dropped_and_said(tmp_path: Path, mode: str) -> None:
    channels = len(mode)
    pixels = noise(4, 4, channels)
    folder = twice(tmp_path, ".png", Image.fromarray(pixels, mode))
    expected = pixels[..., :-1].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(only(folder), expected, atol=1e-7)
    assert "Transparency was dropped in 2 images" in notes_of(folder)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    read = only(twice(tmp_path, ".tif", cyan))
    np.testing.assert_allclose(read[:, 0, 0], [0, 1, 1], atol=1e-6)
    read = only(twice(tmp_path / "jpeg", ".jpg", cyan))
    np.testing.assert_allclose(read[:, 0, 0], [0, 1, 1], atol=0.03)


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for suffix in (".gif", ".webp", ".png"):
        folder = tmp_path / suffix
        options = {"lossless": True} if suffix == ".webp" else {}
        twice(folder, suffix, frames[0], save_all=True, append_images=frames[1:], **options)
        np.testing.assert_allclose(only(folder)[:, 0, 0], [1, 0, 0], atol=1e-6)
        assert "2 animated images: the first frame was read" in notes_of(folder)


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    # What the camera should show: bright left, dark right, and darker below.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16], upright[:8, 16:], upright[8:, :16] = 250, 150, 80
    # EXIF names where the stored row 0 and column 0 lie in the upright picture.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"exif": exif}
    if suffix == ".webp":
        options["lossless"] = True
    picture = Image.fromarray(np.ascontiguousarray(stored))
    read = only(twice(tmp_path, suffix, picture, **options))
    assert read.shape == (3, 16, 32)
    np.testing.assert_allclose(read[0], upright[..., 0] / 255, atol=0.03)


def test_greyscale_among_colour_is_repeated_and_said(tmp_path: Path) -> None:
    grey = folder_of(tmp_path, ["a.png"])
    colour = folder_of(tmp_path, ["b.png"], channels=3)
    images = open_images(tmp_path)
    assert images.shape == (3, 8, 8)
    np.testing.assert_allclose(images.read([0])[0], np.repeat(grey[0], 3, axis=0), atol=1e-7)
    np.testing.assert_allclose(images.read([1])[0], colour[0], atol=1e-7)
    assert "1 greyscale images were repeated in three channels" in notes_of(tmp_path)


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, ["a.png", "b.png"])
    (tmp_path / "b.png").rename(tmp_path / "b.jpg")
    np.testing.assert_allclose(open_images(tmp_path).read([1]), expected[[1]], atol=1e-7)


def _png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(rows)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def _png_claiming(width: int, height: int) -> bytes:
    return _png(width, height, 8, 0, bytes(1000))


def test_of_sixteen_bit_colour_the_upper_eight_bits_are_read(tmp_path: Path) -> None:
    pixels = noise(4, 5, 3, dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(_png(5, 4, 16, 2, rows))
    expected = (pixels >> 8).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(only(tmp_path), expected, atol=1e-7)


@pytest.mark.parametrize("side", [10_000, 60_000, 2**31 - 1])
def test_an_image_bomb_is_refused_from_its_header(
    tmp_path: Path, side: int, recwarn: pytest.WarningsRecorder
) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    (tmp_path / "bomb.png").write_bytes(_png_claiming(side, side))
    images = open_images(tmp_path)
    (skipped,) = images.skipped
    assert skipped.name == "bomb.png" and str(LARGEST_PICTURE) in skipped.reason
    # Whatever else was left to be collected may warn meanwhile.
    assert not [w for w in recwarn if issubclass(w.category, Image.DecompressionBombWarning)]


def test_image_bombs_are_refused_though_pillow_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    folder_of(tmp_path, ["a.png", "b.png"])
    (tmp_path / "bomb.png").write_bytes(_png_claiming(10_000, 10_000))
    (skipped,) = open_images(tmp_path).skipped
    assert "10000×10000 pixels" in skipped.reason


def test_postscript_is_not_run_through_ghostscript(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
        )
    with pytest.raises(DataError, match="not an image in one of the formats"):
        open_images(tmp_path)


@pytest.mark.parametrize(
    ("low", "high", "pixel_range"), [(-1, 1, (0, 1)), (0, 200, (0, 1)), (-30, 900, (-30, 900))]
)
def test_floats_beyond_the_unit_interval_are_read_as_arrays_are(
    tmp_path: Path, low: float, high: float, pixel_range: tuple[float, float]
) -> None:
    values = np.linspace(low, high, 100, dtype=np.float32).reshape(5, 4, 5)
    np.save(tmp_path / "x.npy", values)
    for i, pixels in enumerate(values):
        save(tmp_path / "pictures" / f"{i}.tif", pixels)
    pictures, array = open_images(tmp_path / "pictures"), open_images(tmp_path / "x.npy")
    np.testing.assert_array_equal(pictures.read(slice(None)), array.read(slice(None)))
    assert pictures.pixel_range == array.pixel_range == pixel_range


def test_floats_beyond_the_unit_interval_among_whole_numbers_are_left_out(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.png", noise(4, 5, seed=i))
    save(tmp_path / "2.tif", np.full((4, 5), 7, np.float32))
    save(tmp_path / "3.tif", np.full((4, 5), 0.5, np.float32))
    images = open_images(tmp_path)
    assert images.names == ("0.png", "1.png", "3.tif")
    assert "not all between 0 and 1" in images.skipped[0].reason
