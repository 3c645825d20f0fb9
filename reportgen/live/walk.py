"""Inputs of the live walk, from a study and the walks that were pre-rendered."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.traversal import Traversal
from reportgen.live.gallery import gallery_of
from reportgen.live.near import near_codes
from reportgen.live.program import LEVELS, LiveEncoder, LiveWalk, NotLiveError
from reportgen.statistics.blocks import column_deviations
from reportgen.study.study import Study

# Of pictures in grey, in colour, and in colour with an alpha that is not drawn.
PAINTED_CHANNELS = (1, 3, 4)
# Weights of decoder and encoder together, in 16 bits.
MOST_BYTES = 1_500_000


def live_walk_or_reason(
    study: Study,
    traversal: Traversal | None,
    by_unit: Contributions | None,
    by_direction: DirectionContributions | None,
) -> tuple[LiveWalk | None, str]:
    """The live walk and no reason; or None, and why there is none."""
    if traversal is None:
        return None, "there is no walk"
    if not study.settings.live:
        return None, "the report was built with --no-live"
    try:
        return live_walk(study, traversal, by_unit, by_direction), ""
    except NotLiveError as reason:
        return None, str(reason)


def live_walk(
    study: Study,
    traversal: Traversal,
    by_unit: Contributions | None = None,
    by_direction: DirectionContributions | None = None,
) -> LiveWalk:
    """The decoder as data, the units and rows of the pre-rendered walks, and more images.

    Raises NotLiveError where the page cannot run this decoder.
    """
    from reportgen.live.trace import live_decoder

    autoencoder, rows = study.autoencoder, study.rows.walks
    if autoencoder.is_conditional:
        raise NotLiveError("the decoder takes the image's class beside the code")
    channels = autoencoder.input_shape[0]
    if channels not in PAINTED_CHANNELS:
        raise NotLiveError(
            f"the script paints grey and colour, and these images have {channels} channels"
        )
    checked = np.union1d(rows, study.rows.pictures)
    decoder = live_decoder(
        autoencoder.decode,
        autoencoder.code_shape,
        autoencoder.device,
        study.test.codes[checked],
        study.test.reconstructions[checked],
        study.pixel_range,
    )
    encoder, reason = _encoder_or_reason(study, decoder.weights.nbytes)
    walked = np.searchsorted(study.player_units, traversal.units)
    fitted = study.players.values(study.fit.every_code)[:, walked]
    members = tuple(study.players.members[place] for place in walked)
    steps = np.zeros((len(members), study.units.code_size))
    for step, places in zip(steps, members, strict=True):
        step[places] = 1
    codes = study.test.codes[rows]
    near = near_codes(study.off_data, codes, steps)
    return LiveWalk(
        decoder=decoder,
        units=traversal.units,
        names=traversal.names,
        members=tuple(tuple(int(n) for n in places) for places in members),
        codes=codes,
        means=fitted.mean(axis=0),
        quantiles=np.quantile(fitted, LEVELS, axis=0).T,
        distances=near.distances,
        slopes=near.slopes,
        precision=near.precision,
        largest_distance=study.off_data.largest_distance,
        gallery=gallery_of(study, by_unit, by_direction, steps),
        encoder=encoder,
        encoder_reason=reason,
    )


def _encoder_or_reason(study: Study, taken: int) -> tuple[LiveEncoder | None, str]:
    """The encoder and no reason, or None and the reason, where the decoder has `taken` bytes."""
    from reportgen.live.trace import live_encoder

    if not study.settings.live_encoder:
        return None, "the report was built with --no-live-encoder"
    autoencoder, checked = study.autoencoder, study.rows.pictures
    try:
        encoder = live_encoder(
            autoencoder.encode,
            autoencoder.input_shape,
            autoencoder.device,
            study.test.images[checked],
            study.test.codes[checked],
            column_deviations(study.fit.every_code),
            MOST_BYTES - taken,
        )
    except NotLiveError as reason:
        return None, str(reason).replace("the decoder", "the encoder")
    return encoder, ""
