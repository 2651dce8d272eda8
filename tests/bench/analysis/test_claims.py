import numpy as np
import pandas as pd
import pytest

from bench.analysis.claims import LEAST_SEEDS, decide
from bench.matrix.claims import Claim
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS

NAMES = ("base", "b", "c")
STUDIES = {None: ("base",), "size": NAMES}


def claim(expect, **fields):
    known = {"id": "x", "says": "s", "study": "size", "metric": "marginal_kl_excess"}
    return Claim(**known | {"expect": expect} | fields)


def rows(values, metric="marginal_kl_excess", saturated=()):
    """Tidy rows of values (S, K) on test inputs."""
    table = []
    for (seed, place), value in np.ndenumerate(np.asarray(values, float)):
        flag = float(NAMES[place] in saturated)
        for name, number in ((metric, value), ("saturated", flag)):
            known = dict.fromkeys(COLUMNS, "") | dict.fromkeys(["standard_error", "p_value"])
            known |= {"config": NAMES[place], "seed": seed, "split": "test", "status": "ok"}
            table.append(known | {"metric": name, "value": number})
    return pd.DataFrame(table)


def draws(means, seeds=10, spread=0.02, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.1, (seeds, 1))  # pairing takes it out
    return common + np.asarray(means) + rng.normal(0, spread, (seeds, len(means)))


def verdict(expect, means, **fields):
    (found,) = decide(rows(draws(means)), [claim(expect, **fields)], STUDIES)
    return found.verdict


@pytest.mark.parametrize(
    ("expect", "means", "fields", "expected"),
    [
        ("decreasing", [0.5, 0.3, 0.1], {"margin": 0.05}, "larger than the margin"),
        ("decreasing", [0.5, 0.5, 0.5], {"margin": 0.05}, "absent within the margin"),
        ("decreasing", [0.55, 0.525, 0.5], {"margin": 0.1}, "smaller than the margin"),
        ("decreasing", [0.5, 0.51, 0.525], {"margin": 0.1}, "absent within the margin"),
        ("decreasing", [0.1, 0.3, 0.5], {"margin": 0.05}, "opposite"),
        ("decreasing", [0.5, 0.525, 0.55], {"margin": 0.05}, "opposite"),
        ("decreasing", [0.55, 0.525, 0.5], {"margin": 0.05}, "inconclusive"),
        ("increasing", [0.1, 0.3, 0.5], {"margin": 0.05}, "larger than the margin"),
        ("increasing", [0.5, 0.3, 0.1], {"margin": 0.05}, "opposite"),
        ("increasing", [0.5, 0.5, 0.5], {}, "inconclusive"),
        ("equivalent", [0.5, 0.5, 0.51], {"margin": 0.05}, "absent within the margin"),
        ("equivalent", [0.5, 0.5, 0.8], {"margin": 0.05}, "larger than the margin"),
        ("equivalent", [0.5, 0.5, 0.55], {"margin": 0.05}, "inconclusive"),
        (
            "equivalent",
            [0.5, 0.5, 0.5],
            {"margin": 0.15, "reference": 0.5},
            "absent within the margin",
        ),
        (
            "equivalent",
            [0.5, 0.5, 0.9],
            {"margin": 0.15, "reference": 0.5},
            "larger than the margin",
        ),
        (
            "greater",
            [0.5, 0.6, 0.7],
            {"reference": 0.2, "margin": 0.05},
            "larger than the margin",
        ),
        ("greater", [0.5, 0.6, 0.0], {"reference": 0.2}, "opposite"),
        ("greater", [0.5, 0.0, 0.0], {"reference": 0.2, "study": None}, "larger than the margin"),
        ("less", [0.5, 0.6, 0.7], {"reference": 1.0}, "larger than the margin"),
        ("less", [0.5, 0.6, 1.7], {"reference": 1.0}, "opposite"),
        ("greater", [0.5, 0.6, 0.7], {}, "larger than the margin"),
    ],
)
def test_verdicts(expect, means, fields, expected):
    assert verdict(expect, means, **fields) == expected


def test_a_trend_is_the_change_along_the_least_squares_line():
    values = draws([0.2, 0.7, 0.4])
    (found,) = decide(rows(values), [claim("increasing")], STUDIES)
    lines = [np.polyfit(range(3), row, 1)[0] * 2 for row in values]
    assert found.effect == pytest.approx(np.mean(lines))
    assert found.seeds == 10 and found.decisive == ""


