"""Plans of builds, on questions whose cost is known in closed form."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from reportgen.analyses import ablation, additivity, contributions, reads, subtraction, traversal
from reportgen.autoencoder import Autoencoder, SourceFile
from reportgen.errors import SettingsError
from reportgen.images.image_set import ImageSet
from reportgen.process.clock import Clock, Deadline, OutOfTimeError
from reportgen.process.progress import QuietProgress
from reportgen.process.ranks import ALONE
from reportgen.questions import QUESTIONS, runs_of
from reportgen.settings import Settings
from reportgen.study.economy import Economy, some_of
from reportgen.study.stand_in import Asked, stand_in_study
from reportgen.study.study import Study
from reportgen.suite import suite
from reportgen.suite.budget import FILLED, Inputs
from reportgen.suite.importance import (
    ALWAYS_ASKED,
    LEFT_OUT_FIRST,
    LEFT_OUT_LAST,
    sparable_of,
)
from reportgen.suite.plan import Plan, plan_build
from reportgen.suite.rehearsal import rehearse
from reportgen.suite.schedule import Schedule
from reportgen.suite.speed import SECONDS_PER_VALUE, Speed
from tests.conftest import FEW
from tests.oracles import decoders

MODEL = Autoencoder(None, None, (1, 8, 8), (4,))  # type: ignore[arg-type]
SLOW = Speed(decode=0.1, encode=0.0, values=64)


def decode(study: Study, count: int) -> None:
    codes = np.random.default_rng(count).normal(size=(count, study.units.code_size))
    study.engine.decode(codes.astype(np.float32))


def known(study: Study) -> int:
    decode(study, 200)
    return 200


def statistics(study: Study) -> None:
    decode(study, 12 * len(study.rows.statistics))


def table(study: Study) -> None:
    study.shared(known)
    decode(study, 80 * len(study.rows.table))


def walks(study: Study) -> None:
    study.shared(known)
    decode(study, 40 * study.settings.walk_frames)


def nothing(study: Study) -> None:
    """Ask for nothing."""


RUNS = {"statistics": statistics, "table": table, "walks": walks, "nothing": nothing}
SPARABLE = ("walks",)
# 12 · 200 rows, 200, 80 · 32 rows, 40 · 11 frames, and the pass over 400 images; the page besides.
WHOLE = 0.1 * (2400 + 200 + 2560 + 440 + 400)


def planned(seconds: float | None, **settings: object) -> Plan:
    knobs = Settings(max_seconds=seconds, rows=200, **settings)  # type: ignore[arg-type]
    inputs = Inputs(MODEL, knobs, 400)
    return plan_build(inputs, RUNS, SPARABLE, SLOW, Clock(), ALONE)


def test_a_rehearsal_counts_what_questions_ask_of_a_model() -> None:
    asked = (ablation, contributions, additivity, subtraction, traversal)
    runs = {question.__name__: question.run for question in asked}
    study = decoders.study_of(decoders.squashed(4), decoders.gaussian_codes(200, 4), settings=FEW)
    before = sum(study.engine.forwards.values())
    for run in runs.values():
        run(study)
    decoded = sum(study.engine.forwards.values()) - before
    stand_in = stand_in_study(study.autoencoder, 200, None, FEW)
    assert rehearse(stand_in, runs).asked(runs).decodes == pytest.approx(decoded, rel=0.2)


def test_patches_are_counted_of_the_images_that_a_stand_in_stands_for() -> None:
    large = replace(MODEL, input_shape=(3, 256, 256))
    for model, patches in ((MODEL, 8 * 8), (large, 14 * 14)):
        study = stand_in_study(model, 200, None, FEW)
        found = rehearse(study, {"reads": reads.run})
        own = found.asked_in_turn(["reads"])["reads"].encodes
        assert own == len(study.rows.table) * (patches + 1)


def test_what_questions_share_is_counted_once_and_by_whoever_is_first() -> None:
    found = rehearse(stand_in_study(MODEL, 400, None, Settings(rows=200)), RUNS)
    decodes = {name: each.decodes for name, each in found.asked_in_turn(RUNS).items()}
    assert decodes == {"statistics": 2400, "table": 2760, "walks": 440, "nothing": 0}
    assert found.asked(["walks"]).decodes == 640
    assert found.asked(["walks", "table"]).decodes == 3200


def test_a_question_that_fails_on_the_stand_in_has_asked_for_what_it_asked_for() -> None:
    def failing(study: Study) -> None:
        decode(study, 7)
        raise ZeroDivisionError("planted")

    found = rehearse(stand_in_study(MODEL, 40, None, FEW), {"failing": failing})
    assert found.asked(["failing"]).decodes == 7


def test_a_plan_with_time_enough_changes_nothing() -> None:
    plan = planned(10 * WHOLE)
    assert (plan.economy, plan.left_out, plan.notes) == (Economy(), {}, ())
    assert list(plan.runs) == list(RUNS)
    assert plan.build == Inputs(MODEL, Settings(max_seconds=10 * WHOLE, rows=200), 400)


def test_rows_behind_statistics_are_cut_first_then_those_of_the_table() -> None:
    some, more = planned(0.9 * WHOLE / FILLED), planned(0.6 * WHOLE / FILLED)
    assert 32 < some.economy.statistics < 200 <= some.economy.table
    assert more.economy.statistics == 32
    assert 8 < more.economy.table < 32
    assert f"{some.economy.statistics} rows instead of 200" in some.notes[0].text
    assert f"{more.economy.table} rows instead of 32" in more.notes[0].text
    assert not some.left_out and not more.left_out


def test_images_are_not_cut_where_all_of_them_fit() -> None:
    inputs = Inputs(MODEL, Settings(max_seconds=60), 400)
    plan = plan_build(inputs, {"nothing": nothing}, (), SLOW, Clock(), ALONE)
    assert (plan.build, plan.notes) == (inputs, ())
    shorter = plan_build(
        Inputs(MODEL, Settings(max_seconds=40), 400), {"nothing": nothing}, (), SLOW, Clock(), ALONE
    )
    assert 40 <= shorter.build.images < 400


@pytest.mark.parametrize("part", [0.9, 0.6, 0.4, 0.3])
def test_what_is_planned_fills_the_time_and_no_more(part: float) -> None:
    limit = part * WHOLE
    plan = planned(limit)
    images = 0.1 * plan.build.images
    assert sum(plan.expected.values()) + images + plan.after <= limit
    assert sum(plan.expected.values()) + images + plan.after > 0.4 * limit


def test_then_walks_are_coarse_and_questions_are_left_out_which_is_said() -> None:
    plan = planned(220)
    assert plan.economy.coarse == 1
    assert plan.build.settings.walk_frames < 11
    assert "walks have fewer frames" in plan.notes[0].text
    assert list(plan.runs) == ["statistics", "table", "nothing", "walks"]
    less = planned(190)
    assert less.build.images < 400
    assert f"{less.build.images} of the 400 images were read, chosen at random" in (
        less.notes[0].text
    )
    assert "--max-seconds 190" in less.left_out["walks"]
    assert "walks" not in less.runs
    assert less.notes[0].text.endswith("not asked were: walks.")
    assert less.announced == less.notes[0].text


def test_last_of_all_rows_fall_below_their_floors() -> None:
    plan = planned(120)
    assert 8 <= plan.economy.statistics < 32
    assert plan.economy.table == 4
    assert plan.economy.coarse == 2


def test_at_worst_one_image_is_walked_and_sums_of_effects_are_not_asked_for() -> None:
    def additivity(study: Study) -> None:
        decode(study, 400)

    runs = {**RUNS, "additivity": additivity}

    def within(limit: float) -> Plan:
        inputs = Inputs(MODEL, Settings(max_seconds=limit, rows=200), 400)
        return plan_build(inputs, runs, (), SLOW, Clock(), ALONE)

    with pytest.raises(SettingsError) as refused:
        within(5)
    enough = float(re.findall(r"Allow --max-seconds (\d+)", str(refused.value))[0])
    plan = within(enough)
    assert plan.economy.coarse == 3
    assert plan.build.settings.walk_rows == 1
    assert list(plan.left_out) == ["additivity"]
    assert "additivity" in within(enough + 45).runs
    assert plan.notes[0].text.endswith("not asked were: additivity.")


def test_too_short_a_time_is_refused_with_one_that_is_enough() -> None:
    with pytest.raises(SettingsError, match="--max-seconds 5 is too short") as refused:
        planned(5)
    enough = float(re.findall(r"Allow --max-seconds (\d+)", str(refused.value))[0])
    assert 60 < enough < 120
    assert planned(enough).runs


@pytest.mark.parametrize(
    ("table_rows", "said"), [(32, "the least that a report needs"), (200, "a tenth of that")]
)
def test_without_a_limit_a_long_build_is_announced_with_a_shorter_one(
    table_rows: int, said: str
) -> None:
    plan = planned(None, table_rows=table_rows)
    seconds = WHOLE + 8 * (table_rows - 32)
    assert f"takes about {round(seconds / 60)} min" in plan.announced
    assert "0.1 s each" in plan.announced and said in plan.announced
    shorter = int(re.findall(r"--max-seconds (\d+)", plan.announced)[0])
    assert shorter < seconds / 5
    assert planned(shorter, table_rows=table_rows).runs
    assert (plan.economy, list(plan.runs), plan.notes) == (Economy(), list(RUNS), ())


@pytest.mark.parametrize(("effort", "advised"), [("standard", True), ("quick", False)])
def test_less_effort_is_advised_only_where_there_is_more(effort: str, advised: bool) -> None:
    announced = planned(None, effort=effort).announced
    assert ("; --effort quick takes less too." in announced) is advised
    assert advised or announced.endswith("from fewer images and questions.")


def test_every_question_has_its_importance() -> None:
    asked = runs_of(QUESTIONS)
    assert {*ALWAYS_ASKED, *LEFT_OUT_FIRST, *LEFT_OUT_LAST} <= set(asked)
    found = sparable_of([*asked, "theirs"])
    assert found[: len(LEFT_OUT_FIRST)] == LEFT_OUT_FIRST
    assert found[-len(LEFT_OUT_LAST) - 1 :] == ("theirs", *LEFT_OUT_LAST)


def test_a_quick_model_needs_no_plan() -> None:
    plan = plan_build(
        *(Inputs(MODEL, Settings(), 400), RUNS, SPARABLE),
        *(Speed(1e-4, 1e-4, 64), Clock(), ALONE),
    )
    assert (plan.runs, plan.expected, plan.announced) == (RUNS, {}, "")


def test_seconds_are_those_of_decodes_encodes_and_everything_else() -> None:
    speed = Speed(decode=0.5, encode=0.25, values=1000)
    each = 0.5 + 1000 * SECONDS_PER_VALUE
    assert speed.seconds(Asked(4, 8, 3)) == pytest.approx(4 * each + 8 * 0.25 + 3)


def test_questions_beyond_the_deadline_are_told_from_the_others() -> None:
    study, deadline = (
        decoders.study_of(decoders.linear(3), decoders.gaussian_codes(80, 3), settings=FEW),
        Deadline(),
    )
    study = replace(study, engine=study.engine_of(study.autoencoder))
    runs = {
        "before": lambda study: 1,
        "late": lambda study: deadline.set(-1),
        "after": lambda study: 2,
    }
    findings = suite.analyse(study, runs, QuietProgress(), deadline=deadline)
    assert list(findings.found) == ["before", "late"]
    assert findings.not_applicable == {"after": suite.OUT_OF_TIME}
    assert findings.late_notes(30)[0].text.endswith("before these were answered: after.")


def test_a_deadline_stops_the_decoder_between_two_batches() -> None:
    deadline = Deadline()
    study = decoders.study_of(decoders.linear(3), decoders.gaussian_codes(80, 3), settings=FEW)
    engine = type(study.engine)(study.autoencoder, before_batch=deadline.check)
    engine.decode(study.test.codes)
    deadline.set(-1)
    with pytest.raises(OutOfTimeError):
        engine.decode(study.test.codes)
    findings = suite.analyse(
        replace(study, engine=engine),
        {"asked": lambda s: s.engine.decode(s.test.codes)},
        QuietProgress(),
    )
    assert findings.not_applicable == {"asked": suite.OUT_OF_TIME}


def test_what_is_left_follows_the_pace_that_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    schedule = Schedule({"first": 10, "second": 20}, 5)
    schedule.begin("first")
    assert schedule.left == pytest.approx(35)
    now[0] += 20
    schedule.begin("second")
    assert schedule.left == pytest.approx(2 * 20 + 5)
    now[0] += 30
    assert schedule.left == pytest.approx(10 + 5)
    assert Schedule({}, 0).left is None


class InMemory:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.pixels[rows]


def test_some_of_the_images_keep_their_names_labels_and_pixels() -> None:
    pixels = np.arange(40, dtype=np.float32).reshape(10, 1, 2, 2)
    images = ImageSet(
        *((1, 2, 2), tuple("0123456789"), tuple("abcdefghij"), {"x": tuple(np.arange(10.0))}),
        *((0, 40), SourceFile("x", 1, "0")),
        pixels=InMemory(pixels),
    )
    some = some_of(images, 4, seed=0)
    rows = [int(name) for name in some.names]
    assert rows == sorted(set(rows)) and len(rows) == 4
    np.testing.assert_array_equal(some.read(slice(None)), pixels[rows])
    np.testing.assert_array_equal(some.read([2, 0]), pixels[[rows[2], rows[0]]])
    assert some.labels == tuple("abcdefghij"[row] for row in rows)
    assert some.factors == {"x": tuple(map(float, rows))}
    assert some_of(images, 10, seed=0) is images
