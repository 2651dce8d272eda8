"""What each metric means: unit, direction, margin and origin, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["METRICS", "SHIPPED", "Metric", "metric_named", "own"]


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        name: The contract: the text in the ``metric`` column of the rows.
        unit: Unit of the value and of the margin.
        better: Direction of improvement; None where a comparison of configurations by this number
            alone would mislead (raw divergences carry the finite-N floor, tests depend on N).
        margin: Largest difference that does not matter, in the metric's unit; None for statistics
            of tests, whose unit has no meaning outside the test.
        symbol: Heading in tables, in the field's notation.
        summary: One line in the field's standard terms, with the reason of the margin where that
            is not obvious.
        reference: Where the definition comes from.
        needs_unsaturated: Whether the number says nothing once the rate exceeds log N - 1.
        matched: The value where the aggregate posterior is the prior, if that is one number.
        measure: Of a user's own metric: a `bench.own_metrics.Encoded` -> a number, a number and its
            standard error, or None where it is not defined.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"] | None
    margin: float | None
    symbol: str
    summary: str
    reference: str
    needs_unsaturated: bool = False
    matched: float | None = None
    measure: Callable[[Any], Any] | None = None


_MATCH = [
    Metric(
        "rate",
        "nats",
        None,
        0.1,
        "rate R",
        "Mean KL(q(z|x)‖p) over the inputs: the KL term of the ELBO.",
        "Hoffman & Johnson 2016; Alemi et al. 2018",
    ),
    Metric(
        "mutual_information",
        "nats",
        None,
        0.1,
        "I(n; z)",
        "Information that z holds about which of the N inputs it encodes; at most log N.",
        "Hoffman & Johnson 2016; bounds: Kolchinsky & Tracey 2017",
    ),
    Metric(
        "marginal_kl",
        "nats",
        None,
        0.1,
        "KL(q_N‖p)",
        "KL from the aggregate posterior of N inputs to the prior, equal to R - I; at least "
        "R - log N for any encoder, hence never compared between configurations.",
        "Hoffman & Johnson 2016",
    ),
    Metric(
        "marginal_kl_floor",
        "nats",
        None,
        0.1,
        "floor R - log N",
        "What the joint KL cannot fall below with N inputs, since I(n; z) <= log N; 0 where that "
        "says nothing.",
        "Hoffman & Johnson 2016; McAllester & Stratos 2020",
    ),
    Metric(
        "marginal_kl_null",
        "nats",
        None,
        0.1,
        "null KL",
        "Mean KL(q_N‖p) of matched encoders of the same N, D and scales, means redrawn from "
        "N(0, 1 - scale²): the part of the KL that finite N alone explains.",
        "vaebench, after Monte Carlo tests: Barnard 1963",
    ),
    Metric(
        "marginal_kl_excess",
        "nats",
        "lower",
        0.05,
        "excess KL",
        "KL(q_N‖p) less its finite-N null. Margin: by Pinsker's inequality a KL of .05 nats keeps "
        "the accuracy of every discriminator below .58.",
        "vaebench",
        needs_unsaturated=True,
        matched=0.0,
    ),
    Metric(
        "marginal_kl_loo",
        "nats",
        None,
        0.1,
        "KL, leave-one-out",
        "The same KL with each point's own component left out of the density: the lower end of "
        "the bracket around KL(q‖p), in expectation; may be negative.",
        "Burda et al. 2016b (bracketing); vaebench",
    ),
    Metric(
        "saturated",
        "flag",
        None,
        0.5,
        "saturated",
        "1 where R > log N - 1: N inputs no longer resolve the joint KL.",
        "vaebench",
    ),
    Metric(
        "kl_per_dimension",
        "nats per dimension",
        "lower",
        0.01,
        "KL(q_j‖p_j)",
        "Mean over dimensions of the KL from the marginal aggregate posterior to the prior. "
        "Margin: that of a standard deviation 10 % off.",
        "Chen et al. 2018",
        matched=0.0,
    ),
    Metric(
        "total_correlation",
        "nats",
        None,
        0.1,
        "TC",
        "Dependence between the dimensions of q_N, KL(q_N‖∏ q_j); carries the finite-N floor.",
        "Watanabe 1960; Chen et al. 2018",
    ),
    Metric(
        "moment_kl",
        "nats",
        "lower",
        0.05,
        "moment KL",
        "KL from the Gaussian with the mean and covariance of q_N to the normal prior. Margin: as "
        "for the excess KL.",
        "Kullback 1959",
        matched=0.0,
    ),
    Metric(
        "negentropy",
        "nats",
        None,
        0.1,
        "negentropy",
        "What remains of the KL beyond mean and covariance: the non-Gaussian shape of q_N; "
        "carries the finite-N floor.",
        "Comon 1994",
    ),
    Metric(
        "second_moment",
        "prior variances",
        None,
        0.1,
        "E‖z‖²/D",
        "Mean squared norm of z under q_N per dimension: 1 under N(0, I), 2 under N(0, 2I).",
        "moments of N(0, I)",
        matched=1.0,
    ),
    Metric(
        "excess_kurtosis",
        "1",
        None,
        0.2,
        "excess kurtosis",
        "Mean over dimensions of the fourth standardised moment of q_j less 3: 0 for a normal.",
        "Pearson 1905",
        matched=0.0,
    ),
    Metric(
        "variance_law",
        "1",
        "lower",
        0.05,
        "variance law",
        "Largest |E z_j² - 1| or |E z_j| over the dimensions, 0 at any stationary point with "
        "affine heads: how far training is from convergence.",
        "vaebench; linear case: Lucas et al. 2019",
        matched=0.0,
    ),
    Metric(
        "active_units",
        "dimensions",
        None,
        0.5,
        "active units",
        "Latent dimensions whose posterior mean varies over the inputs (variance above .01).",
        "Burda et al. 2016",
    ),
    Metric(
        "mmd_squared",
        "squared kernel units",
        "lower",
        0.001,
        "MMD²",
        "Unbiased squared maximum mean discrepancy of z to the prior, Gaussian kernel of bandwidth "
        "√D times the prior's scale; in closed form on the side of N(0, I), from fresh draws of "
        "other priors; may be negative. Margin: a scale of 1.1 gives .0024 at D = 2.",
        "Gretton et al. 2012",
        matched=0.0,
    ),
    Metric(
        "hole_mass",
        "probability",
        "lower",
        0.01,
        "hole mass",
        "Share of prior draws where the training inputs' q_N is less dense than at 99 % of the "
        "held-out z: about .01 when matched. Margin: that value again.",
        "vaebench; holes: Rezende & Viola 2018",
        matched=0.01,
    ),
    Metric(
        "c2st_auc",
        "AUC",
        "lower",
        0.02,
        "classifier AUC",
        "Held-out AUC of a classifier that tells z of q from z of the prior: .5 when matched. "
        "Margin: one standard error at 400 against 400 points.",
        "Lopez-Paz & Oquab 2017",
        matched=0.5,
    ),
]


def _test(name: str, symbol: str, summary: str, reference: str) -> Metric:
    return Metric(name, "statistic", None, None, symbol, summary, reference)


_TESTS = [
    _test(
        "mmd_test",
        "MMD",
        "One-sample kernel test against the prior, several bandwidths: sees every departure.",
        "Gretton et al. 2012; Schrab et al. 2023",
    ),
    _test(
        "likelihood_ratio_test",
        "likelihood ratio",
        "Gaussian likelihood ratio against N(0, I): mean, scale and correlation; blind to shape.",
        "Anderson 2003",
    ),
    _test(
        "henze_zirkler_test",
        "Henze–Zirkler",
        "Multivariate normality of any mean and covariance: shape only, blind to N(0, 2I).",
        "Henze & Zirkler 1990",
    ),
    _test(
        "mardia_test",
        "Mardia",
        "Multivariate skewness and kurtosis: shape only, blind to N(0, 2I).",
        "Mardia 1970",
    ),
    _test(
        "ks_test",
        "KS per dimension",
        "Kolmogorov–Smirnov on each dimension, Holm over dimensions: marginals only.",
        "Kolmogorov 1933; Holm 1979",
    ),
    _test(
        "ksd_test",
        "KSD",
        "Kernel Stein discrepancy with the inverse multiquadric kernel.",
        "Chwialkowski et al. 2016; Liu et al. 2016; Gorham & Mackey 2017",
    ),
    _test(
        "energy_test",
        "energy",
        "Energy distance to the prior.",
        "Székely & Rizzo 2005; Baringhaus & Franz 2004",
    ),
    _test(
        "c2st_test",
        "classifier",
        "AUC of a classifier on a held-out half, against the exact null of the AUC.",
        "Lopez-Paz & Oquab 2017",
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
    ),
]

_LIKELIHOOD = [
    Metric(
        "elbo",
        "nats per input",
        "higher",
        0.5,
        "ELBO",
        "Evidence lower bound at beta = 1. Margin: a likelihood ratio of 1.6 for each input.",
        "Kingma & Welling 2014",
    ),
    Metric(
        "reconstruction",
        "nats per input",
        "higher",
        0.5,
        "reconstruction",
        "Expected log-likelihood E_q(z|x) log p(x|z), the negative distortion: ELBO = this - R.",
        "Kingma & Welling 2014; Alemi et al. 2018",
    ),
    Metric(
        "iwae",
        "nats per input",
        "higher",
        0.5,
        "IWAE",
        "Importance-weighted bound on log p(x), tighter than the ELBO.",
        "Burda et al. 2016",
    ),
    Metric(
        "bound_gap",
        "nats per input",
        "lower",
        0.5,
        "IWAE - ELBO",
        "What importance weighting gains: a lower estimate of the mean KL(q(z|x)‖p(z|x)).",
        "Burda et al. 2016; Cremer et al. 2018",
    ),
]

_SAMPLES = [
    Metric(
        "frechet",
        "share of trace(cov real)",
        "lower",
        0.02,
        "Fréchet",
        "Fréchet distance of feature Gaussians, bias corrected, over the trace of the real "
        "covariance. Margin: the least variation between feature nets.",
        "Dowson & Landau 1982; Heusel et al. 2017; Chong & Forsyth 2020",
        matched=0.0,
    ),
    Metric(
        "frechet_pca",
        "share of trace(cov real)",
        "lower",
        0.02,
        "Fréchet (PCA)",
        "The same distance between principal components of the pixels: a second opinion that "
        "needs no labels and no training. Margin: as for the Fréchet distance.",
        "Dowson & Landau 1982",
        matched=0.0,
    ),
    Metric(
        "image_mmd",
        "squared kernel units",
        "lower",
        0.005,
        "image MMD²",
        "Unbiased squared MMD of image features, bandwidth frozen on real data; may be negative.",
        "Gretton et al. 2012; Bińkowski et al. 2018",
        matched=0.0,
    ),
    Metric(
        "coverage",
        "probability",
        "higher",
        0.02,
        "coverage",
        "Share of real images whose k-nearest-neighbour ball holds a generated one.",
        "Naeem et al. 2020",
    ),
    Metric(
        "density",
        "1",
        "higher",
        0.05,
        "density",
        "Mean number of real k-nearest-neighbour balls around a generated image, over k.",
        "Naeem et al. 2020",
    ),
    Metric(
        "precision",
        "probability",
        "higher",
        0.02,
        "precision",
        "Share of generated images inside the estimated support of the real ones.",
        "Kynkäänniemi et al. 2019",
    ),
    Metric(
        "recall",
        "probability",
        "higher",
        0.02,
        "recall",
        "Share of real images inside the estimated support of the generated ones.",
        "Kynkäänniemi et al. 2019",
    ),
    Metric(
        "image_auc",
        "AUC",
        "lower",
        0.02,
        "image AUC",
        "Held-out AUC of a classifier that tells generated from real features: .5 at best.",
        "Lopez-Paz & Oquab 2017",
        matched=0.5,
    ),
    Metric(
        "authenticity",
        "probability",
        "higher",
        0.02,
        "authenticity",
        "Share of generated images that are no closer to their nearest training image than that "
        "image's own nearest neighbour: low where the model memorises.",
        "Alaa et al. 2022",
    ),
]

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in [*_MATCH, *_TESTS, *_LIKELIHOOD, *_SAMPLES]
}
SHIPPED = frozenset(METRICS)
"""Names of the suite's own; a matrix may make more known."""


def own() -> list[str]:
    """Names of the metrics that are not the suite's, as far as they are known."""
    return [name for name in METRICS if name not in SHIPPED]


def metric_named(name: str) -> Metric:
    """Look a metric up.

    Args:
        name: One of the names in ``METRICS``.

    Returns:
        The metric.

    Raises:
        ValueError: If there is no such metric; the message lists the known ones.

    Example:
        >>> metric_named("marginal_kl_excess").better
        'lower'
    """
    if name not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {name!r}")
    return METRICS[name]
