"""What may prove that the KL is infinite: z of held-out inputs, of as many independent ones."""

import pytest
import torch

from vaelib.audits.certified import INFINITE, Latents, stacked
from vaelib.audits.settings import AuditSettings
from vaelib.priors import Normal, Uniform
from vaelib.seeding import stream


def inside(n, seed, prior):
    generator = stream("inside", seed)
    if isinstance(prior, Normal):
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return 10 * torch.rand(n, 2, generator=generator, dtype=torch.float64)


def found(prior, played, fitted=None):
    return stacked(prior, played, AuditSettings(), None if fitted is None else Latents(fitted))


def test_training_z_outside_the_support_prove_nothing_of_others():
    prior = Uniform(2)
    fitted = inside(400, 0, prior)
    fitted[:30] += 20
    bound = found(prior, Latents(inside(400, 1, prior)), fitted)
    assert bound.lower == 0 and abs(bound.gain.value) < 0.05
    with pytest.raises(ValueError, match=f"{INFINITE}: 30 z of 400 lie where"):
        found(prior, Latents(fitted), inside(400, 1, prior))


def test_training_z_that_repeat_a_coordinate_prove_nothing_of_others():
    prior = Normal(2)
    fitted = inside(400, 0, prior)
    fitted[:, 1] = 0.3
    with pytest.raises(ValueError, match="dimension") as refused:
        found(prior, Latents(inside(400, 1, prior)), fitted)
    assert INFINITE not in str(refused.value)
    with pytest.raises(ValueError, match=f"{INFINITE}: of 400 z all are the same in dimensions 1"):
        found(prior, Latents(fitted), inside(400, 1, prior))


@pytest.mark.parametrize(
    ("groups", "infinite"), [(1, False), (19, False), (20, True), (None, True)]
)
def test_a_coordinate_is_constant_if_it_is_in_enough_groups(groups, infinite):
    z = inside(40, 1, Normal(2))
    z[:, 0] = 0.3
    labels = None if groups is None else torch.arange(40) % groups
    with pytest.raises(ValueError, match="dimensions 0" if infinite else "groups of z") as refused:
        found(Normal(2), Latents(z, groups=labels), inside(400, 0, Normal(2)))
    assert (INFINITE in str(refused.value)) == infinite
