"""Of the aggregate posterior and its prior."""

from bench.metrics.metric import Metric

__all__ = ["MATCH"]

MATCH = [
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
