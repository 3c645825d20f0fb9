"""What becomes live, what does not and why, and that the page can be made again from results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from reportgen.command.cli import main
from reportgen.live.program import LiveDecoder, NotLiveError
from reportgen.live.trace import live_decoder
from reportgen.loading import save
from reportgen.questions import QUESTIONS
from reportgen.report.store import image_arrays, read_results, results_json
from reportgen.settings import read_settings
from tests.report.example import example_results, page_of


def decoder_of(decode: nn.Module, size: int = 4) -> LiveDecoder:
    decode.eval()
    codes = torch.randn(3, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = torch.cat([decode(code[None]).reshape(1, -1) for code in codes]).numpy()
    return live_decoder(decode, (size,), "cpu", codes.numpy(), images, (0.0, 1.0))


class Calls(nn.Module):
    """A linear layer, then a function of a plane."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(4, 36), function

    def forward(self, code: Tensor) -> Tensor:
        return self.function(self.linear(code).reshape(1, 1, 6, 6))  # type: ignore[operator]


def on_a_grid(planes: Tensor) -> Tensor:
    grid = torch.zeros(1, 6, 6, 2)
    return nn.functional.grid_sample(planes, grid, align_corners=False)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (on_a_grid, "grid_sampler_2d"),
        (lambda x: x.squeeze(1) @ x.squeeze(1), "bmm"),
        (lambda x: x.sort()[0], "sort"),
        (lambda x: nn.functional.pad(x, (1, 1, 1, 1), value=1.0), "constant_pad_nd"),
        (lambda x: x.softmax(2), "_softmax"),
    ],
)
def test_an_operator_without_a_step_is_named(function: object, named: str) -> None:
    with pytest.raises(NotLiveError, match=f"the decoder uses `{named}`"):
        decoder_of(Calls(function))


def test_weights_from_a_megabyte_are_left_out_and_their_size_is_said() -> None:
    with pytest.raises(NotLiveError, match=r"1\.02 MB in 16 bits"):
        decoder_of(nn.Linear(4, 102_000))


def test_a_decoder_that_a_page_cannot_keep_up_with_is_left_out() -> None:
    model = nn.Sequential(
        nn.Linear(4, 64),
        nn.Unflatten(1, (1, 8, 8)),
        nn.Upsample(scale_factor=40),
        nn.Conv2d(1, 64, 3),
        nn.Conv2d(64, 1, 3),
    )
    with pytest.raises(NotLiveError, match="million multiplications"):
        decoder_of(model)


def test_weights_that_16_bits_cannot_hold_are_refused() -> None:
    model = nn.Linear(4, 9)
    with torch.no_grad():
        model.weight[2, 1] = 1e5
    with pytest.raises(NotLiveError, match="larger than a 16-bit number"):
        decoder_of(model)


def test_rounding_that_shows_is_refused_with_its_size() -> None:
    model = nn.Linear(4, 9)
    with torch.no_grad():
        model.weight *= 400
    with pytest.raises(NotLiveError, match="of the range, more than 1/255"):
        decoder_of(model)


