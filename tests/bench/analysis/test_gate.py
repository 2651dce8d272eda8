import numpy as np
import pandas as pd
import pytest

from bench.analysis import gate
from bench.analysis.baseline import GateError
from bench.analysis.gate import MEAN, Comparison, compare, exit_code
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS
from bench.run.kept_rows import STALE
from tests.bench.synthetic import synthetic_rows

CONFIGS = ("base", "a", "b", "c")
GATED = ("moment_kl", "kl_per_dimension", "c2st_auc", "hole_mass", "elbo", "mmd_squared")
DEVIATIONS = {name: 3 * METRICS[name].margin for name in GATED}


def rows(values, matrix="ci", seeds=None, cells="id"):
    """Tidy rows of values {metric: (S, K)} on test inputs."""
    table = []
    for metric, grid in values.items():
        for (seed, place), value in np.ndenumerate(np.asarray(grid, float)):
            known = dict.fromkeys(COLUMNS, "") | dict.fromkeys(["standard_error", "p_value"])
            known |= {"matrix": matrix, "config": CONFIGS[place], "seed": seed, "split": "test"}
            known |= {"cell": f"{cells}-{place}-{seed}", "status": "ok"}
            known |= {"unit": METRICS[metric].unit}
            table.append(known | {"metric": metric, "value": value})
    return pd.DataFrame(table)


def worse(metric, by):
    return -by if METRICS[metric].better == "higher" else by


def draws(seed=0, seeds=5, pairing=0.8, shift=0.0, where=CONFIGS, spread=1.0):
    """A baseline and a run whose values are `shift` standard deviations worse."""
    rng = np.random.default_rng(seed)
    before, after = {}, {}
    for metric, deviation in DEVIATIONS.items():
        scale = deviation * np.exp(rng.normal(0, 0.5, len(CONFIGS))) * spread
        first = rng.normal(size=(seeds, len(CONFIGS)))
        other = pairing * first + np.sqrt(1 - pairing**2) * rng.normal(size=first.shape)
        moved = [shift if name in where else 0.0 for name in CONFIGS]
        before[metric] = first * scale
        after[metric] = (other + worse(metric, 1) * np.array(moved)) * scale
    return rows(before), rows(after)


def verdicts(found):
    return {(one.config, one.metric): one.verdict for one in found}


def test_unchanged_rows_are_ok_everywhere():
    before, _ = draws()
    found = compare(before, before)
    assert {one.verdict for one in found} == {"OK"} and exit_code(found) == 0
    assert len(found) == (len(CONFIGS) + 1) * len(GATED)
    assert {one.test for one in found} == {"paired"}


def test_only_metrics_with_a_direction_are_gated_and_time_is_not():
    before, _ = draws()
    more = rows({"rate": np.ones((5, 4)), "mmd_test": np.ones((5, 4))})
    slower = pd.concat([before, more.assign(value=9.0)]).assign(seconds=1e6)
    found = compare(slower, pd.concat([before, more]))
    assert {one.metric for one in found} == set(GATED) and exit_code(found) == 0


def test_a_worsening_everywhere_is_red_and_an_improvement_is_not():
    before, after = draws(shift=4)
    found = compare(after, before)
    assert exit_code(found) == 1
    assert "REGRESSED" in {one.verdict for one in found if one.config == MEAN}
    red = [one for one in found if one.verdict == "REGRESSED"]
    assert all(one.worsening > one.margin < one.high for one in red)
    assert exit_code(compare(before, after)) == 0


def test_noise_beyond_the_margin_is_inconclusive_and_says_how_many_seeds_would_decide():
    before, after = draws(shift=0.3, spread=0.3)
    found = [one for one in compare(after, before) if one.verdict == "INCONCLUSIVE"]
    assert found and exit_code(found) == 0 and exit_code(found, strict=True) == 1
    for one in found:
        assert one.needed is None or one.needed > 5
    assert any(one.needed for one in found)


