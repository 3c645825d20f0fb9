"""Makes every file of `sample_models/` again: the images, and the three models.

    python sample_models/train.py            # everything that is shipped, in this order
    python sample_models/train.py images     # only the images
    python sample_models/train.py fashion_vae fashion_autoencoder shapes
    python sample_models/train.py sprites    # images of known factors, which are not shipped

Needs torch, numpy, scikit-learn and Pillow, and Fashion-MNIST in its IDX files. On Debian and
Ubuntu: `apt install dataset-fashion-mnist`; elsewhere put the four files of
https://github.com/zalandoresearch/fashion-mnist in a folder and name it with `--fashion-mnist`.

Everything is seeded and runs on one thread: the same machine and the same version of torch make the
same bytes. Each part prints what its README quotes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from fashion_autoencoder.model import FashionAutoencoder
from fashion_vae.model import FashionVAE
from PIL import Image
from shapes.model import ShapesVAE
from shapes.rendering import FACTORS, HELD_OUT_SEED, TRAINING_SEED, draw_factors, render
from sklearn.decomposition import PCA
from sprites import rendering as sprites
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
SEED = 3
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
IMAGES_PER_CLASS = 100
SHAPES_TRAINED, SHAPES_HELD_OUT = 20_000, 800
SPRITES = 2_000
Loss = Callable[[nn.Module, Tensor, float], Tensor]


# ---------------------------------------------------------------------------------------------
# Images


def read_idx(path: Path) -> np.ndarray:
    """One gzipped IDX file of unsigned bytes as an array of the shape in its header."""
    if not path.is_file():
        sys.exit(
            f"{path} is missing: `apt install dataset-fashion-mnist` (Debian, Ubuntu), or download "
            "the four files of https://github.com/zalandoresearch/fashion-mnist into a folder and "
            "name it with --fashion-mnist."
        )
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def as_pixels(images: np.ndarray) -> Tensor:
    """uint8 images (n, H, W) or (n, C, H, W) → float32 (n, C, H, W) in [0, 1]."""
    if images.ndim == 3:
        images = images[:, None]
    return torch.from_numpy(images.copy()).float() / 255.0


def empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make_images(fashion_mnist: Path) -> None:
    """Writes the held-out images of all samples as PNG."""
    pictures = read_idx(fashion_mnist / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(fashion_mnist / "t10k-labels-idx1-ubyte.gz")
    rng = np.random.default_rng(SEED)
    for label, name in enumerate(CLASSES):
        folder = empty_folder(HERE / "fashion_images" / name)
        chosen = rng.choice(np.flatnonzero(labels == label), IMAGES_PER_CLASS, replace=False)
        for number in np.sort(chosen):
            Image.fromarray(pictures[number]).save(folder / f"{number:04d}.png", optimize=True)

    folder = empty_folder(HERE / "shapes" / "images")
    factors = draw_factors(SHAPES_HELD_OUT, HELD_OUT_SEED)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *FACTORS])
        for number, (row, image) in enumerate(zip(factors, render(factors), strict=True)):
            name = f"{number:04d}.png"
            Image.fromarray(image.transpose(1, 2, 0)).save(folder / name, optimize=True)
            table.writerow([name, *(f"{value:.3f}" for value in row)])


def make_sprites(_: Path) -> None:
    """Writes sprites after dSprites with their five factors, to try the scores of labels on."""
    folder = empty_folder(HERE / "sprites" / "images")
    factors = sprites.draw_factors(SPRITES)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *sprites.FACTORS])
        for number, (row, image) in enumerate(zip(factors, sprites.render(factors), strict=True)):
            name = f"{number:04d}.png"
            Image.fromarray(image).save(folder / name, optimize=True)
            table.writerow([name, *row])


def shipped_images(folder: Path) -> Tensor:
    """The PNG files below a folder, in the order of their paths, as pixels."""
    pictures = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
        pictures.append(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
    return as_pixels(np.stack(pictures))


# ---------------------------------------------------------------------------------------------
# Training


def squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Squared error summed over pixels, mean over images."""
    return (reconstruction - images).square().sum() / len(images)


def beta_vae_loss(scale: float, beta: Callable[[float], float]) -> Loss:
    """The β-VAE loss (Higgins et al. 2017): `scale` × squared error + β × KL divergence.

    A scale of 1 / (2 s²) stands for Gaussian pixels of standard deviation s. β may change with the
    progress of training, from 0 to 1.
    """

    def loss(network: nn.Module, images: Tensor, progress: float) -> Tensor:
        reconstruction, mean, log_variance = network(images)
        error = ((reconstruction - images) ** 2).sum()
        divergence = (1 + log_variance - mean**2 - log_variance.exp()).sum()
        return (scale * error - 0.5 * beta(progress) * divergence) / len(images)

    return loss


def softening_loss(network: nn.Module, images: Tensor, progress: float) -> Tensor:
    """A β-VAE loss with Gaussian pixels of standard deviation .1 whose β falls from 40 to 2.

    A hard bottleneck first finds the place, a softer one the other factors.
    """
    reconstruction, mean, log_variance = network(images)
    beta = 40.0 * (2.0 / 40.0) ** min(1, progress / 0.6)
    divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
    error = squared_error(reconstruction, images) / (2 * 0.1**2)
    return error + beta * divergence.sum() / len(images)


