import numpy as np
import pytest
import torch

from tests import oracles
from tests.vaelib.stats.samples import normal
from vaelib.stats.stein import STEIN_KERNELS, ksd_squared

BASE = {
    "gaussian": lambda x, y, h: torch.exp(-(x - y).square().sum() / (2 * h**2)),
    "imq": lambda x, y, h: (1 + (x - y).square().sum() / h**2) ** -0.5,
}


def sample(n, dimensions, seed=0):
    return normal(n, dimensions, torch.Generator().manual_seed(seed))


def stein_kernel(base, x, y, h):
    """u(x, y) of the module, its derivatives by autograd."""
    k = base(x, y, h)
    by_x = torch.func.grad(base, 0)
    by_y = torch.func.grad(base, 1)
    trace = torch.func.jacrev(by_x, 1)(x, y, h).trace()
    return (x @ y) * k - x @ by_y(x, y, h) - y @ by_x(x, y, h) + trace


def test_every_kernel_has_a_base():
    assert BASE.keys() == STEIN_KERNELS.keys()


@pytest.mark.parametrize("name", BASE)
@pytest.mark.parametrize("h", [0.6, 2.0])
def test_ksd_is_the_mean_of_the_stein_kernel(name, h):
    z = 0.5 + 1.3 * sample(8, 3)
    expected = torch.stack([stein_kernel(BASE[name], x, y, h) for x in z for y in z]).mean()
    value = ksd_squared(z, [h, 1.0], kernel=STEIN_KERNELS[name])
    assert value[0].item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("v", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("h", [0.7, 1.0, 2.5])
def test_scaled_normal_has_its_closed_form(v, h):
    """The kernel's mean over N(0, v) twice, by Gauss–Hermite quadrature, in one dimension."""
    node, weight = np.polynomial.hermite_e.hermegauss(120)
    x = torch.from_numpy(np.sqrt(v) * node)
    squared, product = (x[:, None] - x).square(), x[:, None] * x
    values = STEIN_KERNELS["gaussian"](squared, product, h, 1).numpy()
    value = weight @ values @ weight / weight.sum() ** 2
    assert value == pytest.approx(oracles.ksd_squared_scaled_normal(v, 1, h), abs=1e-9)


@pytest.mark.parametrize("v", [1.0, 2.0])
def test_many_points_come_near_the_closed_form(v):
    z = sample(4000, 3) * v**0.5
    diagonal = z.square().sum(1).mean() + 3  # u(x, x) at h = 1
    unbiased = (ksd_squared(z, [1.0], kernel=STEIN_KERNELS["gaussian"]) - diagonal / 4000).item()
    assert unbiased == pytest.approx(oracles.ksd_squared_scaled_normal(v, 3, 1.0), abs=0.01)


@pytest.mark.parametrize("name", BASE)
def test_invariances(name):
    z, rotation = sample(400, 4), torch.linalg.qr(sample(4, 4, 1)).Q
    value = ksd_squared(z, [0.5, 2.0], kernel=STEIN_KERNELS[name])
    assert (value > 0).all()
    for other in (z @ rotation, z.flip(0)):
        assert torch.allclose(ksd_squared(other, [0.5, 2.0], kernel=STEIN_KERNELS[name]), value)


def test_a_batch_holds_the_values_of_its_sets():
    z = sample(3 * 40, 2).reshape(3, 40, 2)
    alone = torch.stack([ksd_squared(points, [1.0, 3.0]) for points in z])
    assert torch.allclose(ksd_squared(z, [1.0, 3.0]), alone, rtol=1e-12)
