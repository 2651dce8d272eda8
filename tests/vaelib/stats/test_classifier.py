import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, rankdata

from tests import oracles
from tests.vaelib.stats import samples
from vaelib.stats import classifier
from vaelib.stats.classifier import classifier_prior_test, classifier_test


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def prior(dimensions):
    return lambda n, generator: samples.normal(n, dimensions, generator)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (20, 80), (500, 500)])
def test_level(n, m, monkeypatch):
    """Rejections of 200 or 50, exact or asymptotic: within bounds for all but 1 seed in 100,000."""
    generator, repetitions = seeded(), 50 if n == 500 else 200
    rejected = 0
    for _ in range(repetitions):
        x, y = samples.normal(n, 3, generator), samples.normal(m, 3, generator)
        rejected += classifier_test(x, y, generator=generator).p_value <= 0.05
    low, high = binom.ppf([5e-6, 1 - 5e-6], repetitions, 0.05)
    assert low <= rejected <= high


def test_exact_and_approximate_laws_agree(monkeypatch):
    x, y = samples.normal(200, 2, seeded()), samples.shifted(200, 2, seeded(1))
    exact = classifier_test(x, y, generator=seeded(2))
    monkeypatch.setattr(
        classifier, "_EXACT", 0
    )  # the other law at a size where the exact one is known
    approximate = classifier_test(x, y, generator=seeded(2))
    assert approximate.statistic == exact.statistic
    assert approximate.p_value == pytest.approx(exact.p_value, abs=1e-3)
    assert approximate.p_value != exact.p_value


@pytest.mark.parametrize(
    ("alternative", "least"),
    [
        (samples.scaled, 6),
        (samples.shifted, 4),
        (samples.correlated, 7),
        (samples.quilt, 10),
    ],
)
def test_power_against_a_prior(alternative, least):
    """Rejections of 10 with n = 500, D = 8: 3 standard deviations below the power measured."""
    generator, rejected = seeded(), 0
    for _ in range(10):
        z = alternative(500, 8, generator)
        rejected += classifier_prior_test(z, prior(8), generator=generator).p_value <= 0.05
    assert rejected >= least


def test_auc_comes_near_that_of_the_best_classifier():
    z = samples.doubled_variance(4000, 2, seeded())
    result = classifier_prior_test(z, prior(2), generator=seeded(1))
    assert result.statistic == pytest.approx(oracles.BEST_AUC_DOUBLED_VARIANCE, abs=0.025)
    assert result.p_value < 1e-20
    assert result.draws == 0


def test_auc_is_the_chance_of_the_right_order(monkeypatch):
    """A classifier whose score is the first coordinate, and nothing to learn."""

    class First:
        def fit(self, x, labels):
            assert x.shape == (50, 2) and labels.sum() == 20

        def decision_function(self, x):
            return x[:, 0]

    # Scores that are known, whatever was learnt.
    monkeypatch.setattr(classifier, "_classifier", lambda *_: First())
    x, y = samples.normal(40, 2, seeded()) + 0.5, samples.normal(60, 2, seeded(1))
    result = classifier_test(x, y, generator=seeded(2))
    generator = seeded(2)
    x_held = x[torch.randperm(40, generator=generator)[20:], 0].numpy()
    y_held = y[torch.randperm(60, generator=generator)[30:], 0].numpy()
    assert result.statistic == pytest.approx((x_held[:, None] > y_held).mean())
    ranks = rankdata(np.concatenate([x_held, y_held]))
    deviation = math.sqrt(20 * 30 * 51 / 12)
    normal = (ranks[:20].sum() - 20 * 51 / 2) / deviation
    assert result.p_value == pytest.approx(0.5 * math.erfc(normal / math.sqrt(2)), abs=0.01)


def test_equal_scores_are_no_evidence():
    x = torch.ones(200, 2)
    values = [classifier_test(x, x, generator=seeded(seed)) for seed in range(30)]
    assert 0.3 < np.mean([value.p_value for value in values]) < 0.7  # 3.8 standard deviations
    assert np.mean([value.statistic for value in values]) == pytest.approx(0.5, abs=0.04)


def test_separate_samples_are_told_apart_with_a_positive_p_value():
    x = samples.normal(5000, 3, seeded())
    result = classifier_test(x, x + 100, generator=seeded())
    assert result.statistic == 1
    assert 0 < result.p_value < 1e-200


def test_a_seed_determines_the_outcome():
    x, y = samples.normal(60, 3, seeded()), samples.normal(60, 3, seeded(1))
    first = classifier_test(x, y, generator=seeded(2))
    torch.manual_seed(0)
    np.random.seed(0)
    assert classifier_test(x, y, generator=seeded(2)) == first
    assert classifier_test(x, y, generator=seeded(3)) != first


def test_the_prior_is_drawn_afresh():
    drawn = []

    def draw(n, generator):
        drawn.append(samples.normal(n, 2, generator))
        return drawn[-1]

    z, generator = samples.normal(30, 2, seeded()), seeded(1)
    classifier_prior_test(z, draw, generator=generator)
    classifier_prior_test(z, draw, generator=generator, ratio=2)
    assert [len(y) for y in drawn] == [120, 60]
    assert not torch.equal(drawn[0][:60], drawn[1])


def test_many_dimensions_and_constant_ones_are_fine():
    x = samples.normal(100, 60, seeded())
    x[:, 3] = 0.1
    result = classifier_test(x, x + 1, generator=seeded())
    assert result.statistic > 0.9


def test_too_few_rows_and_no_ratio_are_errors():
    z = samples.normal(8, 2, seeded())
    with pytest.raises(ValueError, match="n >= 8"):
        classifier_test(z[:7], z, generator=seeded())
    with pytest.raises(ValueError, match="ratio must be at least 1, got 0"):
        classifier_prior_test(z, prior(2), generator=seeded(), ratio=0)
