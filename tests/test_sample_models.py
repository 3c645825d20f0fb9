"""The shipped samples: sizes, safe loading, images, labels, and what their READMEs quote."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from torch import Tensor

SAMPLES = Path(__file__).resolve().parent.parent / "sample_models"
MODEL_FILES = (
    "fashion_vae/model.pt2",
    "fashion_autoencoder/model.pt",
    "shapes/model.pt2",
    "shapes/weights.pt",
)
CODE_SIZES = {"fashion_vae": 10, "fashion_autoencoder": 8, "shapes": 6}
FACTORS = {
    "size": (5.0, 9.0),
    "x": (10.5, 21.5),
    "y": (10.5, 21.5),
    "rotation": (-60.0, 60.0),
    "hue": (0.0, 240.0),
}


def python_file(path: str) -> ModuleType:
    """A Python file of the samples as a module, without touching sys.path."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_")[:-3], SAMPLES / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shipped_images(folder: str) -> Tensor:
    """(n, C, H, W) in [0, 1], in the order of the sorted paths."""
    pictures = []
    for path in sorted((SAMPLES / folder).rglob("*.png")):
        pixels = np.asarray(Image.open(path), dtype=np.float32) / 255.0
        pictures.append(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pictures))


@pytest.fixture(scope="module")
def fashion_images() -> Tensor:
    return shipped_images("fashion_images")


@pytest.fixture(scope="module")
def shapes_images() -> Tensor:
    return shipped_images("shapes/images")


