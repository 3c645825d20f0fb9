"""M19, other trainings; and groups of units that move together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from reportgen.analyses import (
    DoesNotApplyError,
    UnanswerableError,
    ablation,
    additivity,
    contributions,
    directions,
    interactions,
    linearity,
    permuted_codes,
    replicates,
)
from reportgen.autoencoder import Autoencoder, Units
from reportgen.errors import SettingsError
from reportgen.questions import QUESTIONS, runs_of
from reportgen.settings import read_groups
from reportgen.statistics.matching import match
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

UNITS = 4
CODES = decoders.gaussian_codes(300, UNITS)
SMOOTH = decoders.smooth(UNITS)


def study_of(decode=SMOOTH, codes: np.ndarray = CODES, *, groups=None, others=()) -> Study:
    """Images carry their code in their first pixels."""
    plain = decoders.carrying(decode, codes, settings=FEW)
    pixels = np.zeros((len(codes), 1, decoders.HEIGHT, decoders.WIDTH), np.float32)
    pixels.reshape(len(codes), -1)[:, : codes.shape[1]] = codes
    return make_study(
        plain.autoencoder,
        decoders.ArrayImages(pixels),  # type: ignore[arg-type]
        FEW,
        replicates=tuple(others),
        groups=groups,
    )


def retrained(order, signs, decode=SMOOTH, *, extra: int = 0) -> Autoencoder:
    """The same model, its units in another order, signs flipped, and `extra` units of no effect."""
    back, turned = torch.tensor(np.argsort(order)), torch.tensor(signs, dtype=torch.float32)

    def encode(images: torch.Tensor) -> torch.Tensor:
        flat = images.reshape(len(images), -1)
        codes = flat[:, :UNITS][:, torch.tensor(order)] * turned
        noise = torch.sin(
            1000 * flat[:, :UNITS].sum(dim=1, keepdim=True) * torch.arange(1, extra + 1)
        )
        return torch.cat([codes, noise], dim=1)

    def image(z: torch.Tensor) -> torch.Tensor:
        units = (z[:, : len(order)] * turned)[:, back]
        return decode(units).reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH)

    return Autoencoder(
        encode=encode,
        decode=image,
        input_shape=(1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(len(order) + extra,),
        name=f"retrained {order}",
    )


@pytest.mark.parametrize(
    ("order", "signs"),
    [([0, 1, 2, 3], [1, 1, 1, 1]), ([2, 0, 3, 1], [1, -1, -1, 1]), ([3, 2, 1, 0], [-1] * 4)],
)
def test_a_model_against_itself_permuted_and_flipped_gives_one_everywhere(order, signs) -> None:
    study = study_of(others=[retrained(order, signs)])
    result = replicates.run(study)
    own = {s.unit: s.share for s in contributions.run(study).shares}
    assert result.rows == len(study.test)
    for unit in result.units:
        assert unit.median == pytest.approx(1, abs=1e-6)
        assert unit.shares[0] == pytest.approx(own[unit.unit].value, abs=0.004)
        assert unit.shares_inside == 1


def noisy_unit(deviation: float) -> Autoencoder:
    """The same model with noise of so many sd on its first unit."""
    exact = retrained([0, 1, 2, 3], [1] * 4)

    def encode(images: torch.Tensor) -> torch.Tensor:
        codes = exact.encode(images)
        # An image's noise is its own, whichever batch it comes in.
        seeds = codes.numpy().view(np.uint32).astype(np.uint64)
        noise = [np.random.default_rng(seed).normal() for seed in seeds]
        moved = torch.tensor(noise, dtype=torch.float32)[:, None]
        return codes + moved * torch.tensor([deviation, 0, 0, 0])

    return dataclasses.replace(exact, encode=encode)


@pytest.mark.slow
def test_the_median_is_over_replicates() -> None:
    """Noise of .5, 1 and 2 sd on one unit: |r| is 1/√(1 + σ²), the middle one is printed."""
    codes = decoders.gaussian_codes(4000, UNITS)
    study = study_of(codes=codes, others=[noisy_unit(s) for s in (2.0, 0.5, 1.0)])
    unit = replicates.run(study).units[0]
    np.testing.assert_allclose(
        unit.correlations, [1 / np.sqrt(1 + s**2) for s in (2.0, 0.5, 1.0)], atol=0.05
    )
    assert unit.median == unit.correlations[2]
    assert unit.explained_median == unit.explained[2] != np.mean(unit.explained)


def test_a_replicate_with_fewer_units_leaves_the_others_unmatched() -> None:
    """Units 0 and 2 exist in the other training, 1 and 3 do not."""
    exact = retrained([0, 1, 2, 3], [1] * 4)
    fewer = dataclasses.replace(
        exact,
        encode=lambda x: exact.encode(x)[:, [2, 0]],
        decode=lambda z: exact.decode(torch.stack([z[:, 1], 0 * z[:, 0], z[:, 0], 0 * z[:, 0]], 1)),
        code_shape=(2,),
    )
    units = replicates.run(study_of(others=[fewer])).units
    for unit in units:
        matched = unit.unit in (0, 2)
        assert unit.correlations[0] == pytest.approx(1.0 if matched else 0.0, abs=1e-6)
        assert np.isfinite(unit.shares[0]) == matched
        if not matched:
            assert unit.shares_inside == 0


def test_units_that_the_model_has_not_change_nothing() -> None:
    wider = retrained([1, 0, 3, 2], [1, 1, -1, 1], extra=3)
    for unit in replicates.run(study_of(others=[wider])).units:
        assert unit.median == pytest.approx(1, abs=1e-6)
        assert unit.shares_inside == 1


def test_matching_is_the_best_sum_and_not_greedy() -> None:
    """Greedy takes .9 and is left with 0; the best is .8 + .8."""
    strength = np.array([[0.9, 0.8], [0.8, 0.0]])
    first, second = match(strength)
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == {0: 1, 1: 0}


def test_a_share_outside_the_interval_is_told() -> None:
    """The other decoder doubles one unit's pictures."""
    doubled = torch.tensor([3.0, 1, 1, 1])
    linear = decoders.linear(UNITS)
    study = study_of(
        linear, others=[retrained([0, 1, 2, 3], [1] * 4, lambda z: linear(z * doubled))]
    )
    units = replicates.run(study).units
    assert units[0].median == pytest.approx(1, abs=1e-6)
    assert units[0].shares_inside == 0
    weights = np.arange(1, 5) ** 2 * np.array([9, 1, 1, 1])
    rows = study.rows.pooled
    moves = np.square(study.test.codes[rows].astype(np.float64) - study.baseline).sum(axis=0)
    expected = moves * weights / (moves * weights).sum()
    np.testing.assert_allclose([unit.shares[0] for unit in units], expected, atol=1e-4)


