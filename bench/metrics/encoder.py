"""Of the encoder against its own decoder: simulation-based calibration."""

from bench.metrics.metric import Metric, Table

__all__ = ["ENCODER"]

ENCODER = [
    Metric(
        "sbc_test",
        "probability",
        None,
        None,
        "SBC",
        "Largest distance from uniform of the ranks of z ~ p under q(z|x), x ~ p(x|z): each "
        "dimension and the joint rank by an exact simultaneous band, Holm over them.",
        "Talts et al. 2018; Säilynoja et al. 2022",
        across_dimensions=False,
        table=Table.ENCODER,
        place=0,
    ),
    Metric(
        "sbc_joint_test",
        "probability",
        None,
        None,
        "joint SBC",
        "The same of the rank of log q(z|x) alone, or of the coverage of its central regions: sees "
        "posterior correlations that q(z|x) leaves out.",
        "Talts et al. 2018; Hermans et al. 2022; Lemos et al. 2023",
        across_dimensions=False,
        table=Table.ENCODER,
        place=1,
    ),
    Metric(
        "sbc_scale",
        "1",
        None,
        0.05,
        "posterior scale / true",
        "Scale of q(z|x) over that with which z ~ p scatters about its mean, x ~ p(x|z), all "
        "dimensions together: below 1 too sure. Margin: a KL of about .0025 nats per dimension.",
        "vaebench, after Talts et al. 2018",
        matched=1.0,
        table=Table.ENCODER,
        place=2,
    ),
]
