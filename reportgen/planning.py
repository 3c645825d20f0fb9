"""A build planned before it starts: what fits into the time there is, and the study of that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reportgen.engine import Engine
from reportgen.images import ImageSet
from reportgen.process.clock import Deadline
from reportgen.process.progress import QuietProgress
from reportgen.process.surroundings import Surroundings
from reportgen.questions import Question, runs_of
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.code_cache import CodeCache
from reportgen.study.economy import some_of
from reportgen.study.study import Study
from reportgen.study.subject import Subject
from reportgen.suite.budget import Inputs
from reportgen.suite.importance import sparable_of
from reportgen.suite.plan import Plan, plan_build
from reportgen.suite.schedule import Schedule
from reportgen.suite.speed import timed


@dataclass(frozen=True)
class PlannedSubject:
    """A subject, and what will be asked of it.

    Attributes
    ----------
    subject : with as many images as the plan has.
    plan : what fits, with the settings that make it fit.
    schedule : seconds that are left at each question.
    engine : the model's forwards.
    """

    subject: Subject
    plan: Plan
    schedule: Schedule
    engine: Engine

    def study(self, progress: QuietProgress, surroundings: Surroundings) -> Study:
        """Encode the images."""
        subject, cache = self.subject, None
        if subject.cache is not None:
            cache = CodeCache(subject.cache, subject.autoencoder, surroundings.keep_codes)
        study = make_study(
            subject.autoencoder,
            subject.images,
            self.plan.build.settings,
            fit_images=subject.fit_images,
            replicates=subject.replicates,
            groups=subject.groups,
            cache=cache,
            ranks=surroundings.ranks,
            scratch=surroundings.scratch,
            engine=self.engine,
            on_encoded=progress.encoded,
        )
        return self.plan.economy.of_study(study)


def plan_subject(
    subject: Subject,
    settings: Settings,
    progress: QuietProgress,
    surroundings: Surroundings,
    questions: tuple[Question, ...],
    deadline: Deadline,
) -> PlannedSubject:
    """Time the model, and plan what fits into the time that there is; sets the deadline.

    Raises SettingsError where nothing does.
    """
    ranks, clock = surroundings.ranks, surroundings.clock
    engine = Engine(
        subject.autoencoder,
        memory=settings.memory_bytes,
        on_progress=lambda count: progress.decoded(count, schedule.left),
        # Ranks wait for each other's rows, so that none of them may stop alone.
        before_batch=deadline.check if ranks.count == 1 else lambda: None,
    )
    with progress.step("plan"), engine.uncounted():
        fit_count = None if subject.fit_images is None else len(subject.fit_images)
        counts = len(subject.images), fit_count, len(subject.replicates)
        inputs = Inputs(subject.autoencoder, settings, *counts, subject.groups)
        runs = runs_of(questions)
        speed = timed(engine, subject.images, ranks)
        plan = plan_build(inputs, runs, sparable_of(runs), speed, clock, ranks)
        progress.planned(plan.announced)
        schedule = Schedule(plan.expected, plan.after)
        if settings.max_seconds is not None:
            deadline.set(settings.max_seconds - clock.elapsed - plan.after)
    return PlannedSubject(_some_of(subject, plan, settings.seed), plan, schedule, engine)


def _some_of(subject: Subject, plan: Plan, seed: int) -> Subject:
    """The subject with as many images as the plan has; a cache only where those are all."""

    def some(images: ImageSet | None, count: int | None) -> ImageSet | None:
        return images if images is None or count is None else some_of(images, count, seed)

    return replace(
        subject,
        images=some_of(subject.images, plan.build.images, seed),
        fit_images=some(subject.fit_images, plan.build.fit_images),
        cache=subject.cache if plan.build.images == len(subject.images) else None,
    )
