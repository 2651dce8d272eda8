"""Of the data under the model."""

from bench.metrics.metric import Metric, Table

__all__ = ["LIKELIHOOD"]

_LOWER = (
    "What importance weighting with K = {} gains on the ELBO: a lower estimate of the mean "
    "KL(q(z|x)‖p(z|x))."
)
_GAPS = [
    ("bound_gap_100", "gap, K = 100", _LOWER.format("100"), 3),
    ("bound_gap_1000", "gap, K = 1,000", _LOWER.format("1,000"), 4),
    ("bound_gap", "IWAE - ELBO", _LOWER.format("10,000"), 5),
]

LIKELIHOOD = [
    Metric(
        "elbo",
        "nats per input",
        "higher",
        0.5,
        "ELBO",
        "Evidence lower bound at beta = 1. Margin: a likelihood ratio of 1.6 for each input.",
        "Kingma & Welling 2014",
        table=Table.LIKELIHOOD,
        place=0,
    ),
    Metric(
        "reconstruction",
        "nats per input",
        "higher",
        0.5,
        "reconstruction",
        "Expected log-likelihood E_q(z|x) log p(x|z), the negative distortion: ELBO = this - R.",
        "Kingma & Welling 2014; Alemi et al. 2018",
        table=Table.LIKELIHOOD,
        place=1,
    ),
    Metric(
        "iwae",
        "nats per input",
        "higher",
        0.5,
        "IWAE",
        "Importance-weighted bound on log p(x), tighter than the ELBO, with K = 10,000 draws.",
        "Burda et al. 2016",
        table=Table.LIKELIHOOD,
        place=2,
    ),
    *(
        Metric(
            name,
            "nats per input",
            "lower" if name == "bound_gap" else None,
            0.5,
            symbol,
            summary,
            "Burda et al. 2016; Cremer et al. 2018",
            compared=False,
            at_most="bound_gap_upper",
            table=Table.LIKELIHOOD,
            place=place,
        )
        for name, symbol, summary, place in _GAPS
    ),
    Metric(
        "bound_gap_upper",
        "nats per input",
        None,
        0.5,
        "gap at most",
        "The gap of K = 10,000 and its gain over K = 1,000 once more: an upper estimate of the "
        "mean KL(q(z|x)‖p(z|x)) where each factor of ten gains at most half of the one before; "
        "absent where the ladder still rises.",
        "vaebench",
        compared=False,
        at_least="bound_gap",
        table=Table.LIKELIHOOD,
        place=6,
    ),
]
