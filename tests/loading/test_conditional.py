"""Conditional models are fed each image's own class, as numbers or one-hot, through every door."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from reportgen.analyses import (
    DoesNotApplyError,
    ablation,
    additivity,
    between_images,
    contributions,
    direction_contributions,
    direction_moves,
    directions,
    linearity,
    traversal,
    trust,
)
from reportgen.analyses.shared.found_directions import found_directions
from reportgen.autoencoder import Autoencoder
from reportgen.errors import DataError, ModelError, SettingsError
from reportgen.live.walk import live_walk_or_reason
from reportgen.loading import autoencoder_from_module, load_autoencoder
from reportgen.process.ranks import ALONE
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from reportgen.suite.speed import timed
from tests.conftest import FEW
from tests.oracles.decoders import ArrayImages

COUNT, CLASSES = 60, 4
LABELS = tuple(str(number) for number in np.arange(COUNT) % CLASSES)
NUMBERS = torch.tensor([int(label) for label in LABELS])
PIXELS = np.random.default_rng(0).random((COUNT, 1, 6, 6), dtype=np.float32)
IMAGES = ArrayImages(PIXELS, labels=LABELS)
SAID = {"condition": "labels", "normalize": "0,1", "output": "pixels"}


class Indexed(nn.Module):
    """Labels are numbers, looked up in an embedding; noise is added in training and evaluation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = Encoder(nn.Embedding(CLASSES, 5))
        self.decoder = Decoder(nn.Embedding(CLASSES, 5))

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x, c)
        z = mean + torch.exp(0.5 * spread) * torch.randn_like(mean)
        return self.decoder(z, c), mean, spread


class Encoder(nn.Module):
    def __init__(self, looked_up: nn.Module) -> None:
        super().__init__()
        self.looked_up, self.layer = looked_up, nn.Linear(36 + 5, 6)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, spread = self.layer(torch.cat([x.flatten(1), self.looked_up(c)], 1)).chunk(2, 1)
        return mean, spread


class Decoder(nn.Module):
    def __init__(self, looked_up: nn.Module) -> None:
        super().__init__()
        self.looked_up, self.layer = looked_up, nn.Linear(3 + 5, 36)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return torch.tanh(self.layer(torch.cat([z, self.looked_up(c)], 1))).view(-1, 1, 6, 6)


