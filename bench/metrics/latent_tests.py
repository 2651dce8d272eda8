"""Tests of q = p.

What a test sees at which D was counted by `bench.calibration.reach`, whose table the sentences
about power repeat.
"""

from bench.metrics.metric import Metric, Table

__all__ = ["POWER", "TESTS"]


def _test(name: str, symbol: str, summary: str, reference: str, place: int) -> Metric:
    return Metric(
        name,
        "statistic",
        None,
        None,
        symbol,
        summary,
        reference,
        across_dimensions=False,  # nor does the power of any
        table=Table.TESTS,
        place=place,
    )


TESTS = [
    _test(
        "mmd_test",
        "MMD",
        "One-sample kernel test against the prior, several bandwidths. Power of .5 at n = 500 "
        "against .2 nats up to D = 128, the largest tried, for scale and shift, D = 16 for "
        "correlation and D = 8 for clusters.",
        "Gretton et al. 2012; Schrab et al. 2023",
        place=0,
    ),
    _test(
        "likelihood_ratio_test",
        "likelihood ratio",
        "Gaussian likelihood ratio against N(0, I): mean, scale and correlation; blind to shape. "
        "Power of .5 at n = 500 against .2 nats up to D = 64 for scale, shift and correlation; at "
        "no D for clusters.",
        "Anderson 2003",
        place=3,
    ),
    _test(
        "henze_zirkler_test",
        "Henze–Zirkler",
        "Multivariate normality of any mean and covariance: shape only, blind to N(0, 2I); refused "
        "from D of about 90 on, where the statistic is 1 to machine precision. Power of .5 at "
        "n = 500 against .2 nats up to D = 8 for clusters; at no D for scale, shift and "
        "correlation.",
        "Henze & Zirkler 1990",
        place=4,
    ),
    _test(
        "mardia_test",
        "Mardia",
        "Multivariate skewness and kurtosis: shape only, blind to N(0, 2I). Power of .5 at n = 500 "
        "against .2 nats up to D = 2 for clusters; at no D for scale, shift and correlation.",
        "Mardia 1970",
        place=5,
    ),
    _test(
        "ks_test",
        "KS per dimension",
        "Kolmogorov–Smirnov on each dimension, Holm over dimensions: marginals only. Power of .5 "
        "at n = 500 against .2 nats up to D = 128, the largest tried, for shift, D = 8 for scale "
        "and D = 2 for correlation; at no D for clusters.",
        "Kolmogorov 1933; Holm 1979",
        place=6,
    ),
    _test(
        "ksd_test",
        "KSD",
        "Kernel Stein discrepancy with the inverse multiquadric kernel. Power of .5 at n = 500 "
        "against .2 nats up to D = 128, the largest tried, for scale and shift, D = 16 for "
        "correlation and D = 4 for clusters.",
        "Chwialkowski et al. 2016; Liu et al. 2016; Gorham & Mackey 2017",
        place=2,
    ),
    _test(
        "energy_test",
        "energy",
        "Energy distance to the prior. Power of .5 at n = 500 against .2 nats up to D = 128, the "
        "largest tried, for scale and shift, D = 8 for correlation and D = 2 for clusters.",
        "Székely & Rizzo 2005; Baringhaus & Franz 2004",
        place=1,
    ),
    _test(
        "c2st_test",
        "classifier",
        "AUC of a classifier on a held-out half, against the exact null of the AUC. Power of .5 at "
        "n = 500 against .2 nats up to D = 128, the largest tried, for scale and shift, D = 32 for "
        "correlation and D = 4 for clusters.",
        "Lopez-Paz & Oquab 2017",
        place=7,
    ),
    Metric(
        "marginal_kl_null_test",
        "nats",
        None,
        None,
        "null given scale (diagnostic)",
        "A diagnostic that decides nothing: rank of the observed KL(q_N‖p) among those of matched "
        "encoders with the same N, D and scales, if the scale does not depend on the place; not "
        "defined where a scale of an active dimension exceeds 1; never evidence of a match, and "
        "without power where saturated.",
        "vaebench, after Barnard 1963",
        needs_unsaturated=True,
        across_dimensions=False,
        table=Table.KL,
        place=6,
    ),
]

POWER = {
    test.name: f"power{test.summary.partition('Power')[2]}"
    for test in TESTS
    if "Power" in test.summary
}
"""Name of a test -> up to which D it sees what."""
