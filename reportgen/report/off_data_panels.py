"""Which codes of which intervention were off data, in one place."""

from __future__ import annotations

from typing import Any

from reportgen.report.results import OffDataSummary


def summarise_off_data(parts: dict[str, Any]) -> OffDataSummary | None:
    """The off-data flag and what it marks, from the analyses' results by name."""
    trusted = parts.get("trust")
    if trusted is None:
        return None
    fields = {
        "ablation": (("last-in ablation", "off_data_last"), ("solo moves", "off_data_solo")),
        "contributions": (("contribution paths", "off_data_share"),),
        "partial_reconstruction": (("first units only", "off_data_share"),),
        "interactions": (("coalitions", "off_data_share"),),
        "directions": (("codes along directions", "off_data_share"),),
        "spatial": (("one site at its mean", "off_data_share"),),
        "subtraction": (("zeroed codes", "off_data_zero"), ("averaged codes", "off_data_mean")),
    }
    panels = {
        panel: getattr(parts[name], attribute)
        for name, entries in fields.items()
        if name in parts
        for panel, attribute in entries
    }
    if "traversal" in parts:
        panels["walks, data-supported range"] = parts["traversal"].supported.flagged_share
        panels["walks, full range"] = parts["traversal"].full.flagged_share
    if "plane_walks" in parts:
        shares = [plane.flagged_share for plane in parts["plane_walks"].planes]
        panels["two units at once"] = sum(shares) / len(shares)
    for table in parts["baselines"].tables if "baselines" in parts else ():
        if table.baseline in ("resample", "nearest"):
            panels[f"baseline “{table.baseline}”"] = table.off_data_share
    return OffDataSummary(
        real_codes=trusted.real_codes_flagged,
        largest_distance=trusted.largest_distance,
        largest_cycle_error=trusted.largest_cycle_error,
        covariance_shrunk=trusted.covariance_shrunk,
        panels=panels,
    )
