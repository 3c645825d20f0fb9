"""The pass over all images: what is kept, and codes that outlive a build."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
import torch

from reportgen.autoencoder import Note, SourceFile
from reportgen.engine import Engine
from reportgen.errors import SettingsError
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.code_cache import CodeCache
from reportgen.study.encoding import encode_all
from reportgen.study.sample import read_samples
from tests.oracles import decoders

UNITS, ROWS = 3, 700


@pytest.fixture
def model():
    study = decoders.study_of(decoders.linear(UNITS), decoders.gaussian_codes(ROWS, UNITS))
    return study.autoencoder


@pytest.fixture
def images(model):
    codes = decoders.gaussian_codes(ROWS, UNITS)
    pixels = decoders.linear(UNITS)(torch.from_numpy(codes)).numpy()
    return decoders.ArrayImages(pixels.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH))


def test_the_pass_gives_every_code_and_the_pixels_of_the_kept_rows(model, images) -> None:
    kept = np.array([0, 255, 256, 699])
    found = encode_all(images, Engine(model), kept)
    np.testing.assert_allclose(found.codes, decoders.gaussian_codes(ROWS, UNITS), atol=1e-5)
    np.testing.assert_array_equal(found.pixels, images.read(kept).reshape(4, -1))


def test_progress_reaches_the_last_image_in_order(model, images) -> None:
    told: list[tuple[int, int]] = []
    encode_all(images, Engine(model), np.array([0]), on_encoded=lambda *now: told.append(now))
    assert told == [(256, 700), (512, 700), (700, 700)]


def test_a_second_build_takes_its_codes_from_the_cache(model, images, tmp_path) -> None:
    cache, kept = CodeCache(tmp_path / "cache", model), np.array([3, 400])
    first = encode_all(images, Engine(model), kept, cache=cache)
    encoded = []

    def counting(batch: torch.Tensor) -> torch.Tensor:
        encoded.append(len(batch))
        return model.encode(batch)

    watched = dataclasses.replace(model, encode=counting)
    second = encode_all(images, Engine(watched), kept, cache=CodeCache(tmp_path / "cache", watched))
    np.testing.assert_array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(first.fingerprints, second.fingerprints)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert sum(encoded) < ROWS, "one batch, to know the model by"


def test_encodes_are_counted_alike_with_a_cold_cache_a_warm_one_and_none(
    model, images, tmp_path
) -> None:
    counts = []
    for cache in (None, CodeCache(tmp_path, model), CodeCache(tmp_path, model)):
        engine = Engine(model)
        encode_all(images, engine, np.array([3]), cache=cache)
        counts.append(dict(engine.encodes))
    assert counts == [{"study": ROWS}] * 3


@pytest.mark.parametrize("changed", ["model file", "choices", "images", "encoder"])
def test_another_model_or_other_images_find_nothing_in_the_cache(
    model, images, tmp_path, changed
) -> None:
    cache, kept = CodeCache(tmp_path, model), np.array([3])
    encode_all(images, Engine(model), kept, cache=cache)
    other_model, other_images = model, images
    if changed == "model file":
        other_model = dataclasses.replace(model, source=SourceFile("m", 1, "ab"))
    elif changed == "choices":
        other_model = dataclasses.replace(model, notes=(Note("code", "another node"),))
    elif changed == "images":
        other_images = decoders.ArrayImages(images.pixels + 1)
    else:
        other_model = dataclasses.replace(model, encode=lambda x: 2 * model.encode(x))
    encode_all(other_images, Engine(other_model), kept, cache=CodeCache(tmp_path, other_model))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pass_that_is_cut_short_leaves_no_entry(model, images, tmp_path) -> None:
    def interrupt(done: int, of: int) -> None:
        if done > 256:
            raise KeyboardInterrupt

    cache = CodeCache(tmp_path, model)
    with pytest.raises(KeyboardInterrupt):
        encode_all(images, Engine(model), np.array([0]), cache=cache, on_encoded=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage", ["header", "codes", "last code", "checksum", "cut", "longer", "empty", "another"]
)
def test_a_damaged_entry_is_made_again(model, images, tmp_path, damage) -> None:
    cache, kept = CodeCache(tmp_path, model), np.array([0])
    sound = encode_all(images, Engine(model), kept, cache=cache)
    (entry,) = tmp_path.iterdir()
    content = bytearray(entry.read_bytes())
    places = {"header": 20, "codes": 1000, "last code": len(content) - 42, "checksum": -1}
    if damage in places:
        content[places[damage]] ^= 1
    changed = {"cut": content[:-1], "longer": content + b"x", "empty": b"", "another": b"x" * 9}
    entry.write_bytes(changed.get(damage, content))
    again = encode_all(images, Engine(model), kept, cache=cache)
    np.testing.assert_array_equal(again.codes, sound.codes)
    np.testing.assert_array_equal(again.fingerprints, sound.fingerprints)
    again = encode_all(images, Engine(model), kept, cache=cache)
    np.testing.assert_array_equal(again.codes, sound.codes)
    np.testing.assert_array_equal(again.fingerprints, sound.fingerprints)
    assert [path.name for path in tmp_path.iterdir()] == [entry.name]


def test_an_entry_that_is_no_file_is_one_sentence(model, images, tmp_path) -> None:
    cache = CodeCache(tmp_path, model)
    encode_all(images, Engine(model), np.array([0]), cache=cache)
    (entry,) = tmp_path.iterdir()
    entry.unlink()
    os.mkfifo(entry)
    with pytest.raises(SettingsError, match=f"{entry.name}.*remove it"):
        encode_all(images, Engine(model), np.array([0]), cache=cache)


def test_a_cache_that_cannot_be_written_is_one_sentence(model, images, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written: Not a directory"):
        CodeCache(tmp_path / "file" / "cache", model)


def test_without_room_for_all_pixels_units_are_still_described_by_every_image(
    model, images, monkeypatch
) -> None:
    whole = make_study(model, images, Settings())
    monkeypatch.setattr("reportgen.study.sample.FEWEST_KEPT", 100)
    monkeypatch.setattr(Settings, "memory_bytes", 1)
    part = make_study(model, images, Settings())
    assert (len(part.fit), len(part.test)) == (100, 100)
    assert len(part.fit.every_code) == len(whole.fit) == 350
    np.testing.assert_array_equal(part.baseline, whole.baseline)
    np.testing.assert_array_equal(part.deviations, whole.deviations)
    assert set(part.test.names) <= set(whole.test.names)


def test_the_rows_kept_depend_on_nothing_but_the_seed(model, images, monkeypatch) -> None:
    monkeypatch.setattr("reportgen.study.sample.FEWEST_KEPT", 10)
    monkeypatch.setattr(Settings, "memory_bytes", 1)

    def names(seed: int) -> tuple[str, ...]:
        settings = Settings(seed=seed)
        return read_samples(images, (np.arange(ROWS),), engine=Engine(model), settings=settings)[
            0
        ].names

    assert names(0) == names(0) != names(1)


def test_large_images_are_read_a_few_at_a_time(model, images, monkeypatch) -> None:
    whole = make_study(model, images, Settings())
    most: list[int] = []
    read = type(images).read

    def counted(self, rows):
        pixels = read(self, rows)
        most.append(len(pixels))
        return pixels

    monkeypatch.setattr(type(images), "read", counted)
    monkeypatch.setattr("reportgen.study.encoding.BATCH_BYTES", 30 * 4 * decoders.PIXELS)
    few = make_study(model, images, Settings())
    assert max(most) == 30
    np.testing.assert_allclose(few.fit.every_code, whole.fit.every_code, atol=1e-6)
    np.testing.assert_array_equal(few.test.images, whole.test.images)


@pytest.mark.parametrize("cached", [False, True])
def test_every_sample_has_the_pixels_of_its_own_rows(model, images, tmp_path, cached) -> None:
    parts = np.array([5, 4, 699, 256]), np.array([0, 255, 698])
    cache = CodeCache(tmp_path, model) if cached else None
    if cached:
        read_samples(images, parts, engine=Engine(model), settings=Settings(), cache=cache)
    samples = read_samples(images, parts, engine=Engine(model), settings=Settings(), cache=cache)
    for sample, rows in zip(samples, parts, strict=True):
        np.testing.assert_array_equal(sample.images, images.read(rows).reshape(len(rows), -1))
        assert sample.names == tuple(f"image[{row}]" for row in rows)
        np.testing.assert_allclose(sample.reconstructions, sample.images, atol=1e-4)
