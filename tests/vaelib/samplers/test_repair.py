"""What a saved sampler wins of a KL that is known, and that it never loses to the prior."""

import pytest
import torch

from vaelib import fit_density, load_sampler
from vaelib.audits.departures import DEPARTURES
from vaelib.priors import Normal, Uniform
from vaelib.samplers.repair import repair
from vaelib.worlds.specified import WORLDS, clusters
from vaelib.worlds.world import normal


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def won(found, z, folder):
    """What a reader that has only the file wins, in nats."""
    sampler = load_sampler(found.sampler.save(folder / "s.safetensors"))
    torch.testing.assert_close(sampler.log_prob(z), found.sampler.log_prob(z), atol=1e-9, rtol=0)
    return float((sampler.log_prob(z) - Normal(z.shape[1]).log_prob(z)).mean())


def law(name, dimensions, n):
    """Draws of one law, and its KL; of the quilt the mean log ratio at those that are fresh."""
    if name == "quilt":
        world = clusters(dimensions)
        z = world.draw(n + 5000, seeded(3))
        return z, float(world.log_ratio(z[n:]).mean())
    kl, turned = 0.8, dimensions > 2
    return DEPARTURES[name].draw(n + 5000, dimensions, kl, seeded(3), rotated=turned), kl


@pytest.mark.parametrize(
    ("name", "dimensions", "n", "share"),
    [
        *[(name, 2, 1200, 0.8) for name in ("quilt", "ring", "correlation", "clusters")],
        *[(name, 8, 1500, 0.8) for name in ("quilt", "ring", "correlation", "clusters")],
        *[(name, 32, 2500, 0.6) for name in ("ring", "correlation")],
    ],
)
def test_the_mismatch_is_won_back(name, dimensions, n, share, tmp_path):
    z, kl = law(name, dimensions, n)
    found = repair(z[:n], 0 * z[:n], None, Normal(dimensions))
    assert found.taken and share * kl < won(found, z[n:], tmp_path) < 1.1 * kl
    assert found.stack[1] < kl and found.left is None and found.split


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("dimensions", [1, 2, 8, 32, 128])
def test_an_exact_match_keeps_the_prior(dimensions, n, tmp_path):
    z = normal(n + 2000, dimensions, seeded(dimensions))
    found = repair(z[:n], 0 * z[:n], None, Normal(dimensions))
    assert won(found, z[n:], tmp_path) >= -0.02
    assert found.taken or list(found.sampler.weights) == ["prior"]


@pytest.mark.parametrize("world", [w for w in WORLDS if w.dimensions <= 32], ids=lambda w: w.name)
def test_no_world_loses(world, tmp_path):
    if world.encode is None:
        mean = world.draw(300, seeded(1))
        scale = 0 * mean
    else:
        mean, scale = world.encode(300, seeded(1))
    found = repair(mean, scale, None, Normal(world.dimensions))
    z = world.draw(2000, seeded(2))
    assert -0.02 <= won(found, z, tmp_path) < float(world.log_ratio(z).mean()) + 0.05


def encoded(n, seed, dimensions=3):
    generator = seeded(seed)
    mean = 0.95 * normal(n, dimensions, generator).sign()
    return mean, torch.full_like(mean, 0.3)


def test_what_is_left_encloses_the_truth():
    found = repair(*encoded(2000, 0), encoded(1000, 1), Normal(3))
    assert found.taken and not found.split and found.left is not None
    fresh = encoded(4000, 2)
    z = fresh[0] + fresh[1] * normal(4000, 3, seeded(8))
    log_q = torch.logsumexp(
        torch.stack([-0.5 * ((z - c) / 0.3) ** 2 for c in (-0.95, 0.95)]), 0
    ).sum(1) - 3 * (torch.tensor(0.3 * 2 * (2 * torch.pi) ** 0.5).log())
    truth = float((log_q - found.sampler.log_prob(z)).mean())
    assert -0.02 < truth < found.left.most
    assert found.sampler.about.rows == 2000 and found.sampler.about.heldout == 1000