@pytest.fixture(scope="module")
def shapes_labels() -> np.ndarray:
    """(n, 5) factors in the order of the columns."""
    with (SAMPLES / "shapes/images/labels.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["file", *FACTORS]
    return np.array([[float(value) for value in row[1:]] for row in table[1:]])


def variational(sample: str) -> torch.nn.Module:
    """The sample's class with the weights of its exported program, in evaluation mode."""
    name = {"fashion_vae": "FashionVAE", "shapes": "ShapesVAE"}[sample]
    network = getattr(python_file(f"{sample}/model.py"), name)()
    network.load_state_dict(torch.export.load(SAMPLES / sample / "model.pt2").state_dict)
    return network.eval()


@torch.inference_mode()
def posterior(sample: str, images: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the codes (n, K), and the divergence (n, K) of each posterior from the prior."""
    mean, log_variance = variational(sample).encode(images)
    divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0)
    return mean.double().numpy(), divergence.double().numpy()


@torch.inference_mode()
def reconstruct(sample: str, images: Tensor) -> Tensor:
    if sample == "fashion_autoencoder":
        return torch.jit.load(SAMPLES / sample / "model.pt")(images)
    network = variational(sample)
    return network.decode(network.encode(images)[0])


def squared_errors(sample: str, images: Tensor) -> np.ndarray:
    return (reconstruct(sample, images) - images).double().square().flatten(1).mean(1).numpy()


# Files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_model_file_is_smaller_than_1500_kB(name: str) -> None:
    assert 50_000 < (SAMPLES / name).stat().st_size < 1_500_000


def test_the_whole_folder_is_smaller_than_12_MB() -> None:
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_model_file_holds_no_path_of_the_machine_and_no_date(name: str) -> None:
    with zipfile.ZipFile(SAMPLES / name) as archive:
        for entry in archive.infolist():
            content = archive.read(entry)
            assert entry.date_time[0] == 1980
            assert not re.search(rb"site-packages|train\.py|sample_models|/home/|/root/", content)


@pytest.mark.parametrize("sample", ["fashion_vae", "shapes"])
def test_an_exported_program_loads_without_pickles_and_takes_any_batch(
    sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    program = torch.export.load(SAMPLES / sample / "model.pt2").module()
    shape = (1, 28, 28) if sample == "fashion_vae" else (3, 32, 32)
    for rows in (1, 5):
        images = torch.rand(rows, *shape, generator=torch.Generator().manual_seed(rows))
        reconstruction, mean, log_variance = program(images)
        expected = variational(sample).encode(images)
        assert reconstruction.shape == images.shape
        assert reconstruction.min() >= 0.0 and reconstruction.max() <= 1.0
        torch.testing.assert_close((mean, log_variance), expected, rtol=1e-5, atol=1e-5)


def test_the_fashion_vae_samples_in_evaluation_mode_and_the_shapes_vae_does_not(
    fashion_images: Tensor, shapes_images: Tensor
) -> None:
    fashion = torch.export.load(SAMPLES / "fashion_vae" / "model.pt2").module()
    shapes = torch.export.load(SAMPLES / "shapes" / "model.pt2").module()
    with torch.inference_mode():
        assert not torch.equal(fashion(fashion_images[:4])[0], fashion(fashion_images[:4])[0])
        assert torch.equal(shapes(shapes_images[:4])[0], shapes(shapes_images[:4])[0])


def test_the_torchscript_file_carries_encode_and_decode(fashion_images: Tensor) -> None:
    network = torch.jit.load(SAMPLES / "fashion_autoencoder" / "model.pt")
    with torch.inference_mode():
        code = network.encode(fashion_images[:7])
        assert code.shape == (7, 8)
        torch.testing.assert_close(network.decode(code), network(fashion_images[:7]))


def test_the_weights_of_the_shapes_model_are_plain_tensors_equal_to_the_exported_ones() -> None:
    weights = torch.load(SAMPLES / "shapes" / "weights.pt", weights_only=True)
    exported = torch.export.load(SAMPLES / "shapes" / "model.pt2").state_dict
    assert weights.keys() == exported.keys()
    assert all(torch.equal(weights[name], exported[name]) for name in weights)
    python_file("shapes/model.py").ShapesVAE().load_state_dict(weights)


# Images -----------------------------------------------------------------------------------------


def test_fashion_images_are_100_pictures_of_each_of_ten_classes_without_repeats() -> None:
    folders = [path for path in (SAMPLES / "fashion_images").iterdir() if path.is_dir()]
    assert len(folders) == 10
    numbers = [path.stem for folder in folders for path in folder.glob("*.png")]
    assert all(len(list(folder.glob("*.png"))) == 100 for folder in folders)
    assert len(set(numbers)) == 1000
    assert all(0 <= int(number) < 10_000 for number in numbers)


def test_fashion_images_are_grey_28_by_28_and_carry_their_licence(fashion_images: Tensor) -> None:
    assert fashion_images.shape == (1000, 1, 28, 28)
    assert fashion_images.min() == 0.0 and fashion_images.max() == 1.0
    notice = (SAMPLES / "fashion_images" / "LICENSE").read_text()
    assert "2017 Zalando SE" in notice and "Permission is hereby granted" in notice


def test_shapes_labels_name_every_image_once_and_lie_in_their_ranges(
    shapes_labels: np.ndarray,
) -> None:
    folder = SAMPLES / "shapes" / "images"
    with (folder / "labels.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert names == sorted(path.name for path in folder.glob("*.png"))
    assert len(names) >= 600
    for values, (low, high) in zip(shapes_labels.T, FACTORS.values(), strict=True):
        assert low <= values.min() and values.max() <= high
        assert values.max() - values.min() > 0.95 * (high - low)


def test_shapes_factors_are_independent(shapes_labels: np.ndarray) -> None:
    correlation = np.corrcoef(shapes_labels.T)
    assert np.abs(correlation - np.eye(len(FACTORS))).max() < 0.12


def test_shapes_labels_agree_with_what_is_measured_on_the_pixels(
    shapes_images: Tensor, shapes_labels: np.ndarray
) -> None:
    """Centre, area and axis from image moments, hue from the mean colour above the background."""
    pixels = shapes_images.double().numpy()
    above = pixels - pixels[:, :, :1, :1]
    coverage = np.abs(above).sum(1)
    coverage /= coverage.max(axis=(1, 2), keepdims=True)
    centres = np.arange(32) + 0.5
    area = coverage.sum(axis=(1, 2))
    x = (coverage.sum(1) * centres).sum(1) / area
    y = (coverage.sum(2) * centres).sum(1) / area
    across, down = (
        centres[None, None, :] - x[:, None, None],
        centres[None, :, None] - y[:, None, None],
    )
    xx, yy, xy = ((coverage * m).sum(axis=(1, 2)) for m in (across**2, down**2, across * down))
    rotation = -0.5 * np.degrees(np.arctan2(2.0 * xy, xx - yy))  # y grows downwards
    red, green, blue = above.sum(axis=(2, 3)).T / area
    hue = np.degrees(np.arctan2(np.sqrt(3.0) * (green - blue), 2.0 * red - green - blue)) % 360.0

    size, true_x, true_y, true_rotation, true_hue = shapes_labels.T
    np.testing.assert_allclose(x, true_x, atol=0.1)
    np.testing.assert_allclose(y, true_y, atol=0.1)
    np.testing.assert_allclose(area, 2.0 * size**2, rtol=0.05)
    np.testing.assert_allclose(rotation, true_rotation, atol=3.0)
    np.testing.assert_allclose((hue - true_hue + 180.0) % 360.0 - 180.0, 0.0, atol=3.0)


# Models -----------------------------------------------------------------------------------------


def test_the_fashion_vae_has_a_collapsed_unit_and_at_least_seven_live_ones(
    fashion_images: Tensor,
) -> None:
    mean, divergence = posterior("fashion_vae", fashion_images)
    collapsed = (divergence.mean(0) < 0.01) & (mean.var(0) < 0.01)
    live = divergence.mean(0) > 0.1
    assert collapsed.sum() >= 1
    assert live.sum() >= 7
    assert (collapsed | live).all()


def test_units_of_the_shapes_model_follow_single_factors(
    shapes_images: Tensor, shapes_labels: np.ndarray
) -> None:
    """Place and rotation have a unit of their own; size and hue are told by one unit, less well."""
    mean, _ = posterior("shapes", shapes_images)
    units = mean.shape[1]
    rank_correlation = np.abs(spearmanr(mean, shapes_labels).statistic[:units, units:])
    unit, factor = linear_sum_assignment(-rank_correlation)
    strength = dict(
        zip(np.array(list(FACTORS))[factor], rank_correlation[unit, factor], strict=True)
    )
    assert min(strength["x"], strength["y"], strength["rotation"]) > 0.85, strength
    assert min(strength["size"], strength["hue"]) > 0.7, strength


# READMEs ----------------------------------------------------------------------------------------

TABLE_ROW = re.compile(
    r"^\|[^|]*\b(?P<rows>all|even)\b[^|]*\| (?P<model>0\.\d+) \| (?P<pca>0\.\d+)"
)


def quoted_errors(sample: str) -> dict[str, tuple[str, str]]:
    """Rows "all" and "even" of the README's table: the model's and PCA's error as printed."""
    lines = (SAMPLES / sample / "README.md").read_text().splitlines()
    found = [match for line in lines if (match := TABLE_ROW.match(line))]
    return {match["rows"]: (match["model"], match["pca"]) for match in found}


@pytest.mark.slow
@pytest.mark.parametrize("sample", CODE_SIZES)
def test_the_readme_quotes_the_errors_that_one_recomputes(
    sample: str, request: pytest.FixtureRequest
) -> None:
    name = "shapes_images" if sample == "shapes" else "fashion_images"
    images = request.getfixturevalue(name)
    pixels = images.flatten(1).numpy().astype(np.float64)
    errors = squared_errors(sample, images)
    quoted = quoted_errors(sample)
    pca = PCA(CODE_SIZES[sample], svd_solver="full").fit(pixels[1::2])
    even = pixels[::2]
    pca_error = np.mean((even - pca.inverse_transform(pca.transform(even))) ** 2)
    assert quoted["all"][0] == f"{errors.mean():.5f}"
    assert quoted["even"] == (f"{errors[::2].mean():.5f}", f"{pca_error:.5f}")
    assert errors[::2].mean() < 0.7 * pca_error


@pytest.mark.parametrize("sample", CODE_SIZES)
def test_the_readme_quotes_the_number_of_parameters(sample: str) -> None:
    if sample == "fashion_autoencoder":
        network = torch.jit.load(SAMPLES / sample / "model.pt")
    else:
        network = variational(sample)
    parameters = sum(weight.numel() for weight in network.parameters())
    assert f"{parameters:,} parameters" in (SAMPLES / sample / "README.md").read_text()


# train.py ---------------------------------------------------------------------------------------


def run_train(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SAMPLES / "train.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_train_without_fashion_mnist_says_how_to_get_it_and_writes_nothing(tmp_path: Path) -> None:
    before = sorted((SAMPLES / "fashion_images").rglob("*.png"))
    done = run_train("images", "--fashion-mnist", str(tmp_path))
    assert done.returncode == 1
    assert "apt install dataset-fashion-mnist" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((SAMPLES / "fashion_images").rglob("*.png")) == before


def test_rendering_again_gives_the_shipped_shapes_exactly(shapes_images: Tensor) -> None:
    rendering = python_file("shapes/rendering.py")
    factors = rendering.draw_factors(len(shapes_images), seed=rendering.HELD_OUT_SEED)
    again = rendering.render(factors)
    assert np.array_equal(again, np.rint(shapes_images.numpy() * 255.0).astype(np.uint8))


def test_sprites_have_the_factors_of_dsprites_and_stand_where_they_say() -> None:
    rendering = python_file("sprites/rendering.py")
    assert tuple(rendering.FACTORS.values()) == (3, 6, 40, 32, 32)
    factors = rendering.draw_factors(300)
    images = rendering.render(factors)
    assert set(np.unique(images)) == {0, 255}
    edges = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    assert not edges.any()
    down, across = np.mgrid[:64, :64]
    inside = images > 0
    area = inside.sum(axis=(1, 2))
    centre_x = (inside * across).sum(axis=(1, 2)) / area
    centre_y = (inside * down).sum(axis=(1, 2)) / area
    even = factors[:, 0] < 2
    for centre, factor in ((centre_x, factors[:, 3]), (centre_y, factors[:, 4])):
        slope, offset = np.polyfit(factor[even], centre[even], 1)
        assert slope == pytest.approx((64 - 30) / 31, abs=0.01)
        np.testing.assert_allclose(centre[even], offset + slope * factor[even], atol=0.5)
    for shape in range(3):
        chosen = factors[:, 0] == shape
        sizes = np.sqrt(area[chosen])
        assert np.corrcoef(sizes, factors[chosen, 1])[0, 1] > 0.98


def test_sprites_turn_with_their_orientation() -> None:
    rendering = python_file("sprites/rendering.py")
    turned = np.array([[1, 5, orientation, 16, 16] for orientation in range(20)])
    images = rendering.render(turned) > 0
    down, across = np.mgrid[:64, :64] - images.shape[1] / 2 + 0.5
    angles = []
    for image in images:
        x, y = across[image] - across[image].mean(), -(down[image] - down[image].mean())
        angles.append(0.5 * np.arctan2(2 * (x * y).mean(), (x * x).mean() - (y * y).mean()))
    expected = 2 * np.pi * np.arange(20) / 40
    apart = (np.array(angles) - expected + np.pi / 2) % np.pi - np.pi / 2
    assert np.abs(apart).max() < 0.06