def test_the_number_of_seeds_decides():
    """With as many seeds as it asks for, the same mean and variance have a verdict."""
    base = {"elbo": np.zeros((5, 1))}
    change = {"elbo": np.array([[0.0], [0.5], [-0.5], [0.9], [-0.9]])}
    (one,) = compare(rows(change), rows(base))
    assert one.verdict == "INCONCLUSIVE" and one.needed

    def decided(count):
        values = np.resize(change["elbo"], (count, 1))
        values = (values - values.mean()) / values.std(ddof=1) * np.std(change["elbo"], ddof=1)
        return compare(rows({"elbo": values}), rows({"elbo": np.zeros((count, 1))}))[0].verdict

    assert decided(one.needed) == "OK" and decided(one.needed - 1) != "OK"


def test_broken_pairing_is_compared_after_welch():
    before, after = draws(pairing=0.0, seeds=10)
    assert {one.test for one in compare(after, before)} >= {"Welch"}


def changed(frame, name, **columns):
    mask = frame["config"] == name
    return frame.assign(**{k: frame[k].mask(mask, v) for k, v in columns.items()})


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (lambda new: new[new["config"] != "a"], "MISSING"),
        (lambda new: new[(new["config"] != "a") | (new["seed"] != 3)], "MISSING"),
        (lambda new: changed(new, "a", status="failed", message="boom"), "FAILED"),
        (lambda new: changed(new, "a", cell="other"), "CHANGED"),
        (lambda new: changed(new, "a", dataset="another"), "CHANGED"),
        (lambda new: new[(new["config"] != "a") | (new["metric"] != "elbo")], "MISSING"),
        (lambda new: changed(new, "a", value=np.nan), "MISSING"),
    ],
)
def test_what_cannot_be_compared_is_never_a_pass(edit, verdict):
    before, _ = draws()
    found = compare(edit(before), before)
    assert verdict in {one.verdict for one in found if one.config == "a"}
    assert all(one.verdict == "OK" for one in found if one.config not in ("a", MEAN))
    assert exit_code(found) == 2


@pytest.mark.parametrize("lacking", ["baseline", "run"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda frame, gone: frame[~gone],
        lambda frame, gone: frame.assign(value=frame["value"].mask(gone)),
        lambda frame, gone: frame.assign(source=frame["source"].mask(gone, "gauge_fixed")),
        lambda frame, gone: frame.assign(split=frame["split"].mask(gone, "train")),
    ],
)
def test_a_metric_that_either_side_lacks_is_no_pass(edit, lacking):
    """Removed, emptied, of another source or split, in every configuration."""
    before, _ = draws()
    less = edit(before, before["metric"] == "elbo")
    found = compare(*((before, less) if lacking == "baseline" else (less, before)))
    missing = [one for one in found if one.metric == "elbo" and one.verdict == "MISSING"]
    assert {one.config for one in missing} >= set(CONFIGS) and exit_code(found) == 2
    assert any(f"not measured on every seed of the {lacking}" in one.message for one in missing)
    assert {one.verdict for one in found if one.metric != "elbo"} == {"OK"}


UNDIRECTED = next(name for name, metric in METRICS.items() if metric.better is None)


