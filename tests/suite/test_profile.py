"""What a build cost, part by part."""

import numpy as np
import pytest

from reportgen.command.summary import profile_lines
from reportgen.engine.engine import Decoder
from reportgen.suite.profile import costs, total_cost
from tests.oracles import decoders


def new_decoder():
    codes = decoders.gaussian_codes(30, 3)
    return Decoder(decoders.study_of(decoders.linear(3), codes).autoencoder)


@pytest.fixture
def decoder():
    return new_decoder()


def test_each_part_is_charged_for_its_own_decodes_and_encodes(decoder):
    codes = np.arange(12, dtype=np.float32).reshape(4, 3)
    with decoder.charged_to("single_moves"):
        images = decoder.decode(codes)
        with decoder.charged_to("off data"):
            decoder.encode(images[:2])
    by_name = {cost.name: cost for cost in costs(decoder, {})}
    assert (by_name["single moves"].decodes, by_name["single moves"].encodes) == (4, 0)
    assert (by_name["off data"].decodes, by_name["off data"].encodes) == (0, 2)


def test_seconds_of_an_inner_part_are_not_the_outer_ones_too(decoder, monkeypatch):
    ticks = iter([10.0, 13.0, 20.0, 24.0])
    monkeypatch.setattr("reportgen.engine.engine.time.perf_counter", lambda: next(ticks))
    with decoder.charged_to("outer"), decoder.charged_to("inner"):
        pass
    assert decoder.elapsed["outer"] == (13.0 - 10.0) + (24.0 - 20.0)
    assert decoder.elapsed["inner"] == 20.0 - 13.0


def test_costs_of_another_decoder_are_charged_to_one_name(decoder):
    other = new_decoder()
    other.decode(np.ones((1, 3), np.float32))
    decoder.add_costs_of(other, "directions")
    (found,) = (cost for cost in costs(decoder, {}) if cost.name == "directions")
    assert found.decodes == 1
    assert found.model_seconds == pytest.approx(sum(other.seconds.values()))


def test_the_parts_add_up_to_the_last_line_of_the_table(decoder):
    decoder.decode(np.ones((1, 3), np.float32))
    profile = costs(decoder, {"page": 2.5})
    total = total_cost(profile)
    assert total.seconds == pytest.approx(sum(cost.seconds for cost in profile))
    assert total.seconds >= 2.5
    lines = profile_lines(profile)
    assert len(lines) == 1 + len(profile) + 1
    assert lines[-1].split()[:2] == ["all", "1"]
