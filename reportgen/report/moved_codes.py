"""Which codes each section moves, and how many of them are off data."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.report.results import Results


def moved_codes(results: Results, section: str) -> Iterator[tuple[str, float]]:
    """What a section's codes are called, and the share of them that is flagged."""
    if section in ("units", "one_picture") and results.ablation is not None:
        yield "the codes with one unit alone away from the mean", results.ablation.off_data_solo
        yield "the codes with one unit at its mean", results.ablation.off_data_last
    if section == "contributions" and results.contributions is not None:
        yield "the codes on the paths", results.contributions.off_data_share
    if section == "interactions" and results.interactions is not None:
        yield "the mixed codes", results.interactions.off_data_share
    if section == "partial_reconstruction" and results.partial_reconstruction is not None:
        yield "the codes with the first units only", results.partial_reconstruction.off_data_share
    if section == "directions" and results.directions is not None:
        yield "the codes moved along directions", results.directions.off_data_share
    if section == "spatial" and results.spatial is not None:
        yield "the codes with one site at its mean", results.spatial.off_data_share
    if section == "pre_activation" and results.additivity is not None:
        yield "the codes with one unit away from the mean", results.additivity.off_data_up
    if section == "additivity" and results.additivity is not None:
        yield "the codes with one unit away from the mean", results.additivity.off_data_up
        yield "the codes with one unit at its mean", results.additivity.off_data_down
    if section == "subtraction" and results.subtraction is not None:
        yield "the codes with a zeroed unit", results.subtraction.off_data_zero
        yield "the codes with a unit at its mean", results.subtraction.off_data_mean
    if section == "baselines" and results.baselines is not None:
        for table in results.baselines.tables:
            yield f"the codes of the baseline “{table.baseline}”", table.off_data_share
    if section == "plane_walks" and results.plane_walks is not None:
        for plane in results.plane_walks.planes:
            yield f"the codes of units {' and '.join(plane.names)}", plane.flagged_share
    if section == "traversal" and results.traversal is not None:
        yield "the frames of these walks", results.traversal.supported.flagged_share
