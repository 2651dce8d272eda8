"""What may prove that the KL is infinite: z of held-out inputs, of as many independent ones."""

import pytest
import torch

from vaelib.audits.certified import INFINITE, bracket, stacked
from vaelib.audits.latents import Latents
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


def test_gains_are_told_in_the_order_of_the_inputs_and_only_where_all_are_played():
    told = []
    settings = AuditSettings(
        certified_rows=300, terms=lambda split, name, values: told.append((split, name, values))
    )
    prior, fitted = Normal(2), Latents(inside(400, 0, Normal(2)))
    z = inside(300, 1, prior)
    z[7] = 8.0  # only the prior's share and its own component reach it
    rows = list(bracket(prior, "test", Latents(z), settings, fitted))
    ((split, name, gains),) = told
    assert (split, name, gains.shape) == ("test", "certified_kl", (300,))
    value = next(row.value for row in rows if row.metric == "certified_kl")
    assert float(gains.mean()) == pytest.approx(value, abs=1e-12)
    assert int(gains.abs().argmax()) == 7
    list(bracket(prior, "test", Latents(inside(301, 1, prior)), settings, fitted))
    list(bracket(prior, "train", fitted, settings))
    list(bracket(prior, "test", Latents(z, groups=torch.arange(300) // 2), settings, fitted))
    assert len(told) == 1