class OneHot(nn.Module):
    """Labels are one-hot vectors, of more classes than the data has; a spatial code."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.down = nn.Conv2d(1 + classes, 2, 2, 2)
        self.up = nn.ConvTranspose2d(2 + classes, 1, 2, 2)

    def encode(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(self.down(beside(x, y)))

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(self.up(beside(z, y)))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.decode(self.encode(x, y), y)


def beside(x: Tensor, y: Tensor) -> Tensor:
    """Planes of y behind the channels of x."""
    planes = y.unsqueeze(2).unsqueeze(3).expand(-1, -1, x.shape[2], x.shape[3])
    return torch.cat([x, planes], 1)


def one_hot() -> Tensor:
    return functional.one_hot(NUMBERS, 7).float()


@pytest.fixture(scope="module")
def indexed() -> Study:
    return make_study(autoencoder_from_module(Indexed(), IMAGES, **SAID), IMAGES, FEW)


def own_codes(study: Study, codes: Callable[[Tensor, Tensor], Tensor], labels: Tensor) -> None:
    with torch.no_grad():
        expected = codes(torch.from_numpy(PIXELS), labels).flatten(1).numpy()
    rows = [int(name[6:-1]) for name in study.test.names]
    found = study.test.codes[:, : expected.shape[1]]
    np.testing.assert_allclose(found, expected[rows], atol=1e-6)


def test_codes_are_those_at_each_image_s_own_class(indexed: Study) -> None:
    model = Indexed().eval()
    own_codes(indexed, lambda x, c: model.encoder(x, c)[0], NUMBERS)
    rows = [int(name[6:-1]) for name in indexed.test.names]
    with torch.no_grad():
        codes, _ = model.encoder(torch.from_numpy(PIXELS), NUMBERS)
        images = model.decoder(codes, NUMBERS).flatten(1).numpy()
    np.testing.assert_allclose(indexed.test.reconstructions, images[rows], atol=1e-6)
    assert (len(indexed.units), indexed.autoencoder.code_size) == (3, 3)


def test_one_hot_vectors_are_as_wide_as_the_model_takes_them() -> None:
    study = make_study(autoencoder_from_module(OneHot(), IMAGES, **SAID), IMAGES, FEW)
    own_codes(study, OneHot().encode, one_hot())
    assert study.autoencoder.code_shape == (2, 3, 3)
    note = next(n.text for n in study.autoencoder.notes if n.topic == "condition")
    assert "one-hot vectors of 7" in note and "each image's own class" in note


def test_the_class_moves_with_no_unit(indexed: Study) -> None:
    moved = indexed.coalitions.panel(indexed.test.codes, indexed.coalitions.without_one())
    own = indexed.engine.labels_in(indexed.test.codes)
    for place in range(len(indexed.test)):
        codes = moved.row(place)
        assert (indexed.engine.labels_in(codes) == own[place]).all()
    assert set(own.tolist()) == {0, 1, 2, 3}


def test_last_in_effects_are_the_module_s_own(indexed: Study) -> None:
    model = Indexed().eval()
    rows = indexed.rows.statistics
    labels = torch.from_numpy(indexed.engine.labels_in(indexed.test.codes[rows]))
    with torch.no_grad():
        codes = torch.from_numpy(indexed.test.codes[rows, :3])
        whole = model.decoder(codes, labels).flatten(1)
        spread = (whole - whole.mean(0)).square().sum()
        for unit, own in enumerate(ablation.run(indexed).effects):
            without = codes.clone()
            without[:, unit] = float(indexed.baseline[unit])
            effect = (whole - model.decoder(without, labels).flatten(1)).square().sum() / spread
            assert own.effect.value == pytest.approx(float(effect), rel=1e-4)


def test_contributions_add_up_at_each_image_s_own_class(indexed: Study) -> None:
    answer = contributions.run(indexed)
    assert answer.completeness_error < 1e-5
    labels = indexed.engine.labels_in(indexed.test.codes[indexed.rows.pictures])
    assert len(set(labels.tolist())) > 1
    mean = torch.from_numpy(indexed.baseline[None, :3]).expand(len(labels), -1)
    with torch.no_grad():
        own = Indexed().eval().decoder(mean, torch.from_numpy(labels)).flatten(1).numpy()
    np.testing.assert_allclose(answer.class_starts, own, atol=1e-6)
    np.testing.assert_array_equal(answer.starts(), answer.class_starts)
    together = answer.starts() + answer.pictures.sum(axis=1)
    np.testing.assert_allclose(together, answer.reconstructions, atol=1e-5)


def test_a_unit_moves_alone_from_the_mean_code_of_the_image_s_own_class(indexed: Study) -> None:
    rows = indexed.rows.walks
    codes = torch.from_numpy(indexed.test.codes[rows])
    labels = torch.from_numpy(indexed.engine.labels_in(codes.numpy()))
    model, mean = Indexed().eval(), torch.from_numpy(indexed.baseline[:3])
    for unit in range(3):
        moved = mean.repeat(len(rows), 1)
        start = moved.clone()
        moved[:, unit] = codes[:, unit]
        with torch.no_grad():
            own = (model.decoder(moved, labels) - model.decoder(start, labels)).flatten(1)
        found = ablation.run(indexed).alone[:, unit]
        np.testing.assert_allclose(found, own.numpy(), atol=1e-6)


def test_questions_are_answered_or_say_why_not(indexed: Study) -> None:
    assert trust.run(indexed).bottleneck == trust.Bottleneck.COMPLETE
    assert trust.run(indexed).largest_cycle_error > 0
    assert traversal.run(indexed).supported.frames.shape[0] == len(indexed.rows.walks)
    assert additivity.run(indexed).up.gap.value >= 0
    # The three units and the indicators of classes 1 to 3.
    assert linearity.run(indexed).regressors == 6
    with pytest.raises(DoesNotApplyError, match="class"):
        directions.run(indexed)
    assert direction_moves.run(indexed).gap_up.value >= 0
    live, reason = live_walk_or_reason(indexed, traversal.run(indexed), None, None)
    assert live is None and "class" in reason


def test_directions_and_lines_between_images_hold_each_image_s_own_class(indexed: Study) -> None:
    assert direction_contributions.run(indexed).completeness_error < 1e-5
    found = indexed.shared(found_directions)
    rows = np.arange(6)
    orders = [np.arange(len(found.players))] * len(rows)
    paths = found.players.paths(indexed.test.codes[rows], 2, orders)
    own = indexed.engine.labels_in(indexed.test.codes[rows])
    for place in rows:
        codes = paths.row(place)
        assert (indexed.engine.labels_in(codes) == own[place]).all()
        np.testing.assert_array_equal(codes[0, :3], indexed.baseline[:3])
    for pair in between_images.run(indexed).pairs:
        assert pair.classes[0] == pair.classes[1]
    alone = dataclasses.replace(IMAGES, labels=tuple(map(str, range(COUNT))))
    study = make_study(autoencoder_from_module(OneHot(COUNT), alone, **SAID), alone, FEW)
    with pytest.raises(DoesNotApplyError, match="no two of the pictured images are of one"):
        between_images.run(study)
    # Classes that no fit row has are the test images' all the same.
    numbers = torch.tensor([int(name[6:-1]) for name in study.test.names])
    model, hot = OneHot(COUNT), functional.one_hot(numbers, COUNT).float()
    with torch.no_grad():
        codes = model.encode(torch.from_numpy(PIXELS[numbers.numpy()]), hot)
        images = model.decode(codes, hot).flatten(1).numpy()
    np.testing.assert_allclose(study.test.reconstructions, images, atol=1e-6)


class LinearWithClasses(nn.Module):
    """Decodes a linear map of the code, plus a picture of the class that no code can give."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.last = nn.Linear(36, 4), nn.Linear(4, 36)
        self.of_class = nn.Embedding(CLASSES, 36)

    def encode(self, x: Tensor, c: Tensor) -> Tensor:
        return self.first(x.flatten(1)) + self.of_class(c)[:, :4]

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        return (self.last(z) + 5 * self.of_class(c)).view(-1, 1, 6, 6)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.decode(self.encode(x, c), c)


