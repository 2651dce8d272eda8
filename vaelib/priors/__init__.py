"""Priors p(z), each with the family of posteriors that goes with it.

Keyword-only arguments are the options that a matrix may set.
"""

from vaelib.priors.base import Prior
from vaelib.priors.flow import Flow
from vaelib.priors.mixtures import Mixture, VampPrior
from vaelib.priors.standard import Normal, Uniform

__all__ = ["PRIORS", "Flow", "Mixture", "Normal", "Prior", "Uniform", "VampPrior"]

PRIORS: dict[str, type[Prior]] = {
    "normal": Normal,
    "uniform": Uniform,
    "mixture": Mixture,
    "vampprior": VampPrior,
    "flow": Flow,
}
