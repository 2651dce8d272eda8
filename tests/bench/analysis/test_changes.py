"""What a study changes: paired, across latent dimensions by brackets, and in words."""

import numpy as np
import pandas as pd
import pytest

from bench.analysis.changes import changes
from bench.analysis.levels import are_ordered, levels
from bench.analysis.replicates import t_interval
from bench.rows import COLUMNS, SCHEMA

BLANK = dict.fromkeys(COLUMNS, "") | {
    **{"matrix": "m", "study": "s", "dataset": "d", "split": "test", "status": "ok"},
    "schema": SCHEMA,
}


def rows(gains, key, seeds=8, sizes=None, spread=0.004):
    """Of configurations that differ in one key: the gain of each, its ends .02 below and above."""
    rng, table = np.random.default_rng(3), []
    for seed in range(seeds):
        shared = rng.normal(0, 0.1)
        for level, gain in gains.items():
            known = BLANK | {"config": f"{key}-{level}", "seed": seed, key: level}
            known["latent_dim"] = (sizes or {}).get(level, 2)
            value = gain + shared + rng.normal(0, spread)
            for metric, number in (
                ("certified_kl", value),
                ("certified_kl_lower", value - 0.02),
                ("certified_kl_upper", value + 0.02),
            ):
                table.append(known | {"metric": metric, "value": number})
            quality = known | {"source": "prior", "metric": "frechet", "value": 2 * value}
            table.append(quality)
            table += [known | {"metric": name, "value": 2.0} for name in ("active_units", "rate")]
    return pd.DataFrame(table)


def test_numbers_are_compared_from_the_first_to_the_last_by_paired_differences():
    frame = rows({4: 0.3, 1: 0.9, 2: 0.6}, "depth")
    (one,) = changes(frame)
    assert (one.first, one.last, one.bracketed) == ("1", "4", False)
    table = frame[frame["metric"] == "certified_kl"].pivot(
        index="seed", columns="config", values="value"
    )
    mean, half = t_interval((table["depth-4"] - table["depth-1"]).to_numpy()[:, None])
    assert (one.kl.mean, one.kl.half_width) == pytest.approx((mean.item(), half.item()))
    assert one.kl.half_width < 0.02, "what the seeds share cancels"
    assert one.word == "closer" and one.quality.mean == pytest.approx(2 * one.kl.mean)


@pytest.mark.parametrize(
    ("last", "spread", "seeds", "word"),
    [
        (0.5, 0.004, 8, "further"),
        (0.1, 0.004, 8, "closer"),
        (0.31, 0.004, 8, "no change"),
        (0.345, 0.02, 8, "undecided"),
        (0.5, 0.004, 4, "undecided"),
    ],
)
def test_words_are_by_the_margin_and_never_of_few_seeds(last, spread, seeds, word):
    (one,) = changes(rows({1: 0.3, 2: last}, "depth", seeds, spread=spread))
    assert one.word == word


def test_names_are_compared_each_with_the_base():
    frame = rows({"normal": 0.3, "flow": 0.1, "mixture": 0.31}, "prior")
    frame["config"] = frame["config"].replace("prior-normal", "base")
    found = {one.last: (one.first, one.word) for one in changes(frame)}
    assert found == {"flow": ("normal", "closer"), "mixture": ("normal", "no change")}


def test_other_latent_dimensions_are_compared_by_brackets_alone():
    (one,) = changes(rows({2: 0.3, 16: 1.0}, "width", sizes={2: 2, 16: 16}))
    assert one.bracketed and one.word == "further"
    assert one.kl.mean == pytest.approx(0.7 - 0.04, abs=0.01), "the least that both ends allow"
    (fall,) = changes(rows({2: 1.0, 16: 0.3}, "width", sizes={2: 2, 16: 16}))
    assert fall.word == "closer" and fall.kl.mean == pytest.approx(-0.66, abs=0.01)
    (near,) = changes(rows({2: 0.30, 16: 0.31}, "width", sizes={2: 2, 16: 16}))
    assert near.word == "undecided" and near.kl.mean == 0


def test_what_collapsed_or_has_no_bracket_is_not_compared():
    frame = rows({1: 0.3, 2: 0.2, 4: 0.0}, "beta")
    dead = frame["config"].eq("beta-4") & frame["metric"].isin(["active_units"])
    none = BLANK | {"metric": "mutual_information", "value": 0.0, "config": "beta-4", "beta": 4}
    told = pd.DataFrame([none | {"seed": seed, "latent_dim": 2} for seed in range(8)])
    frame = pd.concat([frame.assign(value=frame["value"].mask(dead, 0.0)), told])
    assert [one.last for one in changes(frame)] == ["2"]
    lost = frame["metric"].str.startswith("certified") & frame["config"].eq("beta-2")
    assert [*changes(frame[~lost])] == []


def test_levels_have_an_order_where_they_are_numbers_or_layers():
    assert are_ordered(["0.25", "-1", "1e-05"]) and are_ordered(["500", "250-250"])
    assert not are_ordered(["elbo", "ae"]) and not are_ordered(["2, normal", "16, normal"])
    frame = rows({16: 0.1, 2: 0.2, 8: 0.3}, "width")
    assert list(levels(frame).values()) == ["2", "8", "16"]
