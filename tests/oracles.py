"""Closed forms that the estimators must reproduce, in plain floats."""

from math import exp, gamma, lgamma, log, sqrt

# N(0, vI) against N(0, I)


def kl_scaled_normal(v, dimensions):
    """KL(N(0, vI) || N(0, I)) in nats."""
    return dimensions / 2 * (v - 1 - log(v))


# The best classifier of N(0, 2I) against N(0, I) in two dimensions: |z|² is exponential
BEST_ACCURACY_DOUBLED_VARIANCE = 0.625
BEST_AUC_DOUBLED_VARIANCE = 2 / 3


def mmd_squared_scaled_normal(v, dimensions, bandwidth):
    """Gaussian-kernel MMD² of N(0, vI) to N(0, I); 1/30 at v = 2, D = 2, h = 1."""
    h = bandwidth**2
    return (
        (h / (h + 2 * v)) ** (dimensions / 2)
        - 2 * (h / (h + 1 + v)) ** (dimensions / 2)
        + (h / (h + 2)) ** (dimensions / 2)
    )


def mmd_squared_shifted_normal(shift, dimensions, bandwidth):
    """Gaussian-kernel MMD² of N(m, I) to N(0, I) with |m| = shift."""
    h = bandwidth**2
    return 2 * (h / (h + 2)) ** (dimensions / 2) * (1 - exp(-(shift**2) / (2 * (h + 2))))


def mean_biased_mmd_squared(n, dimensions, bandwidth):
    """Mean over samples of N(0, I) of the biased one-sample MMD²."""
    return (1 - (bandwidth**2 / (bandwidth**2 + 2)) ** (dimensions / 2)) / n


def mean_norm(dimensions):
    """E|Y| for Y ~ N(0, I)."""
    return sqrt(2) * exp(lgamma((dimensions + 1) / 2) - lgamma(dimensions / 2))


def energy_distance_scaled_normal(v, dimensions):
    """Energy distance of N(0, vI) and N(0, I)."""
    return mean_norm(dimensions) * (2 * sqrt(1 + v) - sqrt(2 * v) - sqrt(2))


def ksd_squared_scaled_normal(v, dimensions, bandwidth):
    """Gaussian-kernel KSD² of N(0, vI) to N(0, I)."""
    h = bandwidth**2
    rho = 2 * v * h / (h + 2 * v)
    rate = v / 2 - rho / 4 + 1 / h - (1 / h + 1 / h**2) * rho
    return (h / (h + 2 * v)) ** (dimensions / 2) * dimensions * rate


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
