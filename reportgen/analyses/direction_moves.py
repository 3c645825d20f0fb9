"""What do directions do alone, taken out, all at once and one after another? As of units.

Directions are parts of z − z0 that are added to the mean code: one alone, the first k of them, all
but one, or one walked in an image, the others at the image's own lengths.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.found_directions import FoundDirections, found_directions
from reportgen.analyses.shared.leading_shares import Stack
from reportgen.engine import CodePanel
from reportgen.statistics.bootstrap import UNDEFINED, Bootstrap, Estimate
from reportgen.statistics.leading_directions import leading_directions
from reportgen.statistics.norms import squared_norms
from reportgen.statistics.proportions import sampled_share
from reportgen.study.study import Study

REACH, FRAMES = 2.0, 9
# Unless effort is thorough: as many codes for each image as there are directions, twice.
MOST_ROWS = 64


@dataclass(frozen=True)
class DirectionMoves:
    """Moves along the d directions of `direction_contributions`, in its numbering.

    Attributes
    ----------
    solo : of each direction, Σ‖v({j}) − v(∅)‖² over the reconstructions' variance, as units' solo.
    rho_solo : how much of a direction's moves alone one picture explains, as `one_picture` has it.
    gap_up : of all directions and the rest, moved alone against all at once, as in `additivity`.
    model_r2 : (d + 2) R² with the first 0, 1, … directions and then the rest, which is all.
    pca_r2 : (d + 1) PCA's with as many components.
    off_data_share : share of these codes that is flagged.
    rows : images behind these numbers, at most 64 without `--effort thorough`.
    walked : name of the image that is walked, the medoid.
    lengths : (d, 9) the walked direction's length, in sd of it: the image's own and up to 2 more or
        less.
    frames : (d, 9, P); flagged (d, 9) whether the code is off data.
    flagged_share : share of all frames.
    last : of each direction, taken out of the image, Σ‖v(N) − v(N∖{j})‖² likewise.
    rho_context : how much of these moves one picture explains.
    gap_down : of all directions and the rest, taken out alone, against all at once.
    growing : (r, d + 2, P) the picture rows of `contributions` with the first 0, 1, … directions,
        and with all, which is the reconstruction.
    """

    solo: tuple[Estimate, ...]
    rho_solo: tuple[Estimate, ...]
    gap_up: Estimate
    model_r2: tuple[Estimate, ...]
    pca_r2: tuple[Estimate, ...]
    off_data_share: Estimate
    rows: int
    walked: str
    lengths: np.ndarray
    frames: ImageArray
    flagged: np.ndarray
    flagged_share: Estimate
    last: tuple[Estimate, ...] = ()
    rho_context: tuple[Estimate, ...] = ()
    gap_down: Estimate = UNDEFINED
    growing: ImageArray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))


def run(study: Study) -> DirectionMoves:
    """Move directions on statistics rows, and walk them from the medoid.

    Raises DoesNotApplyError and UnanswerableError as `found_directions` does, and UnanswerableError
    where the test images do not vary.
    """
    found = study.shared(found_directions)
    thorough = study.settings.effort == "thorough"
    rows = study.rows.statistics[: None if thorough else MOST_ROWS]
    total = study.pca_errors[rows, 0]
    if not total.sum() > 0:
        raise UnanswerableError("every image equals the mean of the fit images: R² is undefined.")
    codes = _panel(study, found, rows)
    moved = _Moved(study, found, codes, rows)
    bootstrap = study.bootstrap(rows)
    images = study.test.reconstructions[rows].astype(np.float64)
    spread = squared_norms(images - images.mean(axis=0))
    gap_up = gap_down = UNDEFINED
    if not study.is_negligible(float(moved.combined.sum()), len(rows)):
        combined = np.sqrt(moved.combined)
        gap_up = bootstrap.ratio(np.sqrt(moved.missed), combined)
        gap_down = bootstrap.ratio(np.sqrt(moved.missed_down), combined)
    lengths, frames, flagged = _walks(study, found)
    return DirectionMoves(
        solo=bootstrap.ratios(moved.solo, spread),
        rho_solo=_rho(study, bootstrap, moved.stacks[0]),
        gap_up=gap_up,
        model_r2=tuple(bootstrap.explained(missed, total) for missed in moved.left.T),
        pca_r2=tuple(
            bootstrap.explained(study.pca_errors[rows, count], total)
            for count in range(min(len(found) + 1, study.pca_errors.shape[1]))
        ),
        off_data_share=study.off_data_share(codes),
        rows=len(rows),
        walked=study.test.names[study.rows.walks[0]],
        lengths=lengths,
        frames=frames,
        flagged=flagged,
        flagged_share=sampled_share(flagged, flagged.size),
        last=bootstrap.ratios(moved.last, spread),
        rho_context=_rho(study, bootstrap, moved.stacks[1]),
        gap_down=gap_down,
        growing=_growing(study, found),
    )


def _rho(study: Study, bootstrap: Bootstrap, stacks: np.ndarray) -> tuple[Estimate, ...]:
    """σ₁² / Σσ² of each direction's moves (r, q)."""
    return tuple(Stack(leading_directions(moves), bootstrap, study).rho() for moves in stacks)


