"""The importance of questions, for builds that have no time for all of them."""

from __future__ import annotations

from collections.abc import Iterable

# What the page opens with is in every report: whether the model reconstructs, the walk, what each
# unit does and contributes, and whether to trust the numbers. Whether effects add up is left out
# only where there were no report otherwise.
ALWAYS_ASKED = (
    *("control", "traversal", "reconstruction", "contributions", "ablation", "health", "tracking"),
    *("one_picture", "additivity", "linearity", "label_metrics", "trust"),
)
LEFT_OUT_AT_WORST = ("additivity",)
# Of the others, the first are left out first, and between the two lists questions of packages.
LEFT_OUT_FIRST = (
    *("permuted_codes", "dependent_shares", "latent_responses", "picture_angles"),
    *("direction_moves", "direction_contributions", "plane_walks", "between_images", "baselines"),
    *("directions", "pre_activation", "draws", "replicates", "code_map", "reads", "code_book"),
)
LEFT_OUT_LAST = (*("errors", "spatial", "partial_reconstruction", "interactions", "subtraction"),)


def sparable_of(names: Iterable[str]) -> tuple[str, ...]:
    """Those of these questions that a build may leave out, the least important first."""
    asked = list(names)
    ours = {*ALWAYS_ASKED, *LEFT_OUT_FIRST, *LEFT_OUT_LAST}
    of_packages = [name for name in asked if name not in ours]
    ranked = (*LEFT_OUT_FIRST, *of_packages, *LEFT_OUT_LAST)
    return tuple(name for name in ranked if name in asked)
