"""Of the bracket: what is proved of KL(q‖p), and what is bounded."""

from bench.metrics.metric import Metric, Table

__all__ = ["CERTIFIED"]

CERTIFIED = [
    Metric(
        "certified_kl",
        "nats",
        "lower",
        0.05,
        "gain",
        "Mean gain of a density fitted to the training latents over the prior, on held-out z: in "
        "expectation KL(q‖p) less KL(q‖fit), a share of the KL that falls with D. Margin: "
        "by Pinsker's inequality .05 nats keep the accuracy of every discriminator below .58.",
        "vaebench; stacking: Wolpert 1992; Smyth & Wolpert 1999",
        across_dimensions=False,
        at_most="certified_kl_upper",
        matched=0.0,
        table=Table.BRACKET,
        place=0,
    ),
    Metric(
        "certified_kl_lower",
        "nats",
        None,
        0.05,
        "certified",
        "Proved lower end of KL(q‖p): it exceeds the KL with probability at most .025, whatever "
        "the laws and at any number of held-out z.",
        "Waudby-Smith & Ramdas 2024 (betting); Ville 1939",
        across_dimensions=False,
        at_most="certified_kl_upper",
        table=Table.BRACKET,
        place=1,
    ),
    Metric(
        "certified_kl_upper",
        "nats",
        None,
        0.05,
        "upper end",
        "Upper end of KL(q‖p) at one-sided level .025: KL(q_N‖p) of the held-out inputs with its "
        "skewness taken out, the largest term counted once more; no yes where saturated.",
        "Hoffman & Johnson 2016; Hall 1992; vaebench",
        across_dimensions=False,
        at_least="certified_kl_lower",
        table=Table.BRACKET,
        place=2,
    ),
    Metric(
        "certified_kl_test",
        "nats",
        None,
        None,
        "log e-value",
        "Log e-value against q = p: product of the gains' ratios over blocks of held-out z, each "
        "block by a stack from those before it; p holds at every moment of looking.",
        "Waudby-Smith & Ramdas 2024; Grünwald et al. 2024",
        across_dimensions=False,
        table=Table.BRACKET,
        place=3,
    ),
    Metric(
        "shape_gain",
        "nats",
        None,
        0.05,
        "gain beyond a Gaussian",
        "What that density gains over the best Gaussian fitted to the same latents: mismatch that "
        "no mean, scale or correlation explains.",
        "vaebench; negentropy: Comon 1994",
        across_dimensions=False,
        at_most="certified_kl_upper",
        matched=0.0,
        table=Table.BRACKET,
        place=4,
    ),
    Metric(
        "certified_inputs",
        "inputs",
        None,
        0.5,
        "n",
        "Independent held-out z, or groups of them, that the bracket rests on: compare gains at "
        "equal n, N and D.",
        "vaebench",
        table=Table.BRACKET,
        place=5,
    ),
    Metric(
        "copies",
        "share",
        None,
        0.01,
        "copies",
        "Share of the held-out inputs that are near-copies of training inputs, proved from below "
        "by a negative squared MMD: 0 for other inputs; copies would certify anything.",
        "Gretton et al. 2012",
        matched=0.0,
        table=Table.BRACKET,
        place=6,
    ),
]