@pytest.mark.parametrize("lacking", ["baseline", "run"])
@pytest.mark.parametrize(
    ("edit", "whole"),
    [
        (lambda frame, gone: frame[~gone], False),
        (lambda frame, gone: frame.assign(value=frame["value"].mask(gone)), False),
        (lambda frame, gone: frame[~gone | (frame["seed"] != 3)], False),
        (
            lambda frame, gone: frame.assign(
                value=frame["value"].mask(gone & (frame["seed"] == 3))
            ),
            True,
        ),
        (
            lambda frame, gone: frame.assign(
                value=frame["value"].mask(gone & (frame["seed"] != 3))
            ),
            False,
        ),
    ],
)
def test_a_measurement_without_a_direction_that_either_side_lacks_is_no_pass(edit, whole, lacking):
    """A row that is gone, or a value that most seeds lack; one may be undefined."""
    before, _ = draws()
    before = pd.concat([before, rows({UNDIRECTED: np.ones((5, len(CONFIGS)))})])
    less = edit(before, (before["metric"] == UNDIRECTED) & (before["config"] == "a"))
    if lacking == "baseline" and 0 < (left := len(before) - len(less)) < 5:
        with pytest.raises(GateError, match=rf"{UNDIRECTED} test of a on each of 5 seeds in the"):
            compare(before, less)
        assert left == 1
        return
    found = compare(*((before, less) if lacking == "baseline" else (less, before)))
    missing = {(one.config, one.metric) for one in found if one.verdict == "MISSING"}
    assert (("a", UNDIRECTED) in missing) == (not whole) and {name for name, _ in missing} <= {"a"}
    assert exit_code(found) == (0 if whole else 2)


@pytest.mark.parametrize("whose", ["baseline", "run"])
def test_one_absurd_value_is_named_and_hides_nothing(whose):
    before, after = draws(shift=4)
    odd = before if whose == "baseline" else after
    odd.loc[(odd["metric"] == "elbo") & (odd["config"] == "a") & (odd["seed"] == 3), "value"] = 1e6
    found = compare(after, before)
    (one,) = [one for one in found if one.verdict == "ABSURD"]
    assert (one.config, one.metric) == ("a", "elbo")
    assert one.message.startswith("seed 3 has 1e+06, the others ") and whose in one.message
    assert exit_code(found) == 1, "the regression of the others is found"
    unchanged = compare(odd, odd)
    assert exit_code(unchanged) == 2
    wide, _ = draws(seed=1, spread=3)
    assert not [one for one in compare(wide, wide) if one.verdict == "ABSURD"]


@pytest.mark.parametrize("whose", ["baseline", "run"])
def test_an_infinite_number_is_no_measurement(whose):
    before, _ = draws()
    before = pd.concat([before, rows({UNDIRECTED: np.ones((5, len(CONFIGS)))})])
    for metric in (UNDIRECTED, "elbo"):
        endless = before.assign(value=before["value"].mask(before["metric"] == metric, np.inf))
        if whose == "baseline":
            with pytest.raises(GateError, match="got infinite"):
                compare(before, endless)
            continue
        found = compare(endless, before)
        assert {one.metric for one in found if one.verdict == "MISSING"} == {metric}
        assert exit_code(found) == 2


@pytest.mark.parametrize("whose", ["baseline", "run"])
@pytest.mark.parametrize("odd", [{3: 1e6}, {1: 1e6, 3: -1e9}, {0: 1e300, 4: 1e300}])
def test_as_many_absurd_values_as_a_minority_has_are_named(whose, odd):
    before, after = draws(shift=4)
    side = before if whose == "baseline" else after
    for config in CONFIGS:
        for seed, value in odd.items():
            here = (side["metric"] == "elbo") & (side["config"] == config) & (side["seed"] == seed)
            side.loc[here, "value"] = value
    named = [one for one in compare(after, before) if one.verdict == "ABSURD"]
    assert [(one.config, one.metric) for one in named] == [(name, "elbo") for name in CONFIGS]
    for one in named:
        assert all(str(seed) in one.message.partition(", the others")[0] for seed in odd)


@pytest.mark.parametrize("times", [60, 100])
def test_a_value_is_absurd_where_it_lies_fifty_margins_and_spreads_away(times):
    """With less it could be a seed that went another way, which leaves a comparison undecided."""
    before, after = draws(shift=4)
    here = (after["metric"] == "elbo") & (after["config"] == "a")
    own = after.loc[here, "value"]
    reach = METRICS["elbo"].margin + float(own.max() - own.min())
    after.loc[here & (after["seed"] == 3), "value"] = own.median() + times * reach
    assert [one.config for one in compare(after, before) if one.verdict == "ABSURD"] == ["a"]


