"""Decoders of other people: what they return, and that they are afterwards as they were."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Cauchy, Normal

from vaelib.encoders.decoding import decoding

Z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LAYER = nn.Linear(2, 3)
X = LAYER(Z.float()).detach()


@pytest.mark.parametrize(
    "decoder",
    [
        LAYER,
        lambda z: LAYER(z),
        lambda z: (LAYER(z),),
        lambda z: LAYER(z).detach().numpy(),
        lambda z: Normal(LAYER(z), 1.0),
        lambda z: {"reconstruction": LAYER(z), "z": z},
        lambda z: {"px": Normal(LAYER(z), 1.0), "pl": None},
        lambda z: SimpleNamespace(sample=LAYER(z)),
        SimpleNamespace(decode=LAYER),
        SimpleNamespace(decoder=LAYER, encoder=None),
        torch.nn.DataParallel(LAYER),
    ],
)
def test_it_understands(decoder):
    x = decoding(decoder, batch_size=2)(Z)
    assert x.dtype == torch.float32 and not x.requires_grad
    torch.testing.assert_close(x, X)


def test_a_distribution_gives_its_mean():
    assert (decoding(lambda z: Bernoulli(logits=0 * z))(Z) == 0.5).all()


def test_a_module_is_evaluated_and_afterwards_as_it_was():
    modes = []

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = nn.BatchNorm1d(2), nn.Dropout(0.5).eval()

        def forward(self, z):
            modes.append((self.training, torch.is_grad_enabled()))
            return self.drop(self.norm(z))

    for wrap in (lambda module: module, lambda module: lambda z: module(z)):
        module = Decoder()
        before = torch.get_rng_state()
        decoding(wrap(module))(Z)
        assert modes.pop() == (False, False)
        assert module.training and module.norm.training and not module.drop.training
        assert torch.equal(module.norm.running_mean, torch.zeros(2))
        assert torch.equal(before, torch.get_rng_state())


def test_parameters_say_the_type_and_draws_repeat():
    half = nn.Linear(2, 3).double()
    assert decoding(half)(Z).dtype == torch.float32
    noisy = decoding(lambda z: z + torch.randn_like(z))
    assert torch.equal(noisy(Z), noisy(Z))


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        (nn.Linear, "decoder must be trained, got the class Linear; hand over an instance"),
        (3, "decoder must be a function or module from z to x, or have decode, got int"),
        (
            lambda z: (z, z),
            r"must return x alone, got tuple of 2 parts.*lambda z: decoder\(z\)\[0\]",
        ),
        (lambda z: {"a": z}, "x under a name such as reconstruction, recon_x, recon, x_recon, got"),
        (lambda z: None, "must return x, a distribution, or x under a name such as"),
        (lambda z: z[:1], "a row of real numbers for each of 5 z, got Tensor float32 of shape"),
        (lambda z: z.sum(1), r"a row of real numbers for each of 5 z, got .* of shape \(5,\)"),
        (lambda z: z + 1j, "a row of real numbers"),
        (lambda z: z / 0, "finite numbers, got NaN or infinity in 5 of 5 rows"),
        (lambda z: Cauchy(z, 1.0), "finite numbers, got NaN or infinity in 5 of 5"),
        (
            lambda z: z @ torch.ones(3, 3),
            r"must take z as float32 of shape \(5, 2\), but raised Run",
        ),
    ],
)
def test_what_it_cannot_use_is_one_sentence(decoder, said):
    with pytest.raises(ValueError, match=said) as caught:
        decoding(decoder)(Z)
    assert "\n" not in str(caught.value)


def test_x_of_several_shapes_is_refused():
    with pytest.raises(ValueError, match=r"x of one shape throughout, got \(1,\) and \(2,\)"):
        decoding(lambda z: z if len(z) == 2 else z[:, :1], batch_size=2)(Z)


def test_features_are_called_so():
    with pytest.raises(ValueError, match="the features must take x as float32.*KeyError"):
        decoding(lambda x: {}[x], what="features")(Z)
    model = SimpleNamespace(decode=LAYER)
    with pytest.raises(
        ValueError, match="features must be a function or module from x to features,"
    ):
        decoding(model, what="features")
    assert np.allclose(decoding(LAYER, what="features")(Z), X)