def test_r2_of_each_replicate_is_that_of_a_report_of_its_own() -> None:
    from reportgen.analyses import reconstruction

    other = retrained([0, 1, 2, 3], [1] * 4, decoders.additive(UNITS))
    result = replicates.run(study_of(others=[other]))
    alone = study_of(decoders.additive(UNITS))
    assert result.r2[0] == pytest.approx(reconstruction.run(alone).r2.value, rel=1e-5)


def test_a_replicate_whose_code_is_constant_matches_nothing() -> None:
    exact = retrained([0, 1, 2, 3], [1] * 4)
    dead = dataclasses.replace(exact, encode=lambda x: torch.ones(len(x), UNITS))
    for unit in replicates.run(study_of(others=[dead])).units:
        assert unit.median == 0
        assert np.isnan(unit.shares[0])


def test_a_replicate_that_ignores_its_code_gives_nothing_back() -> None:
    blind = retrained([0, 1, 2, 3], [1] * 4, lambda z: 0 * SMOOTH(z) + 0.5)
    result = replicates.run(study_of(others=[blind]))
    assert result.live == (0,)
    assert np.isnan(result.canonical[0])
    for unit in result.units:
        assert (unit.median, unit.explained_median) == (0, 0)
        assert np.isnan(unit.shares[0])
        assert unit.shares_inside == 0


def test_units_that_a_decoder_does_not_read_are_matched_with_nothing() -> None:
    """Unit 3 of the other training is a copy of the model's, but its decoder ignores it."""
    linear = decoders.linear(UNITS)
    exact = retrained([0, 1, 2, 3], [1] * 4, linear)
    deaf = dataclasses.replace(
        exact, decode=lambda z: exact.decode(z * torch.tensor([1.0, 1.0, 1.0, 0.0]))
    )
    result = replicates.run(study_of(linear, others=[deaf]))
    assert result.live == (3,)
    np.testing.assert_allclose([u.median for u in result.units], [1, 1, 1, 0], atol=1e-6)
    assert result.units[3].explained_median < 0.05
    # And the other way round: a unit of the model's that it does not read is not asked about.
    plain = decoders.linear(3)
    own = study_of(lambda z: plain(z[:, :3]), others=[exact])
    assert [unit.unit for unit in replicates.run(own).units] == [0, 1, 2]


