"""Maps of latents: neighbours depend, and an audit of positions does not see it."""

import math

import pytest
import torch

from tests.vaelib.maps.fields import field
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Answer
from vaelib.maps.answers import with_maps
from vaelib.maps.positions import (
    LOWER,
    Maps,
    channel_errors,
    map_rows,
    neighbour_correlation,
    proved_of_maps,
)

SAID = [
    Answer("is N(0, I) safe to sample?", "yes", "q lies within .01 nats."),
    Answer("KL(q‖p)", "0 to 0.01 nats", "None is proved."),
    Answer("what would help", "nothing", "Nothing is needed."),
]


def of(maps, margin=0.05):
    rows = list(map_rows(maps, "sample", 0, 0.025))
    return with_maps(SAID, rows, margin), rows


def test_the_correlation_of_neighbours_is_that_of_the_field():
    inside = 0
    for seed in range(40):
        found = neighbour_correlation(field(60, 0.6, seed=seed), 2)
        inside += abs(found.value - 0.6) < 1.96 * found.standard_error
    assert 34 <= inside <= 40  # of 38


def test_dependent_positions_are_heard_first_and_a_yes_becomes_a_no():
    (first, _, places, channels, helps), rows = of(Maps(field(300, 0.8)))
    assert first.verdict == "no"
    assert first.sentence.startswith("Neighbouring positions correlate 0.8")
    assert "Of one position: yes." in first.sentence
    assert places.verdict == "dependent" and channels.verdict == "undecided"
    assert helps.sentence.startswith("Sample whole maps from a model of them")
    lower = next(row.value for row in rows if row.metric == LOWER)
    exact = -2 * 24 * 0.5 * math.log(1 - 0.8**2)  # nats: 24 pairs of neighbours, 2 channels
    assert 1 < lower < exact


def test_independent_positions_never_give_a_yes_by_themselves():
    (first, _, places, _, helps), rows = of(Maps(field(300, 0.0), field(400, 0.0, seed=1)))
    assert first.verdict == "undecided" and "Of whole maps nothing is proved" in first.sentence
    assert places.verdict == "uncorrelated" and helps == SAID[-1]
    assert {row.metric: row.value for row in rows}[LOWER] == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_channels_of_few_inputs_are_undecided_whatever_the_estimates_are(seed):
    (_, _, _, channels, _), rows = of(Maps(field(20, 0.95, (6, 6), 2, seed)))
    assert channels.verdict == "undecided"
    of_channels = [row for row in rows if row.metric.startswith("channel_")]
    assert max(abs(row.value - round(row.value)) for row in of_channels) > 0.1


def test_errors_of_channels_are_those_of_repeated_draws():
    found = []
    for seed in range(200):
        z = field(50, 0.5, (3,), 1, seed)
        moments = z.mean((0, 1)), z.std((0, 1))
        found.append(torch.cat([*moments, *channel_errors(z, *moments)]))
    mean, deviation, *told = torch.stack(found).T
    for values, errors in zip((mean, deviation), told, strict=True):
        assert float(values.std()) == pytest.approx(float(errors.mean()), rel=0.2)


def test_many_independent_positions_show_that_channels_are_right():
    assert of(Maps(field(600, 0.0)))[0][3].verdict == "as N(0, I)"


def test_one_factor_is_named():
    channels = of(Maps(5.5 * field(100, 0.0)))[0][3]
    assert channels.verdict == "scaled" and "A factor of 0.18" in channels.sentence


def test_large_maps_are_cropped_and_it_is_said():
    row = proved_of_maps(Maps(field(100, 0.9, (12, 12))), "sample", 0, 0.025)
    assert row.message == "the middle 5 x 5 of each map" and row.value > 1


def test_few_maps_prove_nothing():
    row = proved_of_maps(Maps(field(19, 0.9)), "sample", 0, 0.025)
    assert row.value is None and row.message == "at least 20 inputs are needed, got 19"
    rows = [row, *(Measurement("sample", f"channel_{one}", 1.0) for one in ("mean", "deviation"))]
    assert "nothing is proved: at least 20 inputs" in with_maps(SAID, rows, 0.05)[0].sentence


def test_rows_become_maps_in_the_order_of_the_places():
    z = torch.arange(48.0).reshape(2, 3, 4, 2)
    assert torch.equal(Maps.of_rows(z.reshape(24, 2), (3, 4)).z, z)
    with pytest.raises(ValueError, match="rows must be those of whole maps"):
        Maps.of_rows(z.reshape(24, 2), (5,))
    with pytest.raises(ValueError, match="at least 2 places along axis 3"):
        neighbour_correlation(z, 3)