def test_a_decoder_that_goes_two_ways_is_not_taken_for_one() -> None:
    class Forked(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return code if bool(code.sum() > 0) else -code

    with pytest.raises(NotLiveError, match="depends on the numbers it computes"):
        decoder_of(Forked())


class Overwriting(nn.Module):
    """A linear layer, whose output (1, 36) a function overwrites."""

    def __init__(self, overwrite: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.linear, self.overwrite = nn.Linear(4, 36), overwrite

    def forward(self, code: Tensor) -> Tensor:
        return self.overwrite(self.linear(code))


def test_what_overwrites_an_array_is_the_operator_that_does_not() -> None:
    overwritten = decoder_of(Overwriting(lambda made: made.relu_().mul_(0.5)))
    assert overwritten.steps == decoder_of(Overwriting(lambda made: made.relu().mul(0.5))).steps
    reshaped = decoder_of(Overwriting(lambda made: made.view(1, 9, 4).sigmoid_()))
    pure = decoder_of(Overwriting(lambda made: made.view(1, 9, 4).sigmoid()))
    assert reshaped.steps == pure.steps


def through_another_shape(made: Tensor) -> Tensor:
    earlier = made.view(1, 6, 6)
    made.relu_()
    return earlier * 2


def added_up(made: Tensor) -> Tensor:
    image = torch.zeros(1, 36)
    for _ in range(3):
        image += made
    return image


def with_a_constant_that_changes(made: Tensor) -> Tensor:
    constant = torch.zeros(1, 36)
    first = made + constant
    constant.add_(1)
    return first * (made + constant)


@pytest.mark.parametrize(
    ("overwriting", "pure"),
    [
        (through_another_shape, lambda made: made.relu().view(1, 6, 6) * 2),
        (added_up, lambda made: made + made + made),
        (with_a_constant_that_changes, lambda made: (made + 0) * (made + 1)),
    ],
)
def test_an_array_is_read_as_it_is_after_what_overwrote_it(overwriting, pure) -> None:
    """`decoder_of` compares the images; here what the page computes is looked at, too."""
    found, expected = (decoder_of(Overwriting(function)) for function in (overwriting, pure))
    assert found.largest_error == pytest.approx(expected.largest_error, rel=1, abs=1e-4)


@pytest.mark.parametrize(
    ("overwrite", "named"),
    [
        (lambda made: made[:, :3].mul_(2) is None or made, "`slice_scatter`"),
        (lambda made: torch.zeros(1, 36).copy_(made), "`copy`"),
    ],
)
def test_an_array_that_is_overwritten_in_part_is_refused(overwrite, named) -> None:
    with pytest.raises(NotLiveError, match=named):
        decoder_of(Overwriting(overwrite))


@pytest.mark.parametrize("numbers_of", [Tensor.tolist, Tensor.numpy])
def test_a_decoder_that_takes_numbers_out_of_torch_is_refused(numbers_of) -> None:
    """They would be those of the code that was followed."""

    def turned(made: Tensor) -> Tensor:
        return made if np.max(numbers_of(made)) < 100 else 1 - made

    with pytest.raises(NotLiveError, match="takes what it computes out of torch"):
        decoder_of(Overwriting(turned))
    assert decoder_of(Overwriting(lambda made: made * numbers_of(torch.ones(1))[0]))


def test_a_decoder_that_counts_its_calls_is_refused() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, code: Tensor) -> Tensor:
            made = code * self.calls
            self.calls += 1
            return made

    with pytest.raises(NotLiveError, match="overwrites its constants"):
        decoder_of(Counting())


def test_a_code_that_the_decoder_overwrites_is_followed() -> None:
    class Shifted(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return code.clone().mul_(3) - 1

    class ShiftedInPlace(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return code.mul_(3).sub_(1)

    codes = np.ones((1, 4), np.float32)
    images = np.full((1, 4), 2.0, np.float32)
    arguments = ((4,), "cpu", codes, images, (0.0, 1.0))
    overwriting = live_decoder(ShiftedInPlace(), *arguments)
    assert overwriting.steps == live_decoder(Shifted(), *arguments).steps


def test_a_weight_that_is_computed_is_rounded_as_the_page_holds_it() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 9))
    with torch.no_grad():
        # Larger than 16 bits hold; the weight itself, of length 1, is not.
        model.parametrizations.weight.original1 *= 1e6
        model.parametrizations.weight.original0.fill_(1)
    assert decoder_of(model).largest_error < 1e-3


@pytest.mark.slow
def test_a_decoder_is_followed_without_torchs_compiler() -> None:
    script = (
        "import sys, numpy, torch\n"
        "from reportgen.live.trace import live_decoder\n"
        "layers = torch.nn.Linear(4, 9), torch.nn.ReLU(inplace=True)\n"
        "model = torch.nn.Sequential(*layers)\n"
        "with torch.no_grad(): images = model(torch.ones(1, 4)).numpy()\n"
        "live_decoder(model, (4,), 'cpu', numpy.ones((1, 4)), images, (0.0, 1.0))\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_a_batch_norm_is_one_scale_and_one_shift_for_each_channel() -> None:
    model = nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)), nn.BatchNorm2d(3))
    norm = model[2]
    norm.running_mean += torch.tensor([0.5, -1.0, 2.0])
    norm.running_var *= torch.tensor([4.0, 0.25, 1.0])
    decoder = decoder_of(model)
    step = decoder.steps[-1]
    assert step.operator == "affine"
    start, count = step.weights["scale"]
    scale = decoder.weights[start : start + count]
    np.testing.assert_allclose(scale, [0.5, 2.0, 1.0], rtol=1e-3)
    start, count = step.weights["shift"]
    shift = decoder.weights[start : start + count]
    np.testing.assert_allclose(shift, [-0.25, 2.0, -2.0], rtol=1e-3)


