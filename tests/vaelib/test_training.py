import math

import pytest
import torch
from torch import nn

from vaelib import likelihood_bounds, likelihoods, networks, objectives, priors, replicates
from vaelib.models import VAE
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import global_stream, stream
from vaelib.stats import divergences, moments
from vaelib.training import Training, train

SHAPE = (6,)


def build(seed, latent_dim=2, hidden=(8,), shape=SHAPE, likelihood=None, encoder=None):
    with global_stream("initialisation", seed):
        return VAE(
            encoder() if encoder else networks.MLPEncoder(shape, 2 * latent_dim, hidden=hidden),
            priors.Normal(latent_dim),
            networks.MLPDecoder(latent_dim, shape, hidden=hidden),
            likelihood or likelihoods.Bernoulli(shape),
        )


def data(count=60):
    return (torch.rand(count, *SHAPE, generator=stream("data", 0)) < 0.5).float()


def elbo(latent_dim=2, points=60, **options):
    return objectives.ELBO(latent_dim, points, **options)


def fit(models, x, seeds, objective=None, **options):
    objective = objective or elbo()
    index = torch.stack([torch.randperm(len(x), generator=stream("data", s)) for s in seeds])
    return train(models, x, index, [objective] * len(models), Training(**options), seeds)


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def reference(seed, x, steps, batch_size, learning_rate):
    """A plain loop for one seed, on the same streams."""
    model = build(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    index = torch.randperm(len(x), generator=stream("data", seed))
    batches, noise = stream("batches", seed), stream("noise", seed)
    draws = torch.randn(32, batch_size, 2, generator=noise)
    for step in range(steps):
        start = step * batch_size % (len(x) - len(x) % batch_size)
        if start == 0:
            order = index[torch.randperm(len(x), generator=batches)]
        optimizer.zero_grad()
        batch = x[order[start : start + batch_size]]
        elbo()(model, batch, draws[step], 0).backward()
        optimizer.step()
    return parameters(model)


def test_replicates_trained_together_match_a_plain_loop_over_seeds():
    x, seeds = data(), [0, 3, 4]
    models = [build(seed) for seed in seeds]
    fit(models, x, seeds, steps=20, batch_size=16, learning_rate=1e-2)
    for seed, model in zip(seeds, models, strict=True):
        expected = reference(seed, x, 20, 16, 1e-2)
        assert (parameters(model) - expected).abs().max() < 1e-4
        assert (parameters(model) - parameters(build(seed))).abs().max() > 0.05


class Plain(nn.Module):
    """A user's network: nothing in it knows of replicates."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(*SHAPE, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x):
        return self.inner(x)


def test_a_plain_module_trains_like_the_same_network_of_replicable_parts():
    x, seeds = data(), [0, 1]
    ours, theirs = [build(s) for s in seeds], [build(s, encoder=Plain) for s in seeds]
    assert not replicates.replicable(theirs[0])
    fit(ours, x, seeds, steps=15)
    fit(theirs, x, seeds, steps=15)
    for a, b in zip(ours, theirs, strict=True):
        assert (parameters(a) - parameters(b)).abs().max() < 1e-4


class Tied(nn.Module):
    replicable = True

    def __init__(self):
        super().__init__()
        self.layers = replicates.MLP([*SHAPE, 8, 4], "relu")
        self.same = self.layers

    def forward(self, x):
        return (self.layers(x) + self.same(x)) / 2


def test_a_part_that_stands_twice_trains_as_one():
    x, seeds = data(), [0, 1]
    ours, theirs = [build(s, encoder=Tied) for s in seeds], [build(s, encoder=Plain) for s in seeds]
    for a, b in zip(ours, theirs, strict=True):
        b.encoder.inner.load_state_dict(a.encoder.layers.state_dict())
        b.decoder.load_state_dict(a.decoder.state_dict())
    fit(ours, x, seeds, steps=15)
    fit(theirs, x, seeds, steps=15)
    for a, b in zip(ours, theirs, strict=True):
        assert (parameters(a) - parameters(b)).abs().max() < 1e-4


class Normalised(Plain):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(self.inner(x))


def test_buffers_are_kept_per_replicate():
    x, seeds = data(), [0, 1]
    models = [build(s, encoder=Normalised) for s in seeds]
    fit(models, x, seeds, steps=15)
    first, second = (m.encoder.norm.running_mean for m in models)
    assert first.abs().max() > 0
    assert not torch.equal(first, second)


def test_convolutional_replicates_train():
    shape, seeds = (1, 8, 8), [0, 1]
    x = torch.rand(40, *shape, generator=stream("data", 0))
    models = []
    for seed in seeds:
        with global_stream("initialisation", seed):
            models.append(
                VAE(
                    networks.ConvEncoder(shape, 4, channels=[4], hidden=8),
                    priors.Normal(2),
                    networks.ConvDecoder(2, shape, channels=[4], hidden=8),
                    likelihoods.Bernoulli(shape),
                )
            )
    outcomes = fit(models, x, seeds, steps=40, batch_size=20, learning_rate=1e-2)
    assert all(o.losses[-1] < o.losses[0] for o in outcomes)


def test_the_same_block_gives_the_same_bits():
    x, seeds = data(), [0, 1, 2]
    runs = []
    for _ in range(2):
        models = [build(seed) for seed in seeds]
        fit(models, x, seeds, steps=30)
        runs.append(torch.stack([parameters(m) for m in models]))
    assert torch.equal(*runs)


def test_a_diverging_replicate_does_not_touch_its_neighbours():
    x, seeds = data(), [0, 1, 2]
    healthy, sick = ([build(seed) for seed in seeds] for _ in range(2))
    with torch.no_grad():
        next(sick[1].parameters())[0, 0] = math.nan
    fit(healthy, x, seeds, steps=25)
    outcomes = fit(sick, x, seeds, steps=25)
    assert [o.diverged_at for o in outcomes] == [None, 0, None]
    for place in (0, 2):
        assert torch.equal(parameters(healthy[place]), parameters(sick[place]))


def test_divergence_names_its_step():
    outcomes = fit([build(0)], data(), [0], steps=40, learning_rate=1e9)
    assert outcomes[0].diverged_at is not None
    assert outcomes[0].losses[: outcomes[0].diverged_at].isfinite().all()


def test_a_batch_larger_than_the_training_set_is_the_training_set():
    outcomes = fit([build(0)], data(10), [0], steps=3, batch_size=500)
    assert outcomes[0].losses.shape == (3,)


@pytest.mark.parametrize(
    "options",
    [{"steps": 0}, {"batch_size": -1}, {"learning_rate": 0.0}, {"learning_rate": math.nan}],
)
def test_training_options_must_be_positive(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be positive"):
        Training(**options)


def test_mismatched_lengths_are_refused():
    with pytest.raises(ValueError, match="must have the same length"):
        train([build(0)], data(), torch.zeros(2, 5).long(), [elbo()] * 2, Training(), [0, 1])


def convolutional():
    return networks.ConvEncoder((1, 8, 8), 4, channels=[4], hidden=8)


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [(None, SHAPE), (Plain, SHAPE), (Normalised, SHAPE), (convolutional, (1, 8, 8))],
    ids=["replicable", "plain", "with buffers", "convolutional"],
)
def test_with_products_in_bfloat16_training_stays_near(encoder, shape):
    x, seeds = torch.rand(60, *shape, generator=stream("data", 0)).round(), [0, 1]
    losses, weights = [], []
    for precision in ("float32", "bfloat16"):
        models = [build(s, encoder=encoder, shape=shape) for s in seeds]
        outcomes = fit(models, x, seeds, steps=100, batch_size=30, precision=precision)
        losses.append(torch.stack([outcome.losses for outcome in outcomes]))
        weights.append(torch.stack([parameters(m) for m in models]))
        assert all(m.products is None and m.encode(x)[0].dtype == torch.float32 for m in models)
    start = torch.stack([parameters(build(s, encoder=encoder, shape=shape)) for s in seeds])
    moved, apart = (weights[0] - start).norm(), (weights[0] - weights[1]).norm()
    assert 1e-4 * moved < apart < 0.2 * moved
    assert torch.allclose(*losses, rtol=0.01)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="must be one of float32, bfloat16, got 'float16'"):
        Training(precision="float16")


# Linear VAE = pPCA (Lucas et al., Don't blame the ELBO!, 2019)

EIGENVALUES = torch.tensor([4.0, 2.0, 1.0, 0.05, 0.03], dtype=torch.float64)


def linear_vae(beta, precision, latent_dim=4, scale=0.5, count=1000):
    """A trained linear VAE on data whose covariance has exactly these eigenvalues."""
    raw = torch.randn(count, 5, generator=stream("data", 1), dtype=torch.float64)
    raw -= raw.mean(0)
    white = raw @ torch.linalg.inv(torch.linalg.cholesky(raw.T @ raw / count)).T
    basis = torch.linalg.qr(torch.randn(5, 5, generator=stream("data", 2)).double())[0]
    x = (white * EIGENVALUES.sqrt() @ basis.T).float()
    likelihood = likelihoods.Gaussian((5,), scale=scale)
    model = build(0, latent_dim, (), (5,), likelihood)
    options = {"batch_size": count, "steps": 3000, "precision": precision}

    class Antithetic(objectives.ELBO):  # the same optimum, reached with less wandering
        def forward(self, model, x, noise, progress):
            half = noise[..., : count // 2, :]
            return super().forward(model, x, torch.cat([half, -half], -2), progress)

    objective = Antithetic(latent_dim, count, beta=beta)
    for rate in (1e-2, 1e-3):
        fit([model], x, [0], objective, learning_rate=rate, **options)
    return model, x


@pytest.mark.parametrize(
    ("beta", "precision"), [(1.0, "float32"), (2.0, "float32"), (1.0, "bfloat16")]
)
def test_linear_vae_reproduces_the_closed_forms_of_ppca(beta, precision):
    scale = 0.5
    model, x = linear_vae(beta, precision, scale=scale)
    mean, spread = model.posterior(x)
    q = AggregatePosterior(mean, spread)
    s = beta * scale**2
    active = EIGENVALUES[EIGENVALUES > s]
    rate = 0.5 * float((active / s).log().sum())
    assert float(model.prior.kl(q.mean, q.scale).mean()) == pytest.approx(rate, rel=0.01)
    assert moments.active_units(q) == len(active)
    assert (q.moments()[1] - torch.eye(4)).abs().max() < 0.02
    assert moments.variance_law(q) < 0.02
    variances = q.scale.square().mean(0).sort().values[: len(active)]
    assert variances.tolist() == pytest.approx((s / active).tolist(), rel=0.05)
    if beta == 1.0:
        other = EIGENVALUES[EIGENVALUES <= s]
        log_det = float(active.log().sum()) + len(other) * math.log(s)
        trace = len(active) + float(other.sum()) / s
        likelihood = -0.5 * (5 * math.log(2 * math.pi) + log_det + trace)
        bound = likelihood_bounds.evidence_lower_bound(model, x, stream("z", 0), draws=20)
        assert bound.elbo == pytest.approx(likelihood, rel=0.01)


def test_two_points_show_that_the_loss_alone_does_not_force_a_match():
    x = torch.tensor([[-1.0], [1.0]]).repeat(100, 1)
    model = build(0, 1, (), (1,), likelihoods.Gaussian((1,), scale=0.1))
    for rate in (1e-2, 1e-3):
        fit([model], x, [0], steps=3000, batch_size=200, learning_rate=rate)
    mean, scale = model.posterior(torch.tensor([[-1.0], [1.0]]))
    q = AggregatePosterior(mean, scale)
    decomposition = divergences.decompose(q, model.prior, stream("z", 0), draws=2000)
    assert moments.second_moment(q) == pytest.approx(1, abs=0.02)
    assert decomposition.marginal_kl == pytest.approx(1.6094, rel=0.01)


class Probe(objectives.ELBO):
    """Records what becomes of a subnormal number, forward and back."""

    def forward(self, model, x, noise, progress):
        self.seen.append(float(torch.tensor(1e-40) * 0.5))
        loss = super().forward(model, x, noise, progress)
        loss.register_hook(lambda _: self.seen.append(float(torch.tensor(1e-40) * 0.5)))
        return loss


def test_subnormal_numbers_are_zero_forward_and_back(monkeypatch):
    seen = []
    monkeypatch.setattr(Probe, "seen", seen, raising=False)
    fit([build(0)], data(), [0], Probe(2, 60), steps=2)
    assert seen == [0.0] * 4


def test_weights_are_the_same_to_the_bit_where_subnormal_numbers_are_kept(monkeypatch):
    x, index = data(32), torch.arange(32).unsqueeze(0)
    weights, subnormal = [], []

    class Watched(torch.optim.Adam):
        def step(self):
            super().step()
            means = torch.cat([state["exp_avg"].flatten() for state in self.state.values()])
            bits = means.view(torch.int32) & 0x7FFFFFFF  # a comparison would flush
            subnormal[-1] = max(subnormal[-1], int(((bits > 0) & (bits < 1 << 23)).sum()))

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    for function in (train, train.__wrapped__):
        model = build(0, hidden=(32,))
        subnormal.append(0)
        function([model], x, index, [elbo(points=32)], Training(1000, 32, 0.03), [0])
        weights.append(parameters(model))
    assert subnormal[0] == 0 < subnormal[1]
    assert torch.equal(*weights)