def test_copies_win_nothing():
    z = normal(500, 8, seeded())
    found = repair(z, 0 * z, (z + 1e-6, 0 * z), Normal(8))
    assert not found.taken and found.recited > 0.9


def test_groups_stay_together():
    z = normal(60, 2, seeded()).repeat_interleave(10, 0) + 0.01 * normal(600, 2, seeded(1))
    labels = torch.arange(60).repeat_interleave(10)
    with pytest.raises(ValueError, match=r"^at least 100 independent inputs"):
        repair(z, 0 * z, None, Normal(2), groups=labels)
    z, labels = z.repeat(2, 1), torch.cat([labels, labels + 60])
    z[600:] += normal(60, 2, seeded(4)).repeat_interleave(10, 0)
    assert not repair(z, 0 * z, None, Normal(2), groups=labels).sampler.weights.get("smoothed 0.05")


def test_plain_has_no_tables():
    z = DEPARTURES["heavy tails"].draw(1500, 1, 0.6, seeded())
    found = [repair(z, 0 * z, None, Normal(1), plain=plain) for plain in (False, True)]
    tables = [bool({"copula", "radius"} & set(one.sampler.weights)) for one in found]
    assert not tables[1] and found[1].taken
    assert found[0].stack[0] >= found[1].stack[0]


def test_a_uniform_prior_is_repaired_in_its_quantiles(tmp_path):
    z = 2 + 2 * torch.rand(3000, 2, generator=seeded(), dtype=torch.float64)
    found = repair(z[:1000], 0 * z[:1000], None, Uniform(2, low=0.0, high=10.0))
    assert found.sampler.gauge is None
    sampler = load_sampler(found.sampler.save(tmp_path / "s.safetensors"))
    exact = 2 * torch.tensor(5.0).log()
    gain = float((sampler.log_prob(z[1000:]) - Uniform(2).log_prob(z[1000:])).mean())
    assert 0.8 * exact < gain <= exact + 0.05
    drawn = sampler.sample(2000, seeded(1))
    assert float(((drawn > 1.8) & (drawn < 4.2)).all(1).double().mean()) > 0.9


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda z: repair(z[:90], 0 * z[:90], None, Normal(2)), "at least 100 independent inputs"),
        (lambda z: repair(z, 0 * z, (z[:9], 0 * z[:9]), Normal(2)), "at least 20 training inputs"),
        (lambda z: repair(z * torch.tensor([1, 0]), 0 * z, None, Normal(2)), "no dimension may be"),
        (lambda z: repair(z / 0, 0 * z, None, Normal(2)), "mean must be finite"),
        (lambda z: repair(z, 0 * z, (z, 0 * z + 1), Normal(2)), "held-out scales must be positive"),
        (lambda z: repair(z, z, None, Normal(2)), "scale must be positive, or 0 for all"),
        (lambda z: repair(z, 0 * z, None, Uniform(2)), "latents must lie where the prior has mass"),
    ],
)
def test_what_cannot_be_repaired_is_one_sentence(call, said):
    with pytest.raises(ValueError, match=f"^{said}") as refused:
        call(normal(200, 2, seeded()))
    assert "\n" not in str(refused.value)


def test_a_density_of_python_is_saved_by_the_same_writer(tmp_path):
    mean, scale = encoded(600, 3)
    density = fit_density(mean, scale)
    sampler = load_sampler(density.save(tmp_path / "d.safetensors"))
    z = mean + scale * normal(600, 3, seeded(6))
    torch.testing.assert_close(sampler.log_prob(z), density.log_prob(z), atol=1e-9, rtol=0)
    assert torch.equal(sampler.sample(9, seeded(2)), density.sample(9, seeded(2)))
    assert sampler.weights == density.weights and sampler.about.gain is None
    shift, root = sampler.gauge
    torch.testing.assert_close(shift, mean.mean(0))
    torch.testing.assert_close(root.square(), mean.var(0, correction=0) + 0.09)
    with pytest.raises(ValueError, match=r"^a sampler's file holds mixtures, copulas and radii"):
        fit_density(mean / 9 + 5, scale / 9, prior="uniform").save(tmp_path / "u.safetensors")
