"""The page's sections in order: title, the question each answers, its analysis and its template."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes
    ----------
    name : its anchor, and the name of `templates/sections/NAME.html.j2`.
    title, question : heading and one-line lead.
    analysis : the field of `Results` it cannot do without; None when it needs no analysis.
    """

    name: str
    title: str
    question: str
    analysis: str | None


SECTIONS = (
    Section("traversal", "Latent walk", "What happens when one unit moves?", "traversal"),
    Section(
        "reconstruction",
        "The model beside PCA",
        "Does it reconstruct, and how many principal components would do as well?",
        "reconstruction",
    ),
    Section(
        "contributions",
        "Contributions",
        "What does each unit contribute to an image, in pictures that add up?",
        "contributions",
    ),
    Section(
        "partial_reconstruction",
        "Partial reconstruction",
        "How much of the image do the first k units rebuild?",
        "partial_reconstruction",
    ),
    Section("units", "Units", "What does each unit do, and does it matter?", None),
    Section(
        "one_picture",
        "One picture for each unit?",
        "Is more of a unit just more of one picture?",
        "one_picture",
    ),
    Section(
        "additivity",
        "Separate or combined",
        "Do units moved together give the sum of what each gives alone?",
        "additivity",
    ),
    Section(
        "subtraction",
        "Zero and subtract",
        "Is x̂ minus an ablated reconstruction the unit's contribution?",
        "subtraction",
    ),
    Section(
        "interactions",
        "Interactions",
        "Which units change the picture only together?",
        "interactions",
    ),
    Section(
        "linearity",
        "How linear on the data",
        "How much of the reconstruction is linear in the code, how much curved, how much neither?",
        "linearity",
    ),
    Section(
        "permuted_codes",
        "If units were independent",
        "How much of the decoder is additive once units no longer go together?",
        "permuted_codes",
    ),
    Section(
        "directions",
        "Directions",
        "Was it the choice of axes, or do other directions of the code add up better?",
        "directions",
    ),
    Section(
        "pre_activation",
        "Before the last squash",
        "How much of it is the decoder's last Sigmoid, Tanh or Softplus?",
        "pre_activation",
    ),
    Section(
        "plane_walks",
        "Two units at once",
        "What do the units that interact most show when they move together?",
        "plane_walks",
    ),
    Section(
        "baselines",
        "Baselines",
        "Does it matter what an ablated unit is set to?",
        "baselines",
    ),
    Section(
        "spatial",
        "Sites of a spatial code",
        "Where in the image does each site act, and what do channels show?",
        "spatial",
    ),
    Section(
        "label_metrics",
        "Labels",
        "What do units know of the labels?",
        "label_metrics",
    ),
    Section(
        "replicates",
        "Other trainings",
        "Would another training of the model find the same units?",
        "replicates",
    ),
    Section("trust", "Trust", "Can these numbers be believed for this model?", "trust"),
    Section("control", "Linear control", "Does the instrument read zero on PCA?", "control"),
    Section("method", "Method and limits", "How was each number computed?", None),
    Section("provenance", "Provenance", "What was read, and with what?", None),
)
