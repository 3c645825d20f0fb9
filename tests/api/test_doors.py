"""Every kind of model with every kind of images is opened as the same subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pandas
import pytest
import torch
import zarr
from PIL import Image
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    KernelPCA,
    SparsePCA,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import reportgen
from reportgen.api.arguments import Arguments, loading_options
from reportgen.api.objects import subject_of
from reportgen.errors import DataError, ModelError, SettingsError
from reportgen.images import ImageSet
from reportgen.settings import Settings
from reportgen.study.subject import Subject
from tests.api.models import COUNT, SIDE, UNIT, Net, Pair, Set, fitted, functions, pictures, pixels


def opened(model: Any, images: Any, **said: Any) -> Subject:
    """The subject that `build` would report on."""
    facts = {n: said.pop(n, None) for n in ("labels", "factors", "factor_names", "names")}
    fields = {"given": "pixels", "fit_images": None, "replicates": (), "groups": None}
    fields["fit_labels"] = None
    fields |= {name: said.pop(name) for name in list(said) if name in fields}
    settings = Settings(**said.pop("settings", {}))
    return subject_of(
        Arguments(
            model=model,
            images=images,
            page=None,
            results=None,
            layout="file",
            facts=facts,
            loading=loading_options(said),
            settings=settings,
            **fields,
        )
    )


def read(images: ImageSet) -> np.ndarray:
    return images.read(np.arange(len(images)))


def in_hdf5(folder: Path) -> Any:
    file = h5py.File(folder / "images.h5", "w")
    return file.create_dataset("images", data=UNIT, chunks=(5, SIDE, SIDE))


def in_zarr(folder: Path) -> Any:
    found = zarr.create_array(str(folder / "images.zarr"), shape=UNIT.shape, dtype="f4")
    found[:] = UNIT
    return found


def mapped(folder: Path) -> np.ndarray:
    np.save(folder / "images.npy", UNIT)
    return np.load(folder / "images.npy", mmap_mode="r")


def hugging_face(folder: Path) -> Any:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])}
    )
    rows = {"image": pictures(), "label": [row % 2 for row in range(COUNT)]}
    return datasets.Dataset.from_dict(rows, features=features)


def picture_folder(folder: Path) -> Path:
    for row, picture in enumerate(pictures()):
        picture.save(folder / f"{row:02}.png")
    return folder


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(Set()[row] for row in range(COUNT))


IMAGES: dict[str, Callable[[Path], Any]] = {
    "array": lambda folder: UNIT,
    "memmap": mapped,
    "tensor": lambda folder: torch.from_numpy(UNIT)[:, None],
    "pictures": lambda folder: pictures(),
    "arrays": lambda folder: list(UNIT),
    "data set": lambda folder: Set(),
    "data loader": lambda folder: torch.utils.data.DataLoader(Set(), batch_size=5, shuffle=True),
    "stream": lambda folder: Stream(),
    "hugging face": hugging_face,
    "hdf5": in_hdf5,
    "zarr": in_zarr,
    "path": picture_folder,
    "data frame": lambda folder: pandas.DataFrame(UNIT.reshape(COUNT, -1)),
}
MODELS: dict[str, Callable[[], Any]] = {
    "module": Net,
    "functions": functions,
    "pca": fitted,
    "pair": Pair,
    "nmf": lambda: NMF(3, max_iter=500, tol=1e-2).fit(UNIT.reshape(COUNT, -1)),
    "ica": lambda: FastICA(3, random_state=0, tol=0.1).fit(UNIT.reshape(COUNT, -1)),
    "kernel pca": lambda: KernelPCA(3, fit_inverse_transform=True).fit(UNIT.reshape(COUNT, -1)),
    "sparse pca": lambda: SparsePCA(3, max_iter=5, random_state=0).fit(UNIT.reshape(COUNT, -1)),
    "pipeline": lambda: make_pipeline(StandardScaler(), PCA(3)).fit(UNIT.reshape(COUNT, -1)),
    "dictionary": lambda: DictionaryLearning(3, max_iter=5, random_state=0).fit(
        UNIT.reshape(COUNT, -1)
    ),
}


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("model", ["module", "functions", "pca", "pair"])
def test_doors_open_to_the_same_pixels_and_codes(model: str, images: str, tmp_path: Path) -> None:
    subject = opened(MODELS[model](), IMAGES[images](tmp_path), normalize="0,1", output="pixels")
    np.testing.assert_allclose(read(subject.images)[:, 0], UNIT, atol=1e-6)
    codes = subject.autoencoder.encode(torch.from_numpy(UNIT)[:, None])
    assert codes.shape == (COUNT, 3)
    if model != "module":
        expected = fitted().transform(UNIT.reshape(COUNT, -1))
        np.testing.assert_allclose(codes, expected, atol=1e-5)


def compiled_forms(net: torch.nn.Module) -> dict[str, Any]:
    example = (torch.rand(2, 1, SIDE, SIDE),)
    return {
        "scripted": torch.jit.script(net),
        "traced": torch.jit.trace(net.eval(), example),
        "exported": torch.export.export(net, example),
    }


def test_compiled_models_in_memory_are_read_as_the_module_they_were_made_of() -> None:
    images = torch.from_numpy(UNIT)[:, None]
    expected = opened(Net(), UNIT, normalize="0,1", output="pixels").autoencoder.encode(images)
    for name, model in compiled_forms(Net()).items():
        weights = model.state_dict if name == "exported" else model.state_dict()
        before = {key: value.clone() for key, value in weights.items()}
        found = opened(model, UNIT, normalize="0,1", output="pixels").autoencoder
        np.testing.assert_allclose(found.encode(images), expected, atol=1e-5, err_msg=name)
        assert found.name == ("ExportedProgram" if name == "exported" else "Net")
        assert all(torch.equal(weights[key], value) for key, value in before.items())
        assert name != "scripted" or model.training


def test_functions_may_change_what_they_are_given() -> None:
    encode, decode = functions()
    before = UNIT.copy()

    def in_place(images: np.ndarray) -> np.ndarray:
        images -= 0.5
        return encode(images + 0.5)

    found = opened((in_place, decode), UNIT).autoencoder
    codes = found.encode(torch.from_numpy(UNIT)[:, None])
    np.testing.assert_allclose(codes, encode(UNIT), atol=1e-5)
    np.testing.assert_array_equal(UNIT, before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model", ["pca", "nmf", "ica", "kernel pca", "sparse pca", "pipeline", "dictionary"]
)
def test_transformers_are_read_as_they_are(model: str) -> None:
    given = MODELS[model]()
    subject = opened(given, UNIT)
    rows = UNIT.reshape(COUNT, -1).astype(given.components_.dtype if model == "nmf" else float)
    codes = np.stack([given.transform(row[None]).ravel() for row in rows])
    expected = given.inverse_transform(codes)
    images = torch.from_numpy(UNIT)[:, None]
    found = subject.autoencoder.decode(subject.autoencoder.encode(images))
    np.testing.assert_allclose(found.reshape(COUNT, -1), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pictures_below_zero_are_encoded_where_the_model_takes_none() -> None:
    given = MODELS["nmf"]()
    autoencoder = opened(given, UNIT).autoencoder
    images = torch.from_numpy(UNIT[:2])[:, None] - 0.2
    rows = images.clip(min=0).flatten(1).numpy().astype(given.components_.dtype)
    expected = np.concatenate([given.transform(row[None]) for row in rows])
    np.testing.assert_allclose(autoencoder.encode(images), expected, atol=1e-5)
    assert any("takes no numbers below 0" in note.text for note in autoencoder.notes)


def test_labels_and_their_names_come_with_a_data_set(tmp_path: Path) -> None:
    for images in (Set(), torch.utils.data.DataLoader(Set()), hugging_face(tmp_path)):
        labels = opened(fitted(), images).images.labels
        assert labels == tuple("even" if row % 2 == 0 else "odd" for row in range(COUNT))


def test_a_loader_with_a_sampler_of_some_is_those(tmp_path: Path) -> None:
    sampler = torch.utils.data.SubsetRandomSampler(range(10, 20))
    images = opened(fitted(), torch.utils.data.DataLoader(Set(), sampler=sampler)).images
    np.testing.assert_allclose(read(images)[:, 0], UNIT[10:20])


def test_facts_go_with_the_images_that_were_chosen(tmp_path: Path) -> None:
    facts = {
        "labels": [f"class {row % 3}" for row in range(COUNT)],
        "factors": {"row": torch.arange(COUNT), "word": [str(row) for row in range(COUNT)]},
        "names": [f"mine {row}" for row in range(COUNT)],
    }
    for images in (UNIT, Set(), picture_folder(tmp_path)):
        subject = opened(fitted(), images, settings={"limit": 9}, **facts)
        rows = [int(name.removeprefix("mine ")) for name in subject.images.names]
        assert len(rows) == 9
        assert subject.images.labels == tuple(f"class {row % 3}" for row in rows)
        assert subject.images.factors["row"] == tuple(map(float, rows))
        assert subject.images.factors["word"] == tuple(map(str, rows))
        np.testing.assert_allclose(read(subject.images)[:, 0], UNIT[rows], atol=1e-6)


def test_factors_may_be_a_table_or_columns_with_names() -> None:
    table = np.arange(2.0 * COUNT).reshape(COUNT, 2)
    for factors in (table, pandas.DataFrame(table, columns=["x", "y"])):
        found = opened(fitted(), UNIT, factors=factors, factor_names=["x", "y"]).images.factors
        assert found == {"x": tuple(table[:, 0]), "y": tuple(table[:, 1])}


def test_labels_may_be_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.arange(COUNT) % 2)
    labels = opened(fitted(), UNIT, labels=tmp_path / "labels.npy").images.labels
    assert labels == tuple(str(row % 2) for row in range(COUNT))


def test_a_model_takes_the_numbers_as_they_were_given() -> None:
    rows = pixels().reshape(COUNT, -1)
    shifted = UNIT * 2 - 1
    for images, given in (
        (pixels(), PCA(3).fit(rows)),
        (shifted, PCA(3).fit(shifted.reshape(COUNT, -1))),
        (pixels(), NMF(3, max_iter=500, tol=1e-2).fit(rows)),
    ):
        autoencoder = opened(given, images).autoencoder
        found = autoencoder.decode(autoencoder.encode(torch.from_numpy(UNIT)[:, None]))
        flat = images.reshape(COUNT, -1).astype(np.float64)
        codes = np.concatenate([given.transform(row[None]) for row in flat])
        expected = given.inverse_transform(codes).reshape(COUNT, 1, SIDE, SIDE)
        low, span = (0, 255) if images is not shifted else (-1, 2)
        np.testing.assert_allclose(found, (expected - low) / span, atol=2e-3)


def test_a_row_of_numbers_is_an_image_as_it_was_given() -> None:
    colours = np.random.default_rng(0).random((COUNT, 6, 5, 3)).astype(np.float32)
    pca = PCA(3).fit(colours.reshape(COUNT, -1))
    autoencoder = opened(pca, colours, normalize="0,1", output="pixels").autoencoder
    codes = autoencoder.encode(torch.from_numpy(colours).permute(0, 3, 1, 2))
    np.testing.assert_allclose(codes, pca.transform(colours.reshape(COUNT, -1)), atol=1e-5)
    rows = opened(
        (lambda x: x.flatten(1)[:, :3], lambda z: z.repeat(1, 30).reshape(-1, 3, 6, 5)),
        colours.reshape(COUNT, -1),
        input_shape=(3, 6, 5),
        normalize="0,1",
        output="pixels",
    )
    np.testing.assert_allclose(read(rows.images), colours.reshape(COUNT, 3, 6, 5))


def test_images_as_the_model_takes_them_are_put_back_to_pixels() -> None:
    scaled = torch.from_numpy((UNIT - 0.5) / 0.25)[:, None]
    subject = opened(Net(), scaled, given="model", normalize=(0.5, 0.25))
    np.testing.assert_allclose(read(subject.images)[:, 0], UNIT, atol=1e-6)
    with pytest.raises(SettingsError, match="needs normalize"):
        opened(Net(), scaled, given="model")
    with pytest.raises(DataError, match="scaled in another way"):
        opened(Net(), scaled, given="model", normalize=(0.0, 1.0))


class Augmented(Set):
    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image, label = super().__getitem__(row)
        return image + 0.01 * torch.rand(()), label


def test_images_that_change_are_read_once_and_that_is_said() -> None:
    images = opened(fitted(), Augmented()).images
    assert np.array_equal(read(images), read(images))
    assert any("not the same" in note.text for note in images.notes)


def refused(error: type[Exception], model: Any, images: Any, **said: Any) -> str:
    with pytest.raises(error) as caught:
        reportgen.build(model, images, **said)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and "--" not in text, text
    return text


class EightAtOnce(Net):
    """Written for the batches that it was trained on."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert len(images) <= 8
        return super().forward(images)


