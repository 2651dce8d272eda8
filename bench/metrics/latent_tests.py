"""Tests of q = p."""

from bench.metrics.metric import Metric, Table

__all__ = ["TESTS"]


def _test(name: str, symbol: str, summary: str, reference: str, place: int) -> Metric:
    return Metric(
        name, "statistic", None, None, symbol, summary, reference, table=Table.TESTS, place=place
    )


TESTS = [
    _test(
        "mmd_test",
        "MMD",
        "One-sample kernel test against the prior, several bandwidths: sees every departure.",
        "Gretton et al. 2012; Schrab et al. 2023",
        place=0,
    ),
    _test(
        "likelihood_ratio_test",
        "likelihood ratio",
        "Gaussian likelihood ratio against N(0, I): mean, scale and correlation; blind to shape.",
        "Anderson 2003",
        place=3,
    ),
    _test(
        "henze_zirkler_test",
        "Henze–Zirkler",
        "Multivariate normality of any mean and covariance: shape only, blind to N(0, 2I).",
        "Henze & Zirkler 1990",
        place=4,
    ),
    _test(
        "mardia_test",
        "Mardia",
        "Multivariate skewness and kurtosis: shape only, blind to N(0, 2I).",
        "Mardia 1970",
        place=5,
    ),
    _test(
        "ks_test",
        "KS per dimension",
        "Kolmogorov–Smirnov on each dimension, Holm over dimensions: marginals only.",
        "Kolmogorov 1933; Holm 1979",
        place=6,
    ),
    _test(
        "ksd_test",
        "KSD",
        "Kernel Stein discrepancy with the inverse multiquadric kernel.",
        "Chwialkowski et al. 2016; Liu et al. 2016; Gorham & Mackey 2017",
        place=2,
    ),
    _test(
        "energy_test",
        "energy",
        "Energy distance to the prior.",
        "Székely & Rizzo 2005; Baringhaus & Franz 2004",
        place=1,
    ),
    _test(
        "c2st_test",
        "classifier",
        "AUC of a classifier on a held-out half, against the exact null of the AUC.",
        "Lopez-Paz & Oquab 2017",
        place=7,
    ),
    Metric(
        "marginal_kl_null_test",
        "nats",
        None,
        None,
        "exact null",
        "Rank of the observed KL(q_N‖p) among those of matched encoders with the same N, D and "
        "scales; has no power where saturated.",
        "vaebench, after Barnard 1963",
        needs_unsaturated=True,
        table=Table.KL,
        place=6,
    ),
]
