"""The live walk: everything its script reads, as one block of JSON."""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.analyses.traversal import Traversal
from reportgen.live.program import LiveWalk
from reportgen.report import numbers
from reportgen.report.results import Results
from reportgen.report.script_data import safe_in_script


@dataclass(frozen=True)
class LiveView:
    """`data` is JSON for a script element; `weights` the bytes of the decoder's weights."""

    data: Any
    weights: int


def live_view(walks: Traversal, results: Results) -> LiveView | None:
    """The live walk's data and weights; None where the decoder does not run in the page."""
    from markupsafe import Markup

    live = results.live
    if live is None:
        return None
    data = {
        "shape": results.provenance.input_shape,
        "rows": walks.rows,
        "units": [_unit(results, live, walks, place) for place in range(len(live.units))],
        "distances": live.distances.tolist(),
        "slopes": live.slopes.tolist(),
        "precision": live.precision.tolist(),
        "largest_distance": live.largest_distance,
        "codes": _base64(live.codes, "<f4"),
        "steps": [dataclasses.asdict(step) for step in live.decoder.steps],
        "weights": _base64(live.decoder.weights, "<f2"),
    }
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return LiveView(Markup(safe_in_script(text)), live.decoder.weights.nbytes)


def _unit(results: Results, live: LiveWalk, walks: Traversal, place: int) -> dict[str, Any]:
    index = live.units[place]
    share = next((unit.share for unit in results.units if unit.index == index), None)
    supported = walks.supported.values[:, place]
    return {
        "index": index,
        "name": live.names[place],
        "share": "" if share is None else numbers.percent(share.value),
        "members": live.members[place],
        "mean": float(live.means[place]),
        "quantiles": live.quantiles[place].tolist(),
        "low": supported[:, 0].tolist(),
        "high": supported[:, -1].tolist(),
    }


def _base64(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _finite(value: Any) -> Any:
    """The same value with None, JSON's null, for every number that is infinite or NaN."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
