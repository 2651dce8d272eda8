import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.metrics.metric import Metric
from bench.metrics.own import Encoded
from bench.testing import (
    ContractError,
    check_dataset,
    check_decoder,
    check_encoder,
    check_likelihood,
    check_metric,
    check_objective,
    check_prior,
)
from vaelib.datasets import DATASETS, Dataset
from vaelib.families import PointFamily
from vaelib.likelihoods import LIKELIHOODS, Bernoulli, Gaussian, Likelihood
from vaelib.models import VAE
from vaelib.networks import DECODERS, ENCODERS, MLPEncoder
from vaelib.objectives import ELBO, OBJECTIVES
from vaelib.priors import PRIORS, Normal, Prior

SUITE = [
    *[(check_prior, PRIORS[name]) for name in PRIORS],
    *[(check_likelihood, LIKELIHOODS[name]) for name in LIKELIHOODS],
    *[(check_encoder, ENCODERS[name]) for name in ENCODERS],
    *[(check_decoder, DECODERS[name]) for name in DECODERS],
    *[(check_objective, OBJECTIVES[name]) for name in OBJECTIVES],
    *[(check_dataset, DATASETS[name]) for name in ("digits", "gaussian_mixture")],
]


@pytest.mark.parametrize(("check", "target"), SUITE, ids=lambda x: getattr(x, "__name__", ""))
def test_the_suite_s_own_components_keep_their_contract(check, target):
    check(target)


class Covering(Normal):
    """An attribute in the place of a method of its base, which training calls."""

    rate = 2.0


def test_an_attribute_that_hides_a_method_is_named():
    with pytest.raises(ContractError, match="rate is a method of Prior, got 2.0 in its place"):
        check_prior(Covering)


class Bent(Normal):
    """A map to N(0, I) that is another prior's."""

    def to_normal(self, z):
        return 2 * z


def test_a_map_to_the_normal_that_is_not_one_is_named():
    with pytest.raises(ContractError, match="to_normal must map the prior to"):
        check_prior(Bent)


class Located(Prior):
    """N(m, I) with a mean that trains: right, and run through vmap."""

    replicable = False

    def __init__(self, latent_dim, *, start: float = 0.0):
        super().__init__(latent_dim)
        self.location = nn.Parameter(torch.full((latent_dim,), start))

    def log_prob(self, z):
        square = (z - self.location).square().sum(-1)
        return -0.5 * (square + self.latent_dim * math.log(2 * math.pi))

    @torch.no_grad()
    def sample(self, count, generator):
        return self.location + torch.randn(count, self.latent_dim, generator=generator)

    def kl(self, mean, scale):
        square = scale.square() + (mean - self.location).square()
        return 0.5 * (square - 1 - 2 * scale.log()).sum(-1)


def test_a_right_prior_with_parameters_and_options_passes():
    check_prior(Located)
    check_prior(Located, start=3.0)


def prior(**methods):
    return type("Broken", (Located,), methods)


class Plain(Located):
    def __init__(self, latent_dim):
        super().__init__(latent_dim)
        del self.location
        self.location = torch.zeros(latent_dim, dtype=torch.float64)

    def sample(self, count, generator):
        return super().sample(count, generator).float()


class Idle(Located):
    def __init__(self, latent_dim):
        super().__init__(latent_dim)
        self.width = nn.Parameter(torch.ones(latent_dim))


class Unmade(Located):
    def __init__(self, latent_dim):
        super().__init__(latent_dim)
        raise RuntimeError("no luck")


class Positional(Located):
    def __init__(self, latent_dim, start=0.0):
        super().__init__(latent_dim, start=start)


class Untyped(Located):
    def __init__(self, latent_dim, *, start=0.0, names: list[object] = ()):
        super().__init__(latent_dim, start=start)


class Forgetful(Located):
    def __init__(self, latent_dim):
        nn.Module.__init__(self)
        self.location = nn.Parameter(torch.zeros(latent_dim))


