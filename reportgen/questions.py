"""The questions of a report, in the order of its page; the one list that everything follows from.

What is computed, what results.json holds, the sections, the contents, the limits and the off-data
panels all come from here. Questions from packages of the user's own follow before the last ones,
which describe how the report was built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Any

from reportgen.analyses import (
    ablation,
    additivity,
    baselines,
    contributions,
    direction_contributions,
    directions,
    draws,
    health,
    interactions,
    label_metrics,
    linearity,
    one_picture,
    partial_reconstruction,
    permuted_codes,
    plane_walks,
    pre_activation,
    reconstruction,
    replicates,
    spatial,
    subtraction,
    tracking,
    traversal,
    trust,
)
from reportgen.errors import ExtensionError
from reportgen.report import views
from reportgen.report.question import ENTRY_POINTS, MovedCodes, Question
from reportgen.study.study import Study
from reportgen.suite import control

__all__ = ["QUESTIONS", "MovedCodes", "Question", "all_questions", "runs_of"]


QUESTIONS = (
    Question(
        name="traversal",
        title="Latent walk",
        lead="What happens when one unit moves?",
        run=traversal.run,
        answer=traversal.Traversal,
        view=views.traversal.view,
        limits=views.traversal.limits,
        moved=views.traversal.moved,
    ),
    Question(
        name="reconstruction",
        title="The model beside PCA",
        lead="Does it reconstruct, and how many principal components would do as well?",
        run=reconstruction.run,
        answer=reconstruction.Reconstruction,
        view=views.reconstruction.view,
        limits=views.reconstruction.limits,
        describes="data",
    ),
    Question(
        name="contributions",
        title="Contributions",
        lead="What does each unit contribute to an image, in pictures that add up?",
        run=contributions.run,
        answer=contributions.Contributions,
        view=views.contributions.view,
        limits=views.contributions.limits,
        moved=views.contributions.moved,
        redefined_in="2.0",
    ),
    Question(
        name="direction_contributions",
        title="Contributions of directions",
        lead="What does each direction of the code contribute, as principal components do?",
        run=direction_contributions.run,
        answer=direction_contributions.DirectionContributions,
        view=views.direction_contributions.view,
        limits=views.direction_contributions.limits,
        moved=views.direction_contributions.moved,
    ),
    Question(
        name="partial_reconstruction",
        title="Partial reconstruction",
        lead="How much of the image do the first k units rebuild?",
        run=partial_reconstruction.run,
        answer=partial_reconstruction.PartialReconstruction,
        view=views.partial_reconstruction.view,
        moved=views.partial_reconstruction.moved,
        moves_units=True,
    ),
    Question(
        name="ablation",
        run=ablation.run,
        answer=ablation.Ablation,
        moved=views.ablation.moved,
    ),
    Question(name="health", run=health.run, answer=health.Health, redefined_in="2.0"),
    Question(name="tracking", run=tracking.run, answer=tracking.Tracking),
    Question(name="draws", run=draws.run, answer=draws.Draws, moved=views.draws.moved),
    Question(
        name="units",
        title="Units",
        lead="What does each unit do, and does it matter?",
        view=views.units.view,
        moved=views.units.moved,
        moves_units=True,
    ),
    Question(
        name="one_picture",
        title="One picture for each unit?",
        lead="Is more of a unit just more of one picture?",
        run=one_picture.run,
        answer=one_picture.OnePicture,
        view=views.one_picture.view,
        limits=views.one_picture.limits,
        moved=views.one_picture.moved,
    ),
    Question(
        name="additivity",
        title="Separate or combined",
        lead="Do units moved together give the sum of what each gives alone?",
        run=additivity.run,
        answer=additivity.Additivity,
        view=views.additivity.view,
        limits=views.additivity.limits,
        moved=views.additivity.moved,
    ),
    Question(
        name="subtraction",
        title="Zero and subtract",
        lead="Is x̂ minus an ablated reconstruction the unit's contribution?",
        run=subtraction.run,
        answer=subtraction.Subtraction,
        view=views.subtraction.view,
        moved=views.subtraction.moved,
        moves_units=True,
        redefined_in="2.0",
    ),
    Question(
        name="interactions",
        title="Interactions",
        lead="Which units change the picture only together?",
        run=interactions.run,
        answer=interactions.Interactions,
        view=views.interactions.view,
        limits=views.interactions.limits,
        moved=views.interactions.moved,
    ),
    Question(
        name="linearity",
        title="How linear on the data",
        lead="How much of the reconstruction is linear in the code, how much curved, how much "
        "neither?",
        run=linearity.run,
        answer=linearity.Linearity,
        view=views.linearity.view,
        limits=views.linearity.limits,
        redefined_in="2.0",
    ),
    Question(
        name="permuted_codes",
        run=permuted_codes.run,
        answer=permuted_codes.PermutedCodes,
        redefined_in="2.0",
    ),
    Question(
        name="pre_activation",
        run=pre_activation.run,
        answer=pre_activation.PreActivation,
        moved=views.pre_activation.moved,
        redefined_in="2.0",
    ),
    Question(
        name="directions",
        title="Directions",
        lead="Was it the choice of axes, or do other directions of the code add up better?",
        run=directions.run,
        answer=directions.Directions,
        view=views.directions.view,
        limits=views.directions.limits,
        moved=views.directions.moved,
    ),
    Question(
        name="plane_walks",
        title="Two units at once",
        lead="What do the units that interact most show when they move together?",
        run=plane_walks.run,
        answer=plane_walks.PlaneWalks,
        view=views.plane_walks.view,
        moved=views.plane_walks.moved,
    ),
    Question(
        name="baselines",
        run=baselines.run,
        answer=baselines.Baselines,
        moved=views.baselines.moved,
        redefined_in="2.0",
    ),
    Question(
        name="spatial",
        title="Sites of a spatial code",
        lead="Where in the image does each site act, and what do channels show?",
        run=spatial.run,
        answer=spatial.Spatial,
        view=views.spatial.view,
        moved=views.spatial.moved,
    ),
    Question(
        name="label_metrics",
        title="Labels",
        lead="What do units know of the labels?",
        run=label_metrics.run,
        answer=label_metrics.LabelMetrics,
        view=views.label_metrics.view,
        limits=views.label_metrics.limits,
        redefined_in="2.0",
    ),
    Question(
        name="replicates",
        title="Other trainings",
        lead="Would another training of the model find the same units?",
        run=replicates.run,
        answer=replicates.Replicates,
        limits=views.replicates.limits,
        redefined_in="2.0",
    ),
    Question(
        name="trust",
        title="Trust",
        lead="Can these numbers be believed for this model?",
        run=trust.run,
        answer=trust.Trust,
        limits=views.trust.limits,
    ),
    Question(
        name="control",
        title="Linear control",
        lead="Does the instrument read zero on PCA?",
        run=control.run,
        answer=control.Control,
        describes="build",
    ),
    Question(
        name="method",
        title="Method and limits",
        lead="How was each number computed?",
        view=views.provenance.view,
        describes="build",
    ),
    Question(
        name="provenance",
        title="Provenance",
        lead="What was read, and with what?",
        view=views.provenance.view,
        describes="build",
    ),
)


def all_questions() -> tuple[Question, ...]:
    """Our questions with those of installed packages before the ones that describe the build.

    Raises ExtensionError for a package's question that cannot be imported, is no `Question`, lacks
    what one needs, or bears a name that is taken.
    """
    asked = [question for question in QUESTIONS if question.describes != "build"]
    built = [question for question in QUESTIONS if question.describes == "build"]
    taken = {question.name: "reportgen" for question in QUESTIONS}
    for question, package in _of_packages():
        if question.name in taken:
            raise ExtensionError(
                f"Two questions are named {question.name!r}, by {taken[question.name]} and by "
                f"{package}; rename or uninstall one."
            )
        taken[question.name] = package
        asked.append(question)
    return (*asked, *built)


def _of_packages() -> Iterator[tuple[Question, str]]:
    """Each question of an installed package, with the package's name; ordered by entry point."""
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist else entry.value
        try:
            question = entry.load()
        except Exception as error:
            raise ExtensionError(
                f"The question {entry.name!r} of the package {package} cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall it."
            ) from error
        if not isinstance(question, Question):
            raise ExtensionError(
                f"The entry point {entry.name!r} of the package {package} is a "
                f"{type(question).__name__} and has to be a reportgen.questions.Question."
            )
        complete = question.title and question.run and question.answer
        if not complete or question.template is None:
            raise ExtensionError(
                f"The question {question.name!r} of the package {package} needs a title, run, "
                "answer and template."
            )
        if not question.template.is_file():
            raise ExtensionError(
                f"The question {question.name!r} of the package {package} says that its template "
                f"is {question.template}, and there is no such file; install it anew."
            )
        yield question, package


def runs_of(questions: Iterable[Question]) -> dict[str, Callable[[Study], Any]]:
    """The function that answers each question, by name, in order but for the control, the first.

    Its images take as much memory again as the model's, when nobody else has kept anything yet.
    """
    in_order = sorted(questions, key=lambda question: question.run is not control.run)
    return {question.name: question.run for question in in_order if question.run is not None}
