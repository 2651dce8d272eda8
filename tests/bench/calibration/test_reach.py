"""The sentences about power, against the table that was counted."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.calibration import reach
from bench.metrics.registry import METRICS
from vaelib.seeding import stream
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS

TABLE = Path(__file__).parents[3] / "results" / "validity" / "reach.csv"


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(TABLE)


@pytest.mark.parametrize("name", [*GOODNESS_OF_FIT_TESTS, "c2st_test"])
def test_every_test_says_how_far_it_sees(name, table):
    assert reach.sentence(reach.reach(table)[name]) in METRICS[name].summary


def test_the_table_is_whole(table):
    expected = len(reach.DIMENSIONS) * len(reach.DEPARTURES) * (len(GOODNESS_OF_FIT_TESTS) + 1)
    assert len(table.drop_duplicates(["test", "D", "departure"])) == len(table) == expected
    assert (table["n"] == reach.POINTS).all()


@pytest.mark.parametrize(("test", "departure"), [("ks_test", "scale"), ("ks_test", "clusters")])
def test_the_table_comes_back(test, departure, table):
    row = table.query(f"test == '{test}' and departure == '{departure}' and D == 4").iloc[0]
    again = reach.measure(test, 4, departure, int(row["repetitions"]))
    assert again == row["rejections"]


def test_reach_ends_at_the_first_dimension_that_is_not_seen():
    counts = [9, 5, 4, 6]
    rows = {"test": "t", "departure": "scale", "repetitions": 10}
    lines = [rows | {"D": 2 ** (k + 1), "rejections": c} for k, c in enumerate(counts)]
    found = reach.reach(pd.DataFrame(lines))
    assert found == {"t": {"scale": 4}}
    assert reach.reach(pd.DataFrame(lines[2:])) == {"t": {"scale": 0}}
    text = reach.sentence({"scale": 128, "shift": 128, "clusters": 8, "correlation": 0})
    assert text == (
        "Power of .5 at n = 500 against .2 nats up to D = 128, the largest tried, for scale and "
        "shift and D = 8 for clusters; at no D for correlation."
    )


@pytest.mark.parametrize("name", reach.DEPARTURES)
def test_departures_are_as_far_as_they_say(name):
    """Second moments where the KL is theirs; the clusters by their density's quadrature."""
    generator = stream("departure", 0)
    z = torch.randn(200_000, 3, generator=generator, dtype=torch.float64)
    z = reach.DEPARTURES[name](z, generator)
    centre, covariance = z.mean(0), torch.cov(z.T)
    trace = covariance.trace() + centre.square().sum() - 3
    kl = 0.5 * float(trace - torch.logdet(covariance))
    assert kl == pytest.approx(0 if name == "clusters" else reach.KL, abs=0.005)
    if name == "clusters":
        inside = float((z[:, 0].abs() < 0.3).double().mean())
        assert inside < 0.15 < float((z[:, 1].abs() < 0.3).double().mean())
