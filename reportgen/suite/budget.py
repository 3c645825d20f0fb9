"""The budget of a build: what each part of it takes, the questions as a rehearsal counts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reportgen.autoencoder import Autoencoder
from reportgen.process.clock import Clock
from reportgen.process.ranks import Ranks
from reportgen.settings import Settings
from reportgen.statistics.pictures import picture_shape
from reportgen.study.economy import Economy
from reportgen.study.sample import FEWEST_KEPT
from reportgen.study.stand_in import stand_in_study
from reportgen.study.study import Study
from reportgen.suite.rehearsal import Rehearsal, rehearse
from reportgen.suite.speed import Speed

Runs = Mapping[str, Callable[[Study], Any]]

# The part of the time that is planned with.
FILLED = 0.92
FEWEST_IMAGES = 40
MOST_REHEARSED = 1024
# Seconds of the page, and of each value of each of its pictures; of the control, likewise for each
# value of a decoded image; of PCA, for each product.
PAGE, PAGE_PER_VALUE = 3.0, 1.5e-7
CONTROL, CONTROL_PER_VALUE = 1.0, 2e-5
PCA_PER_PRODUCT = 2e-9
RESAMPLES = 100


@dataclass(frozen=True)
class Inputs:
    """The things that a build is of.

    Attributes
    ----------
    autoencoder, settings : the model, and every knob.
    images, fit_images : how many there are; None where no others are fitted on.
    replicates, groups : how many other trainings, and the groups of units.
    """

    autoencoder: Autoencoder
    settings: Settings
    images: int
    fit_images: int | None = None
    replicates: int = 0
    groups: dict[str, tuple[int, ...]] | None = None

    def with_fewest_images(self) -> Inputs:
        """The same with no more images than a report needs."""
        fit = self.fit_images
        return replace(
            self,
            images=min(self.images, FEWEST_IMAGES),
            fit_images=None if fit is None else min(fit, FEWEST_IMAGES),
        )


class Budget:
    """The seconds of a build's parts.

    Parameters
    ----------
    inputs : what is built; fewer images may be put in their place.
    runs : the questions, by name.
    speed, clock, ranks : of the model, of the build, and the processes that share its rows.

    Attributes
    ----------
    rows, table : how many rows there are behind statistics, and of the coalition table.
    """

    def __init__(
        self, inputs: Inputs, runs: Runs, speed: Speed, clock: Clock, ranks: Ranks
    ) -> None:
        self.inputs, self.runs, self.speed = inputs, runs, speed
        self._clock, self._ranks = clock, ranks
        self._asks_nothing: frozenset[str] = frozenset()
        self.rows = self.table = 0

    @property
    def spent(self) -> float:
        """Seconds since the build began, the same for all ranks."""
        return self._ranks.largest(self._clock.elapsed)

    def rehearsed(self, economy: Economy) -> Rehearsal:
        """Rehearse the questions that ask anything of the model."""
        given = self.inputs
        settings = replace(economy.of_settings(given.settings), bootstrap_resamples=RESAMPLES)
        # More images than any question looks at would only take longer.
        most = max(MOST_REHEARSED, 2 * (settings.rows or 0))
        study = stand_in_study(
            given.autoencoder,
            min(given.images, most),
            None if given.fit_images is None else min(given.fit_images, most),
            settings,
            replicates=given.replicates,
            groups=given.groups,
        )
        self.rows = len(study.rows.statistics)
        self.table = len(study.rows.table)
        fewer = replace(study, rows=study.rows.fewer(economy.statistics, economy.table))
        asked = {name: run for name, run in self.runs.items() if name not in self._asks_nothing}
        asked = {name: run for name, run in asked.items() if name != "control"}
        found = rehearse(fewer, asked)
        turns = found.asked_in_turn(asked)
        nothing = (name for name, each in turns.items() if each.decodes + each.encodes == 0)
        self._asks_nothing |= frozenset(nothing)
        return found

    def seconds(self, found: Rehearsal, names: Sequence[str]) -> float:
        """Seconds of these questions, the same for all ranks."""
        return self._ranks.largest(self.speed.seconds(found.asked(names)))

    def room(self, found: Rehearsal, names: Sequence[str], limit: float) -> float:
        """Seconds that these questions may take."""
        return FILLED * limit - self.spent - self.passed() - self.after(found, names)

    def kept(self, given: Inputs) -> int:
        """Images that are decoded in the pass."""
        counts = (given.images,) if given.fit_images is None else (given.images, given.fit_images)
        room = given.settings.memory_bytes // 8 // (2 * 2 * 4 * self.speed.values)
        most = max(FEWEST_KEPT, room)
        return sum(min(count, 2 * most) for count in counts)

    def passed(self, inputs: Inputs | None = None) -> float:
        """Seconds of encoding all images, of decoding those that are kept, and of PCA."""
        given, speed = inputs or self.inputs, self.speed
        encoded, kept = given.images + (given.fit_images or 0), self.kept(given)
        products = (kept / 2) ** 2 * speed.values
        return encoded * speed.encode + kept * speed.decode + PCA_PER_PRODUCT * products

    def after(self, found: Rehearsal, names: Sequence[str]) -> float:
        """Seconds of the control and of the page."""
        shown = int(np.prod(picture_shape(self.inputs.autoencoder.input_shape)))
        pictures = sum(found.pictures.get(name, 0) for name in names)
        return self.control() + PAGE + PAGE_PER_VALUE * shown * pictures

    def control(self) -> float:
        """Seconds of the linear control, which asks nothing of the model."""
        return CONTROL + CONTROL_PER_VALUE * self.speed.values