class Wide(Located):
    def sample(self, count, generator):
        return 1.15 * torch.randn(count, self.latent_dim, generator=generator)


class Correlated(Located):
    def sample(self, count, generator):
        z = torch.randn(count, self.latent_dim, generator=generator)
        return (
            z if self.latent_dim == 1 else torch.stack([z[:, 0], 0.3 * z[:, 0] + z[:, 1] * 0.95], 1)
        )


def halves(self, z):
    return Located.log_prob(self, z) + 0.7 * self.latent_dim


PRIOR_MISTAKES = [
    (
        prior(log_prob=lambda s, z: Located.log_prob(s, z)[..., None]),
        "must have shape (5,), got (5, 1)",
    ),
    (
        prior(log_prob=lambda s, z: Located.log_prob(s, z).float()),
        "type of its input, torch.float64",
    ),
    (prior(log_prob=lambda s, z: 0.0), "must return a tensor, got float"),
    (prior(log_prob=lambda s, z: z.sum(-1) * math.nan), "must hold numbers, got 5 nan"),
    (prior(log_prob=lambda s, z: z.nope), "log_prob of z of shape (5, 2) raised AttributeError"),
    (
        prior(log_prob=lambda s, z: Prior.log_prob(s, z)),
        "log_prob of z of shape (5, 2) is not",
    ),
    (prior(log_prob=halves), "exp(log_prob) must integrate to 1, got 2.014 in 1-D"),
    (prior(kl=lambda s, m, c: 2 * Located.kl(s, m, c)), "by Monte Carlo is"),
    (prior(kl=Prior.kl), "kl of posteriors of shape (5, 2) is not implemented"),
    (
        prior(sample=lambda s, n, g: torch.randn(n, s.latent_dim)),
        "sample must draw from its generator alone",
    ),
    (
        prior(sample=lambda s, n, g: torch.linspace(-1, 1, n * s.latent_dim).view(n, -1)),
        "sample must draw from its generator: two seeds gave the same draws",
    ),
    (prior(sample=lambda s, n, g: torch.randn(n, generator=g)), "must have shape (7, 2), got (7,)"),
    (Wide, "draws and density disagree: along (1)"),
    (Correlated, "draws and density disagree: along (1, 1)"),
    (prior(replicable=True), "marked replicable, but with a leading replicate axis"),
    (Plain, "attribute location is a plain tensor"),
    (Idle, "parameter width gets no gradient from log_prob and kl"),
    (Unmade, "making it with latent_dim = 2 raised RuntimeError: no luck"),
    (Positional, "parameter start is not keyword-only; the suite supplies latent_dim"),
    (Untyped, "option start has no annotation"),
    (Forgetful, "latent_dim must be the 2 it was given, got none; call super().__init__"),
    (lambda latent_dim: 3, "expected an nn.Module, so that it trains"),
    (3, "expected a class or a function, got 3"),
]


@pytest.mark.parametrize(("broken", "sentence"), PRIOR_MISTAKES)
def test_what_is_wrong_with_a_prior_is_said(broken, sentence):
    with pytest.raises(ContractError) as caught:
        check_prior(broken)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(
        f"{getattr(broken, '__name__', broken)} breaks the contract"
    )
    assert all("\n" not in problem for problem in caught.value.problems)


def test_every_broken_promise_is_listed():
    def biased(self, count, generator):
        return 1 + Located.sample(self, count, generator)

    broken = prior(sample=biased, kl=lambda s, m, c: Located.kl(s, m, c) + 1)
    with pytest.raises(ContractError) as caught:
        check_prior(broken)
    assert len(caught.value.problems) == 3  # draws in one and in two dimensions, kl
    assert str(caught.value).count("\n- ") == 3


class Inconstant(MLPEncoder):
    def forward(self, x):
        return super().forward(x) - super().forward(x).mean(-2, keepdim=True)


