from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Gamma, Independent, MultivariateNormal
from torch.distributions import Normal as NormalLaw

from vaelib import encode

X = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def mean_of(x):
    return x.flatten(1)[:, :3] - 0.5


def scale_of(x):
    return 0.1 + x.flatten(1)[:, 3:6]


MEAN, SCALE = mean_of(X).double(), scale_of(X).double()


def pair(x):
    return mean_of(x), 2 * scale_of(x).log()


class Module(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.9)

    def forward(self, x):
        return {"mu": self.drop(mean_of(x)), "log_var": 2 * scale_of(x).log()}


ENCODERS = {
    "pythae": SimpleNamespace(
        encoder=lambda x: {"embedding": mean_of(x), "log_covariance": 2 * scale_of(x).log()}
    ),
    "attributes": lambda x: SimpleNamespace(loc=mean_of(x), scale=scale_of(x)),
    "variances": lambda x: SimpleNamespace(mean=mean_of(x), variance=scale_of(x) ** 2),
    "normal": lambda x: NormalLaw(mean_of(x), scale_of(x)),
    "independent": lambda x: Independent(NormalLaw(mean_of(x), scale_of(x)), 1),
    "multivariate": lambda x: MultivariateNormal(mean_of(x), torch.diag_embed(scale_of(x) ** 2)),
    "scvi": lambda x: (NormalLaw(mean_of(x), scale_of(x)), mean_of(x)),
    "arrays": lambda x: {"mean": mean_of(x).numpy(), "std": scale_of(x).numpy()},
    "log standard deviations": lambda x: {"mean": mean_of(x), "log_std": scale_of(x).log()},
    "diffusers": SimpleNamespace(
        encode=lambda x: SimpleNamespace(
            latent_dist=SimpleNamespace(mean=mean_of(x), logvar=2 * scale_of(x).log())
        )
    ),
    "module": Module(),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_form_gives_the_same_posterior(name):
    mean, scale = encode(ENCODERS[name], X, batch_size=4)
    torch.testing.assert_close(mean, MEAN)
    torch.testing.assert_close(scale, SCALE)


@pytest.mark.parametrize(
    ("second", "power"),
    [
        ("scale", lambda s: s),
        ("std", lambda s: s),
        ("variance", torch.square),
        ("var", torch.square),
        ("logvar", lambda s: 2 * s.log()),
        ("logstd", torch.log),
    ],
)
def test_a_bare_pair_is_what_the_caller_says(second, power):
    mean, scale = encode(lambda x: (mean_of(x), power(scale_of(x))), X.numpy(), second=second)
    torch.testing.assert_close(mean, MEAN)
    torch.testing.assert_close(scale, SCALE)


def test_modules_are_in_evaluation_mode_and_back():
    module = Module()
    encode(module, X)
    assert module.training
    module.eval()
    encode(module, X)
    assert not module.training


def test_spatial_latents_have_two_views():
    mean = torch.arange(48.0).view(2, 3, 2, 4)

    def spatial(x):
        return NormalLaw(mean, torch.ones_like(mean))

    flat, _ = encode(spatial, X[:2])
    position, scale = encode(spatial, X[:2], view="position")
    assert flat.shape == (2, 24)
    assert position.shape == scale.shape == (16, 3)
    assert torch.equal(flat[0], mean[0].flatten())
    assert torch.equal(position[5], mean[0, :, 1, 1])
    assert torch.equal(position[8], mean[1, :, 0, 0])


def test_progress_is_told():
    told = []
    encode(ENCODERS["normal"], X, 4, progress=lambda done, of: told.append((done, of)))
    assert told == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (lambda x: (mean_of(x), scale_of(x)), {}, "say which with second=.* 'scale' or 'variance'"),
        (pair, {}, "say which with second='logvar' or 'logstd'; "),
        (pair, {"second": "scale"}, "is it a log variance"),
        (ENCODERS["normal"], {"second": "sigma"}, "second must be one of auto"),
        (ENCODERS["normal"], {"view": "round"}, "view must be one of flat"),
        (ENCODERS["normal"], {"view": "position"}, "needs spatial latents"),
        (ENCODERS["normal"], {"batch_size": 0}, "batch_size must be at least 1"),
        (3, {}, "model must be callable"),
        (lambda x: mean_of(x), {}, "must return a pair of tensors.* say second='z'"),
        (lambda x: {"mu": mean_of(x), "s": 1}, {}, r"got dict with mu \(Tensor float32.*, s \(1\)"),
        (lambda x: (mean_of(x),) * 3, {}, "got three tensors"),
        (lambda x: (mean_of(x),) * 4, {}, "got 4 parts"),
        (lambda x: (mean_of(x)[:2], scale_of(x)[:2]), {}, "one row per image"),
        (lambda x: Gamma(scale_of(x), scale_of(x)), {}, "posteriors must be normal, got Gamma"),
    ],
)
def test_what_cannot_be_understood_is_refused(model, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        encode(model, X, **options)
    assert len(str(caught.value)) <= 300 and "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [torch.ones(3), torch.ones(0, 3), np.ones((3, 0))])
def test_data_without_inputs_are_refused(data):
    with pytest.raises(ValueError, match=r"data must be of shape \(N, ...\) with N at least 1"):
        encode(ENCODERS["normal"], data)