def test_the_decisive_configuration_is_the_one_that_comes_closest_to_failing():
    values = draws([0.5, 0.2, 0.7])
    (found,) = decide(rows(values), [claim("greater", reference=0.1)], STUDIES)
    assert found.decisive == "b" and found.effect == pytest.approx(values[:, 1].mean())
    (found,) = decide(rows(values), [claim("equivalent", margin=0.1)], STUDIES)
    assert found.decisive == "b"
    assert found.effect == pytest.approx((values[:, 1] - values[:, 0]).mean())


def test_saturation_forbids_an_answer_about_the_joint_kl_alone():
    frame = rows(draws([0.5, 0.3, 0.1]), saturated=["c"])
    (found,) = decide(frame, [claim("decreasing")], STUDIES)
    assert found.verdict == "inconclusive" and "saturated" in found.reason and "`c`" in found.reason
    assert np.isnan(found.p_holm) and found.effect < 0
    (base,) = decide(frame, [claim("greater", study=None)], STUDIES)
    assert base.verdict == "larger than the margin"
    other = rows(draws([0.5, 0.3, 0.1]), "kl_per_dimension", ["c"])
    (found,) = decide(other, [claim("decreasing", metric="kl_per_dimension")], STUDIES)
    assert found.verdict == "larger than the margin"


def test_one_latent_source_against_another_is_a_difference_within_each_model():
    shared = np.random.default_rng(3).normal(0.5, 0.3, (10, 1))  # hides the difference unpaired
    prior, aggregate = shared + draws([0.05]), shared + draws([0.0], seed=1)
    parts = []
    for source, values in (("prior", prior), ("aggregate", aggregate)):
        part = rows(values, "frechet")
        parts.append(part[part["metric"] == "frechet"].assign(source=source))
    fields = {"study": None, "metric": "frechet", "source": "prior"}
    against = claim("greater", **fields, against="aggregate", margin=0.01)
    (found,) = decide(pd.concat(parts), [against], STUDIES)
    assert found.effect == pytest.approx((prior - aggregate).mean())
    assert found.seeds == 10
    alone = claim("greater", **fields, reference=0.5)
    (unpaired,) = decide(pd.concat(parts), [alone], STUDIES)
    assert found.half_width < unpaired.half_width / 2
    (reverse,) = decide(
        pd.concat(parts),
        [claim("less", **(fields | {"source": "aggregate", "against": "prior"}), margin=0.0)],
        STUDIES,
    )
    assert reverse.effect == pytest.approx(-found.effect)
    missing = claim("less", **(fields | {"source": "gmm", "against": "prior"}))
    (nothing,) = decide(pd.concat(parts), [missing], STUDIES)
    assert nothing.verdict == "inconclusive" and "not measured" in nothing.reason


def test_too_few_seeds_and_nothing_measured_are_inconclusive_with_a_reason():
    frame = rows(draws([0.5, 0.3, 0.1], seeds=LEAST_SEEDS - 1))
    (found,) = decide(frame, [claim("decreasing")], STUDIES)
    assert found.verdict == "inconclusive" and "7 common seeds" in found.reason
    (found,) = decide(frame, [claim("decreasing", metric="elbo")], STUDIES)
    assert found.verdict == "inconclusive" and "not measured" in found.reason and not found.seeds


def test_only_common_seeds_count():
    values = draws([0.5, 0.3, 0.1], seeds=12)
    values[3, 1] = np.nan
    (found,) = decide(rows(values), [claim("decreasing")], STUDIES)
    assert found.seeds == 11


def test_equal_columns_and_constant_shifts_have_p_values():
    for means, expected in (
        ([0.5] * 3, "inconclusive"),
        ([0.5, 0.3, 0.1], "larger than the margin"),
    ):
        (found,) = decide(rows(draws(means, spread=0)), [claim("decreasing")], STUDIES)
        assert found.verdict == expected and 0 < found.p_value <= 1


def bracketed(lower, upper):
    """Tidy rows of both ends of a bracket, (S, K) each."""
    ends = {"certified_kl_lower": lower, "certified_kl_upper": upper}
    parts = [rows(values, name) for name, values in ends.items()]
    return pd.concat(parts).drop_duplicates(["config", "seed", "metric"])


def apart(low, high, **fields):
    lower, upper = draws(low, spread=0.01), draws(high, spread=0.01)
    known = {"metric": "certified_kl", "margin": 0.05}
    (found,) = decide(bracketed(lower, upper), [claim("brackets apart", **known | fields)], STUDIES)
    return found, lower, upper