def rotated(decode, angle: float) -> Autoencoder:
    """The same model along other axes: its first two units turned by an angle."""
    turn = torch.eye(UNITS)
    turn[0, 0] = turn[1, 1] = np.cos(angle)
    turn[0, 1], turn[1, 0] = -np.sin(angle), np.sin(angle)
    exact = retrained([0, 1, 2, 3], [1] * 4, decode)
    return dataclasses.replace(
        exact, encode=lambda x: exact.encode(x) @ turn, decode=lambda z: exact.decode(z @ turn.T)
    )


def test_a_rotation_is_the_same_space_although_no_unit_comes_back() -> None:
    """By 45°: |r| = √½ for two units of equal variance, all of each within the other code."""
    codes = decoders.uniform_codes(2000, UNITS)
    result = replicates.run(study_of(codes=codes, others=[rotated(SMOOTH, np.pi / 4)]))
    medians = [unit.median for unit in result.units]
    np.testing.assert_allclose(medians, [0.5**0.5, 0.5**0.5, 1, 1], atol=0.04)
    np.testing.assert_allclose([unit.explained_median for unit in result.units], 1, atol=1e-6)
    assert result.canonical[0] == pytest.approx(1, abs=1e-6)


def test_what_noise_leaves_of_a_unit_is_its_closed_form_within_the_code_too() -> None:
    """A unit with noise of its own variance explains half of itself: R² ½, |r| √½."""
    noisy = noisy_unit(1.0)
    codes = decoders.gaussian_codes(4000, UNITS)
    result = replicates.run(study_of(codes=codes, others=[noisy]))
    unit = result.units[0]
    assert unit.explained[0] == unit.explained_median == pytest.approx(0.5, abs=0.04)
    assert unit.correlations[0] == pytest.approx(0.5**0.5, abs=0.03)
    assert result.canonical[0] == pytest.approx((3 + 0.5**0.5) / 4, abs=0.02)


def test_two_unrelated_trainings_share_no_space() -> None:
    exact = retrained([0, 1, 2, 3], [1] * 4)

    def encode(images: torch.Tensor) -> torch.Tensor:
        seeds = exact.encode(images).numpy().view(np.uint32).astype(np.uint64)
        noise = [np.random.default_rng(seed).normal(size=UNITS) for seed in seeds]
        return torch.tensor(np.array(noise), dtype=torch.float32)

    codes = decoders.gaussian_codes(2000, UNITS)
    unrelated = dataclasses.replace(exact, encode=encode)
    result = replicates.run(study_of(codes=codes, others=[unrelated]))
    assert max(unit.explained_median for unit in result.units) < 0.02
    assert result.canonical[0] < 0.06


def test_a_group_comes_back_as_well_as_its_units_do_on_average() -> None:
    """Units 1 and 3 of one group, found again in another order, one of them with noise."""
    linear = decoders.linear(UNITS)
    exact = retrained([2, 0, 3, 1], [1, -1, 1, -1], linear)

    def encode(images: torch.Tensor) -> torch.Tensor:
        codes = exact.encode(images)
        noise = np.random.default_rng(1).normal(size=len(images)).astype(np.float32)
        return codes + torch.from_numpy(noise)[:, None] * torch.tensor([0, 0, 1.0, 0])

    codes = decoders.gaussian_codes(4000, UNITS)
    others = [exact, dataclasses.replace(exact, encode=encode)]
    study = study_of(linear, codes, groups={"pair": (1, 3)}, others=others)
    result = replicates.run(study)
    assert result.grouped
    pair, first, third = result.units
    np.testing.assert_allclose(pair.correlations, [1, (1 + 1 / np.sqrt(2)) / 2], atol=0.02)
    np.testing.assert_allclose([first.correlations[1], third.correlations[1]], 1, atol=1e-6)
    own = {s.unit: s.share.value for s in contributions.run(study).shares}
    for unit in result.units:
        assert unit.shares[0] == pytest.approx(own[unit.unit], abs=0.02)
        assert unit.shares_inside >= 1


