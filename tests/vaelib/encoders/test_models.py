"""Models of other libraries, as objects with the same names: none of them is installed here."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from vaelib import encode

X = torch.rand(200, 4, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))


def mean_of(x):
    return 2 * x[:, :2]


def scale_of(x):
    return 0.3 + 0.3 * x[:, 2:]


def z_of(x):
    return mean_of(x) + scale_of(x) * torch.randn(len(x), 2)


def check(found):
    torch.testing.assert_close(found[0].float(), mean_of(X))
    torch.testing.assert_close(found[1].float(), scale_of(X))


class Output(dict):
    """As ModelOutput of pythae and transformers: keys that are attributes too."""

    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(name)


class Pythae(nn.Module):
    def __init__(self, name, encoded):
        super().__init__()
        self.model_name, self.encoder = name, encoded
        self.frozen = nn.Linear(1, 1)

    def forward(self, inputs):
        x = inputs["data"]
        z = mean_of(x)
        if self.model_name in ("HVAE", "RHVAE"):  # steps along a gradient
            z = z.detach().requires_grad_()
            z = z - torch.autograd.grad(z.square().sum(), z)[0] / 4
        return Output(z=5 + z)

    def embed(self, x):
        return self({"data": x}).z


VARIATIONAL = ("VAE", "BetaVAE", "INFOVAE_MMD", "Adversarial_AE", "VAMP", "IWAE")


@pytest.mark.parametrize("name", VARIATIONAL)
def test_variational_models_of_pythae(name):
    check(encode(Pythae(name, named), X))


def named(x):
    return Output(embedding=mean_of(x), log_covariance=2 * scale_of(x).log())


@pytest.mark.parametrize("name", ["AE", "RAE_L2", "RAE_GP", "WAE_MMD"])
def test_deterministic_models_of_pythae_are_points(name):
    z, scale = encode(Pythae(name, lambda x: Output(embedding=mean_of(x))), X)
    torch.testing.assert_close(z.float(), mean_of(X))
    assert not scale.any()


@pytest.mark.parametrize("name", ["VAE_IAF", "VAE_LinNF", "HVAE", "RHVAE"])
def test_after_a_flow_it_is_the_z_that_the_decoder_sees(name):
    with pytest.warns(UserWarning, match=f"the decoder of a {name} sees z after"):
        z, scale = encode(Pythae(name, named), X)
    steps = 0.5 if name.endswith("HVAE") else 1.0
    torch.testing.assert_close(z.float(), 5 + steps * mean_of(X))
    assert not scale.any() and not z.requires_grad


@pytest.mark.parametrize(
    ("name", "why"),
    [("VQVAE", "codebook"), ("SVAE", "sphere"), ("PoincareVAE", "hyperbolic space")],
)
def test_what_has_no_density_is_refused_with_the_reason(name, why):
    with pytest.raises(ValueError, match=f"got a {name}: its latents .*{why}"):
        encode(Pythae(name, named), X)


def test_spheres_and_codebooks_of_others_are_refused_too():
    with pytest.raises(ValueError, match="got log_concentration in dict.*hyperspherical"):
        encode(lambda x: {"embedding": mean_of(x), "log_concentration": x[:, :1]}, X)
    model = nn.Module()
    model.quantize, model.encode = nn.Identity(), lambda x: Output(latents=mean_of(x))
    with pytest.raises(ValueError, match="Module with a part quantize: entries of a codebook"):
        encode(model, X)


@pytest.mark.parametrize("key", ["latents", "latent", "z"])
def test_deterministic_autoencoders_of_diffusers_are_points(key):
    z, scale = encode(lambda x: Output({key: mean_of(x)}), X)
    torch.testing.assert_close(z.float(), mean_of(X))
    assert not scale.any()


def test_a_flow_beside_the_encoder_is_said():
    model = nn.Module()
    model.flow, model.encode = nn.Identity(), named
    with pytest.warns(UserWarning, match="has a part flow.*second='z'"):
        check(encode(model, X))


def test_z_that_is_no_draw_of_mean_and_spread_is_refused():
    def flowed(x):
        return named(x) | {"z": 3 * z_of(x)}

    with pytest.raises(ValueError, match="z beside mean and logvar must be a draw.*second='z'"):
        encode(flowed, X)
    assert not encode(flowed, X, second="z")[1].any()
    check(encode(lambda x: named(x) | {"z": z_of(x)}, X))
    check(encode(lambda x: named(x) | {"z": mean_of(x)}, X))  # as some give it in evaluation mode


READINGS = {
    "logvar": lambda s: 2 * s.log(),
    "logstd": torch.log,
    "scale": lambda s: s,
    "variance": torch.square,
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("reading", READINGS)
def test_of_three_tensors_z_tells_the_others(reading, first):
    def encoder(x):
        pair = mean_of(x), READINGS[reading](scale_of(x))
        return (z_of(x), *pair) if first else (*pair, z_of(x))

    check(encode(encoder, X, 64))
    check(encode(encoder, X, 64, second=reading))


def test_three_tensors_that_nothing_tells_apart_are_refused():
    with pytest.raises(ValueError, match=r"2 readings of .*call=lambda x: model\(x\)\[:2\]"):
        encode(lambda x: (mean_of(x), 0.01 * x[:, 2:], mean_of(x) + NOISE[: len(x)]), X)
    with pytest.raises(ValueError, match="none of"):
        encode(lambda x: (mean_of(x), mean_of(x), mean_of(x)), X)


class Keras:
    """As keras.Model: arrays in, a list of tensors of another library out."""

    __module__ = "keras.src.models.functional"

    def __init__(self, names):
        self.output_names = names

    def __call__(self, x, training=None):
        assert isinstance(x, np.ndarray) and training is False
        x = torch.from_numpy(x)
        return [Eager(v) for v in (mean_of(x), 2 * scale_of(x).log(), z_of(x))]


class Eager:
    __module__ = "tensorflow.python.framework.ops"

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values.numpy()


@pytest.mark.parametrize("names", [["z_mean", "z_log_var", "z"], ["dense", "dense_1", "sampling"]])
def test_encoders_of_keras(names):
    check(encode(Keras(names), X))


class Heads(nn.Module):
    def __init__(self, names):
        super().__init__()
        self.encoder = nn.Unflatten(1, (4, 1))
        for name, function in zip(names, (mean_of, lambda h: 2 * scale_of(h).log()), strict=True):
            layer = nn.Linear(4, 2)
            layer.forward = function
            self.add_module(name, layer)


@pytest.mark.parametrize(
    "names", [("fc_mu", "fc_logvar"), ("mean_layer", "log_var_layer"), ("to_mu", "to_log_var")]
)
def test_heads_beside_the_encoder(names):
    check(encode(Heads(names), X))


def test_a_head_that_may_give_a_logarithm_is_asked_for():
    with pytest.raises(ValueError, match="say which with second='logvar'"):
        encode(Heads(("fc_mu", "fc_var")), X)
    check(encode(Heads(("fc_mu", "fc_var")), X, second="logvar"))


@pytest.mark.parametrize(
    ("spread", "kind", "message"),
    [
        (240.0, "logvar", "log variances must lie between -220 and 220, got 240 to 240"),
        (700.0, "logstd", "log variances must lie between -220 and 220, got 700 to 700"),
        (-90.0, "logvar", None),
    ],
)
def test_log_variances_without_bounds(spread, kind, message):
    def encoder(x):
        return mean_of(x), torch.full_like(mean_of(x), spread)

    if message is None:
        assert encode(encoder, X, second=kind)[1].min() > 0
        return
    with pytest.raises(ValueError, match=message):
        encode(encoder, X, second=kind)


def test_a_scale_that_half_precision_lost_is_said():
    with pytest.raises(ValueError, match=r"got 2 zeros among 400 .*model.float\(\)"):
        encode(
            lambda x: (mean_of(x), scale_of(x).index_fill(0, torch.tensor([3]), 0)),
            X,
            200,
            second="scale",
        )


def test_nothing_else_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(Pythae("VAE", named), X)
