import math
import re

import numpy as np
import pytest

from bench.metrics.registry import METRICS

DESIGNED = """
rate, mutual_information, marginal_kl, marginal_kl_floor, marginal_kl_null, marginal_kl_excess,
marginal_kl_loo, scale_by_place, saturated, kl_per_dimension, total_correlation, moment_kl,
negentropy, second_moment, excess_kurtosis, variance_law, active_units, mmd_squared, hole_mass,
c2st_auc, mmd_test, likelihood_ratio_test, henze_zirkler_test, mardia_test, ks_test, ksd_test,
energy_test,
c2st_test, marginal_kl_null_test, elbo, iwae, bound_gap, reconstruction,
frechet, frechet_pca, image_mmd, coverage, density, precision, recall, image_auc, authenticity
"""


def test_every_designed_metric_is_there():
    assert set(METRICS) >= set(re.findall(r"\w+", DESIGNED))


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_complete(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.unit and metric.symbol and metric.reference
    assert metric.summary.endswith(".") and "\n" not in metric.summary
    assert (metric.margin is None) == name.endswith("_test")
    assert metric.margin is None or metric.margin > 0
    assert metric.better is None or metric.margin is not None


def test_symbols_tell_metrics_apart():
    assert len({metric.symbol for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize(
    "name",
    ["marginal_kl", "marginal_kl_loo", "total_correlation", "negentropy", "mutual_information"],
)
def test_what_carries_the_floor_has_no_direction(name):
    assert METRICS[name].better is None


def test_the_excess_decides_nothing_and_says_so():
    for name in ("marginal_kl_excess", "marginal_kl_null_test"):
        metric = METRICS[name]
        assert metric.better is None and metric.needs_unsaturated
        assert metric.symbol.endswith("given scale (diagnostic)")
        assert "diagnostic that decides nothing" in metric.summary


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="rate, mutual_information.*got 'kld'"):
        METRICS.named("kld")


# The reasons given for the margins, recomputed.


def test_margin_of_the_excess_by_pinsker():
    total_variation = math.sqrt(METRICS["marginal_kl_excess"].margin / 2)
    assert 0.5 + total_variation / 2 == pytest.approx(0.58, abs=0.001)


def test_margin_per_dimension_is_a_scale_ten_percent_off():
    kl = (1.1**2 - 1 - math.log(1.1**2)) / 2
    assert METRICS["kl_per_dimension"].margin == pytest.approx(kl, abs=0.001)


def test_margin_of_the_mmd_against_a_scale_of_1_1():
    v, h = 1.1**2, 2.0  # the bandwidth squared is D = 2, and the exponent D/2 is 1
    mmd = h / (h + 2 * v) - 2 * h / (h + 1 + v) + h / (h + 2)
    assert mmd == pytest.approx(0.0024, abs=1e-4)
    assert METRICS["mmd_squared"].margin < mmd / 2


def test_margin_of_the_auc_is_one_standard_error():
    rng = np.random.default_rng(0)
    aucs = [(rng.random(400)[:, None] > rng.random(400)).mean() for _ in range(400)]
    assert METRICS["c2st_auc"].margin == pytest.approx(np.std(aucs), rel=0.15)  # 4 standard errors


def test_margin_of_the_encoders_scale_in_nats():
    ratio = 1 - METRICS["sbc_scale"].margin
    assert (ratio**2 - 1) / 2 - math.log(ratio) == pytest.approx(0.0025, abs=1e-4)


def test_margin_of_the_elbo_as_a_likelihood_ratio():
    assert math.exp(METRICS["elbo"].margin) == pytest.approx(1.6, abs=0.06)