def test_a_group_is_judged_by_those_of_its_units_that_vary() -> None:
    codes = CODES.copy()
    codes[:, 3] = 2
    study = study_of(codes=codes, groups={"pair": (0, 3)}, others=[retrained(range(4), [1] * 4)])
    pair = replicates.run(study).units[0]
    assert pair.median == pytest.approx(1, abs=1e-6)
    assert pair.explained_median == pytest.approx(1, abs=1e-3)


def test_without_replicates_the_question_does_not_apply() -> None:
    with pytest.raises(DoesNotApplyError, match="--replicates"):
        replicates.run(study_of())
    constant = study_of(
        codes=np.ones((40, UNITS), np.float32), others=[retrained([0, 1, 2, 3], [1] * 4)]
    )
    with pytest.raises(UnanswerableError, match="no unit of the code has an effect"):
        replicates.run(constant)


# Groups


def values_of(study: Study) -> dict[str, np.ndarray]:
    effects = ablation.run(study).effects
    share = {s.unit: s.share.value for s in contributions.run(study).shares}
    return {
        study.units.names[e.unit]: np.array(
            [e.effect.value, e.solo.value, e.damage.value, share[e.unit]]
        )
        for e in effects
    }


def test_groups_of_one_change_nothing_but_names_and_order() -> None:
    plain = values_of(study_of())
    grouped = values_of(study_of(groups={"third": (2,), "first": (0,)}))
    for name, unit in {"third": "2", "first": "0", "1": "1", "3": "3"}.items():
        np.testing.assert_allclose(grouped[name][:3], plain[unit][:3], rtol=1e-5)
        assert grouped[name][3] == pytest.approx(plain[unit][3], abs=0.004)


def test_a_group_of_all_units_is_everything_moved_together() -> None:
    study = study_of(groups={"all": (0, 1, 2, 3)})
    assert study.units.names == ("all",)
    effect = ablation.run(study).effects[0]
    rows = study.rows.statistics
    whole = study.autoencoder.decode(torch.from_numpy(study.test.codes[rows])).reshape(
        len(rows), -1
    )
    nobody = study.autoencoder.decode(torch.from_numpy(study.baseline[None])).reshape(1, -1)
    moved = (whole - nobody).double().numpy()
    images = study.test.reconstructions[rows].astype(np.float64)
    expected = np.square(moved).sum() / np.square(images - images.mean(axis=0)).sum()
    assert effect.effect.value == pytest.approx(expected, rel=1e-5)
    assert effect.solo.value == pytest.approx(expected, rel=1e-5)
    assert contributions.run(study).shares[0].share.value == pytest.approx(1, abs=1e-9)
    with pytest.raises(UnanswerableError, match="nothing to add up"):
        additivity.run(study)


def test_a_group_s_solo_move_is_the_coalition_of_its_units() -> None:
    plain, grouped = study_of(), study_of(groups={"pair": (1, 3)})
    members = np.array([[False, True, False, True]])
    for row in grouped.rows.statistics[:5]:
        code = grouped.test.codes[row]
        pair = grouped.coalitions.values(code, np.array([[True, False, False]]))
        np.testing.assert_allclose(pair, plain.coalitions.values(code, members), atol=1e-6)


def test_a_linear_decoder_s_group_has_the_sum_of_its_units_shares_and_stays_additive() -> None:
    linear = decoders.linear(UNITS)
    plain, grouped = study_of(linear), study_of(linear, groups={"pair": (1, 3)})
    single, together = values_of(plain), values_of(grouped)
    # Orthonormal pictures: squares add up too.
    np.testing.assert_allclose(together["pair"][3], single["1"][3] + single["3"][3], rtol=1e-5)
    np.testing.assert_allclose(together["pair"][0], single["1"][0] + single["3"][0], rtol=1e-5)
    assert additivity.run(grouped).up.gap.value < 1e-5
    assert linearity.run(grouped).linear.value == pytest.approx(1, abs=1e-6)
    assert permuted_codes.run(grouped).linear.value == pytest.approx(1, abs=1e-6)


def test_a_product_inside_a_group_adds_up_and_one_between_groups_does_not() -> None:
    inside = study_of(decoders.mixed(), groups={"product": (0, 1)})
    between = study_of(decoders.mixed(), groups={"other": (0, 2)})
    assert additivity.run(inside).up.gap.value < 1e-5
    assert additivity.run(between).down.gap.value > 0.2
    assert interactions.run(inside).order_shares[0].value == pytest.approx(1, abs=1e-9)
    assert interactions.run(between).order_shares[1].value > 0.01