def test_directions_of_a_linear_decoder_are_principal_axes_within_its_classes() -> None:
    model = LinearWithClasses()
    study = make_study(autoencoder_from_module(model, IMAGES, **SAID), IMAGES, FEW)
    found = study.shared(found_directions)
    labels = study.engine.labels_in(study.fit.codes)
    within = study.fit.reconstructions.astype(np.float64)
    for label in range(CLASSES):
        within[labels == label] -= within[labels == label].mean(axis=0)
    _, lengths, axes = np.linalg.svd(within, full_matrices=False)
    drawn = found.steps()[:, :4] @ model.last.weight.detach().numpy().T
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs((drawn * axes[: len(drawn)]).sum(axis=1)), 1, atol=1e-5)
    variances = lengths[:4] ** 2 / (lengths[:4] ** 2).sum()
    answer = direction_contributions.run(study)
    np.testing.assert_allclose(answer.variance_shares, variances, atol=1e-5)
    rest = next(share for share in answer.shares if share.unit == -1)
    assert abs(rest.share.value) < 1e-5


def test_the_posterior_sd_is_read_and_holds_nothing_of_the_class(indexed: Study) -> None:
    labels = indexed.engine.labels_in(indexed.test.codes)
    sd = indexed.engine.posterior_sd(indexed.test.images, labels)
    rows = [int(name[6:-1]) for name in indexed.test.names]
    with torch.no_grad():
        _, spread = Indexed().eval().encoder(torch.from_numpy(PIXELS), NUMBERS)
    np.testing.assert_allclose(sd[:, :3], torch.exp(0.5 * spread).numpy()[rows], rtol=1e-5)
    assert not sd[:, 3:].any()


def test_a_linear_class_is_linear() -> None:
    class Shifted(nn.Module):
        def encode(self, x: Tensor, c: Tensor) -> Tensor:
            return x.flatten(1)[:, :2]

        def decode(self, z: Tensor, c: Tensor) -> Tensor:
            image = z.repeat(1, 18) + 0.3 * (c * c).unsqueeze(1)
            return image.view(-1, 1, 6, 6)

        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            return self.decode(self.encode(x, c), c)

    study = make_study(autoencoder_from_module(Shifted(), IMAGES, **SAID), IMAGES, FEW)
    assert linearity.run(study).linear.value == pytest.approx(1, abs=1e-6)


def scripted(folder: Path) -> Path:
    path = folder / "scripted.pt"
    torch.jit.save(torch.jit.script(ScriptedPair(OneHot())), path)
    return path