def test_an_improvement_that_nobody_believes_is_no_pass():
    before, after = draws()
    for metric in GATED:
        here = before["metric"] == metric
        absurd = before.assign(value=before["value"].mask(here, worse(metric, 1e300)))
        found = [one for one in compare(after, absurd) if one.verdict == "ABSURD"]
        assert {one.metric for one in found} == {metric} and len(found) == len(CONFIGS)
        assert "the median was " in found[0].message
        assert exit_code(compare(after, absurd)) == 2
    before, after = draws(shift=-100)
    assert exit_code(compare(after, before)) == 0, "a large one is"


@pytest.mark.parametrize("whose", ["baseline", "run"])
def test_of_two_seeds_the_other_side_tells_which_value_is_absurd(whose):
    before, after = (frame[frame["seed"] < 2].copy() for frame in draws())
    assert not [one for one in compare(after, before) if one.verdict == "ABSURD"]
    odd = before if whose == "baseline" else after
    odd.loc[(odd["metric"] == "elbo") & (odd["config"] == "a") & (odd["seed"] == 1), "value"] = 1e6
    (one,) = [one for one in compare(after, before) if one.verdict == "ABSURD"]
    assert one.message.startswith("seed 1 has 1e+06, the others ") and whose in one.message


def test_a_run_of_one_seed_could_never_fail():
    before, _ = draws()
    one = before[before["seed"] == 0]
    with pytest.raises(GateError, match="expected at least 2 seeds, got 1, whose spread is not"):
        compare(one, before)


def test_a_configuration_that_the_baseline_lacks_is_new():
    before, _ = draws()
    found = compare(before, before[before["config"] != "a"])
    assert [one.verdict for one in found if one.config == "a"] == ["NEW"] and exit_code(found) == 2


def later(frame, **columns):
    """A table in which all rows but the first of each cell are changed."""
    rest = frame.duplicated("cell")
    return frame.assign(**{name: frame[name].mask(rest, v) for name, v in columns.items()})


@pytest.mark.parametrize("whose", ["run", "baseline"])
@pytest.mark.parametrize("rows_of", ["a seed", "a configuration"])
def test_rows_that_other_code_computed_have_a_verdict_of_their_own(whose, rows_of):
    before, _ = draws()
    at = (before["config"] == "a") & ((before["seed"] == 3) | (rows_of != "a seed"))
    stale = before.assign(message=before["message"].mask(at, f"{STALE}; a note"))
    found = compare(*((stale, before) if whose == "run" else (before, stale)))
    (one,) = [one for one in found if one.config == "a"]
    assert one.verdict == "STALE" and f"other code computed in the {whose}" in one.message
    assert {one.verdict for one in found if one.config not in ("a", MEAN)} == {"OK"}
    assert exit_code(found) == 2


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda old: old.iloc[:0], "expected rows in the baseline, got none"),
        (lambda old: old.assign(matrix="digits"), "expected a baseline of ci, got digits"),
        (lambda old: old.assign(metric="frechett"), "expected known metrics .* got frechett"),
        (
            lambda old: old.assign(config="z" + old["config"]),
            "configurations of this matrix, got none",
        ),
        (lambda old: old[old["seed"] < 3], "expected 5 seeds of base in the baseline, got 3"),
        (lambda old: old.assign(split="tset"), "known splits in the baseline, got tset"),
        (lambda old: old.assign(source="priour"), "known sources in the baseline, got priour"),
        (lambda old: old.assign(status="fine"), "known statuses in the baseline, got fine"),
        (lambda old: pd.concat([old, old[:1]]), "moment_kl of base, seed 0 twice"),
        (lambda old: old.assign(cell=[*old["cell"][:-1], "x"]), "one cell for each seed of c"),
        (lambda old: later(old, dataset="another"), "one dataset for each cell of .*'another'"),
        (lambda old: later(old, study="widths"), "one study for each cell of the baseline"),
        (lambda old: later(old, status="failed"), "one status for each cell of the baseline"),
        (lambda old: later(old, schema="1"), "one schema for each cell of the baseline"),
        (lambda old: old.assign(value=np.inf), "finite numbers in the baseline, got infinite"),
        (lambda old: old.assign(p_value=7.0), "p-values between 0 and 1 in the baseline, got 7"),
        (lambda old: old.assign(standard_error=-1.0), "standard errors from 0 on in .*, got -1"),
        (lambda old: old.assign(unit="furlongs"), "moment_kl of .* in nats.*, got furlongs"),
        (
            lambda old: old.iloc[:-1],
            "mmd_squared test of c on each of 5 seeds in the baseline, got",
        ),
    ],
)
def test_a_baseline_that_cannot_serve_is_refused(edit, message):
    before, _ = draws()
    with pytest.raises(GateError, match=message):
        compare(before, edit(before))


