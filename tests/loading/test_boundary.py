"""The code is where the model itself has it, whatever the file: narrower points do not count."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder
from reportgen.errors import ModelError
from reportgen.loading import autoencoder_from_module
from tests.loading.files import FORMATS, export, load
from tests.loading.image_array import ImageArray, random_images
from tests.loading.test_onnx import export_onnx
from tests.loading.zoo import Member, seeded
from tests.slow import slow_but

SHAPE = (1, 16, 16)


class NarrowBefore(nn.Module):
    """A hidden layer narrower than the mean that is computed from it."""

    hidden = 6
    when = "always"

    def __init__(self) -> None:
        super().__init__()
        self.samples = self.when
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(256, self.hidden))
        self.mean, self.spread = nn.Linear(self.hidden, 8), nn.Linear(self.hidden, 8)
        self.back = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 256), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.body(x)
        mean, spread = self.mean(hidden), self.spread(hidden)
        code = mean
        if self.samples == "always" or (self.samples == "in training" and self.training):
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        return self.back(code).view(-1, 1, 16, 16), mean, spread


class EqualBefore(NarrowBefore):
    """A hidden layer as narrow as the mean."""

    hidden = 8


class SamplesInTraining(NarrowBefore):
    when = "in training"


class ReturnsImageAlone(SamplesInTraining):
    """Only its training mode tells where the mean is."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class NarrowInDecoder(NarrowBefore):
    """A layer of the decoder narrower than the code."""

    hidden = 32

    def __init__(self) -> None:
        super().__init__()
        self.back = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 256), nn.Sigmoid())


def onnx(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    given = torch.rand(2, *member.shape, generator=torch.Generator().manual_seed(1))
    export_onnx(member.make(), given, folder / "model.onnx")
    return load(folder / "model.onnx", images)


def onnx_by_dynamo(member: Member, folder: Path, images: ImageArray) -> Autoencoder:
    given = torch.rand(2, *member.shape, generator=torch.Generator().manual_seed(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            member.make(),
            (given,),
            folder / "model.onnx",
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )
    return load(folder / "model.onnx", images)


EVERY_FORMAT = {**FORMATS, "onnx": onnx, "onnx_by_dynamo": onnx_by_dynamo}


def in_every_format(first: type[nn.Module], *others: type[nn.Module]) -> list[object]:
    """The first model in every format, and the others in two: the rest of them are slow."""
    return [
        pytest.param(
            model,
            name,
            id=f"{model.__name__}-{name}",
            marks=() if model is first or name in ("in_memory", "exported") else pytest.mark.slow,
        )
        for model in (first, *others)
        for name in EVERY_FORMAT
    ]


def of(make: type[nn.Module], shape: tuple[int, int, int] = SHAPE) -> Member:
    return Member(make.__name__, seeded(make), shape, lambda m, x: x, lambda m, z: z)


def units_of(
    make: type[nn.Module], name: str, folder: Path, code: Callable[[nn.Module, Tensor], Tensor]
) -> Autoencoder:
    """What is loaded, once its codes were found to be those of the module's own code."""
    images = random_images(SHAPE)
    found = EVERY_FORMAT[name](of(make), folder, images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        expected = code(seeded(make)(), pixels)
    assert found.code_shape == tuple(expected.shape[1:]), [note.text for note in found.notes]
    torch.testing.assert_close(found.encode(pixels), expected, atol=1e-5, rtol=1e-5)
    return found


def mean(module: nn.Module, pixels: Tensor) -> Tensor:
    return module.mean(module.body(pixels))


def sd(module: nn.Module, pixels: Tensor) -> Tensor:
    return torch.exp(0.5 * module.spread(module.body(pixels)))


@pytest.mark.parametrize(
    ("make", "name"),
    in_every_format(NarrowBefore, EqualBefore, NarrowInDecoder, SamplesInTraining),
)
def test_the_code_is_the_mean_that_noise_is_added_to(
    make: type[nn.Module], name: str, tmp_path: Path
) -> None:
    found = units_of(make, name, tmp_path, mean)
    pixels = torch.from_numpy(random_images(SHAPE).pixels)
    assert found.posterior_sd is not None, [note.text for note in found.notes]
    with torch.no_grad():
        expected = sd(seeded(make)(), pixels)
    torch.testing.assert_close(found.posterior_sd(pixels), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["in_memory", "weights", "exported_in_training"])
def test_noise_that_only_training_adds_shows_the_mean(name: str, tmp_path: Path) -> None:
    found = units_of(ReturnsImageAlone, name, tmp_path, mean)
    assert found.posterior_sd is not None


class Book(nn.Module):
    """A code book read in one of four ways, wider than the image or not."""

    depth, words, ending = 8, 6, "plain"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, self.depth, 4, 2, 1), nn.ReLU(), nn.Conv2d(self.depth, self.depth, 4, 2, 1)
        )
        self.book = nn.Embedding(self.words, self.depth)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(self.depth, self.depth, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(self.depth, 1, 4, 2, 1),
        )

    def quantised(self, z: Tensor) -> Tensor:
        flat = z.permute(0, 2, 3, 1)
        places = (flat.unsqueeze(-2) - self.book.weight).norm(2, dim=-1).argmin(-1)
        return self.book(places).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.encoder(x)
        quantised = self.quantised(z)
        return self.decoder(quantised), z, quantised


class StraightThrough(Book):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        z = self.encoder(x)
        return self.decoder(z + (self.quantised(z) - z).detach())


class WideBook(Book):
    """64 channels at 16 sites: four times as many numbers as the image has."""

    depth = 64


class ManyWords(Book):
    words = 300


class InsideDecode(Book):
    """Its own decode quantises first."""

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.quantised(z))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return self.decode(self.encode(x))


