"""Latent sources: one sweep over all, and what each must recover of a known density."""

import pytest
import torch

from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal
from vaelib.samples.latent_samplers import (
    LATENT_SOURCES,
    FlowSampler,
    Latents,
    MixtureSampler,
    StackSampler,
    TwoStageSampler,
)
from vaelib.seeding import stream
from vaelib.stats.classifier import classifier_test

CENTRES = 1.5 * torch.randn(10, 2, generator=torch.Generator().manual_seed(3))


def quilt(count, seed):
    """Ten clusters far from N(0, I), as posteriors."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(10, (count,), generator=generator)
    noise = torch.randn(count, 2, generator=generator)
    return AggregatePosterior(CENTRES[kind] + 0.2 * noise, torch.full((count, 2), 0.1))


@pytest.fixture(scope="module")
def latents():
    return Latents(Normal(2), quilt(1000, 0), quilt(300, 1), 0)


@pytest.fixture(scope="module")
def samplers(latents):
    return {name: make(latents) for name, make in LATENT_SOURCES.items()}


@pytest.mark.parametrize("name", LATENT_SOURCES)
def test_samples_come_shuffled_from_the_generator_alone(samplers, name):
    sampler = samplers[name]
    first, again, other = (sampler.sample(700, stream("z", seed)) for seed in (0, 0, 1))
    assert first.shape == (700, 2) and first.dtype == torch.float64 and first.isfinite().all()
    assert torch.equal(first, again) and not torch.equal(first, other)
    state = torch.get_rng_state()
    sampler.sample(10, stream("z", 2))
    assert torch.equal(state, torch.get_rng_state())
    # Shuffled: neighbouring rows are no more alike than any. Chance of |r| > .15 at n = 699: 7e-5.
    if name != "prior":
        for column in first.T:
            pair = torch.stack([column[1:], column[:-1]])
            assert abs(float(pair.corrcoef()[0, 1])) < 0.15


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("prior", 0.65, 1.0),
        ("aggregate", 0.35, 0.6),
        ("gmm", 0.4, 0.6),
        ("flow", 0.4, 0.62),
        ("repaired", 0.4, 0.62),
        ("two_stage", 0.4, 0.7),
    ],
)
def test_a_classifier_tells_the_prior_from_q_and_the_fitted_sources_less(
    samplers, name, least, most
):
    fresh = quilt(700, 5).sample(stream("fresh", 0))[0]
    z = samplers[name].sample(700, stream("z", 3))
    auc = classifier_test(z, fresh, generator=stream("split", 0)).statistic
    assert least < auc < most


def test_a_mixture_reaches_the_density_that_it_was_fitted_to(samplers):
    fresh = quilt(4000, 7).sample(stream("fresh", 1))[0]
    spread = 0.2**2 + 0.1**2
    truth = AggregatePosterior(CENTRES, torch.full_like(CENTRES, spread**0.5)).log_prob(fresh)
    gap = float((truth - samplers["gmm"].log_prob(fresh)).mean())
    assert 0 < gap < 0.1  # 59 parameters over 2 N: .03 nats
    assert 0 < float((truth - samplers["flow"].log_prob(fresh)).mean()) < 0.3
    assert 0 < float((truth - samplers["repaired"].log_prob(fresh)).mean()) < 0.1


@pytest.mark.parametrize("name", ["gmm", "flow", "repaired"])
def test_fitted_densities_integrate_to_one(samplers, name):
    axis = torch.linspace(-9, 9, 361, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).view(-1, 2)
    total = float(samplers[name].log_prob(grid).exp().sum() * 0.05**2)
    assert total == pytest.approx(1, abs=0.01)


def test_samplers_see_the_training_latents_alone(latents):
    moved = Latents(Normal(2), latents.train, quilt(300, 8), 0)
    for make in (MixtureSampler, StackSampler):
        ours, theirs = (make(given).sample(20, stream("z", 0)) for given in (latents, moved))
        assert torch.equal(ours, theirs)
    shifted = AggregatePosterior(latents.train.mean + 5, latents.train.scale)
    z = MixtureSampler(Latents(Normal(2), shifted, latents.heldout, 0)).sample(99, stream("z", 0))
    assert float((z.mean(0) - shifted.mean.mean(0)).abs().max()) < 1


def test_the_aggregate_visits_every_held_out_input_equally(latents):
    tight = AggregatePosterior(latents.heldout.mean, torch.full((300, 2), 1e-9))
    z = LATENT_SOURCES["aggregate"](Latents(Normal(2), latents.train, tight, 0)).sample(
        600, stream("z", 0)
    )
    nearest = torch.cdist(z, tight.mean).argmin(1)
    assert (torch.bincount(nearest, minlength=300) == 2).all()
    assert not torch.equal(nearest[:300], torch.arange(300))


def test_more_components_than_points_is_one_clear_line():
    few = AggregatePosterior(torch.randn(9, 2), torch.ones(9, 2))
    with pytest.raises(ValueError, match="10 components needs as many training inputs, got 9"):
        MixtureSampler(Latents(Normal(2), few, few, 0))
    with pytest.raises(ValueError, match="flow needs at least 20 training inputs, got 9"):
        FlowSampler(Latents(Normal(2), few, few, 0))


def test_one_latent_dimension_will_do(monkeypatch):
    monkeypatch.setattr(FlowSampler, "_STEPS", 50)  # quick
    one = AggregatePosterior(torch.linspace(-2, 2, 60)[:, None], torch.full((60, 1), 0.1))
    for make in (MixtureSampler, FlowSampler, StackSampler, TwoStageSampler):
        z = make(Latents(Normal(1), one, one, 0)).sample(200, stream("z", 0))
        assert z.shape == (200, 1) and 0.7 < float(z.std()) < 1.8


def test_the_second_stage_sees_gaps_in_what_is_else_the_prior(monkeypatch):
    """Wedges of N(0, I), half of the circle: a decoder that ignores its input puts half in gaps."""
    count, wedge, generator = 3000, torch.pi / 2, stream("wedges", 0)
    radius = torch.randn(count, 2, generator=generator).norm(dim=1, keepdim=True)
    angle = wedge * torch.randint(4, (count, 1), generator=generator)
    angle = angle + 0.5 * wedge * torch.rand(count, 1, generator=generator)
    mean = radius * torch.cat([angle.cos(), angle.sin()], 1)
    latents = Latents(Normal(2), AggregatePosterior(mean, torch.full_like(mean, 0.02)), None, 0)

    def in_gaps():
        z = TwoStageSampler(latents).sample(2000, stream("z", 0))
        return float((torch.atan2(z[:, 1], z[:, 0]).remainder(wedge) > 0.5 * wedge).double().mean())

    assert in_gaps() < 0.4
    # What the scale at the start is for: without it the second stage ignores its input.
    monkeypatch.setattr(TwoStageSampler, "_SCALE", 1.0)
    assert in_gaps() > 0.45


@pytest.mark.parametrize("name", ["uniform", "mixture"])
def test_a_stack_is_fitted_beside_any_prior(name):
    """Fitted in the coordinates of z, near q and far from the prior."""
    prior = PRIORS[name](2)
    centre = torch.full((400, 2), 4.0) + torch.randn(400, 2, generator=stream("centre", 0))
    q = AggregatePosterior(centre, torch.full_like(centre, 0.2))
    sampler = StackSampler(Latents(prior, q, q, 0))
    z = sampler.sample(500, stream("z", 0))
    assert float((z.mean(0) - 4).abs().max()) < 0.6 and 0.6 < float(z.std(0).max()) < 2.5
    assert next(prior.parameters(), torch.ones(1)).dtype == torch.float32
