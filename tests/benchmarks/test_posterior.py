"""Exact log q_N against the same arithmetic without its care, and against broadcasting."""

import math
from functools import partial

import torch

from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream

N, M, D = 4000, 1000, 8


def posterior(components):
    generator = stream("benchmark", 0)
    mean = torch.randn(components, D, generator=generator, dtype=torch.float64)
    scale = 0.1 + 0.2 * torch.rand(components, D, generator=generator, dtype=torch.float64)
    return AggregatePosterior(mean, scale), torch.randn(M, D, generator=generator).double()


def one_product(features, quadratic):
    """One product of the expanded quadratics' shape, and a clamped log-sum-exp over it."""
    exponents = features @ quadratic
    top = exponents.amax(1, keepdim=True)
    return top.squeeze(1) + exponents.sub_(top).clamp_(min=-80.0).exp_().sum(1).log()


def broadcast(q, z, rows=128):
    """The definition, a chunk of (rows, N, D) at a time."""
    parts = []
    for chunk in z.split(rows):
        standard = (chunk.unsqueeze(1) - q.mean) / q.scale
        exponents = -0.5 * standard.square().sum(-1) - q.scale.log().sum(-1)
        parts.append(exponents.logsumexp(1))
    return torch.cat(parts) - 0.5 * D * math.log(2 * math.pi) - math.log(q.components)


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


def test_log_prob_against_broadcasting(compare):
    q, z = posterior(N)
    assert (q.log_prob(z) - broadcast(q, z)).abs().max() <= 1e-9
    compare(
        f"exact log q_N at {M} points, N = {N}, D = {D}",
        partial(q.log_prob, z),
        partial(broadcast, q, z),
        reference="broadcasting (128, N, D) in float64",
        target=0.04,
        cause="Most of its time is exp, which broadcasting pays too.",
    )
