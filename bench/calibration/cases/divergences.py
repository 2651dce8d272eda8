"""Cases of the divergences: the marginal KL and its parts, the null, the lower end, moments."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from bench.calibration import oracles
from bench.calibration.cases.case import NOT_PRINTED, Case, Estimate
from bench.calibration.samples import matched_encoder, normal
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample, marginals, moments

__all__ = ["divergence_cases"]

_PRODUCTS = ((1, 50), (2, 15), (4, 5), (8, 2))
_ENCODERS = ((2, 100, 0.1), (2, 1000, 0.5), (8, 500, 0.1), (16, 500, 0.9))


def divergence_cases() -> Iterator[Case]:
    """Yields the cases."""
    for dimensions, levels in _PRODUCTS:
        for scale in (0.1, 0.5):
            yield from _product_cases(dimensions, levels, scale)
    for scale in (0.3, 0.7):
        yield from _plane_cases(scale)
    for dimensions in (1, 2, 8):
        for scale in (0.3, 0.9):
            yield from _pair_cases(dimensions, scale)
    for encoder in _ENCODERS:
        yield from _encoder_cases(*encoder)


class _Unknown(Normal):
    """N(0, I) as if its KL had no closed form."""

    closed_form = False


def _rate(q: AggregatePosterior) -> float:
    pairs = zip(q.mean.numpy(), q.scale.numpy(), strict=True)
    return float(np.mean([oracles.kl_normal(*pair) for pair in pairs]))


def _marginal_kl(kl: divergences.Decomposition) -> Estimate:
    return kl.marginal_kl, kl.standard_error


def _product_cases(dimensions: int, levels: int, scale: float) -> Iterator[Case]:
    """A fixed mixture with independent dimensions: all combinations of a few means in each."""
    axes = [normal(levels, 1, stream("axis", j))[:, 0] for j in range(dimensions)]
    mean = torch.cartesian_prod(*axes).reshape(-1, dimensions)
    q, prior = AggregatePosterior(mean, torch.full_like(mean, scale)), Normal(dimensions)
    setting = f"D = {dimensions}, N = {q.components}, s = {scale:g}"
    sides = [(np.sort(axis.numpy()), np.full(levels, scale)) for axis in axes]
    rate = _rate(q)
    per_dimension, _ = marginals.kl_per_dimension(q)

    def kl() -> float:
        return sum(oracles.kl_of_mixture(*side) for side in sides)

    def from_moments() -> float:
        widths = [(np.array([m.mean()]), np.sqrt(np.array([m.var() + scale**2]))) for m, _ in sides]
        return sum(oracles.kl_normal(*width) for width in widths)

    def decomposed(g: torch.Generator) -> divergences.Decomposition:
        return divergences.decompose(q, prior, g, draws=4)

    def marginal_kl(g: torch.Generator) -> Estimate:
        return _marginal_kl(decomposed(g))

    def information(g: torch.Generator) -> Estimate:
        rate_split = decomposed(g)
        return rate_split.mutual_information, rate_split.standard_error

    def correlation(g: torch.Generator) -> Estimate:
        return marginals.total_correlation(decomposed(g).marginal_kl, per_dimension), NOT_PRINTED

    def negentropy(g: torch.Generator) -> Estimate:
        return decomposed(g).marginal_kl - moments.moment_kl(q), NOT_PRINTED

    yield Case("marginal_kl", setting, kl, "quadrature", "unbiased", marginal_kl)
    points = q.components // 4

    def at_points(g: torch.Generator) -> Estimate:
        return _marginal_kl(divergences.decompose(q, prior, g, points=points))

    if dimensions > 1:
        name = f"{setting}, z of {points}"
        yield Case("marginal_kl", name, kl, "quadrature", "unbiased", at_points, 1000)
    if scale < 0.5:
        return
    yield Case(
        "mutual_information", setting, lambda: rate - kl(), "quadrature", "unbiased", information
    )
    yield Case("total_correlation", setting, lambda: 0.0, "independence", "unbiased", correlation)
    yield Case(
        "negentropy", setting, lambda: kl() - from_moments(), "quadrature", "unbiased", negentropy
    )
    if dimensions == 1:
        yield Case(
            "marginal_kl_loo",
            setting,
            lambda: oracles.leave_one_out_of_mixture(q.mean[:, 0].numpy(), q.scale[:, 0].numpy()),
            "quadrature",
            "unbiased",
            lambda g: divergences.leave_one_out_kl(q, prior, g),
        )


def _plane_cases(scale: float) -> Iterator[Case]:
    """A fixed mixture in the plane whose dimensions depend on each other."""
    mean = 1.2 * normal(40, 2, stream("plane", 0)) + 0.3
    widths = scale * (1 + 0.5 * normal(40, 2, stream("plane", 1)).tanh())
    q, prior = AggregatePosterior(mean, widths), Normal(2)
    rate = _rate(q)
    per_dimension, _ = marginals.kl_per_dimension(q)

    def kl() -> float:
        return oracles.kl_on_plane(q.mean.numpy(), q.scale.numpy())

    def correlation() -> float:
        sides = zip(q.mean.T.numpy(), q.scale.T.numpy(), strict=True)
        return kl() - sum(oracles.kl_of_mixture(*side) for side in sides)

    def one_draw(g: torch.Generator) -> Estimate:
        return _marginal_kl(divergences.decompose(q, prior, g))

    def four_draws(g: torch.Generator) -> Estimate:
        return _marginal_kl(divergences.decompose(q, prior, g, draws=4))

    def sampled(g: torch.Generator) -> divergences.Decomposition:
        return divergences.decompose(q, _Unknown(2), g, draws=4)

    def sampled_kl(g: torch.Generator) -> Estimate:
        return _marginal_kl(sampled(g))

    def sampled_rate(g: torch.Generator) -> Estimate:
        rate_split = sampled(g)
        return rate_split.rate, rate_split.rate_error

    setting = f"D = 2, N = 40, unequal scales about {scale:g}, dependent"
    unknown = f"{setting}, KL of the prior sampled"
    yield Case("marginal_kl", unknown, kl, "quadrature", "unbiased", sampled_kl, 2000)
    yield Case("rate", unknown, lambda: rate, "closed form", "unbiased", sampled_rate, 2000)
    for draws, estimate in ((1, one_draw), (4, four_draws)):
        name = f"{setting}, draws = {draws}"
        yield Case("marginal_kl", name, kl, "quadrature", "unbiased", estimate, 2000)
    yield Case(
        "total_correlation",
        setting,
        correlation,
        "quadrature",
        "unbiased",
        lambda g: (marginals.total_correlation(four_draws(g)[0], per_dimension), NOT_PRINTED),
    )


def _pair_cases(dimensions: int, scale: float) -> Iterator[Case]:
    """N = 2, where means over encoders are integrals: the null, and the lower end."""
    example = matched_encoder(2, dimensions, scale, stream("pairs", dimensions))
    prior, setting = Normal(dimensions), f"matched encoder, D = {dimensions}, N = 2, s = {scale:g}"
    gap = 2 * dimensions * (1 - scale**2) / (2 * scale**2)

    def null(g: torch.Generator) -> Estimate:
        null_kl = finite_sample.marginal_kl_null(example, g, 50)
        return null_kl.mean, null_kl.standard_error

    def lower(g: torch.Generator) -> Estimate:
        q = matched_encoder(2, dimensions, scale, g)
        return divergences.leave_one_out_kl(q, prior, g)[0], NOT_PRINTED

    yield Case(
        "marginal_kl_null",
        setting,
        lambda: oracles.null_of_two(scale, dimensions),
        "quadrature",
        "unbiased",
        null,
        200,
    )
    yield Case(
        "marginal_kl_loo",
        setting,
        lambda: -dimensions * math.log(scale) - gap,
        "closed form",
        "unbiased",
        lower,
        2000,
    )


def _encoder_cases(dimensions: int, count: int, scale: float) -> Iterator[Case]:
    """Moments over matched encoders, whose population is N(0, I)."""
    prior = Normal(dimensions)
    setting = f"matched encoder, D = {dimensions}, N = {count}, s = {scale:g}"

    def rate(g: torch.Generator) -> Estimate:
        q = matched_encoder(count, dimensions, scale, g)
        return divergences.decompose(q, prior, g).rate, NOT_PRINTED

    def second(g: torch.Generator) -> Estimate:
        q = matched_encoder(count, dimensions, scale, g)
        return moments.second_moment(q), NOT_PRINTED

    yield Case(
        "rate",
        setting,
        lambda: -dimensions * math.log(scale),
        "closed form",
        "unbiased",
        rate,
        500,
    )
    yield Case("second_moment", setting, lambda: 1.0, "closed form", "unbiased", second, 1000)
