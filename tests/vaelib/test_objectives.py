import io
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vaelib import networks, priors, replicates
from vaelib.families import BoxFamily, PointFamily
from vaelib.likelihoods import Bernoulli, CalibratedGaussian
from vaelib.models import VAE
from vaelib.objectives import OBJECTIVES
from vaelib.objectives.bounds import stratified_log_weights
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import global_stream, stream
from vaelib.stats import mmd
from vaelib.training import Training, train

SHAPE = (6,)
D = 2


def build(seed=0, prior="normal", deterministic=False, likelihood=Bernoulli):
    with global_stream("initialisation", seed):
        return VAE(
            networks.MLPEncoder(SHAPE, 2 * D, hidden=[7], activation="tanh"),
            priors.PRIORS[prior](D),
            networks.MLPDecoder(D, SHAPE, hidden=[7], activation="tanh"),
            likelihood(SHAPE),
            PointFamily() if deterministic else None,
        )


def objective(name, seed=0, points=40, **options):
    with global_stream("objective initialisation", seed):
        return OBJECTIVES[name](D, points, **options)


def pair(name, seed=0, **options):
    loss = objective(name, seed, **options)
    return loss, build(seed, deterministic=loss.deterministic)


def number(tensor):
    return tensor.detach().item()


def data(count=40):
    return (torch.rand(count, *SHAPE, generator=stream("data", 0)) < 0.5).float()


def noise(loss, count, lead=()):
    return torch.randn(*lead, loss.draws * count, D, generator=stream("noise", 0))