def test_steps_name_what_they_take_and_torch_s_own_numbers() -> None:
    class Gated(nn.Module):
        """One layer's output, let through by another's."""

        def __init__(self) -> None:
            super().__init__()
            self.value, self.gate = nn.Linear(4, 18), nn.Linear(4, 18)
            self.up = nn.ConvTranspose2d(2, 5, (4, 2), stride=(2, 1), padding=(1, 0))

        def forward(self, code: Tensor) -> Tensor:
            gated = nn.functional.leaky_relu(self.value(code), 0.25) * self.gate(code).sigmoid()
            return self.up(gated.reshape(1, 2, 3, 3))

    steps = decoder_of(Gated()).steps
    taken = [(step.operator, step.inputs) for step in steps]
    assert taken == [
        ("linear", (0,)),
        ("leaky_relu", (1,)),
        ("linear", (0,)),
        ("sigmoid", (3,)),
        ("mul", (2, 4)),
        ("convolution", (5,)),
    ]
    assert steps[1].numbers == {"negative_slope": (0.25,)}
    up = steps[-1].numbers
    assert (up["kernel"], up["stride"], up["padding"]) == ((4, 2), (2, 1), (1, 0))
    assert (up["input"], up["output"]) == ((2, 3, 3), (5, 6, 4))


def test_multiplications_are_counted_as_by_hand() -> None:
    model = nn.Sequential(
        nn.Linear(4, 18), nn.Unflatten(1, (2, 3, 3)), nn.ConvTranspose2d(2, 5, 4, 2, 1)
    )
    assert decoder_of(model).multiplications == 4 * 18 + 2 * 5 * 16 * 9


def test_the_same_decoder_gives_the_same_bytes() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 9))
    one, other = decoder_of(model), decoder_of(model)
    assert one.steps == other.steps
    assert one.weights.tobytes() == other.weights.tobytes()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    torch.manual_seed(2)
    decoder = nn.Sequential(nn.Linear(4, 60), nn.Tanh(), nn.Linear(60, 144), nn.Sigmoid())
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 4), decoder, nn.Unflatten(1, (1, 12, 12)))
    images = torch.rand(120, 1, 12, 12)
    save(model.eval(), folder / "model.pt2", example=images[:4].clone(), normalize="0,1")
    np.save(folder / "images.npy", images.numpy())
    for name, flags in (("live", []), ("still", ["--no-live", "--no-live-encoder"])):
        words = [folder / "model.pt2", folder / "images.npy"]
        words += ["-o", folder / f"{name}.html", "--results", folder / name]
        words += ["--rows", 16, *flags]
        result = CliRunner().invoke(main, ["build", *map(str, words)])
        assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_rendering_from_results_gives_the_same_page(built: Path) -> None:
    result = CliRunner().invoke(
        main, ["render", str(built / "live"), "-o", str(built / "again.html")]
    )
    assert result.exit_code == 0
    assert (built / "again.html").read_bytes() == (built / "live.html").read_bytes()
    assert b'id="live-data"' in (built / "again.html").read_bytes()


def test_no_live_leaves_the_decoder_out_and_says_so(built: Path) -> None:
    page = (built / "still.html").read_text(encoding="utf-8")
    assert 'id="live-data"' not in page
    said = "The live traversal is off: the report was built with --no-live; frames are"
    assert said in " ".join(page.split())
    stored = json.loads((built / "still" / "results.json").read_text(encoding="utf-8"))
    assert stored["live"] is None
    assert stored["provenance"]["command"].endswith("--no-live --no-live-encoder")


def test_the_decoder_and_its_images_add_their_bytes_and_little_more(built: Path) -> None:
    live, still = (len((built / f"{name}.html").read_bytes()) for name in ("live", "still"))
    carried = read_results(built / "live", QUESTIONS).live
    assert carried is not None
    assert carried.gallery is not None
    content = carried.decoder.weights.nbytes + carried.gallery.thumbnails.nbytes
    assert live - still < 4 / 3 * content + 40_000


@pytest.mark.slow
def test_the_decoder_survives_being_stored(tmp_path: Path) -> None:
    results = example_results(live=True)
    (tmp_path / "results.json").write_text(results_json(results), encoding="utf-8")
    np.savez_compressed(tmp_path / "results.npz", **image_arrays(results))
    again = read_results(tmp_path, QUESTIONS)
    assert results.live is not None
    assert again.live is not None
    assert again.live.decoder.steps == results.live.decoder.steps
    assert again.live.decoder.weights.dtype == np.float16
    assert page_of(again).html == page_of(results).html


def test_the_setting_may_stand_in_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "reportgen.toml"
    file.write_text("live = false\n")
    assert read_settings({}, file).live is False
    assert read_settings({"live": True}, file).live is True