class NarrowBeforeBook(Book):
    """A layer in mid-encoder as narrow as what the book gives."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder.append(nn.Conv2d(self.depth, 2, 1)).append(nn.ReLU())
        self.encoder.append(nn.Conv2d(2, self.depth, 1))


@pytest.mark.parametrize(
    ("make", "name"),
    in_every_format(Book, StraightThrough, WideBook, ManyWords, InsideDecode, NarrowBeforeBook),
)
def test_the_code_of_a_code_book_is_what_the_book_gives(
    make: type[Book], name: str, tmp_path: Path
) -> None:
    found = units_of(make, name, tmp_path, lambda m, x: m.quantised(m.encoder(x)))
    assert found.posterior_sd is None
    assert found.code_book is not None
    torch.testing.assert_close(
        torch.from_numpy(found.code_book), seeded(make)().book.weight.detach(), atol=0, rtol=0
    )


class InRows(Book):
    """Words of 3 numbers, in rows of one row of books, behind a layer at each site."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.widen = nn.Linear(self.depth, 3), nn.Linear(3, self.depth)
        self.register_buffer("words_in_rows", torch.randn(1, self.words, 3))

    def quantised(self, z: Tensor) -> Tensor:
        rows = self.narrow(z.flatten(2).transpose(1, 2))
        flat = rows.reshape(1, -1, 3)
        places = (-torch.cdist(flat, self.words_in_rows)).argmax(-1)
        chosen = self.words_in_rows[0][places[0]].view(rows.shape)
        return self.widen(chosen).transpose(1, 2).reshape(z.shape)


@pytest.mark.parametrize("name", ["in_memory", "weights", "exported"])
def test_words_behind_a_layer_at_each_site_are_the_code_as_the_decoder_takes_it(
    name: str, tmp_path: Path
) -> None:
    found = units_of(InRows, name, tmp_path, lambda m, x: m.quantised(m.encoder(x)))
    module = seeded(InRows)()
    with torch.no_grad():
        words = module.widen(module.words_in_rows[0])
    assert found.code_book is not None
    torch.testing.assert_close(torch.from_numpy(found.code_book), words)


@pytest.mark.parametrize("make", [Book, StraightThrough])
@pytest.mark.parametrize("name", ["exported", "weights"])
def test_a_named_code_book_gives_its_words_as_channels(
    make: type[Book], name: str, tmp_path: Path
) -> None:
    images = random_images(SHAPE)
    module = seeded(make)()
    if name == "exported":
        export(module, torch.rand(2, *SHAPE), tmp_path / "model.bin")
        found = load(tmp_path / "model.bin", images, bottleneck="book")
    else:
        found = autoencoder_from_module(
            module, images, normalize="0,1", output="pixels", bottleneck="book"
        )
    assert found.code_shape == (8, 4, 4)
    assert found.code_book is not None


