"""Of the data under the model."""

from bench.metrics.metric import Metric, Table

__all__ = ["LIKELIHOOD"]

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
        "Importance-weighted bound on log p(x), tighter than the ELBO.",
        "Burda et al. 2016",
        table=Table.LIKELIHOOD,
        place=2,
    ),
    Metric(
        "bound_gap",
        "nats per input",
        "lower",
        0.5,
        "IWAE - ELBO",
        "What importance weighting gains: a lower estimate of the mean KL(q(z|x)‖p(z|x)).",
        "Burda et al. 2016; Cremer et al. 2018",
        table=Table.LIKELIHOOD,
        place=3,
    ),
]
