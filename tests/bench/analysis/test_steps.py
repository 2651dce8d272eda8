"""What more steps of training say: of what has collapsed, and of what has not."""

import pandas as pd
import pytest

from bench.analysis.steps import longer, untrained
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS, SCHEMA

ROW = dict.fromkeys(COLUMNS, "") | {"schema": SCHEMA, "status": "ok", "split": "test"}
MARGIN = METRICS["elbo"].margin


def rows(configs, seeds=6):
    """Rows of configurations: name -> steps, further keys, active units, ELBO of each seed."""
    table = []
    for name, (steps, keys, units, elbo) in configs.items():
        for seed in range(seeds):
            known = ROW | {"config": name, "dataset": "digits", "seed": seed}
            known |= {"training.steps": steps} | keys
            values = {"active_units": units, "mutual_information": units, "elbo": elbo + seed / 50}
            table += [known | {"metric": name, "value": v} for name, v in values.items()]
    return pd.DataFrame(table)


def steps_of(*units):
    return rows({f"c{n}": (10 * n, {"latent_dim": 2}, u, -20.0) for n, u in enumerate(units, 1)})


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ((0, 0, 2, 2), {"c1": "c3", "c2": "c3"}),
        ((0, 0, 0), {}),  # nothing says that training is what they lack
        ((2, 2, 0), {}),  # collapsed after more steps
        ((0, 2, 0), {"c1": "c2"}),
    ],
)
def test_untrained_is_what_more_steps_wake(units, expected):
    assert untrained(steps_of(*units), "test") == expected


def test_only_steps_may_differ():
    configs = {"short": (10, {"latent_dim": 2}, 0, -20.0), "long": (90, {"latent_dim": 8}, 2, -9.0)}
    assert untrained(rows(configs), "test") == {}
    assert list(longer(rows(configs), "test")) == []
    assert untrained(rows(configs).drop(columns="training.steps"), "test") == {}
    without = rows(configs).drop(columns="latent_dim")
    assert untrained(without, "test") == {"short": "long"}


def test_data_sets_are_no_twins():
    frame = rows({"short": (10, {}, 0, -20.0), "long": (90, {}, 2, -9.0)})
    frame.loc[frame["config"] == "long", "dataset"] = "mnist"
    assert untrained(frame, "test") == {}


def twins(gain, seeds=6):
    configs = {"long": (90, {}, 2, -20.0 + gain), "short": (10, {}, 2, -20.0)}
    (found,) = longer(rows(configs, seeds), "test")
    return found


@pytest.mark.parametrize(
    ("gain", "word"), [(3 * MARGIN, "rises"), (-3 * MARGIN, "falls"), (MARGIN / 3, "stays")]
)
def test_more_steps_are_held_against_the_margin_of_the_bound(gain, word):
    found = twins(gain)
    assert (found.first, found.last, found.before, found.after) == ("short", "long", 10, 90)
    assert found.word == word and found.gain.mean == pytest.approx(gain)


def test_few_seeds_leave_it_open():
    assert twins(30 * MARGIN, seeds=4).word == "open"


def test_the_most_steps_are_compared_with_the_next_and_the_dead_with_nobody():
    frame = steps_of(0, 2, 2, 2)
    (found,) = longer(frame, "test")
    assert (found.first, found.last) == ("c3", "c4")
    assert list(longer(steps_of(0, 2), "test")) == []