def test_a_submodule_that_holds_others_can_be_named(tmp_path: Path) -> None:
    images = random_images(SHAPE)
    export(seeded(NarrowBefore)(), torch.rand(2, *SHAPE), tmp_path / "model.bin")
    found = load(tmp_path / "model.bin", images, bottleneck="body")
    assert found.code_shape == (6,)


class Wide(nn.Module):
    """512 numbers for 256 pixels, between an encoder and a decoder of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 16, 2, 2), nn.ReLU(), nn.ConvTranspose2d(16, 1, 2, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(torch.tanh(self.encoder(x)))


@pytest.mark.parametrize("name", slow_but(["in_memory", "exported", "onnx"], EVERY_FORMAT))
def test_a_code_wider_than_the_image_is_taken_between_the_models_own_halves(
    name: str, tmp_path: Path
) -> None:
    found = units_of(Wide, name, tmp_path, lambda m, x: torch.tanh(m.encoder(x)))
    assert any("compresses nothing" in note.text for note in found.notes)


class KeptSkip(nn.Module):
    """The decoder adds what the encoder left in the model: the code alone is not enough."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 1, 4, 4), nn.ConvTranspose2d(1, 1, 4, 4)
        self.kept: Tensor | None = None

    def encode(self, x: Tensor) -> Tensor:
        self.kept = x
        return self.down(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.up(z) + self.kept

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def test_a_decoder_that_uses_what_the_encoder_left_in_the_model_is_no_decoder() -> None:
    with pytest.raises(ModelError, match="bypassed"):
        autoencoder_from_module(seeded(KeptSkip)(), random_images(SHAPE))


class TwoBooks(Book):
    """A coarse book and a fine one, as in VQ-VAE-2: the decoder takes both, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.coarser = nn.Conv2d(8, 8, 2, 2)
        self.finer = nn.Conv2d(16, 8, 1)
        self.coarse_book = nn.Embedding(self.words, self.depth)
        self.enlarge = nn.ConvTranspose2d(8, 8, 2, 2)
        self.last = nn.Conv2d(16, 8, 1)

    def pair(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        flat = self.coarser(z).permute(0, 2, 3, 1)
        nearest = (-(flat.unsqueeze(-2) - self.coarse_book.weight).square().sum(-1)).max(-1)
        coarse = self.coarse_book(nearest[1]).permute(0, 3, 1, 2)
        fine = self.quantised(self.finer(torch.cat([self.enlarge(coarse), z], 1)))
        return torch.cat([self.enlarge(coarse), fine], 1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return self.decoder(self.last(self.pair(x)))


@pytest.mark.parametrize("name", ["in_memory", "exported", "traced", "onnx"])
def test_the_code_of_two_books_is_what_the_decoder_takes_of_both(name: str, tmp_path: Path) -> None:
    units_of(TwoBooks, name, tmp_path, lambda m, x: m.pair(x))


class CannotBeTraced(nn.Module):
    """Joins a mean and a choice before its own decode; its forward asks pixels for numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.ReLU())
        self.mean, self.kind = nn.Linear(32, 4), nn.Linear(32, 3)
        self.back = nn.Linear(7, 256)

    def encode(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x)
        return {"continuous": self.mean(hidden), "discrete": self.kind(hidden).softmax(1)}

    def joined(self, x: Tensor) -> Tensor:
        found = self.encode(x)
        kinds = torch.zeros(len(x), 3)
        for row, kind in enumerate(found["discrete"].argmax(1).tolist()):
            kinds[row, kind] = 1
        return torch.cat([found["continuous"], kinds], 1)

    def decode(self, z: Tensor) -> Tensor:
        return self.back(z).view(-1, 1, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.joined(x))


@pytest.mark.parametrize("name", ["in_memory", "weights"])
def test_where_a_graph_cannot_be_traced_the_code_is_what_decode_is_called_with(
    name: str, tmp_path: Path
) -> None:
    units_of(CannotBeTraced, name, tmp_path, lambda m, x: m.joined(x))
