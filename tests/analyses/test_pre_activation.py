import gc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.analyses import DoesNotApplyError, pre_activation
from reportgen.analyses.shared.baseline_draws import baseline_draws
from reportgen.analyses.shared.gaps import gaps
from reportgen.process.watched_operations import WatchedCalls, WatchedOperations
from reportgen.settings import Settings
from reportgen.study import last_squash
from reportgen.study.last_squash import find_last_squash
from reportgen.study.single_moves import single_moves
from tests.oracles import decoders

FEW = Settings(rows=64)


def study(decode):
    return decoders.study_of(decode, decoders.gaussian_codes(400, 3), settings=FEW)


@pytest.mark.parametrize("squash", ["sigmoid", "tanh", "softplus"])
def test_linear_before_a_squash_adds_up_and_pixels_do_not(squash: str) -> None:
    weights = 4 * decoders.directions(3)
    act = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": torch.nn.functional.softplus}
    result = pre_activation.run(study(lambda z: act[squash](z @ weights)))
    assert result.squash == squash
    assert result.gap_up.value <= 1e-5
    assert result.gap_down.value <= 1e-5
    assert result.gap_up_pixels.value > 0.1
    up, down, _ = gaps(study(lambda z: act[squash](z @ weights)))
    assert result.gap_up_pixels.value == pytest.approx(up.gap.value, rel=1e-6)
    assert result.gap_down_pixels.value == pytest.approx(down.gap.value, rel=1e-6)
    assert result.linear is not None
    assert result.linear.value == pytest.approx(1, abs=1e-6)
    assert result.explains_gap


def test_a_rescaled_tanh_counts_as_the_last_operation() -> None:
    weights = decoders.directions(3)
    result = pre_activation.run(study(lambda z: 0.5 + 0.5 * torch.tanh(2 * z @ weights)))
    assert result.gap_up.value <= 1e-5


def test_an_interaction_before_the_squash_stays() -> None:
    pictures = decoders.directions(2)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z[:, :1] * z[:, 1:2] * pictures[0] + z[:, 2:] * pictures[1])

    result = pre_activation.run(study(decode))
    assert result.gap_up.value > 0.2
    assert not result.explains_gap


@pytest.mark.parametrize(
    "decode",
    [
        decoders.linear(3),
        lambda z: torch.relu(torch.sigmoid(z @ decoders.directions(3)) - 0.5),
        lambda z: torch.sigmoid(z) @ decoders.directions(3),
    ],
    ids=["no squash", "relu after it", "linear after it"],
)
def test_a_squash_that_is_not_the_last_operation_does_not_apply(decode) -> None:
    with pytest.raises(DoesNotApplyError):
        pre_activation.run(study(decode))


def test_saturated_pixels_are_counted() -> None:
    weights = torch.full((3, decoders.PIXELS), 100.0)
    result = pre_activation.run(study(lambda z: torch.sigmoid(z @ weights)))
    assert result.saturated_share > 0.9


@pytest.mark.parametrize("scale", [0.1, 1, 20])
def test_saturated_is_a_thousandth_of_the_range_from_either_end(scale: float) -> None:
    values = scale * (np.array([0, 0.0009, 0.0011, 0.5, 0.9989, 0.9991, 1]) - 0.3)
    assert pre_activation._saturated(values) == pytest.approx(4 / 7)