@pytest.mark.parametrize(
    ("low", "high", "fields", "expected"),
    [
        ([0.1, 0.5, 0.6], [0.2, 0.6, 0.7], {}, "larger than the margin"),
        ([0.5, 0.1, 0.2], [0.6, 0.2, 0.3], {"worse": "first"}, "larger than the margin"),
        ([0.1, 0.5, 0.6], [0.2, 0.6, 0.7], {"worse": "first"}, "opposite"),
        ([0.1, 0.5, 0.15], [0.2, 0.6, 0.7], {}, "inconclusive"),
        ([0.30, 0.34, 0.5], [0.31, 0.35, 0.6], {"margin": 0.2}, "smaller than the margin"),
        ([0.30, 0.30, 0.5], [0.31, 0.31, 0.6], {"margin": 0.1}, "absent within the margin"),
    ],
)
def test_brackets_apart(low, high, fields, expected):
    found = apart(low, high, **fields)[0]
    least, most = (found.effect, found.half_width), (found.at_most, found.at_most_half_width)
    assert found.verdict == expected
    rests = {"larger than the margin": (least,), "opposite": (most,)}
    assert found.deciding == rests.get(expected, (least, most))


def test_brackets_give_the_least_and_the_most_of_a_difference():
    found, lower, upper = apart([0.1, 0.5, 0.4], [0.2, 0.7, 0.6])
    assert found.decisive == "c"
    assert found.effect == pytest.approx((lower[:, 2] - upper[:, 0]).mean())
    assert found.at_most == pytest.approx((upper[:, 2] - lower[:, 0]).mean())


def test_of_a_claim_that_fails_the_decisive_pair_is_the_one_that_shows_it():
    low, high = [0.2, 0.4, 1.2], [0.6, 3.0, 9.0]  # the wide bracket of b says nothing
    found, lower, upper = apart(low, high, worse="first")
    assert (found.verdict, found.decisive) == ("opposite", "c")
    assert found.at_most == pytest.approx((upper[:, 0] - lower[:, 2]).mean())
    assert found.deciding == ((found.at_most, found.at_most_half_width),)  # not the least, near -9
    (found,) = decide(rows(draws([0.5, 0.9, 0.2])), [claim("equivalent", margin=0.1)], STUDIES)
    assert (found.verdict, found.decisive) == ("larger than the margin", "b")


def test_a_bracket_may_have_no_upper_end():
    lower, upper = draws([0.1, 0.5, 0.4], spread=0.01), draws([0.2, 0.7, 0.6], spread=0.01)
    upper[:, 1:] = np.nan  # those of encoders without scales
    frame = bracketed(lower, upper)
    known = {"metric": "certified_kl", "margin": 0.05}
    (found,) = decide(frame, [claim("brackets apart", **known)], STUDIES)
    assert found.verdict == "larger than the margin" and np.isnan(found.at_most)
    assert found.effect == pytest.approx((lower[:, 2] - upper[:, 0]).mean())
    far = {**known, "margin": 5.0}
    (found,) = decide(frame, [claim("brackets apart", **far)], STUDIES)
    assert found.verdict == "inconclusive" and found.present  # nothing limits it
    (found,) = decide(frame, [claim("brackets apart", **known, worse="first")], STUDIES)
    assert found.verdict == "inconclusive" and "not measured" in found.reason


def test_a_claim_uses_the_seeds_from_its_first():
    values = draws([0.5, 0.3, 0.1], seeds=20)
    values[:10] = values[:10, ::-1]  # what was seen first says the opposite
    known = {"margin": 0.05, "from_seed": 10}
    late, every = decide(
        rows(values), [claim("decreasing", **known), claim("decreasing", id="y")], STUDIES
    )
    assert late.verdict == "larger than the margin" and late.used == tuple(range(10, 20))
    assert every.verdict == "inconclusive" and every.seeds == 20
    (alone,) = decide(rows(values).query("seed >= 10"), [claim("decreasing", **known)], STUDIES)
    assert (alone.effect, alone.half_width) == (late.effect, late.half_width)
    (nothing,) = decide(rows(values[:12]), [claim("decreasing", **known)], STUDIES)
    assert nothing.reason == "2 common seeds from seed 10 on, and a claim needs 8"
    (nothing,) = decide(rows(values[:10]), [claim("decreasing", **known)], STUDIES)
    assert nothing.reason == "not measured on common seeds from seed 10 on" and not nothing.used


