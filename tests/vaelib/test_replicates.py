import pytest
import torch
from torch import nn

from vaelib import networks
from vaelib.replicates import ACTIVATIONS, MLP, Linear, replicable

IMAGE = (1, 8, 8)
SIZES = [7, 9, 6, 4]


def replicated(activation, replicates=3):
    models = [MLP(SIZES, activation).double() for _ in range(replicates)]
    parameters, _ = torch.func.stack_module_state(models)
    return models, {name: p.detach().requires_grad_() for name, p in parameters.items()}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_parameters_of_replicates_give_what_each_model_gives(activation):
    models, state = replicated(activation)
    x = torch.randn(3, 5, SIZES[0], dtype=torch.float64, requires_grad=True)
    together = torch.func.functional_call(models[0], state, (x,))
    apart = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
    assert torch.allclose(together, apart, atol=1e-12)
    weight = torch.randn_like(apart)
    gradients = torch.autograd.grad((together * weight).sum(), [x, *state.values()])
    (expected,) = torch.autograd.grad((apart * weight).sum(), x, retain_graph=True)
    assert torch.allclose(gradients[0], expected, atol=1e-12)
    for name, gradient in zip(state, gradients[1:], strict=True):
        own = [model.get_parameter(name) for model in models]
        each = torch.autograd.grad((apart * weight).sum(), own, retain_graph=True)
        assert torch.allclose(gradient, torch.stack(each), atol=1e-12)


def test_under_autocast_the_products_are_in_its_type_there_and_back():
    model = MLP(SIZES, "relu")
    state = {
        name: torch.stack([p.detach(), 2 * p.detach()]).requires_grad_()
        for name, p in model.named_parameters()
    }
    x, weight = torch.randn(2, 50, SIZES[0], requires_grad=True), torch.randn(2, 50, SIZES[-1])
    inputs = [x, *state.values()]
    with torch.autocast("cpu", torch.bfloat16):
        out = torch.func.functional_call(model, state, (x,))
    gradients = torch.autograd.grad((out.float() * weight).sum(), inputs)
    hidden, *layers = (value.bfloat16() for value in inputs)
    for matrix, bias in zip(layers[::2], layers[1::2], strict=True):
        hidden = torch.baddbmm(bias.unsqueeze(1), hidden, matrix.mT)
        hidden = hidden if matrix is layers[-2] else hidden.relu()
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, hidden)
    expected = torch.autograd.grad((hidden.float() * weight).sum(), inputs)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 2**-8 * theirs.norm()
    exact = torch.func.functional_call(model, state, (x,))
    assert 0 < (out - exact).norm() <= 2**-6 * exact.norm()


def test_an_input_without_a_gradient_gets_none():
    models, state = replicated("relu")
    out = torch.func.functional_call(models[0], state, (torch.randn(3, 5, 7).double(),))
    out.sum().backward()
    assert all(p.grad is not None for p in state.values())


def test_a_map_without_hidden_layers_is_affine():
    model, weight = MLP([7, 4], "relu").double(), torch.randn(3, 4, 7).double()
    bias, x = torch.randn(3, 4).double(), torch.randn(3, 5, 7).double()
    out = torch.func.functional_call(model, {"0.weight": weight, "0.bias": bias}, (x,))
    assert torch.allclose(out, x @ weight.mT + bias[:, None], atol=1e-12)


def test_only_networks_of_replicable_parts_are_replicable():
    assert replicable(networks.MLPDecoder(2, IMAGE))
    assert replicable(nn.Sequential(Linear(2, 3), nn.Tanh()))
    assert not replicable(nn.Sequential(nn.Linear(2, 3)))
    assert not replicable(networks.ConvEncoder(IMAGE, 4))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_trains(name):
    encoder = networks.MLPEncoder((3,), 2, hidden=[5], activation=name)
    encoder(torch.rand(4, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