@torch.jit.script
def scripted_sigmoid(values: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(values)


@pytest.mark.parametrize(
    ("squash", "graph", "called"),
    [
        (nn.Sigmoid(), True, True),
        (torch.ops.aten.sigmoid.default, True, True),
        (torch.Tensor.sigmoid, True, True),
        (lambda values: torch.sigmoid(input=values), True, False),
        (scripted_sigmoid, True, False),
        (torch.sigmoid, False, False),
        (torch.vmap(torch.sigmoid), False, False),
    ],
    ids=["module", "aten", "method", "by keyword", "compiled", "author's code", "vmap"],
)
def test_every_operation_is_watched_but_in_graphs_whose_calls_show_the_squash(
    squash, graph, called, monkeypatch
) -> None:
    study_ = study(lambda z: squash(z @ decoders.directions(3)))
    autoencoder = replace(study_.autoencoder, concurrent=graph)
    found = find_last_squash(autoencoder, study_.test.codes)
    assert found is not None
    codes = torch.from_numpy(study_.test.codes[:8])
    watches = []
    for watch in (WatchedCalls, WatchedOperations):
        enter = watch.__enter__
        monkeypatch.setattr(watch, "__enter__", lambda self, enter=enter: note(self, enter))

    def note(self, enter):
        watches.append(type(self))
        return enter(self)

    before = found.before.decode(codes).reshape(8, -1)
    assert watches == [WatchedCalls if called else WatchedOperations]
    np.testing.assert_allclose(before, codes @ decoders.directions(3), atol=1e-6)


def test_the_input_of_an_in_place_squash_is_what_went_in() -> None:
    study_ = study(lambda z: (z @ decoders.directions(3)).sigmoid_())
    found = find_last_squash(study_.autoencoder, study_.test.codes)
    assert found is not None
    codes = torch.from_numpy(study_.test.codes[:8])
    expected = (codes @ decoders.directions(3)).numpy()
    before = found.before.decode(codes).reshape(8, -1)
    np.testing.assert_allclose(before, expected, atol=1e-6)
    np.testing.assert_allclose(
        found.both.decode(codes).reshape(8, -1),
        np.concatenate([expected, study_.autoencoder.decode(codes).reshape(8, -1)], axis=1),
        atol=1e-6,
    )


def test_both_outputs_of_a_decode_are_kept_so_that_single_moves_are_decoded_once() -> None:
    study_ = study(lambda z: torch.sigmoid(z @ decoders.directions(3)))
    before = sum(study_.engine.forwards.values())
    pre_activation.run(study_)
    distinct = 64 * 2 * 3 + 64 + 1
    beside = len(study_.fit) + len(study_.test)
    forwards = study_.engine.forwards
    # The fit half's share of the intervals has decodes of its own.
    others = forwards["path shares"] + forwards["baseline draws"]
    assert sum(forwards.values()) - before - others == distinct + beside


def test_what_was_watched_does_not_wait_for_the_garbage_collector() -> None:
    squash = study(decoders.squashed()).squash
    assert squash is not None
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        squash.both.decode(torch.zeros(4, 3))
        gc.collect()
        assert not [left for left in gc.garbage if isinstance(left, torch.Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_of_large_images_few_are_watched(monkeypatch) -> None:
    sizes: list[int] = []

    def decode(z: torch.Tensor) -> torch.Tensor:
        sizes.append(len(z))
        return torch.sigmoid(z @ decoders.directions(3))

    study_ = study(decode)
    for pixels, largest in ((2**22, 16), (5 * decoders.PIXELS, 5), (1, 2)):
        monkeypatch.setattr(last_squash, "WATCHED_PIXELS", pixels)
        sizes.clear()
        found = find_last_squash(study_.autoencoder, study_.test.codes)
        assert found is not None and found.name == "sigmoid"
        assert set(sizes) == {largest}


def test_intervals_of_both_gaps_cover_other_mean_codes() -> None:
    """What the mean code adds to an interval, from images decoded here, in double precision."""
    pictures = decoders.directions(2).double()

    def before(z: torch.Tensor) -> torch.Tensor:
        product = z[:, :1] * z[:, 1:2]
        return product.double() * pictures[0] + z[:, 2:].double() * pictures[1]

    of = study(lambda z: torch.sigmoid(before(z)).float())
    result = pre_activation.run(of)
    moves, baselines = of.shared(single_moves), of.shared(baseline_draws).baselines
    rows = moves.rows[: of.shared(baseline_draws).rows]
    alone = np.concatenate([np.zeros((1, 3), bool), np.ones((1, 3), bool), np.eye(3, dtype=bool)])

    def gap(baseline: np.ndarray, act: Callable[[torch.Tensor], torch.Tensor]) -> float:
        missed, combined = 0.0, 0.0
        for code in of.test.codes[rows]:
            codes = torch.from_numpy(np.where(alone, code, baseline))
            nobody, whole, *single = act(before(codes)).numpy()
            missed += np.linalg.norm(whole - nobody - sum(one - nobody for one in single))
            combined += np.linalg.norm(whole - nobody)
        return missed / combined

    pixels = np.stack([moves.combined, moves.gap_up])
    for found, act, (combined, missed) in (
        (result.gap_up, lambda images: images, moves.before_squash[:2]),
        (result.gap_up_pixels, torch.sigmoid, pixels),
    ):
        whole, *others = (gap(baseline, act) for baseline in baselines)
        added = 1.96 * np.sqrt(np.mean(np.square(np.array(others) - whole)))
        by_rows = of.bootstrap(moves.rows).ratio(np.sqrt(missed), np.sqrt(combined))
        assert added > 0.05 * (found.value - by_rows.low)
        expected = found.value - np.hypot(found.value - by_rows.low, added)
        assert found.low == pytest.approx(expected, rel=1e-3)