def test_wrong_verdicts_over_all_claims_stay_below_one_in_twenty():
    """Effects on their margins: 400 families of 4 claims; 99.9 % of runs stay below .087."""
    metrics = ["marginal_kl_excess", "kl_per_dimension", "elbo", "c2st_auc"]
    claims = [claim("decreasing", metric=name, margin=0.1, id=name) for name in metrics]
    wrong = 0
    for family in range(400):
        frame = pd.concat(
            rows(draws([0.6, 0.55, 0.5], seed=[family, i]), name) for i, name in enumerate(metrics)
        ).drop_duplicates(["config", "seed", "metric"])
        wrong += any(found.verdict != "inconclusive" for found in decide(frame, claims, STUDIES))
    assert wrong / 400 < 0.087


_SHOWN_BY_LOWER = {
    "greater": ["larger than the margin"],
    "less": ["opposite"],
    "equivalent": ["larger than the margin"],
}  # what is said of an effect because of what it is at least


@pytest.mark.parametrize(
    ("expect", "lower", "upper", "expected"),
    [
        ("greater", 0.9, 1.0, "larger than the margin"),
        ("greater", 0.9, np.nan, "larger than the margin"),
        ("greater", 0.1, np.nan, "inconclusive"),
        ("greater", 0.1, 0.9, "inconclusive"),
        ("greater", 0.1, 0.2, "opposite"),
        ("less", 0.1, np.nan, "inconclusive"),
        ("less", 0.1, 0.9, "inconclusive"),
        ("less", 0.1, 0.2, "larger than the margin"),
        ("less", 0.9, np.nan, "opposite"),
        ("equivalent", 0.5, np.nan, "inconclusive"),
        ("equivalent", 0.5, 0.52, "absent within the margin"),
        ("equivalent", 0.9, np.nan, "larger than the margin"),
    ],
)
def test_a_lower_estimate_is_called_small_by_its_upper_end_alone(expect, lower, upper, expected):
    """One K of importance weighting proves no small gap, and a gain over the prior no match."""
    margin = {"margin": 0.1} if expect == "equivalent" else {}
    for metric in ("bound_gap", "certified_kl", "shape_gain"):
        frame = rows(draws([lower] * 3), metric)
        above = rows(draws([upper] * 3), METRICS[metric].at_most)
        if np.isnan(upper):
            above.loc[above["seed"] > 0, "value"] = lower + 0.01  # one seed without a limit
        frame = pd.concat([frame, above]).drop_duplicates(["config", "seed", "metric"])
        known = {"metric": metric, "reference": 0.5} | margin
        (found,) = decide(frame, [claim(expect, **known)], STUDIES)
        assert found.verdict == expected
        assert np.isfinite(found.at_most) == np.isfinite(upper)
        side = lower if expected in _SHOWN_BY_LOWER[expect] else upper
        if expected not in ("inconclusive", "absent within the margin"):
            assert [round(mean, 1) for mean, _ in found.deciding] == [side]
        else:
            assert len(found.deciding) == 1 + np.isfinite(upper)


def test_whatever_bounds_a_metric_is_one():
    assert {m.at_most for m in METRICS.values()} <= {*METRICS, ""}
    assert {m.at_least for m in METRICS.values()} <= {*METRICS, ""}


@pytest.mark.parametrize(
    ("expect", "lower", "upper", "expected"),
    [
        ("less", 0.1, 0.2, "larger than the margin"),
        ("less", np.nan, 0.2, "larger than the margin"),
        ("less", 0.1, 0.9, "inconclusive"),
        ("less", np.nan, 0.9, "inconclusive"),
        ("less", 0.8, 0.9, "opposite"),
        ("greater", 0.1, 0.9, "inconclusive"),
        ("greater", 0.8, 0.9, "larger than the margin"),
        ("greater", 0.1, 0.2, "opposite"),
    ],
)
def test_an_upper_estimate_is_called_large_by_its_lower_end_alone(expect, lower, upper, expected):
    """An upper end above the margin is no mismatch."""
    for metric in ("certified_kl_upper", "bound_gap_upper"):
        frame = rows(draws([upper] * 3), metric)
        below = rows(draws([lower] * 3), METRICS[metric].at_least)
        frame = pd.concat([frame, below]).drop_duplicates(["config", "seed", "metric"])
        (found,) = decide(frame, [claim(expect, metric=metric, reference=0.5)], STUDIES)
        assert found.verdict == expected
        assert np.isfinite(found.effect) == np.isfinite(lower) and np.isfinite(found.at_most)
        side = lower if expected in _SHOWN_BY_LOWER[expect] else upper
        if expected != "inconclusive":
            assert [round(mean, 1) for mean, _ in found.deciding] == [side]
