"""How often intervals of a rank correlation cover: `python -m tests.correlations` prints a table.

Configurations are drawn from a normal law of known Spearman correlation ρ, and each is measured on
S = 10 shared seeds, whose noise makes up a share of the variance of the means. What is to be
covered is the correlation without that noise, over ever more seeds; in the column `as measured`,
which is the hull's too, that of means over S seeds, which the noise pulls towards 0. `hull` is the
interval of the pages, `resampled` its percentile interval over configurations and seeds,
`configurations` that over configurations alone, and `Fisher` knows K and the correlation only.
`better` is how often, at the same level, one of two equally good predictors is shown to be better
than the other by the resamples of the hull.
"""

import argparse
from collections import Counter

import numpy as np

from bench.analysis.correlations import (
    Resampled,
    fisher_interval,
    hull,
    percentile_interval,
)
from bench.report.markdown import markdown

SEEDS, LEVEL = 10, 0.95
METHODS = ("as measured", "hull", "resampled", "configurations", "Fisher", "better")


def cells(rng, rank_correlation, count, noise, between=0.5):
    """Two predictors and a target of known rank correlation with both, each of shape (S, K).

    Shares of noise are of the variance of the means over all seeds.
    """
    normal = 2 * np.sin(np.pi * rank_correlation / 6)
    common = max(between, 2 * normal**2 - 1 + 1e-6)
    law = np.array([[1, common, normal], [common, 1, normal], [normal, normal, 1]])
    means = rng.multivariate_normal(np.zeros(3), law, count).T
    spread = np.sqrt(SEEDS * noise / (1 - noise))
    drawn = means[:, None] + spread * rng.normal(size=(3, SEEDS, count))
    return dict(zip(("first", "second", "target"), drawn, strict=True))


def covered(rng, rank_correlation, count, noise, draws):
    """Which methods cover, once."""
    variables = cells(rng, rank_correlation, count, noise)
    found = Resampled(variables, draws).correlations(["first", "second"], "target")
    means = {name: values.mean(axis=0, keepdims=True) for name, values in variables.items()}
    alone = Resampled(means, draws).correlations(["first"], "target")
    value, resamples = found.values[0], found.resamples[0]
    intervals = {
        "hull": hull(value, count, resamples, LEVEL),
        "resampled": percentile_interval(resamples, LEVEL),
        "configurations": percentile_interval(alone.resamples[0], LEVEL),
        "Fisher": fisher_interval(value, count, LEVEL),
    }
    difference = np.abs(resamples) - np.abs(found.resamples[1])
    better = percentile_interval(difference, LEVEL)[0] > 1e-9
    inside = {name: low <= rank_correlation <= high for name, (low, high) in intervals.items()}
    normal = 2 * np.sin(np.pi * rank_correlation / 6) * (1 - noise)
    low, high = intervals["hull"]
    measured = low <= 6 / np.pi * np.arcsin(normal / 2) <= high
    return inside | {"better": better, "as measured": measured}


def coverage(rank_correlation, count, noise, runs, draws=1000, seed=0):
    """Share of the runs in which each method covers; of `better`, in which it is said."""
    rng = np.random.default_rng([seed, count, round(1000 * noise), round(1000 * rank_correlation)])
    hits = Counter()
    for _ in range(runs):
        hits.update(covered(rng, rank_correlation, count, noise, draws))
    return {name: hits[name] / runs for name in METHODS}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    lines = []
    for count in (8, 12, 16, 30):
        for noise in (0.0, 0.05, 0.2):
            for rank_correlation in (0.0, 0.5, 0.8, 0.95):
                found = coverage(rank_correlation, count, noise, runs)
                shares = [f"{found[name]:.3f}" for name in METHODS]
                lines.append([count, noise, rank_correlation, *shares])
    print(markdown(["K", "noise", "ρ", *METHODS], lines, left=0))


if __name__ == "__main__":
    main()