def value(loss, model, count=20, progress=0.5):
    return loss(model, data()[:count].double(), noise(loss, count).double(), progress)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_replicates_together_are_replicates_apart(name):
    pairs = [pair(name, seed) for seed in range(3)]
    assert all(replicates.replicable(part) for part in pairs[0])
    x, draws = data(60).view(3, 20, *SHAPE), noise(pairs[0][0], 20, (3,))
    apart = [loss(m, x[i], draws[i], 0.5) for i, (loss, m) in enumerate(pairs)]
    bundles = [nn.ModuleDict({"loss": loss, "model": model}) for loss, model in pairs]
    state, _ = torch.func.stack_module_state(bundles)

    class Call(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = bundles[0]

        def forward(self):
            return self.parts["loss"](self.parts["model"], x, draws, 0.5)

    named = {f"parts.{key}": parameter for key, parameter in state.items()}
    together = torch.func.functional_call(Call(), named, ())
    assert torch.allclose(together, torch.stack(apart), atol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_falls_and_everything_that_should_train_does(name):
    loss, model = pair(name)
    x = data()
    before = [p.detach().clone() for p in model.parameters()]
    index = torch.arange(40).unsqueeze(0)
    training = Training(steps=150, batch_size=40, learning_rate=1e-2)
    losses = train([model], x, index, [loss], training, [0])[0].losses
    assert losses[-20:].mean() < losses[:5].mean() - 0.1
    for old, new in zip(before, model.parameters(), strict=True):
        assert not torch.equal(old, new)


@pytest.mark.parametrize("name", [n for n in OBJECTIVES if n != "aae"])
def test_gradients_match_finite_differences(name):
    loss, model = (part.double() for part in pair(name))
    bias = model.encoder.layers[-1].bias
    value(loss, model).backward()
    analytic = bias.grad.clone()
    for place in range(len(bias)):
        ends = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                bias[place] += step
                ends.append(number(value(loss, model)))
        with torch.no_grad():
            bias[place] += 1e-5
        assert number(analytic[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_saved_objective_is_the_same_again(name):
    loss, model = pair(name)
    again, file = objective(name, 1), io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    draws = noise(loss, 20)
    assert torch.equal(loss(model, data()[:20], draws, 0.0), again(model, data()[:20], draws, 0.0))


def parts(model, x, draws):
    mean, scale = model.encode(x)
    z = mean + scale * draws
    return mean, scale, z, model.log_likelihood(x, z)


def test_beta_weighs_the_kl_and_warms_up():
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    mean, scale, _, likelihood = parts(model, x, draws)
    rate = model.prior.kl(mean, scale)
    loss = objective("elbo", beta=4.0, warmup=0.5)
    for progress, beta in [(0.0, 0.0), (0.25, 2.0), (0.5, 4.0), (0.9, 4.0)]:
        expected = (beta * rate - likelihood).mean()
        assert torch.allclose(loss(model, x, draws, progress), expected)


def test_one_importance_sample_gives_the_elbo_of_one_draw():
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    mean, scale, z, likelihood = parts(model, x, draws)
    q = torch.distributions.Normal(mean, scale).log_prob(z).sum(-1)
    expected = (q - model.prior.log_prob(z) - likelihood).mean()
    assert torch.allclose(objective("iwae", draws=1)(model, x, draws, 0), expected, atol=1e-5)


def test_importance_samples_by_hand_and_a_tighter_bound():
    model, x = build(), data()[:3]
    loss = objective("iwae", draws=4)
    draws = noise(loss, 3)
    mean, scale = model.encode(x)
    bounds = []
    for i in range(3):
        weights = []
        for k in range(4):
            z = mean[i] + scale[i] * draws[3 * k + i]
            log_q = torch.distributions.Normal(mean[i], scale[i]).log_prob(z).sum()
            log_joint = model.log_likelihood(x[i], z) + model.prior.log_prob(z)
            weights.append(number(log_joint - log_q))
        bounds.append(torch.tensor(weights).exp().mean().log())
    assert number(loss(model, x, draws, 0)) == pytest.approx(-number(sum(bounds)) / 3, rel=1e-5)
    many = data().repeat(50, 1)
    values = [
        number(objective("iwae", draws=k)(model, many, torch.randn(k * 2000, D), 0))
        for k in (1, 20)
    ]
    assert values[1] < values[0]


def test_the_stratified_density_is_unbiased_for_the_whole_mixture():
    points, size = 6, 3
    generator = stream("mixture", 0)
    mean = torch.randn(points, D, generator=generator).double()
    scale = 0.3 + torch.rand(points, D, generator=generator).double()
    z = mean[2] + 0.3
    logs = torch.distributions.Normal(mean, scale).log_prob(z).sum(-1)
    estimates = []
    for batch in torch.combinations(torch.arange(points), size):
        if 2 in batch:
            own = int((batch == 2).nonzero())
            weights = stratified_log_weights(size, points)[own]
            estimates.append((logs[batch] + weights).logsumexp(0).exp())
    exact = AggregatePosterior(mean, scale).log_prob(z.unsqueeze(0)).exp()
    assert number(torch.stack(estimates).mean()) == pytest.approx(number(exact), rel=1e-6)


def test_the_whole_training_set_as_a_batch_gives_the_exact_mixture():
    model, x = build(), data(12)
    draws = torch.randn(12, D)
    loss = objective("tcvae", points=12, alpha=2.0, beta=3.0, gamma=0.5)
    mean, scale, z, likelihood = parts(model, x, draws)
    q = AggregatePosterior(mean, scale)
    joint = q.log_prob(z.double())
    product = sum(q.marginal(j).log_prob(z[:, j : j + 1].double()) for j in range(D))
    own = q.component_log_prob(z.double())
    cost = 2 * (own - joint) + 3 * (joint - product) + 0.5 * (product - model.prior.log_prob(z))
    expected = number((cost - likelihood).mean())
    assert number(loss(model, x, draws, 0)) == pytest.approx(expected, abs=1e-4)


def test_total_correlation_of_weight_one_is_the_elbo_of_one_draw():
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    loss = objective("tcvae", points=500, beta=1.0)
    expected = objective("iwae", draws=1)(model, x, draws, 0)
    assert torch.allclose(loss(model, x, draws, 0), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["wae", "infovae"])
def test_the_mmd_of_the_loss_is_the_one_that_is_reported(name):
    options = {"encoder": "gaussian"} if name == "wae" else {"alpha": 1.0}
    loss = objective(name, weight=7.0, **options)
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    *_, z, likelihood = parts(model, x, draws)
    reported = number(mmd.mmd_squared_normal_unbiased(z.detach(), [D**0.5]))
    expected = 7 * reported - number(likelihood.mean())
    assert number(loss(model, x, draws, 0)) == pytest.approx(expected, rel=1e-5)


def test_infovae_keeps_a_share_of_the_kl():
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    mean, scale, z, likelihood = parts(model, x, draws)
    discrepancy = mmd.mmd_squared_normal_unbiased(z.detach(), [D**0.5, D**0.5 / 2]).mean()
    expected = (
        0.7 * number(model.prior.kl(mean, scale).mean())
        + (0.3 + 9 - 1) * number(discrepancy)
        - number(likelihood.mean())
    )
    loss = objective("infovae", alpha=0.3, weight=9.0, bandwidths=[1.0, 0.5])
    assert number(loss(model, x, draws, 0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["I", "II"])
def test_dip_penalises_the_covariance_of_the_aggregate_posterior(kind):
    model, x, draws = build(), data()[:20], torch.randn(20, D)
    mean, scale, _, likelihood = parts(model, x, draws)
    bound = number((likelihood - model.prior.kl(mean, scale)).mean())
    q = AggregatePosterior(mean, scale)
    covariance = q.moments()[1]
    if kind == "I":
        covariance = covariance - torch.diag(q.scale.square().mean(0))
    off = number(covariance.square().sum() - covariance.diagonal().square().sum())
    on = number((covariance.diagonal() - 1).square().sum())
    loss = objective("dip", kind=kind, off_diagonal=2.0, diagonal=5.0)
    assert number(loss(model, x, draws, 0)) == pytest.approx(2 * off + 5 * on - bound, rel=1e-5)


def test_autoencoders_see_no_noise():
    for name in ("ae", "rae", "wae"):
        loss, model = pair(name)
        x = data()[:20]
        first, second = (loss(model, x, torch.randn(20, D), 0) for _ in range(2))
        assert torch.equal(first, second)


def test_rae_adds_the_norms_of_latents_and_decoder():
    loss, model = pair("rae", beta=0.3, decay=0.01)
    x = data()[:20]
    z, _ = model.encode(x)
    weights = sum(number(p.square().sum()) for p in model.decoder.parameters())
    expected = (0.15 * z.square().sum(-1) - model.log_likelihood(x, z)).mean() + 0.01 * weights
    assert torch.allclose(loss(model, x, noise(loss, 20), 0), expected)


def test_each_side_of_the_adversarial_game_has_its_own_gradient():
    loss, model = pair("aae", weight=3.0)
    x, draws = data()[:20], noise(loss, 20)
    loss(model, x, draws, 0).backward()
    z, _ = model.encode(x)
    judge = loss.discriminator
    fooled = 3 * F.softplus(-judge(z)).mean() - model.log_likelihood(x, z).mean()
    for parameter in model.encoder.parameters():
        (expected,) = torch.autograd.grad(fooled, parameter, retain_graph=True)
        assert torch.allclose(parameter.grad, expected, atol=1e-6)
    right = F.binary_cross_entropy_with_logits(judge(draws[20:]), torch.ones(20, 1))
    right = right + F.binary_cross_entropy_with_logits(judge(z.detach()), torch.zeros(20, 1))
    for parameter in judge.parameters():
        (expected,) = torch.autograd.grad(right, parameter, retain_graph=True)
        assert torch.allclose(parameter.grad, expected, atol=1e-6)


def test_a_uniform_prior_trains_adversarially_and_with_total_correlation():
    loss = objective("tcvae")
    model = build(prior="uniform")
    assert model.family == BoxFamily(0.0, 10.0)
    assert loss(model, data()[:20], noise(loss, 20), 0).isfinite()
    assert loss(build(prior="flow"), data()[:20], noise(loss, 20), 0).isfinite()
    real = priors.Uniform(D).from_noise(torch.randn(4000, D, generator=stream("noise", 0)))
    assert real.min() >= 0
    assert real.max() <= 10
    assert (real.mean(0) - 5).abs().max() < 5 * 10 / math.sqrt(12 * 4000)


def test_a_calibrated_scale_is_the_error_of_the_training_data():
    model = build(likelihood=CalibratedGaussian)
    x = data()
    index = torch.arange(40).unsqueeze(0)
    train([model], x, index, [objective("elbo")], Training(steps=20, batch_size=40), [0])
    model.finish(x, stream("finish", 0), batch_size=16)
    mean, scale = model.posterior(x)
    draws = torch.randn(4000, *mean.shape, generator=stream("noise", 0))
    error = (x - model.decode(model.draw(mean, scale, draws))).square().mean()
    assert number(model.likelihood.log_scale.exp()) == pytest.approx(number(error.sqrt()), rel=0.02)


def test_nothing_is_decoded_for_a_likelihood_that_calibrates_nothing():
    model = build()
    model.decode = None  # would raise
    model.finish(data(), stream("finish", 0))


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("wae", "uniform"),
        ("infovae", "mixture"),
        ("dip", "flow"),
        ("ae", "vampprior"),
        ("aae", "flow"),
    ],
)
def test_a_prior_that_an_objective_cannot_train_with_is_refused_before_training(name, prior):
    loss = objective(name)
    model = build(prior=prior, deterministic=loss.deterministic)
    with pytest.raises(ValueError, match="expects a prior Normal.*got"):
        train([model], data(), torch.arange(40).unsqueeze(0), [loss], Training(steps=1), [0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("elbo", {"beta": -1.0}, "beta must not be negative, got -1"),
        ("elbo", {"warmup": 1.5}, "warmup must be a share"),
        ("iwae", {"draws": 0}, "draws must be at least 1"),
        ("tcvae", {"gamma": -1.0}, "gamma must not be negative"),
        ("infovae", {"alpha": 2.0}, r"alpha must be in \[0, 1\]"),
        ("infovae", {"weight": 0.0}, "weight must be positive"),
        ("wae", {"bandwidths": []}, "bandwidths must hold positive numbers"),
        ("wae", {"weight": -1.0}, "weight must be positive"),
        ("dip", {"kind": "III"}, "kind must be I or II"),
        ("rae", {"decay": -1.0}, "decay must not be negative"),
        ("aae", {"hidden": [0]}, "hidden must be a list of positive sizes"),
        ("aae", {"weight": 0.0}, "weight must be positive"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        objective(name, **options)