class Listed(nn.Module):
    def __init__(self, data_shape, outputs):
        super().__init__()
        self.layers = [nn.Linear(math.prod(data_shape), outputs)]

    def forward(self, x):
        return self.layers[0].double()(x.flatten(-3))


class Rigid(nn.Module):
    """Looks at its numbers, which vmap forbids."""

    def __init__(self, data_shape, outputs):
        super().__init__()
        self.layer = nn.Linear(math.prod(data_shape), outputs)

    def forward(self, x):
        out = self.layer(x.flatten(1))
        return out if out.max().item() > -1e9 else -out


class Hidden(MLPEncoder):
    """Its output depends on what no state_dict holds."""

    def __init__(self, data_shape, outputs):
        super().__init__(data_shape, outputs)
        self.factor = float(torch.rand(()))

    def forward(self, x):
        return super().forward(x) * self.factor


@pytest.mark.parametrize(
    ("check", "broken", "sentence"),
    [
        (check_encoder, Inconstant, "must not depend on the others of its batch"),
        (check_encoder, Listed, "attribute layers is a plain list of modules or tensors"),
        (check_encoder, Rigid, "trained through torch.func.vmap, where it raised"),
        (check_encoder, Hidden, "its state_dict does not hold everything"),
        (
            check_encoder,
            lambda data_shape, outputs: MLPEncoder(data_shape, outputs + 1),
            "must have shape (5, 6), got (5, 7)",
        ),
        (
            check_encoder,
            type("Blind", (MLPEncoder,), {"forward": lambda s, x: MLPEncoder.forward(s, 0 * x)}),
            "two different inputs have the same output",
        ),
        (
            check_decoder,
            lambda latent_dim, data_shape: nn.Linear(latent_dim, 64),
            "must have shape (5, 1, 8, 8), got (5, 64)",
        ),
    ],
)
def test_what_is_wrong_with_a_network_is_said(check, broken, sentence):
    with pytest.raises(ContractError) as caught:
        check(broken)
    assert sentence in str(caught.value)


class Unscaled(Gaussian):
    def log_prob(self, output, x):
        return -0.5 * ((x - output) / self.scale).square().flatten(-len(self.data_shape)).sum(-1)


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"log_prob": Unscaled.log_prob}, "over the line to 0.251, 0.251, 0.251; one must be 1"),
        ({"mean": lambda s, output: output + 0.1}, "mean must be that of sample"),
        ({"mean": Likelihood.mean}, "mean of an output of shape (5, 1, 8, 8) is not implemented"),
        ({"sample": lambda s, output, g: torch.randn_like(output)}, "from its generator alone"),
        ({"log_prob": lambda s, o, x: F.mse_loss(o, x)}, "must have shape (5,), got ()"),
    ],
)
def test_what_is_wrong_with_a_likelihood_is_said(methods, sentence):
    with pytest.raises(ContractError) as caught:
        check_likelihood(type("Broken", (Gaussian,), methods))
    assert sentence in str(caught.value)


def test_a_likelihood_of_grey_levels_that_is_none_on_the_line_passes():
    check_likelihood(Bernoulli)  # normalised on {0, 1}


def loss(compute):
    return type("Broken", (ELBO,), {"forward": compute})


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (loss(lambda s, m, x, n, p: 32 * ELBO.forward(s, m, x, n, p) * len(x) / 32), "a mean over"),
        (loss(lambda s, m, x, n, p: ELBO.forward(s, m, x, n, p)[None]), "shape (), got (1,)"),
        (
            loss(lambda s, m, x, n, p: ELBO.forward(s, m, x, torch.randn_like(n), p)),
            "no randomness but the noise it is given",
        ),
        (
            loss(lambda s, m, x, n, p: m.prior.kl(*m.encode(x)).mean(-1)),
            "gives the decoder no gradient",
        ),
        (
            loss(lambda s, m, x, n, p: ELBO.forward(s, m, x, n, p).mean()),
            "marked replicable, but with a leading replicate axis on its parameters it gives other",
        ),
        (type("Broken", (ELBO,), {"draws": 0}), "draws must be a whole number from 1, got 0"),
        (type("Broken", (ELBO,), {"draws": 3}), "the loss at progress = 0.0 raised RuntimeError"),
    ],
)
def test_what_is_wrong_with_an_objective_is_said(broken, sentence):
    with pytest.raises(ContractError) as caught:
        check_objective(broken)
    assert sentence in str(caught.value)


