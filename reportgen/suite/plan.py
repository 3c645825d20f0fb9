"""A plan of a build: what it will take, and what is spared where that is too long.

What questions ask for is counted in a rehearsal (`suite.rehearsal`), so that no formula has to know
them. Where --max-seconds is too short for all of it, the rows behind statistics are cut first, down
to 32, then those of the coalition table, down to 8; then walks and paths become coarse; then the
least important questions are not asked; then rows fall to 8, and a single image is walked; and
last, it is not asked whether effects add up. If even that is too long, the build stops before it
begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reportgen.autoencoder import Note
from reportgen.errors import SettingsError
from reportgen.process.clock import Clock
from reportgen.process.ranks import Ranks
from reportgen.study.economy import (
    ALL_ROWS,
    FEWEST_STATISTIC_ROWS,
    FEWEST_TABLE_ROWS,
    LAST_STATISTIC_ROWS,
    LAST_TABLE_ROWS,
    Economy,
)
from reportgen.suite.budget import FEWEST_IMAGES, FILLED, Budget, Inputs, Runs
from reportgen.suite.importance import LEFT_OUT_AT_WORST
from reportgen.suite.rehearsal import Rehearsal
from reportgen.suite.speed import Speed
from reportgen.suite.time_words import duration, each_words, spared_sentence

# The part of the time that the pass over all images may take.
OF_THE_PASS = 0.2
COARSE, COARSEST = (
    Economy(LAST_STATISTIC_ROWS, LAST_TABLE_ROWS, coarse=coarse) for coarse in (2, 3)
)
# Without a limit a build of less than this many seconds is not announced.
WORTH_A_WORD, USUAL_DECODES = 60, 100_000


@dataclass(frozen=True)
class Plan:
    """A build as it is planned.

    Attributes
    ----------
    build : what is built, with as few images, and settings as coarse, as there is time for.
    economy : the rows that there is time for.
    runs : the questions, by name, in the order in which they are to be asked.
    expected : seconds of each of them; empty where nobody needs to know.
    left_out : by question, why it is not asked.
    after : seconds of what comes after the questions.
    notes : what was spared, for the report.
    announced : a sentence for the terminal; "" where there is nothing to say.
    """

    build: Inputs
    economy: Economy
    runs: Runs
    expected: dict[str, float]
    left_out: dict[str, str]
    after: float
    notes: tuple[Note, ...]
    announced: str


def plan_build(
    inputs: Inputs,
    runs: Runs,
    sparable: Sequence[str],
    speed: Speed,
    clock: Clock,
    ranks: Ranks,
) -> Plan:
    """Plan a build that has loaded its model.

    `runs` are the questions by name, in their order, and `sparable` the names of those that may be
    left out, the least important first. Raises SettingsError where --max-seconds is too short for
    any report.
    """
    limit = inputs.settings.max_seconds
    if limit is None:
        if speed.decode * USUAL_DECODES < WORTH_A_WORD:
            return Plan(inputs, Economy(), runs, {}, {}, 0.0, (), "")
        return _Planner(inputs, runs, sparable, speed, clock, ranks).announced()
    planner = _Planner(inputs, runs, sparable, speed, clock, ranks)
    return planner.within(limit)


class _Planner:
    """Rehearses a build with one economy after another."""

    def __init__(
        self,
        inputs: Inputs,
        runs: Runs,
        sparable: Sequence[str],
        speed: Speed,
        clock: Clock,
        ranks: Ranks,
    ) -> None:
        self._given, self._runs = inputs, runs
        self._budget = Budget(inputs, runs, speed, clock, ranks)
        self._sparable = [name for name in sparable if name in runs]
        self._essential = [name for name in runs if name not in self._sparable]
        self._at_worst = [name for name in self._essential if name not in LEFT_OUT_AT_WORST]
        self._all = [*self._essential, *reversed(self._sparable)]

    def announced(self) -> Plan:
        """Plan without a limit."""
        found = self._budget.rehearsed(Economy())
        budget = self._budget
        seconds = budget.spent + budget.passed() + budget.seconds(found, self._all)
        seconds += budget.after(found, self._all)
        decodes = found.asked(self._all).decodes + budget.kept(budget.inputs)
        said = ""
        if seconds >= WORTH_A_WORD:
            said = (
                f"This report takes about {duration(seconds)}: {decodes:,.0f} images to decode, "
                f"{each_words(self._budget.speed.decode)} each. {self._shorter(seconds)}"
            ).rstrip()
        return self._plan(Economy(), found, list(self._runs), said)

    def _shorter(self, seconds: float) -> str:
        """Say how a build of so many seconds is made in fewer."""
        enough = self._enough(self._budget.rehearsed(COARSEST), self._at_worst)
        tenth = max(math.ceil(seconds / 10), enough)
        quick = self._given.settings.effort == "quick"
        if 2 * tenth > seconds:
            return "" if quick else "--effort quick takes less, from fewer images."
        part = "a tenth of that" if tenth > enough else "the least that a report needs"
        less_effort = "" if quick else "; --effort quick takes less too"
        return (
            f"With --max-seconds {tenth} it takes {part}, from fewer images and questions"
            f"{less_effort}."
        )

    def within(self, limit: float) -> Plan:
        """Plan for at most so many seconds."""
        self._fewer_images(limit)
        coarse = Economy(FEWEST_STATISTIC_ROWS, FEWEST_TABLE_ROWS, coarse=1)
        found = self._budget.rehearsed(coarse)
        if not self._fits(found, self._all, limit):
            return self._with_fewer_questions(coarse, found, limit)
        plain = Economy(FEWEST_STATISTIC_ROWS, FEWEST_TABLE_ROWS)
        low = self._budget.rehearsed(plain)
        if not self._fits(low, self._all, limit):
            return self._with_more_rows(coarse, found, self._all, limit)
        tabled = self._budget.rehearsed(Economy(FEWEST_STATISTIC_ROWS))
        if not self._fits(tabled, self._all, limit):
            high = tabled, self._budget.table
            table = self._between((low, FEWEST_TABLE_ROWS), high, self._all, limit)
            return self._limited(Economy(FEWEST_STATISTIC_ROWS, table), low, self._all, limit)
        whole = self._budget.rehearsed(Economy())
        if self._fits(whole, self._all, limit):
            return self._limited(Economy(), whole, self._all, limit)
        high = whole, self._budget.rows
        rows = self._between((tabled, FEWEST_STATISTIC_ROWS), high, self._all, limit)
        return self._limited(Economy(rows), tabled, self._all, limit)

    def _with_fewer_questions(self, economy: Economy, found: Rehearsal, limit: float) -> Plan:
        kept = list(self._all)
        while not self._fits(found, kept, limit) and len(kept) > len(self._essential):
            kept.pop()
        if not self._fits(found, kept, limit):
            return self._with_fewest_rows(limit)
        for name in self._all:
            if name not in kept and self._fits(found, [*kept, name], limit):
                kept.append(name)
        return self._with_more_rows(economy, found, kept, limit)

    def _with_more_rows(
        self, economy: Economy, found: Rehearsal, kept: list[str], limit: float
    ) -> Plan:
        """Spend what time is left on rows behind statistics."""
        if self._budget.rows > economy.statistics:
            more = self._budget.rehearsed(replace(economy, statistics=ALL_ROWS))
            low = found, economy.statistics
            rows = self._between(low, (more, self._budget.rows), kept, limit)
            economy = replace(economy, statistics=rows)
        return self._limited(economy, found, kept, limit)

    def _with_fewest_rows(self, limit: float) -> Plan:
        last = COARSE
        found, kept = self._budget.rehearsed(last), self._essential
        if not self._fits(found, kept, limit):
            self._budget.inputs = self._budget.inputs.with_fewest_images()
        if not self._fits(found, kept, limit):
            last, found = COARSEST, self._budget.rehearsed(COARSEST)
        if not self._fits(found, kept, limit):
            kept = self._at_worst
        if not self._fits(found, kept, limit):
            raise SettingsError(self._too_short(found, kept, limit))
        # Half of what is left for more questions, the rest for more rows.
        least = self._budget.seconds(found, kept)
        most = (least + self._budget.room(found, kept, limit)) / 2
        for name in reversed(self._sparable):
            more = [*kept, name]
            room = self._budget.room(found, more, limit)
            if self._budget.seconds(found, more) <= min(most, room):
                kept = more
        return self._with_more_rows(last, found, kept, limit)

    def _fewer_images(self, limit: float) -> None:
        """Read as many images as a fifth of the time is enough for, and 40 at the least.

        All of them where the whole build fits.
        """
        left = limit - self._budget.spent
        whole = self._budget.passed()
        if whole <= OF_THE_PASS * left:
            return
        if self._fits(self._budget.rehearsed(Economy()), self._all, limit):
            return
        part = max(OF_THE_PASS * left, 0.0) / whole

        def fewer(count: int) -> int:
            return min(count, max(FEWEST_IMAGES, int(part * count)))

        fit = self._given.fit_images
        self._budget.inputs = replace(
            self._given,
            images=fewer(self._given.images),
            fit_images=None if fit is None else fewer(fit),
        )

    def _fits(self, found: Rehearsal, names: Sequence[str], limit: float) -> bool:
        return self._budget.seconds(found, names) <= self._budget.room(found, names, limit)

    def _between(
        self,
        low: tuple[Rehearsal, int],
        high: tuple[Rehearsal, int],
        names: Sequence[str],
        limit: float,
    ) -> int:
        """Find the rows there is time for, between two numbers of which the lower one fits."""
        (few, fewest), (many, most) = low, high
        room = self._budget.room(many, names, limit)
        least, whole = self._budget.seconds(few, names), self._budget.seconds(many, names)
        if whole <= room or whole <= least:
            return most
        part = max(0.0, (room - least) / (whole - least))
        return fewest + int(part * (most - fewest))

    def _limited(
        self, economy: Economy, found: Rehearsal, kept: Sequence[str], limit: float
    ) -> Plan:
        whole = len(kept) == len(self._all) and economy == Economy()
        if whole and self._budget.inputs == self._given:
            return self._plan(economy, found, list(self._runs), "")
        plan = self._plan(economy, found, kept, "")
        note = Note("time", self._spared(plan, limit))
        return replace(plan, notes=(note,), announced=note.text)

    def _plan(
        self, economy: Economy, found: Rehearsal, names: Sequence[str], announced: str
    ) -> Plan:
        turns = found.asked_in_turn(names)
        seconds = {name: self._budget.speed.seconds(asked) for name, asked in turns.items()}
        if "control" in seconds:
            seconds["control"] = self._budget.control()
        limit = self._budget.inputs.settings.max_seconds
        reason = f"it was not asked, to stay within --max-seconds {limit or 0:g}."
        settings = economy.of_settings(self._budget.inputs.settings)
        return Plan(
            build=replace(self._budget.inputs, settings=settings),
            economy=economy,
            runs={name: self._runs[name] for name in names},
            expected=seconds,
            left_out={name: reason for name in self._all if name not in names},
            after=self._budget.after(found, names) - self._budget.control(),
            notes=(),
            announced=announced,
        )

    def _spared(self, plan: Plan, limit: float) -> str:
        given, economy = self._given, plan.economy
        return spared_sentence(
            limit,
            self._budget.speed,
            counts={
                "images": (given.images, plan.build.images),
                "images to fit on": (given.fit_images or 0, plan.build.fit_images or 0),
            },
            rows=(self._budget.rows, economy.statistics),
            table=(self._budget.table, economy.table),
            is_coarse=economy.coarse > 0,
            left_out=plan.left_out,
        )

    def _too_short(self, found: Rehearsal, kept: Sequence[str], limit: float) -> str:
        spent, asked = self._budget.spent, found.asked(kept)
        return (
            f"--max-seconds {limit:g} is too short for a report: {spent:.0f} s have gone into "
            f"reading, and the least that is asked for are {asked.decodes:,.0f} decodes at "
            f"{each_words(self._budget.speed.decode)} each, beside the page. Allow --max-seconds "
            f"{self._enough(found, kept)}."
        )

    def _enough(self, found: Rehearsal, kept: Sequence[str]) -> int:
        """Seconds that are enough for these questions, and for as few images as it may be."""
        needed = self._budget.spent + self._budget.passed(self._budget.inputs.with_fewest_images())
        needed += self._budget.after(found, kept) + self._budget.seconds(found, kept)
        return math.ceil(1.1 * needed / FILLED)
