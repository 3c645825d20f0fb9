"""What a build cost, part by part."""

import numpy as np
import pytest

from reportgen.command.summary import profile_lines
from reportgen.engine import Engine
from reportgen.suite.profile import costs, total_cost
from tests.oracles import decoders


def new_decoder():
    codes = decoders.gaussian_codes(30, 3)
    return Engine(decoders.study_of(decoders.linear(3), codes).autoencoder)


@pytest.fixture
def engine():
    return new_decoder()


def test_each_part_is_charged_for_its_own_decodes_and_encodes(engine):
    codes = np.arange(12, dtype=np.float32).reshape(4, 3)
    with engine.charged_to("single_moves"):
        images = engine.decode(codes)
        with engine.charged_to("off data"):
            engine.encode(images[:2])
    by_name = {cost.name: cost for cost in costs(engine, {})}
    assert (by_name["single moves"].decodes, by_name["single moves"].encodes) == (4, 0)
    assert (by_name["off data"].decodes, by_name["off data"].encodes) == (0, 2)


def test_seconds_of_an_inner_part_are_not_the_outer_ones_too(engine, monkeypatch):
    ticks = iter([10.0, 13.0, 20.0, 24.0])
    monkeypatch.setattr("reportgen.engine.engine.time.perf_counter", lambda: next(ticks))
    with engine.charged_to("outer"), engine.charged_to("inner"):
        pass
    assert engine.elapsed["outer"] == (13.0 - 10.0) + (24.0 - 20.0)
    assert engine.elapsed["inner"] == 20.0 - 13.0


def test_costs_of_another_decoder_are_charged_to_one_name(engine):
    other = new_decoder()
    other.decode(np.ones((1, 3), np.float32))
    engine.add_costs_of(other, "directions")
    (found,) = (cost for cost in costs(engine, {}) if cost.name == "directions")
    assert found.decodes == 1
    assert found.model_seconds == pytest.approx(sum(other.seconds.values()))


def test_the_parts_add_up_to_the_last_line_of_the_table(engine):
    engine.decode(np.ones((1, 3), np.float32))
    profile = costs(engine, {"page": 2.5})
    total = total_cost(profile)
    assert total.seconds == pytest.approx(sum(cost.seconds for cost in profile))
    assert total.seconds >= 2.5
    lines = profile_lines(profile)
    assert len(lines) == 1 + len(profile) + 1
    assert lines[-1].split()[:2] == ["all", "1"]
