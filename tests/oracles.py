"""Closed forms that the estimators must reproduce, in plain floats."""

from math import exp, gamma, sqrt

from bench.calibration.oracles import (
    energy_distance_scaled_normal,
    kl_scaled_normal,
    ksd_squared_scaled_normal,
    mean_norm,
    mmd_squared_scaled_normal,
)
from vaelib.worlds.specified import WORLDS
from vaelib.worlds.untuned import OWN_WORLDS

__all__ = [
    "BEST_ACCURACY_DOUBLED_VARIANCE",
    "BEST_AUC_DOUBLED_VARIANCE",
    "OWN_WORLDS",
    "WORLDS",
    "energy_distance_scaled_normal",
    "kl_scaled_normal",
    "ksd_squared_scaled_normal",
    "mean_absolute_cosine",
    "mean_biased_mmd_squared",
    "mean_norm",
    "mmd_squared_scaled_normal",
    "mmd_squared_shifted_normal",
    "wasserstein_shifted",
]


# The best classifier of N(0, 2I) against N(0, I) in two dimensions: |z|² is exponential
BEST_ACCURACY_DOUBLED_VARIANCE = 0.625
BEST_AUC_DOUBLED_VARIANCE = 2 / 3


def mmd_squared_shifted_normal(shift, dimensions, bandwidth):
    """Gaussian-kernel MMD² of N(m, I) to N(0, I) with |m| = shift."""
    h = bandwidth**2
    return 2 * (h / (h + 2)) ** (dimensions / 2) * (1 - exp(-(shift**2) / (2 * (h + 2))))


def mean_biased_mmd_squared(n, dimensions, bandwidth):
    """Mean over samples of N(0, I) of the biased one-sample MMD²."""
    return (1 - (bandwidth**2 / (bandwidth**2 + 2)) ** (dimensions / 2)) / n


def wasserstein_shifted(shift):
    """W_p of a distribution and itself shifted, any p."""
    return abs(shift)


def mean_absolute_cosine(dimensions, order):
    """E|u_1|^p for u uniform on the unit sphere: what slicing leaves of a shift."""
    return (
        gamma((order + 1) / 2)
        * gamma(dimensions / 2)
        / (sqrt(3.141592653589793) * gamma((dimensions + order) / 2))
    )
