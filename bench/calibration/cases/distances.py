"""Cases of distances between samples, of holes, of the classifier and of the bound."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from bench.calibration import oracles
from bench.calibration.cases.case import NOT_PRINTED, Case, Estimate, Promise
from bench.calibration.samples import normal
from vaelib.likelihood_bounds import bound_gap, evidence_lower_bound, importance_weights
from vaelib.likelihoods import Gaussian
from vaelib.models import VAE
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.stats import energy, mmd, stein, two_sample
from vaelib.stats.classifier import classifier_test
from vaelib.stats.holes import hole_mass
from vaelib.stats.sbc import calibration
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify
from vaelib.stats.stack.flags import copied_share

__all__ = ["distance_cases"]

_KERNELS = ((1.0, 2, 100), (2.0, 2, 100), (1.21, 8, 200), (1.21, 16, 50))
_HOLES = ((1.0, 2, 199), (1.0, 8, 999), (0.7, 2, 399), (0.7, 8, 399))
_OTHER = 80  # rows of the sample of N(0, I) in the two-sample form


def distance_cases() -> Iterator[Case]:
    """Yields the cases."""
    for setting in _KERNELS:
        yield from _kernel_cases(*setting)
    for setting in _HOLES:
        yield _hole_case(*setting)
    yield _classifier_case(1.0, "unbiased", 0.5)
    yield _classifier_case(2.0, "at most", 2 / 3)
    yield Case(
        "sliced_wasserstein",
        "squared, a shift of 1 in D = 4 dimensions",
        lambda: 1.0,
        "closed form",
        "unbiased",
        _sliced,
    )
    yield Case(
        "copies",
        "near-copies of 30 % of them, D = 4, 400 and 200 of them",
        lambda: 0.3,
        "the number of copies",
        "at most",
        _copies,
        100,
    )
    yield Case(
        "shape_gain",
        "N(0, 2 I), D = 2, n = 100: a Gaussian",
        lambda: 0.0,
        "closed form",
        "at most",
        _shape_gain,
        100,
    )
    yield from _bound_cases()
    yield from map(_scale_case, (1.0, 0.8))


def _copies(g: torch.Generator) -> Estimate:
    train, heldout = normal(400, 4, g), normal(200, 4, g)
    heldout[:60] = train[:60] + 0.01 * normal(60, 4, g)
    return copied_share(train, heldout, g), NOT_PRINTED


def _shape_gain(g: torch.Generator) -> Estimate:
    """Nothing lies beyond the Gaussian, so that a fitted density gains nothing over it."""
    points, z = (math.sqrt(2) * normal(n, 2, g) for n in (200, 100))
    return certify(Posteriors(points, torch.zeros_like(points)), z, g).shape.value, NOT_PRINTED


def _kernel_cases(v: float, dimensions: int, n: int) -> Iterator[Case]:
    """Distances of n draws of N(0, vI) to N(0, I), at bandwidth √D."""
    h, norm = math.sqrt(dimensions), oracles.mean_norm(dimensions)
    setting = f"N(0, {v:g} I), D = {dimensions}, n = {n}"

    def draw(g: torch.Generator) -> Tensor:
        return math.sqrt(v) * normal(n, dimensions, g)

    def case(
        name: str, promise: Promise, oracle: float, estimate: Callable[[torch.Generator], Tensor]
    ) -> Case:
        def value(g: torch.Generator) -> Estimate:
            return float(estimate(g)), NOT_PRINTED

        return Case(name, setting, lambda: oracle, "closed form", promise, value, 2000)

    def two_samples(g: torch.Generator) -> Tensor:
        return mmd.mmd_squared_unbiased(draw(g), normal(_OTHER, dimensions, g), [h])

    def ksd_squared(g: torch.Generator) -> Tensor:
        return stein.ksd_squared(draw(g), [1.0], kernel=stein.gaussian_stein)

    mmd_squared = oracles.mmd_squared_scaled_normal(v, dimensions, h)
    itself = (1 - (h**2 / (h**2 + 2 * v)) ** (dimensions / 2)) / n  # pairs of a point with itself
    yield case(
        "mmd_squared",
        "unbiased",
        mmd_squared,
        lambda g: mmd.mmd_squared_normal_unbiased(draw(g), [h]),
    )
    yield case("mmd_squared_unbiased", "unbiased", mmd_squared, two_samples)
    yield case(
        "mmd_squared_normal",
        "mean known",
        mmd_squared + itself,
        lambda g: mmd.mmd_squared_normal(draw(g), [h]),
    )
    yield case(
        "energy_distance_normal",
        "mean known",
        oracles.energy_distance_scaled_normal(v, dimensions) + math.sqrt(2 * v) * norm / n,
        lambda g: energy.energy_distance_normal(draw(g)),
    )
    ksd = oracles.ksd_squared_scaled_normal(v, dimensions, 1.0)
    itself = (v * dimensions + dimensions) / n
    yield case("ksd_squared", "mean known", ksd * (1 - 1 / n) + itself, ksd_squared)


def _hole_case(v: float, dimensions: int, n: int) -> Case:
    scale = torch.full((1, dimensions), math.sqrt(v), dtype=torch.float64)
    q, prior = AggregatePosterior(torch.zeros_like(scale), scale), Normal(dimensions)

    def estimate(g: torch.Generator) -> Estimate:
        return hole_mass(q, math.sqrt(v) * normal(n, dimensions, g), prior, g)

    return Case(
        "hole_mass",
        f"q = N(0, {v:g} I), D = {dimensions}, n = {n} held out",
        lambda: oracles.hole_mass_scaled_normal(v, dimensions, n),
        "order statistics",
        "unbiased",
        estimate,
        1000,
    )


def _classifier_case(v: float, promise: Promise, oracle: float) -> Case:
    def estimate(g: torch.Generator) -> Estimate:
        x, y = math.sqrt(v) * normal(400, 2, g), normal(400, 2, g)
        return classifier_test(x, y, generator=g).statistic, NOT_PRINTED

    setting = f"N(0, {v:g} I), D = 2, n = m = 400"
    return Case("c2st_auc", setting, lambda: oracle, "closed form: best AUC", promise, estimate)


def _sliced(g: torch.Generator) -> Estimate:
    x = normal(50, 4, g)
    distance = two_sample.sliced_wasserstein(x, x + 1.0, generator=g, projections=50)
    return distance**2, NOT_PRINTED


def _bound_cases() -> Iterator[Case]:
    """A linear VAE at its optimum, where the bound is the log likelihood of probabilistic PCA."""
    noise, variances = 0.5, np.array([4.0, 2.0])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:, :2]
    loadings = turn * np.sqrt(variances - noise**2)
    scale = np.sqrt(noise**2 / variances)
    x = np.random.default_rng(1).normal(size=(50, 2)) @ loadings.T
    x += noise * np.random.default_rng(2).normal(size=x.shape)
    encoder, decoder = nn.Linear(5, 4), nn.Linear(2, 5, bias=False)
    mean = (turn * np.sqrt(variances - noise**2) / variances).T
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.concatenate([mean, np.zeros((2, 5))])))
        encoder.bias.copy_(torch.from_numpy(np.concatenate([np.zeros(2), np.log(scale)])))
        decoder.weight.copy_(torch.from_numpy(loadings))
    model = VAE(encoder, Normal(2), decoder, Gaussian((5,), scale=noise)).double()
    data = torch.from_numpy(x)

    def estimate(g: torch.Generator) -> Estimate:
        bound = evidence_lower_bound(model, data, g)
        return bound.elbo, bound.standard_error

    def importance(g: torch.Generator) -> Estimate:
        weights = importance_weights(model, data, g, draws=20)
        bound = torch.logsumexp(weights, 1) - math.log(20)
        return float(bound.mean()) - oracles.ppca_log_likelihood(x, loadings, noise), NOT_PRINTED

    def gap(g: torch.Generator) -> Estimate:
        return bound_gap(importance_weights(model, data, g, draws=20)).value, NOT_PRINTED

    setting, origin = "linear VAE at its optimum, D = 2, 50 inputs", "log likelihood of pPCA"
    yield Case(
        "elbo",
        setting,
        lambda: oracles.ppca_log_likelihood(x, loadings, noise),
        origin,
        "unbiased",
        estimate,
        2000,
    )
    yield Case("iwae", setting, lambda: 0.0, origin, "exact", importance, 50)
    yield Case("bound_gap", setting, lambda: 0.0, "exact posterior", "exact", gap, 50)


def _scale_case(ratio: float) -> Case:
    """Scores of a Gaussian posterior whose scales are the true ones times a ratio."""
    # their pooled variance is chi-square, whose inverse root has a quotient of gammas as its mean
    n, dimensions = 200, 3
    degrees = dimensions * (n - 1)
    log_mean = math.lgamma((degrees - 1) / 2) - math.lgamma(degrees / 2)

    def estimate(g: torch.Generator) -> Estimate:
        overall = calibration(normal(n, dimensions, g) / ratio).overall
        return overall.value, overall.standard_error

    return Case(
        "sbc_scale",
        f"scales {ratio:g} times the true ones, D = {dimensions}, n = {n}",
        lambda: ratio * math.sqrt(degrees / 2) * math.exp(log_mean),
        "moment of the chi distribution",
        "mean known",
        estimate,
    )
