"""The words against functions whose error is known: the truth, and the truth moved."""

import json
import math

import pytest
from scipy import stats

from vaelib.worlds.conform import conform
from vaelib.worlds.expected import LEVEL, shipped
from vaelib.worlds.named import world, worlds
from vaelib.worlds.words import FAULTS, word_for

EVERY = [one.name for one in worlds()]


def judged(function, kind="estimate", names=None, seeds=2):
    """Run a function of the world and z, which no estimator could be."""
    now = []
    return conform(
        lambda z: function(now[-1], z), kind, names, seeds, lambda n: now.append(world(n))
    )


def test_the_mean_log_ratio_is_right_in_every_world():
    """Written apart from the KL: so draws, KL and band belong together.

    Of a rare mode five draws hold too few z, which is said, and twenty enough.
    """
    found = judged(lambda one, z: one.log_ratio(z).mean(), seeds=5)
    assert [row.world for row in found.rows] == EVERY
    assert [(row.world, row.word) for row in found.deviates] == [("rare far mode", "noisy")]
    assert judged(lambda one, z: one.log_ratio(z).mean(), names=["rare far mode"], seeds=20).ok


@pytest.mark.parametrize(
    ("function", "word", "where"),
    [
        (lambda kl: kl, "right", lambda kl: True),
        (lambda kl: 1.15 * kl, "right", lambda kl: True),
        (lambda kl: kl + 0.06, "biased high", lambda kl: kl < 0.29),
        (lambda kl: 1.3 * kl, "biased high", lambda kl: kl > 0.2),
        (lambda kl: 0.5 * kl, "biased low", lambda kl: kl > 0.12),
        (lambda kl: -kl, "wrong sign", lambda kl: kl > 0.06),
        (lambda kl: kl - 0.06, "biased low", lambda kl: kl == 0),
        (lambda kl: math.nan, "refuses", lambda kl: True),
    ],
)
def test_an_estimate_that_is_off_by_a_known_amount_gets_the_word_for_it(function, word, where):
    for one in worlds():
        if where(one.kl):
            assert (
                word_for("estimate", one.kl, [function(one.kl)] * 3 if word != "refuses" else [])
                == word
            )


def test_noise_is_not_called_bias_and_bias_beyond_it_is():
    assert word_for("estimate", 0.5, [0.2, 1.2, 0.6, 1.0]) == "noisy"
    assert word_for("estimate", 0.5, [0.75, 0.76, 0.74, 0.77]) == "biased high"
    assert word_for("estimate", 0.5, [-1.0, 2.0, 0.5]) == "right"  # by its mean, whatever the noise


@pytest.mark.parametrize("kind", ["lower", "upper"])
def test_a_bound_may_err_as_often_as_its_level_and_no_more(kind):
    side = 1 if kind == "lower" else -1
    for seeds in (2, 5, 100):
        allowed = max(k for k in range(seeds + 1) if stats.binom.sf(k - 1, seeds, LEVEL) >= 0.001)
        values = [0.5 + side * 0.01] * allowed + [0.5 - side * 0.4] * (seeds - allowed)
        assert word_for(kind, 0.5, values) == "holds"
        if allowed < seeds:
            values[allowed] = 0.5 + side * 0.01
            assert word_for(kind, 0.5, values) == ("too high" if kind == "lower" else "too low")
    assert word_for(kind, 0.5, [0.5] * 5) == "holds"


def test_a_bound_on_the_right_side_holds_in_every_world_and_a_swapped_one_in_none():
    def below(one, z):
        return 0.9 * one.kl

    names = [one.name for one in worlds() if one.kl > 0][:6]
    assert judged(below, "lower", names).ok
    found = judged(below, "upper", names, seeds=3)
    assert {row.word for row in found.rows} == {"too low"} and found.ok is False


def test_what_raises_or_is_not_finite_is_a_refusal_with_what_it_said():
    def nowhere(z):
        raise RuntimeError("only\n  in one dimension")

    found = conform(nowhere, names=["banana"], seeds=2)
    (row,) = found.rows
    assert (row.word, row.note) == ("refuses", "RuntimeError: only in one dimension")
    assert found.ok is None and math.isnan(row.mean) and "–" in str(found)
    (row,) = conform(lambda z: math.inf, names=["banana"], seeds=2).rows
    assert (row.word, row.note, row.values) == ("refuses", "returned inf", ())
    (row,) = conform(lambda z, seed: 0.2 if seed else math.nan, names=["banana"], seeds=3).rows
    assert (row.word, row.values, row.note) == ("right", (0.2, 0.2), "returned nan")
    (row,) = conform(lambda mean: 0.0, names=["banana"], seeds=2).rows
    assert (row.word, row.note) == ("no posteriors", "")


def test_the_document_is_strict_and_agrees_with_the_file():
    found = conform(lambda z, seed: 0.2 * seed, names=["banana", "two points"], seeds=2)
    read = json.loads(json.dumps(found.document(), allow_nan=False))
    assert read["schema"] == {"name": "vaebench.conform", "version": 1} and read["ok"] is False
    known = {entry["name"]: entry for entry in shipped()["worlds"]}
    for row in read["rows"]:
        entry = known[row["world"]]
        assert row["kl"] == pytest.approx(entry["kl"], abs=1e-5)
        assert row["low"] == pytest.approx(entry["estimate"]["low"], abs=1e-5)
        assert row["values"] == [0.0, 0.2] and row["word"] in (*FAULTS, "right")
    assert read["sentence"] == found.sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"function": 3}, "function must be a function, got int"),
        ({"kind": "both"}, "kind must be one of estimate, lower, upper"),
        ({"names": "banana"}, "names must be a list of names"),
        ({"names": []}, "names must be a list of names"),
        ({"names": ["bananas"]}, "name must be that of a world, got 'bananas'"),
        ({"seeds": 1}, "seeds must be at least 2, got 1"),
        ({"seeds": 1001}, "seeds must be at most 1,000, got 1,001"),
        ({"function": lambda z: "0.2", "names": ["banana"]}, "must return one number, got str"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said) as caught:
        conform(**{"function": len, **arguments})
    assert "\n" not in str(caught.value)