def finer(study: Study) -> Study:
    """With paths of more steps: on few of them a share depends on the order of its units."""
    return dataclasses.replace(
        study, settings=dataclasses.replace(study.settings, settled_share=0.002), _shared={}
    )


def test_the_order_of_groups_permutes_results() -> None:
    first = values_of(finer(study_of(groups={"a": (0, 3), "b": (2,)})))
    second = values_of(finer(study_of(groups={"b": (2,), "a": (3, 0)})))
    for name, numbers in first.items():
        np.testing.assert_allclose(second[name][:3], numbers[:3], rtol=1e-5)
        assert second[name][3] == pytest.approx(numbers[3], abs=0.004)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"a": (0, 1), "b": (1, 2)}, "named twice"),
        ({"a": (0, 0)}, "named twice"),
        ({"a": (4,)}, "names unit 4, but the code has units 0 to 3"),
        ({"a": (-1,)}, "names unit -1"),
        ({"a": ()}, "is empty"),
        ({"3": (0, 1)}, "name of a unit"),
    ],
)
def test_groups_that_overlap_miss_or_are_empty_are_refused_with_a_sentence(
    groups, sentence
) -> None:
    with pytest.raises(SettingsError, match=sentence) as raised:
        study_of(groups=groups)
    assert str(raised.value).endswith(".")
    assert len(str(raised.value)) < 200


def test_a_group_may_have_the_number_of_a_unit_that_it_holds() -> None:
    assert Units.of((4,)).together({"3": (3, 1)}).names == ("3", "0", "2")


@pytest.mark.parametrize(
    "line", ["a = 3", 'a = ["0"]', "a = [0.5]", "a = [true]", "a = [", "[a]\nb = 1"]
)
def test_a_groups_file_that_is_no_list_of_numbers_is_refused(tmp_path, line: str) -> None:
    file = tmp_path / "groups.toml"
    file.write_text(line)
    with pytest.raises(SettingsError, match=r"groups\.toml"):
        read_groups(file)


def test_a_groups_file_is_read_in_its_order(tmp_path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text('colour = [0, 3]\n"centre x" = [2]\n')
    assert list(read_groups(file).items()) == [("colour", (0, 3)), ("centre x", (2,))]


def test_channels_of_a_spatial_code_are_grouped_with_all_their_sites() -> None:
    units = Units.of((3, 2, 2)).together({"pair": (2, 0)})
    assert units.names == ("pair", "1")
    assert sorted(units.members[0].tolist()) == [0, 1, 2, 3, 8, 9, 10, 11]


@pytest.mark.slow
def test_every_section_answers_a_grouped_code_or_says_why_not() -> None:
    """Directions once took the groups' numbers for coordinates."""
    study = study_of(groups={"pair": (1, 3)}, others=[retrained([2, 0, 3, 1], [1] * 4)])
    reasons = {}
    for name, run in runs_of(QUESTIONS).items():
        try:
            run(study)
        except (DoesNotApplyError, UnanswerableError) as reason:
            reasons[name] = str(reason)
    assert set(reasons) == {
        *("code_book", "dependent_shares", "directions", "label_metrics", "spatial")
    }
    assert "grouped" in reasons["directions"]


def test_directions_are_found_where_groups_are_of_one_unit() -> None:
    """Reordered by the groups, so that a unit's number is not its coordinate's."""
    codes = (CODES @ np.random.default_rng(3).normal(size=(UNITS, UNITS))).astype(np.float32)
    plain, grouped = study_of(codes=codes), study_of(codes=codes, groups={"a": (3,), "b": (1,)})
    before, after = directions.run(plain), directions.run(grouped)
    np.testing.assert_allclose(after.variance_shares, before.variance_shares, rtol=1e-6)
    assert after.gap_up.value == pytest.approx(before.gap_up.value, rel=1e-4)
    np.testing.assert_allclose(
        np.abs(after.loadings), np.abs(before.loadings[:, [3, 1, 0, 2]]), atol=1e-6
    )


def test_an_atom_in_a_grouped_unit_is_still_seen() -> None:
    codes = CODES.copy()
    codes[:, 3] = np.maximum(codes[:, 3], 0.5)
    with pytest.raises(UnanswerableError, match="one value"):
        directions.run(study_of(codes=codes, groups={"a": (3,)}))