X = torch.linspace(0, 1, 80).view(20, 1, 2, 2)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda: X, "expected a vaelib.datasets.Dataset, got Tensor"),
        (lambda: Dataset("x", X.double()), "x must be float32 of shape (n, ...) on the CPU"),
        (lambda: Dataset("x", X * 255), "images must hold values in [0, 1], got 0 to 255"),
        (lambda: Dataset("x", X / X.max() + X.log() * 0), "x must be finite, got 1 values"),
        (lambda: Dataset("x", X, torch.zeros(20)), "labels must be int64 of shape (20,)"),
        (lambda: Dataset("x", torch.rand(20, 3)), "two calls must give the same data"),
        (lambda: Dataset("x", X[:3]), "needs points, got none for validation"),
        (lambda folder: Dataset("x", X), "the suite supplies nothing, so write a * before folder"),
    ],
)
def test_what_is_wrong_with_a_data_set_is_said(broken, sentence):
    with pytest.raises(ContractError) as caught:
        check_dataset(broken)
    assert sentence in str(caught.value)


def metric(measure=lambda encoded: 1.0, name="mine", better="lower", margin=0.1, summary="It is."):
    return Metric(name, "nats", better, margin, "M", summary, "here", measure=measure)


@pytest.mark.parametrize(
    "measure",
    [
        lambda encoded: encoded.posterior.mean.square().mean(),
        lambda encoded: (float(torch.rand((), generator=encoded.generator)), 0.1),
        lambda encoded: None if encoded.labels is None else float(encoded.labels.max()),
    ],
)
def test_a_right_metric_passes(measure):
    check_metric(metric(measure))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (metric(lambda e: float(torch.rand(()))), "from encoded.generator alone: two calls gave"),
        (
            metric(lambda e: float(e.labels.max())),
            "measure of data without labels raised",
        ),
        (metric(lambda e: e.x), "must return a number, a pair of number and standard error"),
        (metric(name="rate"), "rate is a metric of the suite; choose another name"),
        (metric(name="my metric"), "name must be 1 to 64 letters, digits and _, got 'my metric'"),
        (metric(name="my_test"), "a name that ends in _test"),
        (metric(margin=None), "a metric with a direction needs a margin"),
        (metric(margin=0), "margin must be positive or None, got 0"),
        (metric(better="up"), 'better must be "lower", "higher" or None, got \'up\''),
        (metric(summary="two\nlines"), "summary must be one line of text"),
        (metric(measure=None), "measure must be a function of an Encoded, got None"),
        (len, "expected a bench.metrics.Metric, got builtin_function_or_method"),
    ],
)
def test_what_is_wrong_with_a_metric_is_said(broken, sentence):
    with pytest.raises(ContractError) as caught:
        check_metric(broken)
    assert sentence in str(caught.value)


def test_the_posterior_of_a_deterministic_encoder_has_no_density():
    model = VAE(nn.Identity(), Normal(2), nn.Identity(), Bernoulli((1,)), PointFamily())
    encoded = Encoded(torch.zeros(3, 2), torch.zeros(3, 2), model, X, None, torch.Generator())
    assert encoded.posterior.components == 3
    with pytest.raises(ValueError, match="points have no density"):
        encoded.posterior.log_prob(torch.zeros(1, 2))