NAN = UNIT.copy()
NAN[3, 0, 0] = np.nan
BAD: dict[str, tuple[type[Exception], Any, Any, dict[str, Any], str]] = {
    "no images": (DataError, Net, lambda: UNIT[:0], {}, "no images"),
    "one image": (DataError, Net, lambda: UNIT[:1], {}, "one image"),
    "an empty list": (DataError, Net, list, {}, "no images"),
    "NaN": (DataError, Net, lambda: NAN, {}, "image 3 holds NaN"),
    "five axes": (DataError, Net, lambda: UNIT[None, None], {}, "has shape"),
    "objects": (DataError, Net, lambda: UNIT.astype(object), {}, "holds object"),
    "mixed sizes": (
        *(DataError, Net, lambda: [UNIT[0], UNIT[1][:4]], {}),
        "image 1 has shape",
    ),
    "a dictionary": (DataError, Net, lambda: {"train": UNIT}, {}, "give one of them"),
    "a number": (DataError, Net, lambda: 3, {}, "is an int; give an array"),
    "other labels": (DataError, Net, lambda: UNIT, {"labels": [1, 2]}, "labels holds 2 for 24"),
    "a missing path": (DataError, Net, lambda: "nowhere", {}, "does not exist"),
    "not fitted": (ModelError, lambda: PCA(3), lambda: UNIT, {}, "PCA is not fitted"),
    "other features": (
        *(ModelError, lambda: PCA(3).fit(np.eye(9)), lambda: UNIT, {}),
        "PCA.transform fails: ValueError: X has 36 features",
    ),
    "a class": (ModelError, lambda: PCA, lambda: UNIT, {}, "the class PCA"),
    "no model": (ModelError, lambda: 3, lambda: UNIT, {}, "model is an int; give"),
    "a failing encode": (
        *(ModelError, lambda: (lambda x: 1 / 0, len), lambda: UNIT, {}),
        "encode fails: ZeroDivisionError",
    ),
    "another shape": (
        ModelError,
        lambda: (lambda x: x.flatten(1), lambda z: z),
        lambda: UNIT,
        {},
        "decode returns 4×36 where",
    ),
    "a model in training": (
        ModelError,
        lambda: (lambda x: torch.rand(len(x), 2), lambda z: z),
        lambda: UNIT,
        {},
        "something else each time",
    ),
    "an unknown keyword": (SettingsError, Net, lambda: UNIT, {"efort": "quick"}, "'effort'"),
    "a wrong type": (SettingsError, Net, lambda: UNIT, {"rows": "many"}, "must be a whole number"),
    "options of files": (SettingsError, Net, lambda: UNIT, {"trust": True}, "for model files"),
    "images and labels in one": (
        *(DataError, Net, lambda: (UNIT, np.arange(COUNT)), {}),
        "give the first as images, and the second as labels",
    ),
    "a class of images": (DataError, Net, lambda: Set, {}, "images is the class Set"),
    "sparse images": (DataError, Net, lambda: torch.from_numpy(UNIT).to_sparse(), {}, "is sparse"),
    "masked images": (
        *(DataError, Net, lambda: np.ma.masked_greater(UNIT, 0.5), {}),
        "is masked in places",
    ),
    "weights alone": (ModelError, lambda: {"net": Net().state_dict()}, lambda: UNIT, {}, "weights"),
    "weights without numbers": (
        *(ModelError, lambda: Net().to("meta"), lambda: UNIT, {}),
        "'encoder.1.weight' have no numbers yet",
    ),
    "no way back": (
        *(ModelError, lambda: FactorAnalysis(2), lambda: UNIT, {}),
        "has transform and no inverse_transform",
    ),
    "a failing decode of arrays": (
        ModelError,
        lambda: (functions()[0], lambda z: functions()[1](z[:, :2])),
        lambda: UNIT,
        {},
        "decode fails on arrays: ValueError: matmul",
    ),
    "complex codes": (
        *(ModelError, lambda: (lambda x: np.fft.fft(x.reshape(len(x), -1)), len), lambda: UNIT, {}),
        "encode returns complex numbers",
    ),
    "a batch of its own": (ModelError, EightAtOnce, lambda: UNIT, {}, "fails on 24 images at once"),
    "a shape that is no list": (
        SettingsError,
        Net,
        lambda: UNIT,
        {"input_shape": 36},
        "[channels,",
    ),
    "a scale of words": (
        *(SettingsError, Net, lambda: UNIT, {"normalize": ("a", "b")}),
        "normalize is ('a', 'b'); give (means",
    ),
    "a scale not known": (
        *(ModelError, Net, lambda: UNIT, {"normalize": "0,2"}),
        "normalize='0,2' is not known",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(case: str) -> None:
    error, model, images, said, words = BAD[case]
    text = refused(error, model(), images(), **said)
    assert words in text


def test_pictures_of_other_modes_are_read_as_files_are() -> None:
    colour = [Image.new("RGB", (4, 4), (row, 0, 0)) for row in range(5)]
    mixed = [*colour, Image.new("L", (4, 4), 7), Image.new("P", (4, 4))]
    images = opened((lambda x: x.flatten(1), lambda z: z.reshape(-1, 3, 4, 4)), mixed).images
    assert images.shape == (3, 4, 4)
    np.testing.assert_allclose(read(images)[5], 7 / 255)


class OfClass(torch.nn.Module):
    """Reconstructs from three numbers and the image's class."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.classes = torch.nn.Embedding(2, SIDE * SIDE)

    def encode(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :3] + self.classes(c)[:, :3]

    def decode(self, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return (self.classes(c) + z.sum(1, keepdim=True)).view(-1, 1, SIDE, SIDE)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x, c), c)


def test_a_conditional_model_has_labels_for_the_images_to_fit_on_too(tmp_path: Path) -> None:
    said: dict[str, Any] = {"condition": "labels", "normalize": "0,1", "output": "pixels"}
    classes = [n % 2 for n in range(COUNT)]
    np.save(tmp_path / "classes.npy", np.array(classes))
    images = {"images": UNIT, "fit_images": UNIT, "labels": classes}
    for fit_labels in (classes, tmp_path / "classes.npy"):
        subject = opened(OfClass(), **images, fit_labels=fit_labels, **said)
        assert subject.fit_images is not None
        assert subject.fit_images.labels == subject.images.labels
        assert subject.autoencoder.is_conditional
    with pytest.raises(SettingsError, match="fit_labels are classes of fit_images"):
        opened(OfClass(), UNIT, labels=classes, fit_labels=classes, **said)
