import pytest
import torch
from torch import nn

from vaelib import networks
from vaelib.replicates import ACTIVATIONS, MLP, Linear, stackable

IMAGE = (1, 8, 8)
SIZES = [7, 9, 6, 4]


def stack(activation, models=3):
    parts = [MLP(SIZES, activation).double() for _ in range(models)]
    parameters, _ = torch.func.stack_module_state(parts)
    return parts, {name: p.detach().requires_grad_() for name, p in parameters.items()}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_stacked_parameters_give_what_each_model_gives(activation):
    parts, stacked = stack(activation)
    x = torch.randn(3, 5, SIZES[0], dtype=torch.float64, requires_grad=True)
    together = torch.func.functional_call(parts[0], stacked, (x,))
    apart = torch.stack([part(each) for part, each in zip(parts, x, strict=True)])
    assert torch.allclose(together, apart, atol=1e-12)
    weight = torch.randn_like(apart)
    found = torch.autograd.grad((together * weight).sum(), [x, *stacked.values()])
    (expected,) = torch.autograd.grad((apart * weight).sum(), x, retain_graph=True)
    assert torch.allclose(found[0], expected, atol=1e-12)
    for name, gradient in zip(stacked, found[1:], strict=True):
        own = [part.get_parameter(name) for part in parts]
        each = torch.autograd.grad((apart * weight).sum(), own, retain_graph=True)
        assert torch.allclose(gradient, torch.stack(each), atol=1e-12)


def test_under_autocast_the_products_are_in_its_type_there_and_back():
    part = MLP(SIZES, "relu")
    stacked = {
        name: torch.stack([p.detach(), 2 * p.detach()]).requires_grad_()
        for name, p in part.named_parameters()
    }
    x, weight = torch.randn(2, 50, SIZES[0], requires_grad=True), torch.randn(2, 50, SIZES[-1])
    inputs = [x, *stacked.values()]
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.func.functional_call(part, stacked, (x,))
    gradients = torch.autograd.grad((found.float() * weight).sum(), inputs)
    hidden, *layers = (value.bfloat16() for value in inputs)
    for matrix, bias in zip(layers[::2], layers[1::2], strict=True):
        hidden = torch.baddbmm(bias.unsqueeze(1), hidden, matrix.mT)
        hidden = hidden if matrix is layers[-2] else hidden.relu()
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, hidden)
    expected = torch.autograd.grad((hidden.float() * weight).sum(), inputs)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 2**-8 * theirs.norm()
    exact = torch.func.functional_call(part, stacked, (x,))
    assert 0 < (found - exact).norm() <= 2**-6 * exact.norm()


def test_an_input_without_a_gradient_gets_none():
    parts, stacked = stack("relu")
    out = torch.func.functional_call(parts[0], stacked, (torch.randn(3, 5, 7).double(),))
    out.sum().backward()
    assert all(p.grad is not None for p in stacked.values())


def test_a_map_without_hidden_layers_is_affine():
    parts, stacked = MLP([7, 4], "relu").double(), torch.randn(3, 4, 7).double()
    bias, x = torch.randn(3, 4).double(), torch.randn(3, 5, 7).double()
    out = torch.func.functional_call(parts, {"0.weight": stacked, "0.bias": bias}, (x,))
    assert torch.allclose(out, x @ stacked.mT + bias[:, None], atol=1e-12)


def test_only_networks_of_stackable_parts_are_stackable():
    assert stackable(networks.MLPDecoder(2, IMAGE))
    assert stackable(nn.Sequential(Linear(2, 3), nn.Tanh()))
    assert not stackable(nn.Sequential(nn.Linear(2, 3)))
    assert not stackable(networks.ConvEncoder(IMAGE, 4))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_trains(name):
    encoder = networks.MLPEncoder((3,), 2, hidden=[5], activation=name)
    encoder(torch.rand(4, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
