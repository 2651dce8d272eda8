"""A prior of one's own, with heavy tails. Test it: `pytest examples/my_prior.py`."""

import math

import torch
from torch import Tensor

from bench.testing import check_prior
from vaelib.priors import Prior


class Laplace(Prior):
    """Independent Laplace dimensions of variance 1."""

    slope = math.sqrt(2)

    def log_prob(self, z: Tensor) -> Tensor:
        return (math.log(self.slope / 2) - self.slope * z.abs()).sum(-1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        u = torch.rand(count, self.latent_dim, generator=generator) - 0.5
        return -u.sign() * (1 - 2 * u.abs()).clamp_min(1e-7).log() / self.slope

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        t = mean / scale
        size = scale * ((2 / math.pi) ** 0.5 * (-(t**2) / 2).exp() + t * (t / 2**0.5).erf())  # E|z|
        entropy = scale.log() + 0.5 * math.log(2 * math.pi * math.e)
        return (self.slope * size - math.log(self.slope / 2) - entropy).sum(-1)


def test_laplace_keeps_the_contract() -> None:
    check_prior(Laplace)