def _panel(study: Study, found: FoundDirections, rows: np.ndarray) -> CodePanel:
    """Of each row, p = d + 1 parts: z0, each alone, the first 2, 3, … of them, all but each."""
    count = len(found) + 1
    alone, growing = np.eye(count), np.tril(np.ones((count, count)))[1:]
    memberships = np.concatenate([np.zeros((1, count)), alone, growing, 1 - alone])

    def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
        return found.players.mixed(study.test.codes[rows[place]], memberships[which])

    return CodePanel(len(rows), len(memberships), of_row)


def _growing(study: Study, found: FoundDirections) -> np.ndarray:
    """(r, d + 2, p) pictures with the first 0, 1, … parts."""
    count = len(found) + 1
    first = np.tril(np.ones((count + 1, count)), -1)
    codes = (found.players.mixed(study.test.codes[row], first) for row in study.rows.pictures)
    return np.stack([study.pictures(study.engine.decode(each)) for each in codes])


class _Moved:
    """Sums of what the codes of `_panel` decode to, over r rows.

    Attributes
    ----------
    solo, last : (r, d) ‖v({j}) − v(∅)‖² and ‖v(N) − v(N∖{j})‖².
    missed, missed_down, combined : (r,) ‖Δ − Σ_j Δ_j‖², alone and taken out, and ‖Δ‖².
    left : (r, d + 2) ‖x − v‖² with the first 0, 1, … parts.
    stacks : (2, d, r, q) each direction's moves alone and taken out, sketched where they are large.
    """

    def __init__(
        self, study: Study, found: FoundDirections, codes: CodePanel, rows: np.ndarray
    ) -> None:
        parts = len(found) + 1
        self.solo, self.last = np.zeros((2, len(rows), len(found)))
        self.left = np.zeros((len(rows), parts + 1))
        self.missed, self.missed_down, self.combined = np.zeros((3, len(rows)))
        compress, width, _ = study.compressor(2 * len(found) * len(rows))
        self.stacks = np.zeros((2, len(found), len(rows), width), np.float32)
        for place, images in study.decode_mine(len(rows), codes.row):
            nobody, everyone = (images[at].astype(np.float64) for at in (0, 2 * parts - 1))
            alone, taken_out = images[1 : parts + 1] - nobody, everyone - images[2 * parts :]
            whole = everyone - nobody
            self.combined[place] = squared_norms(whole)
            for kind, (moves, sizes, missed) in enumerate(
                ((alone, self.solo, self.missed), (taken_out, self.last, self.missed_down))
            ):
                sizes[place] = squared_norms(moves[:-1])
                missed[place] = squared_norms(whole - moves.sum(axis=0))
                self.stacks[kind, :, place] = compress(moves[:-1])
            growing = np.concatenate([images[:2], images[parts + 1 : 2 * parts]])
            self.left[place] = squared_norms(growing - study.test.images[rows[place]].astype(float))
        study.ranks.add_up(self.solo, self.last, self.left, self.stacks)
        study.ranks.add_up(self.missed, self.missed_down, self.combined)


def _walks(study: Study, found: FoundDirections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths (d, 9), pictures (d, 9, p) and flags (d, 9) of walks from the medoid."""
    code = study.test.codes[study.rows.walks[0]]
    own = found.lengths(code[None])[0]
    away = np.linspace(-REACH, REACH, FRAMES)
    codes = code + away[:, None] * found.steps()[:, None]
    pictures, flags = [], []
    for _, drawn, flagged in study.decoded_panel(codes.reshape(-1, len(code)).astype(np.float32)):
        pictures.append(drawn)
        flags.append(flagged)
    shape = len(found), FRAMES
    return (
        own[:, None] + away,
        np.concatenate(pictures).reshape(*shape, -1),
        np.concatenate(flags).reshape(shape),
    )
