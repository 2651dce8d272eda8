"""What may prove that the KL is infinite: z of held-out inputs, of as many independent ones."""

import pytest
import torch

from vaelib import answers, audit
from vaelib.audits.alarms import COPIES, TWINS
from vaelib.audits.certified import INFINITE, bracket, stacked
from vaelib.audits.latents import Latents
from vaelib.audits.settings import AuditSettings
from vaelib.posterior import AggregatePosterior
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


def test_of_many_groups_some_are_chosen_whatever_their_size():
    """To choose among the z gave 2 % of the groups 17 % of the weight, and proved .1 nats of it."""
    generator = stream("groups", 0)
    shifted = torch.arange(3000) >= 2900
    sizes = torch.where(shifted, 300, 1)
    labels = torch.arange(3000).repeat_interleave(sizes)
    z = torch.where(shifted, 2.0, 0.0)[labels][:, None] + torch.zeros(len(labels), 2)
    few = Latents(z, groups=labels).part(1000, generator)
    assert few.groups is not None and len(few.groups.unique()) == 1000
    assert 900 <= len(few.z) <= 1000
    share = float((few.z[:, 0] > 1).double().mean())
    assert 0.01 < share < 0.07
    of_large = Latents(z[-30_000:], groups=labels[-30_000:]).part(1000, generator)
    assert len(of_large.groups.unique()) == 100 and len(of_large.z) == 1000


def test_all_groups_are_chosen_where_each_has_room():
    labels = torch.arange(40).repeat_interleave(100)
    few = Latents(torch.randn(4000, 2), groups=labels).part(1000, stream("groups", 1))
    assert torch.bincount(few.groups).tolist() == [25] * 40


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("n", [60, 1000])
def test_inputs_that_come_in_near_pairs_prove_nothing(dimensions, n):
    """They won .9 nats at an exact match."""
    generator = stream("pairs", 0)
    once = torch.randn(n // 2, dimensions, generator=generator, dtype=torch.float64)
    noise = torch.randn(n // 2, dimensions, generator=generator, dtype=torch.float64)
    z = torch.cat([once, once + 0.003 * noise])
    rows = list(bracket(Normal(dimensions), "sample", Latents(z), AuditSettings()))
    lower = next(row for row in rows if row.metric == "certified_kl_lower")
    assert lower.value is None and lower.message == TWINS


@pytest.mark.parametrize(("n", "copied"), [(50, 25), (100, 30), (60, 24)])
def test_exact_copies_of_few_training_inputs_prove_nothing(n, copied):
    """At D = 2 they won .3 nats, and the kernels saw nothing."""
    train, heldout = inside(100, 0, Normal(2)), inside(n, 1, Normal(2))
    heldout[:copied] = train[:copied]
    rows = list(bracket(Normal(2), "test", Latents(heldout), AuditSettings(), Latents(train)))
    assert next(r for r in rows if r.metric == "certified_kl_lower").message == COPIES


def test_a_law_of_two_points_is_no_copy_in_more_dimensions():
    """Two values of the first mean, and dimensions that say nothing: 1.61 nats."""
    mean = torch.zeros(1500, 3, dtype=torch.float64)
    mean[:, 0] = inside(1500, 2, Normal(2))[:, 0].sign() * 0.995
    scale = torch.ones_like(mean)
    scale[:, 0] = 0.0999
    q = [AggregatePosterior(mean[rows], scale[rows]) for rows in (slice(1000), slice(1000, None))]
    train, heldout = (Latents(one.sample(stream("two points", 0))[0], one) for one in q)
    rows = list(bracket(Normal(3), "test", heldout, AuditSettings(), train))
    assert 1.3 < next(r for r in rows if r.metric == "certified_kl_lower").value <= 1.61


def test_few_posteriors_many_times_are_too_few_for_a_yes():
    times = torch.arange(30, 90, 5)
    mean = (0.4 * inside(12, 3, Normal(2))).repeat_interleave(times, 0)
    q = AggregatePosterior(mean, torch.full_like(mean, 0.9))
    played = Latents(q.sample(stream("few", 0))[0], q)
    found = {row.metric: row for row in bracket(Normal(2), "train", played, AuditSettings())}
    assert found["certified_inputs"].value == 85 + 11


def test_few_posteriors_are_enough_for_a_yes_where_groups_say_that_inputs_are_independent():
    """The question's own example: U(0, 10), of which each digit k encodes to (k, k + 1)."""
    generator = stream("certified", 7)

    def digits(n):
        place = torch.randint(10, (n, 1), generator=generator).double() + 0.5
        return place, torch.full_like(place, 12**-0.5)

    train, held = digits(2000), digits(1000)
    prior = Uniform(1, low=0.0, high=10.0)
    first = answers(*train, prior=prior, heldout=held)[0]
    assert first.verdict == "undecided" and "unless each input has its own group" in first.sentence
    first = answers(*train, prior=prior, heldout=held, groups=torch.arange(1000))[0]
    assert first.verdict == "yes"


@pytest.mark.parametrize("kind", ["copies of doubled inputs", "augmented five times"])
def test_copies_that_training_inputs_hide_are_said_and_win_nothing(kind):
    """Half a nat was proved at an exact match, and nothing said."""
    generator = stream("certified", 8)
    times, noise = (2, 0.0) if "doubled" in kind else (5, 0.1)

    def normal(n):
        return torch.randn(n, 8, generator=generator, dtype=torch.float64)

    def seen(z):
        return 0.91**0.5 * ((1 - noise**2) ** 0.5 * z + noise * normal(len(z)))

    base = normal(400)
    train, own = seen(base.repeat_interleave(times, 0)), 0.91**0.5 * normal(1000)
    own[:300] = seen(base[:300])
    pair = [(mean, torch.full_like(mean, 0.3)) for mean in (train, own)]
    first = answers(*pair[0], heldout=pair[1])[0]
    assert first.verdict == "undecided"
    rows = {(row.split, row.metric): row for row in audit(*pair[0], heldout=pair[1], null_draws=1)}
    assert "30% of z lie as near to training inputs" in rows["test", "certified_kl_lower"].message
