"""Exact log q_N against the same arithmetic without its care, and against broadcasting."""

import math
from functools import partial

import pytest
import torch

from vaelib import posterior as densities
from vaelib.audits.densities import points_of
from vaelib.numerics.log_sum_exp import log_mean_exp
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.divergences import leave_one_out_kl
from vaelib.stats.finite_sample import marginal_kl_null
from vaelib.stats.marginals import kl_per_dimension

N, M, D = 4000, 1000, 8


def posterior(components, dimensions=D):
    generator = stream("benchmark", 0)
    mean = torch.randn(components, dimensions, generator=generator, dtype=torch.float64)
    scale = 0.1 + 0.2 * torch.rand(components, dimensions, generator=generator, dtype=torch.float64)
    return AggregatePosterior(mean, scale), torch.randn(M, dimensions, generator=generator).double()


def one_product(features, quadratic):
    """One product of the expanded quadratics' shape, and a clamped log-sum-exp over it."""
    exponents = features @ quadratic
    top = exponents.amax(1, keepdim=True)
    return top.squeeze(1) + exponents.sub_(top).clamp_(min=-80.0).exp_().sum(1).log()


def broadcast(q, z, rows=128):
    """The definition, a chunk of (rows, N, D) at a time."""
    log_sums = []
    for chunk in z.split(rows):
        standard = (chunk.unsqueeze(1) - q.mean) / q.scale
        exponents = -0.5 * standard.square().sum(-1) - q.scale.log().sum(-1)
        log_sums.append(exponents.logsumexp(1))
    constant = 0.5 * q.latent_dim * math.log(2 * math.pi)
    return torch.cat(log_sums) - constant - math.log(q.components)


def product_and_powers(dimensions, points=500, components=250):
    """The product of [z², z, 1, base] and powers of 2, by tiles of cache size, in one place."""
    features = torch.zeros(points, 2 * dimensions + 2, dtype=torch.float64)
    quadratic = torch.zeros(2 * dimensions + 2, components, dtype=torch.float64)
    tile = torch.empty(points, components, dtype=torch.float64)
    for _ in range(M // points * N // components):
        torch.mm(features, quadratic, out=tile)
        tile.exp2_()


def test_log_prob_against_one_product(compare):
    q, z = posterior(N)
    features = torch.randn(M, 2 * D + 1, dtype=torch.float64)
    quadratic = torch.randn(2 * D + 1, N, dtype=torch.float64)
    compare(
        f"exact log q_N at {M} points, N = {N}, D = {D}",
        partial(q.log_prob, z),
        partial(one_product, features, quadratic),
        reference="one float64 product of the same shape and a clamped log-sum-exp",
        target=1.3,
        cause="The reference knows neither tiles nor the check of what they leave out.",
    )


@pytest.mark.parametrize("dimensions", [D, 2 * D, 4 * D])
def test_log_prob_against_broadcasting(compare, dimensions):
    q, z = posterior(N, dimensions)
    assert (q.log_prob(z) - broadcast(q, z)).abs().max() <= 1e-9
    compare(
        f"exact log q_N at {M} points, N = {N}, D = {dimensions}",
        partial(q.log_prob, z),
        partial(broadcast, q, z),
        reference="broadcasting (128, N, D) in float64",
        target=0.04,
        floor=(
            f"log q_N at {M} points, N = {N}, D = {dimensions}: only its product and powers of 2",
            partial(product_and_powers, dimensions),
        ),
        cause="The row of only its product and powers of 2 says how much less there can be here; "
        "broadcasting pays for the powers too, and for the rest only as often as there are "
        "dimensions.",
    )


MANY, NARROW, FEW = 1_000_000, 0.02, 64


def narrow(components):
    generator = stream("benchmark", 1)
    mean = torch.randn(components, 2, generator=generator, dtype=torch.float64)
    q = AggregatePosterior(mean, torch.full_like(mean, NARROW))
    return q, q.part(torch.randperm(components, generator=generator)[:10_000]).sample(generator)[0]


def dense(q, z):
    logs = densities._scores(q.mean, q.scale, z)
    return log_mean_exp(logs, z, q.components, False)


def test_log_prob_of_many_narrow_components_against_all_of_them(compare):
    q, z = narrow(MANY)
    few = z[:FEW]
    assert (q.log_prob(z)[:FEW] - dense(q, few)).abs().max() <= 1e-9
    compare(
        f"exact log q_N at {len(z):,} points, N = {MANY:,}, D = 2, scale {NARROW}",
        partial(q.log_prob, z),
        partial(dense, q, few),
        reference=f"all components at {FEW} of the points: all points take {len(z) / FEW:g} times "
        "as long, so that the target is 5 times faster",
        target=len(z) / FEW / 5,
        cause="More blocks of components are needed than the target allows for.",
    )


def leave_one_out(q):
    few = points_of(q, 16)
    leave_one_out_kl(q, Normal(D), stream("z", 0), 2 if few is None else 1, few)


def null(q):
    marginal_kl_null(q, stream("null", 0), 200, points_of(q))


def together(q):
    for part in (kl_per_dimension, leave_one_out, null):
        part(q)


PARTS = {
    "KL per dimension": kl_per_dimension,
    "leave-one-out KL": leave_one_out,
    "null of 200 draws": null,
    "KL per dimension, leave-one-out KL and null of 200 draws": together,
}


JOINT = "one joint evaluation, log q_N at N points"
BOUND = 3  # of all parts together


@pytest.mark.parametrize("part", PARTS)
def test_what_the_audit_adds_to_the_joint(compare, part):
    q, _ = posterior(N)
    whole = PARTS[part] is together
    compare(
        f"{part}, N = {N:,}, D = {D}",
        partial(PARTS[part], q),
        partial(q.log_prob, q.sample(stream("z", 0))[0]),
        reference=JOINT,
        target=BOUND if whole else None,
        accepted=300 if whole else None,
        cause="An exchangeable null draw is evaluated at as many points as the observed mixture in "
        "its test: 200 draws at P points cost 200 P / N joint evaluations, and fewer points cost "
        "the test its power.",
    )


def test_what_the_audit_adds_to_the_joint_of_many_components(compare_once):
    q, _ = posterior(60_000)
    (whole,) = (part for part, call in PARTS.items() if call is together)
    compare_once(
        f"{whole}, N = {q.components:,}, D = {D}",
        partial(together, q),
        {JOINT: partial(q.log_prob, q.sample(stream("z", 0))[0])},
        warm=partial(together, posterior(100)[0]),
        targets={JOINT: BOUND},
    )
