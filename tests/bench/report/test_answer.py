"""The answer: brackets over seeds against the margin, in words, a table and a figure."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analysis.match import Interval, Matched, match_of
from bench.analysis.results import Results
from bench.report.answer import answer, ends
from bench.report.blocks import Picture
from bench.report.bracket_section import bracket_section
from bench.rows import COLUMNS, SCHEMA
from vaelib.audits.alarms import COPIES

KEPT = dict.fromkeys(COLUMNS, "") | {
    "matrix": "m",
    "dataset": "digits",
    "status": "ok",
    "schema": SCHEMA,
}


def bracketed(configs, seeds=10, split="test", n=500):
    """Rows of configurations: name -> (lower, upper), with .005 of spread over the seeds."""
    noise = np.random.default_rng(0).normal(0, 0.005, seeds)
    rows = []
    for config, (lower, upper) in configs.items():
        for seed in range(seeds):
            values = {
                "certified_kl_lower": lower + noise[seed],
                "certified_kl": (lower + min(upper, lower + 0.1)) / 2 + noise[seed],
                "certified_kl_upper": upper + noise[seed],
                "certified_inputs": n,
                "saturated": 0.0,
                "active_units": 2.0,
            }
            for metric, value in values.items():
                known = {"config": config, "seed": seed, "split": split, "metric": metric}
                rows.append(
                    KEPT | known | {"value": value, "standard_error": np.nan, "p_value": np.nan}
                )
    return pd.DataFrame(rows)


def changed(rows, metric, value, config=None, seeds=None):
    hit = rows["metric"] == metric
    hit &= True if config is None else rows["config"] == config
    hit &= True if seeds is None else rows["seed"].isin(seeds)
    return rows.assign(value=rows["value"].mask(hit, value))


WORLD = {"base": (0.2, 0.3), "good": (0.0, 0.03), "between": (0.02, 0.09), "edge": (0.051, 0.2)}


def said(rows):
    return answer(Results("m", rows))


def test_each_configuration_is_decided_by_its_bracket():
    match = match_of(bracketed(WORLD), "digits")
    assert {one.config: one.verdict for one in match.configurations} == {
        "base": "no",
        "good": "yes",
        "between": "undecided",
        "edge": "undecided",
    }
    base = match.configurations[0]
    assert base.lower.mean == pytest.approx(0.2, abs=0.01) and base.lower.seeds == 10
    assert base.lower.low < base.lower.mean < base.lower.high < base.upper.low


def test_the_first_sentence_is_the_answer():
    text = said(bracketed(WORLD))
    assert text.startswith(
        "On held-out inputs of digits the aggregate posterior is proved to lie more than 0.05 nats "
        "from the prior in 1 of 4 configurations; 1 matches within that, 2 are undecided. For "
        "`base`, which the others vary, KL(q‖p) is between 0.19 and 0.31 nats (95 % over S = 10 "
        "seeds)."
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["between"], "in 0 of 1 configuration; 0 match within that, 1 is undecided."),
        (["good"], "in 0 of 1 configuration; 1 matches within that, 0 are undecided."),
        (["base", "good", "between"], "in 1 of 3 configurations; 1 matches within that, 1 is und"),
    ],
)
def test_what_is_counted_agrees_with_its_number(names, text):
    assert text in said(bracketed({name: WORLD[name] for name in names}))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"n": 299}, "undecided"),
        ({"seeds": 4}, "undecided"),
        ({}, "yes"),
    ],
)
def test_a_yes_needs_inputs_and_seeds(change, word):
    match = match_of(bracketed({"good": (0.0, 0.02)}, **change), "digits")
    assert [one.verdict for one in match.configurations] == [word]


def test_saturated_is_never_yes():
    rows = changed(bracketed({"good": (0.0, 0.02)}), "saturated", 1.0, seeds=[3])
    one = match_of(rows, "digits").configurations[0]
    assert one.verdict == "undecided" and one.saturated == 1
    table = bracket_section(Results("m", rows))[1]
    assert "0.02" in table and " §" in table


def test_a_dead_model_is_counted_apart():
    rows = changed(bracketed(WORLD), "active_units", 0.0, config="good")
    text = said(rows)
    assert "in 1 of 3 configurations; 0 match" in text
    assert text.endswith("1 more collapsed: z says nothing of the input.")
    assert "| `good`" in bracket_section(Results("m", rows))[1]
    every = changed(rows, "active_units", 0.0)
    assert said(every) == "On held-out inputs of digits all configurations have collapsed."


def test_copies_are_flagged_and_decide_nothing():
    rows = bracketed(WORLD)
    one = rows[rows["metric"] == "saturated"].assign(metric="copies", value=0.99, message="")
    rows = pd.concat(
        [rows, one.assign(message=one["message"].mask(one["config"] == "base", COPIES))]
    )
    lost = rows["metric"].str.startswith("certified_kl_lower") & (rows["config"] == "base")
    rows = rows.assign(value=rows["value"].mask(lost, np.nan))
    first = match_of(rows, "digits").configurations[0]
    assert first.verdict == "flagged" and math.isnan(first.lower.mean)
    assert "1 is flagged: its held-out inputs copy training inputs" in said(rows)
    assert "not bounded" in said(rows)


def test_a_deterministic_encoder_has_a_lower_end_alone():
    rows = changed(bracketed({"base": (0.3, 9.0), "low": (0.0, 9.0)}), "certified_kl_upper", np.nan)
    match = match_of(rows, "digits")
    assert [one.verdict for one in match.configurations] == ["no", "undecided"]
    assert "vary, KL(q‖p) is at least 0.29 nats (95 % over S = 10 seeds)." in said(rows)


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        ((0.0494, 0.0068, 20), (0.1715, 0.0103, 20), "between 0.042 and 0.19 nats"),
        ((0.9161, 0.0386, 8), (3.28, 0.17, 8), "between 0.87 and 3.5 nats"),
        ((0.001, 0.002, 5), (0.02, 0.01, 5), "between 0 and 0.030 nats"),
        ((238.4, 12.6, 10), (math.nan, math.nan, 0), "at least 220 nats"),
        ((0.2, math.nan, 1), (0.3, math.nan, 1), "between 0.20 and 0.30 nats"),  # no interval
        ((0.2, math.nan, 1), (math.inf, math.nan, 1), "between 0.20 and inf nats"),
        ((1.04, 0.01, 9), (2.34e8, 1.0, 9), "between 1.0 and 2.4e+8 nats"),
        ((math.nan, math.nan, 0), (0.3, 0.1, 9), "not bounded"),
    ],
)
def test_ends_are_those_of_the_intervals_rounded_outward(lower, upper, text):
    gain = Interval(0.1, 0.01, 9)
    one = Matched("a", Interval(*lower), gain, Interval(*upper), "no", 500, 0, collapsed=False)
    assert ends(one) == text


def test_one_seed_has_no_interval():
    assert "between 0.20 and 0.31 nats (S = 1)." in said(bracketed({"base": (0.2, 0.3)}, seeds=1))


def test_rows_of_an_earlier_time_say_so():
    old = bracketed(WORLD).query("metric == 'active_units'")
    assert said(old) == (
        "No cell of digits has a bracket of KL(q‖p): rows written before there was one give no "
        "answer; run the matrix again."
    )
    assert bracket_section(Results("m", old)) == []
    assert said(old.head(0)) == "No cell was run."


def test_training_inputs_decide_where_there_are_no_others():
    assert said(bracketed(WORLD, split="train")).startswith("On training inputs of digits")


def test_the_figure_is_drawn_for_each_data_set():
    rows = bracketed(WORLD)
    two = pd.concat([rows, rows.assign(dataset="other", config=rows["config"] + "-o")])
    pictures = [b for b in bracket_section(Results("m", two)) if isinstance(b, Picture)]
    assert [picture.file for picture in pictures] == ["brackets-digits.png", "brackets-other.png"]
    assert all(len(picture.png) > 5000 for picture in pictures)
    text = said(two)
    assert text.count("aggregate posterior is proved") == 2
