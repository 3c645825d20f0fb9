"""One unit at a time, in both directions, over the statistics rows: 2K decodes for each row.

Solo: only unit k moves from the baseline, v({k}) − v(∅). Last-in: only unit k goes back to it,
v(N) − v(N∖k). Ablation effects, "one picture per unit" and "sum against combined" all read from
the same moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reportgen.engine import Coalitions, CodePanel
from reportgen.statistics.blocks import (
    CACHED_BYTES,
    cached_columns,
    centred_squares,
    in_parallel,
    over_pixels,
)
from reportgen.statistics.leading_directions import LeadingDirections, leading_directions
from reportgen.statistics.norms import squared_norms

if TYPE_CHECKING:
    from reportgen.study.study import Study


@dataclass(frozen=True)
class SingleMoves:
    """Sums of squares and stacks of the single moves of K players on r rows.

    Attributes
    ----------
    rows : (r,) indices into the test sample.
    solo, last : (r, K) ‖v({k}) − v(∅)‖² and ‖v(N) − v(N∖k)‖².
    damage : (r, K) ‖x − v(N∖k)‖² − ‖x − x̂‖², summed over pixels.
    combined : (r,) ‖v(N) − v(∅)‖².
    gap_up, gap_down : (r,) ‖Δ − Σ_k Δ_k‖² for the solo and the last-in moves.
    spread : (r,) ‖x̂ − mean x̂‖², the mean over these rows.
    solo_directions, last_directions : each player's moves along the directions that lead in them.
    sketched : whether these are of a linear sketch of the moves.
    solo_codes, last_codes : the codes that were decoded, K for each row.
    before_squash : (3, r) combined, gap_up and gap_down of the pre-activations of the same decodes;
        None where the decoder does not end in a squash.
    """

    rows: np.ndarray
    solo: np.ndarray
    last: np.ndarray
    damage: np.ndarray
    combined: np.ndarray
    gap_up: np.ndarray
    gap_down: np.ndarray
    spread: np.ndarray
    solo_directions: tuple[LeadingDirections, ...]
    last_directions: tuple[LeadingDirections, ...]
    sketched: bool
    solo_codes: CodePanel
    last_codes: CodePanel
    before_squash: np.ndarray | None


def single_moves(study: Study) -> SingleMoves:
    """Decode every single move of the statistics rows, a few rows at a time."""
    rows = study.rows.statistics
    coalitions = study.coalitions
    players = len(study.players)
    compress, length, sketched = study.compressor(2 * players * len(rows))
    solo_stack = np.zeros((players, len(rows), length), dtype=np.float32)
    last_stack = np.zeros_like(solo_stack)
    solo, last, damage = (np.zeros((len(rows), players)) for _ in range(3))
    ends, ends_before = (np.zeros((3, len(rows))) for _ in range(2))
    codes = study.test.codes[rows]
    panel = coalitions.panel(codes, one_by_one(coalitions))
    for places, images, before in decoded_rows(study, panel, "single moves"):
        originals = study.test.images[rows[places]]
        found = row_squares(images, originals)
        solo[places], last[places], damage[places], ends[:, places] = found
        if before is not None:
            *_, ends_before[:, places] = row_squares(before, originals)
        up = images[:, 2 : 2 + players] - images[:, :1]
        down = images[:, 1:2] - images[:, 2 + players :]
        for stack, moves in ((solo_stack, up), (last_stack, down)):
            compressed = compress(moves.reshape(-1, moves.shape[-1]))
            stack[:, places] = compressed.reshape(len(moves), players, -1).swapaxes(0, 1)
    study.ranks.add_up(solo, last, damage, ends, ends_before, solo_stack, last_stack)
    combined, gap_up, gap_down = ends
    return SingleMoves(
        rows=rows,
        solo=solo,
        last=last,
        damage=damage,
        combined=combined,
        gap_up=gap_up,
        gap_down=gap_down,
        spread=centred_squares(study.test.reconstructions[rows]),
        solo_directions=tuple(in_parallel(leading_directions, solo_stack)),
        last_directions=tuple(in_parallel(leading_directions, last_stack)),
        sketched=sketched,
        solo_codes=coalitions.panel(codes, coalitions.alone()),
        last_codes=coalitions.panel(codes, coalitions.without_one()),
        before_squash=None if study.squash is None else ends_before,
    )


def one_by_one(coalitions: Coalitions) -> np.ndarray:
    """(2K + 2, K) memberships of nobody, everyone, each player alone, everyone without each."""
    ends = coalitions.empty[None], coalitions.everyone[None]
    return np.concatenate([*ends, coalitions.alone(), coalitions.without_one()])


def decoded_rows(
    study: Study, mixed: CodePanel, charged_to: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Decode the codes of this rank's rows, as many rows at once as the cache holds.

    Yields the rows' places, their images (places, n, P), and the images before the decoder's last
    squash where it has one.
    """
    pixels, of_each = study.engine.image_size, mixed.each
    together = max(1, CACHED_BYTES // (8 * of_each * pixels))
    groups = np.split(np.arange(mixed.rows), range(together, mixed.rows, together))

    def request(group: int) -> np.ndarray:
        return np.concatenate([mixed.row(place) for place in groups[group]])

    engine = None
    if study.squash is not None:
        engine = study.engine_of(study.squash.both)
    for group, decoded in study.decode_mine(len(groups), request, engine):
        images = decoded.reshape(len(groups[group]), of_each, -1)
        before = None if engine is None else images[..., :pixels]
        yield groups[group], images[..., -pixels:], before
    if engine is not None:
        study.engine.add_costs_of(engine, charged_to)


def row_squares(
    images: np.ndarray, originals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums of squares of r rows, from their decoded images and their originals.

    `images` (r, n, P) are v(∅), v(N), every v({k}) and every v(N∖k), in this order; `originals`
    (r, P) are x. The result is solo, last and damage, each (r, K), and (3, r) ‖Δ‖² with the two
    gaps that the sums of the solo and of the last-in moves leave to Δ; see `SingleMoves`.
    """
    parts = over_pixels(
        lambda part: _squares_of_part(images[..., part], originals[:, part]), images.shape[-1]
    )
    solo, last, damage, ends = (np.sum(found, axis=0) for found in zip(*parts, strict=True))
    return solo, last, damage, ends


def _squares_of_part(
    images: np.ndarray, originals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what these pixels add to `row_squares`."""
    players = images.shape[1] // 2 - 1
    solo, last, damage = np.zeros((3, len(images), players))
    ends = np.zeros((3, len(images)))
    for columns in cached_columns(images.reshape(-1, images.shape[-1])):
        part, original = images[..., columns], originals[:, None, columns]
        nobody, everyone = part[:, :1], part[:, 1:2]
        up = (part[:, 2 : 2 + players] - nobody).astype(np.float64)
        down, squares, added = ablation_squares(part[:, 2 + players :], everyone, original)
        whole = (everyone.astype(np.float64) - nobody)[:, 0]
        solo += squared_norms(up)
        last += squares
        damage += added
        ends += squared_norms(np.stack([whole, whole - up.sum(axis=1), whole - down.sum(axis=1)]))
    return solo, last, damage, ends


def ablation_squares(
    ablated: np.ndarray, whole: np.ndarray, original: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x̂ − v (…, P) in float64, ‖x̂ − v‖² (…) and the damage (…) of ablated images v.

    `whole` is x̂, the reconstruction from all units, and `original` is x, the image itself. The
    damage is ‖x − v‖² − ‖x − x̂‖²: the squared error that the ablation adds.
    """
    moves = (whole - ablated).astype(np.float64)
    squares = squared_norms(moves)
    # x − v is x − x̂ and the move.
    return moves, squares, squares + 2 * np.vecdot(moves, original.astype(np.float64) - whole)


def strongest_players(study: Study) -> np.ndarray:
    """Players by solo plus last-in effect, strongest first: the order before shares are known."""
    moves = study.shared(single_moves)
    return np.argsort(-(moves.solo + moves.last).sum(axis=0), kind="stable")


def summed_and_combined(
    coalitions: Coalitions, codes: np.ndarray, members: np.ndarray, factor: float = 1.0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield Σ_k Δ_k and Δ_S of each code (n, code_size): the moves of `members` alone, and at once.

    Both are differences from the baseline's image, (P,) float64. With a factor below 1 every
    player moves only that part of its way from the baseline.
    """
    alone = coalitions.alone()[members]
    memberships = np.stack([coalitions.empty, alone.any(axis=0), *alone])
    requests = (coalitions.codes(coalitions.scaled(code, factor), memberships) for code in codes)
    for images in coalitions.engine.decode_each(requests):
        parts = over_pixels(partial(_sum_and_whole, images), images.shape[1])
        summed, combined = zip(*parts, strict=True)
        yield np.concatenate(summed), np.concatenate(combined)


def _sum_and_whole(images: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Σ_k Δ_k and Δ_S at the pixels of `part`, from v(∅), v(S) and every v({k}) (n, P)."""
    nobody, everyone, *_ = images[:, part]
    summed = (images[2:, part] - nobody).sum(axis=0, dtype=np.float64)
    return summed, everyone - nobody.astype(np.float64)