def train(
    network: nn.Module,
    images: Tensor,
    loss: Loss,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    rate: float = 2e-3,
) -> None:
    """Adam with one cycle of the learning rate; prints the loss and the seconds of each epoch."""
    order = torch.Generator().manual_seed(seed)
    batches = len(images) // batch_size
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=epochs * batches, pct_start=0.1
    )
    network.train().to(memory_format=torch.channels_last)
    started = time.perf_counter()
    for epoch in range(epochs):
        shuffled = torch.randperm(len(images), generator=order)
        total = 0.0
        for batch in range(batches):
            rows = images[shuffled[batch * batch_size : (batch + 1) * batch_size]]
            value = loss(network, rows, (epoch + batch / batches) / epochs)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
            total += value.item()
        seconds = time.perf_counter() - started
        print(f"  epoch {epoch + 1:2d}: loss {total / batches:9.3f}, {seconds:4.0f} s", flush=True)
    network.eval().to(memory_format=torch.contiguous_format)


# ---------------------------------------------------------------------------------------------
# Files


def save_exported(network: nn.Module, example: Tensor, path: Path) -> None:
    """`torch.export` of the whole network with a dynamic batch.

    The source lines that torch notes on each node are dropped: they hold this machine's paths.
    """
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (example.clone(),), dynamic_shapes=({0: batch},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def save_scripted(network: nn.Module, path: Path) -> None:
    """TorchScript without its debug records: they hold this machine's paths."""
    whole = io.BytesIO()
    torch.jit.save(torch.jit.script(network), whole)
    whole.seek(0)
    reader = torch._C.PyTorchFileReader(whole)
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and not name.startswith((".data/", "version")):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()


# ---------------------------------------------------------------------------------------------
# Samples


def report(network: nn.Module, reconstruct: Callable[[Tensor], Tensor], units: int,
           trained_on: Tensor, folder: Path) -> None:  # fmt: skip
    """Prints the mean squared error on the shipped images, beside PCA with as many components."""
    images = shipped_images(folder)
    odd, even = images[1::2].flatten(1).numpy(), images[::2].flatten(1).numpy()

    def pca_error(fitted_on: np.ndarray, scored: np.ndarray) -> float:
        pca = PCA(units, svd_solver="covariance_eigh").fit(fitted_on)
        return float(np.mean((scored - pca.inverse_transform(pca.transform(scored))) ** 2))

    with torch.inference_mode():
        errors = (reconstruct(images) - images).square().flatten(1).mean(1).double()
    parameters = sum(weight.numel() for weight in network.parameters())
    print(f"  {parameters} parameters; mean squared error on the {len(images)} shipped images:")
    everything = pca_error(trained_on.flatten(1).numpy(), images.flatten(1).numpy())
    print(f"  model {errors.mean():.5f}, PCA fitted on its training images {everything:.5f};")
    print(f"  even rows: model {errors[::2].mean():.5f}, PCA of the odd {pca_error(odd, even):.5f}")


def make_fashion_vae(fashion_mnist: Path) -> None:
    images = as_pixels(read_idx(fashion_mnist / "train-images-idx3-ubyte.gz"))
    torch.manual_seed(0)
    network = FashionVAE()
    torch.manual_seed(0)
    train(
        network,
        images,
        beta_vae_loss(10.0, lambda progress: 4.0 * min(1.0, progress / 0.01)),
        epochs=12,
        batch_size=128,
        seed=0,
    )
    save_exported(network, images[:2], HERE / "fashion_vae" / "model.pt2")
    report(network, lambda x: network.decode(network.encode(x)[0]), 10, images,
           HERE / "fashion_images")  # fmt: skip


def make_fashion_autoencoder(fashion_mnist: Path) -> None:
    images = as_pixels(read_idx(fashion_mnist / "train-images-idx3-ubyte.gz"))
    network = FashionAutoencoder()
    train(
        network,
        images,
        lambda net, x, _: squared_error(net(x), x),
        epochs=3,
        batch_size=256,
        seed=SEED,
    )
    save_scripted(network, HERE / "fashion_autoencoder" / "model.pt")
    report(network, network, 8, images, HERE / "fashion_images")


def make_shapes(_: Path) -> None:
    images = as_pixels(render(draw_factors(SHAPES_TRAINED, TRAINING_SEED)))
    network = ShapesVAE()
    train(network, images, softening_loss, epochs=8, batch_size=64, seed=SEED)
    save_exported(network, images[:2], HERE / "shapes" / "model.pt2")
    torch.save(network.state_dict(), HERE / "shapes" / "weights.pt")
    report(network, lambda x: network(x)[0], 6, images, HERE / "shapes" / "images")


PARTS = {
    "images": make_images,
    "fashion_vae": make_fashion_vae,
    "fashion_autoencoder": make_fashion_autoencoder,
    "shapes": make_shapes,
}
UNSHIPPED = {"sprites": make_sprites}


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the sample models and their images again.")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"{', '.join(PARTS)} (default: these), {', '.join(UNSHIPPED)}",
    )
    parser.add_argument(
        "--fashion-mnist",
        type=Path,
        default=Path("/usr/share/datasets/fashion-mnist"),
        help="the folder with Fashion-MNIST's four .gz files (default: %(default)s)",
    )
    arguments = parser.parse_args()
    known = PARTS | UNSHIPPED
    unknown = set(arguments.parts) - set(known)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for part in [name for name in known if name in (arguments.parts or PARTS)]:
        torch.manual_seed(SEED)
        started = time.perf_counter()
        print(part, flush=True)
        known[part](arguments.fashion_mnist)
        print(f"  done in {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