class ScriptedPair(nn.Module):
    def __init__(self, model: OneHot) -> None:
        super().__init__()
        self.down, self.up = model.down, model.up

    @torch.jit.export
    def encode(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(self.down(beside(x, y)))

    @torch.jit.export
    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(self.up(beside(z, y)))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.decode(self.encode(x, y), y)


def encoded(found: Autoencoder) -> Tensor:
    with torch.no_grad():
        return found.encode(torch.from_numpy(PIXELS), NUMBERS)


def test_torchscript_with_two_inputs(tmp_path: Path) -> None:
    found = load_autoencoder(scripted(tmp_path), images=IMAGES, **SAID)
    with torch.no_grad():
        expected = OneHot().encode(torch.from_numpy(PIXELS), one_hot())
    torch.testing.assert_close(encoded(found), expected)


def test_weights_with_their_class_halves_and_functions(tmp_path: Path) -> None:
    code = "from tests.loading.test_conditional import CLASSES, Decoder, Encoder, Indexed, nn\n"
    code += "def encoder(): return Encoder(nn.Embedding(CLASSES, 5))\n"
    code += "def decoder(): return Decoder(nn.Embedding(CLASSES, 5))\n"
    code += "def load():\n    m = Indexed().eval()\n"
    code += "    return lambda x, y: m.encoder(x, y)[0], m.decoder\n"
    file = tmp_path / "net.py"
    file.write_text(code)
    model = Indexed()
    for name, part in (("w", model), ("e", model.encoder), ("d", model.decoder)):
        torch.save(part.state_dict(), tmp_path / f"{name}.pt")
    whole = load_autoencoder(
        tmp_path / "w.pt", images=IMAGES, model_class=f"{file}:Indexed", **SAID
    )
    halves = load_autoencoder(
        tmp_path / "e.pt",
        images=IMAGES,
        decoder=str(tmp_path / "d.pt"),
        model_class=f"{file}:encoder,{file}:decoder",
        **SAID,
    )
    function = load_autoencoder(f"{file}:load", images=IMAGES, **SAID)
    with torch.no_grad():
        expected, _ = model.eval().encoder(torch.from_numpy(PIXELS), NUMBERS)
    for found in (whole, halves, function):
        torch.testing.assert_close(encoded(found), expected)


def test_names_of_classes_stand_in_their_order() -> None:
    names = tuple("dcba"[int(label)] for label in LABELS)
    named = dataclasses.replace(IMAGES, labels=names)
    found = autoencoder_from_module(Indexed(), named, **SAID)
    assert {name: found.label_numbers[name] for name in "abcd"} == {"a": 0, "b": 1, "c": 2, "d": 3}
    other = autoencoder_from_module(Indexed(), named, classes=["d", "c", "b", "a"], **SAID)
    assert [other.label_numbers[name] for name in "dcba"] == [0, 1, 2, 3]
    torch.testing.assert_close(
        encoded(other), encoded(autoencoder_from_module(Indexed(), IMAGES, **SAID))
    )
    with pytest.raises(DataError, match="'z' is none that it was loaded with"):
        found.numbers_of(("a", "z"))


def test_what_cannot_be_fed_is_said() -> None:
    without = dataclasses.replace(IMAGES, labels=None)
    with pytest.raises(DataError, match="these images have none"):
        autoencoder_from_module(Indexed(), without, **SAID)
    some = dataclasses.replace(IMAGES, labels=("(no label)", *LABELS[1:]))
    with pytest.raises(DataError, match="1 of these 60 images have none"):
        autoencoder_from_module(Indexed(), some, **SAID)
    measured = dataclasses.replace(IMAGES, labels=tuple(str(10**5 + n) for n in range(COUNT)))
    with pytest.raises(DataError, match="not measurements"):
        autoencoder_from_module(Indexed(), measured, **SAID)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Linear(3, 36))
    with pytest.raises(ModelError, match=r"take no second input|labels cannot be cut"):
        autoencoder_from_module(plain, IMAGES, **SAID)
    many = dataclasses.replace(IMAGES, labels=tuple(str(n % 6) for n in range(COUNT)))
    with pytest.raises(ModelError, match="does not take 5"):
        autoencoder_from_module(Indexed(), many, **SAID)
    with pytest.raises(SettingsError, match="condition is 'classes'"):
        autoencoder_from_module(Indexed(), IMAGES, condition="classes")
    with pytest.raises(ModelError, match="--condition labels"):
        autoencoder_from_module(Indexed(), IMAGES, normalize="0,1", output="pixels")


def test_a_conditional_model_s_speed_is_taken_at_its_images_classes(indexed: Study) -> None:
    speed = timed(indexed.engine, IMAGES, ALONE)
    assert speed.decode > 0 and speed.encode > 0
