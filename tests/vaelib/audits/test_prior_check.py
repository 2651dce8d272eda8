"""A prior of a user's own that does not draw what its density says proves nothing."""

import math

import pytest
import torch

from vaelib import answers, audit
from vaelib.audits.prior_check import inconsistent
from vaelib.priors import Normal, Prior, Uniform
from vaelib.seeding import stream


def draws(count, seed, scale=1.0):
    return scale * torch.randn(count, 2, generator=stream("prior check", seed), dtype=torch.float64)


class Wide(Prior):
    """N(0, 4 I), by its density alone, too high by `shift` nats."""

    closed_form = False
    shift = 0.0

    def log_prob(self, z):
        constant = math.log(2) + 0.5 * math.log(2 * math.pi)
        return self.shift - (0.125 * z.square() + constant).sum(-1)

    def sample(self, count, generator):
        return 2 * torch.randn(count, self.latent_dim, generator=generator)


class TooLow(Wide):
    shift = -0.3


class TooHigh(Wide):
    shift = 0.1


class Mapped(Wide):
    def log_prob(self, z):
        return super().log_prob(z)

    def to_normal(self, z):
        return z / 2


class WronglyMapped(Mapped):
    def log_prob(self, z):
        return super().log_prob(z)

    def to_normal(self, z):
        return z


class MapElsewhere(Mapped):
    """The map is right, the density is not the map's."""

    def log_prob(self, z):
        return super().log_prob(z) + 0.2

    def to_normal(self, z):
        return z / 2


class Correlated(Wide):
    """Its map forgets that draws are correlated, of which no dimension alone tells."""

    def factor(self):
        one = torch.full((self.latent_dim, self.latent_dim), 0.6, dtype=torch.float64)
        return torch.linalg.cholesky(one.fill_diagonal_(1.0))

    def log_prob(self, z):
        factor = self.factor()
        y = torch.linalg.solve_triangular(factor, z.double().T, upper=False).T
        plain = (0.5 * y.square() + 0.5 * math.log(2 * math.pi)).sum(-1)
        return -plain - factor.diagonal().log().sum()

    def sample(self, count, generator):
        noise = torch.randn(count, self.latent_dim, generator=generator, dtype=torch.float64)
        return noise @ self.factor().T

    def to_normal(self, z):
        return z


class HeavyTails(Wide):
    """Cauchy, of which no density that is fitted has the tails."""

    def log_prob(self, z):
        return -(math.log(math.pi) + z.square().log1p()).sum(-1)

    def sample(self, count, generator):
        uniform = torch.rand(count, self.latent_dim, generator=generator, dtype=torch.float64)
        return torch.tan(math.pi * (uniform - 0.5))


class NoMap(Mapped):
    def log_prob(self, z):
        return super().log_prob(z)

    def to_normal(self, z):
        return None


class Narrow(Wide):
    """Draws less widely than its density says."""

    def sample(self, count, generator):
        return super().sample(count, generator) / 4


class NoDraws(Wide):
    def sample(self, count, generator):
        raise NotImplementedError


class Box(Uniform):
    """With an edge, where the fitted densities have none."""

    def to_normal(self, z):
        return None


SOUND = (Wide, Mapped, NoMap, NoDraws, Box, Normal, Uniform, HeavyTails)
WRONG = {
    TooLow: "integrates to about 0.7",
    TooHigh: "integrates to about 1.1",
    WronglyMapped: "got mean squares of ",
    MapElsewhere: "to be the density of to_normal",
    Correlated: "and mean products of up to 0.",
    Narrow: "of what sample draws",
}


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("dimensions", [1, 2, 8])
def test_a_sound_prior_passes(kind, dimensions):
    assert inconsistent(kind(dimensions), stream("prior check", 0)) == ""


@pytest.mark.parametrize(
    ("kind", "dimensions"),
    [(kind, d) for kind in WRONG for d in (1, 2, 8) if (kind, d) != (Correlated, 1)],
)
def test_a_wrong_one_is_told_what_is_wrong(kind, dimensions):
    said = inconsistent(kind(dimensions), stream("prior check", 0))
    assert said.startswith("expected ") and said.endswith(
        ("mend sample", "or sample", "to_normal out")
    )
    assert WRONG[kind] in said


@pytest.mark.parametrize("kind", [TooLow, WronglyMapped, Narrow])
def test_nothing_is_proved_with_a_wrong_one(kind):
    z = draws(400, 1, scale=2.0)
    rows = {row.metric: row for row in audit(z, torch.zeros_like(z), prior=kind(2))}
    assert rows["certified_kl_lower"].value is None
    assert WRONG[kind] in rows["certified_kl_lower"].message


def test_nor_is_a_match_with_a_density_that_is_too_high():
    """The upper end of a KL of .1 and more would lie below the margin."""
    mean = draws(400, 3, scale=1.9)
    pair = mean, torch.full_like(mean, 0.6)
    for kind, value in ((Wide, True), (TooHigh, False)):
        rows = {row.metric: row for row in audit(*pair, prior=kind(2))}
        assert (rows["certified_kl_upper"].value is not None) is value


def test_a_prior_whose_map_is_none_plays_by_its_density():
    z = draws(400, 1, scale=3.0)
    lower = {}
    for kind in (Mapped, NoMap):
        rows = {row.metric: row for row in audit(z, torch.zeros_like(z), prior=kind(2))}
        lower[kind] = rows["certified_kl_lower"].value
    assert all(0.15 < value < 0.5 for value in lower.values())  # of .44


def test_a_prior_without_any_density_is_one_sentence():
    class Nothing(Prior):
        closed_form = False

    mean = draws(100, 2)
    with pytest.raises(ValueError, match="log_prob, or a closed form of kl, got Nothing with neit"):
        answers(mean, torch.full_like(mean, 0.5), prior=Nothing(2))