def test_nothing_compared_is_no_pass():
    assert exit_code([]) == 2 and exit_code([Comparison("a", "", "", "", "MISSING")]) == 2


@pytest.mark.parametrize("pairing", [0.8, 0.0])
def test_false_alarms_over_the_whole_family_are_rare(pairing):
    """100 runs of unchanged code, in which the spread differs between the configurations.

    Each metric is as bad as its margin allows. At a rate of .01, 99.9 % of such tests stay below
    .06.
    """
    wrong = 0
    for seed in range(100):
        before, after = draws(seed, pairing=pairing)
        for metric in GATED:
            edge = after["metric"] == metric
            after.loc[edge, "value"] += worse(metric, METRICS[metric].margin)
        wrong += exit_code(compare(after, before)) == 1
    assert wrong / 100 < 0.06


def test_a_worsening_of_two_standard_deviations_is_detected():
    """Over the margin, at S = 5 and pairing .8; the power is .97, a test fails below .9."""
    found = 0
    for seed in range(50):
        before, after = draws(seed, shift=2 + 1 / 3)
        found += exit_code(compare(after, before)) == 1
    assert found / 50 >= 0.9


def test_what_no_model_makes_is_not_gated():
    frame = synthetic_rows(3)
    keys = {(metric.name, source) for metric, _, source in gate._keys(frame, frame, METRICS)}
    assert ("frechet", "prior") in keys
    renamed = frame.assign(source=frame["source"].replace("prior", "floor"))
    keys = {(metric.name, source) for metric, _, source in gate._keys(renamed, renamed, METRICS)}
    assert ("frechet", "aggregate") in keys and ("frechet", "floor") not in keys


def scored(values, floor=0.53):
    """Rows of the authenticity of prior samples, shape (S, K), and of real images."""
    prior = rows({"authenticity": values}).assign(source="prior")
    real = rows({"authenticity": np.full_like(values, floor)}).assign(source="floor")
    return pd.concat([prior, real])


def test_a_score_is_worse_where_it_leaves_that_of_real_images_on_either_side():
    noise = np.random.default_rng(0).normal(0, 0.002, (10, 2))
    before = scored(0.63 + noise)
    for level, verdict in ((0.99, "REGRESSED"), (0.07, "REGRESSED"), (0.53, "OK"), (0.43, "OK")):
        found = compare(scored(level + noise), before)
        assert {one.verdict for one in found} == {verdict}, level
        assert {(one.metric, one.source) for one in found} == {("authenticity", "prior")}
    further = compare(scored(0.73 + noise), before)
    assert [one.worsening for one in further] == pytest.approx([0.1] * 3)
    lost = compare(scored(0.63 + noise).query("source == 'prior'"), before)
    assert {one.verdict for one in lost} == {"MISSING"}, "without real images there is no distance"
