"""What a function is given: what it asks for, the same draws every time, streams of its own."""

import random

import numpy as np
import pytest
import torch

from vaelib.worlds.given import FITTED, HELD_OUT, NAMES, as_number, calling, draws
from vaelib.worlds.named import world

BARE, ENCODED = world("banana"), world("KL .05, D = 8")


def test_draws_are_the_same_at_one_seed_and_others_at_another():
    first, again, other = draws(ENCODED, 0), draws(ENCODED, 0), draws(ENCODED, 1)
    assert first.keys() == NAMES.keys()
    for name in ("z", "mean", "scale", "train_z", "train_mean", "train_scale"):
        rows = FITTED if name.startswith("train_") else HELD_OUT
        assert first[name].shape == (rows, 8) and first[name].dtype == torch.float64
        assert torch.equal(first[name], again[name])
    assert not torch.isin(first["z"], other["z"]).any()
    assert not torch.isin(first["z"], first["train_z"]).any()
    drawn = [torch.rand(3, generator=one["generator"]) for one in (first, again, other)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert draws(BARE, 0)["mean"] is None and draws(BARE, 0)["train_scale"] is None


def by_any_name(samples):
    return len(samples)


def by_names(z, train_z, seed):
    return (len(z), len(train_z), seed)


def of_posteriors(mean, scale):
    return mean.shape == scale.shape


def with_default(z, mean=None, temperature=2.0):
    return (mean is None, temperature)


def of_anything(z, *rest, **more):
    return (rest, more)


def test_a_function_is_called_by_the_names_of_its_parameters():
    bare, encoded = draws(BARE, 3), draws(ENCODED, 3)
    assert calling(by_any_name)(bare) == HELD_OUT
    assert calling(by_names)(bare) == (HELD_OUT, FITTED, 3)
    assert calling(of_anything)(bare) == ((), {})
    assert calling(with_default)(bare) == (True, 2.0)
    assert calling(with_default)(encoded) == (False, 2.0)
    assert calling(torch.numel)(bare) == bare["z"].numel()  # of code that is not Python's
    asks = calling(of_posteriors)
    assert asks.lacks(bare) and not asks.lacks(encoded) and asks(encoded)
    assert not calling(with_default).lacks(bare)


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda a, b: 0, "a, b"),
        (lambda: 0, "none that must be given"),
        (lambda z, temperature: 0, "z, temperature"),
        (lambda z=None: 0, "none that must be given"),
        (lambda x, /, z: 0, "x, z"),
    ],
)
def test_one_that_wants_something_else_is_refused_with_what_it_wants(function, got):
    with pytest.raises(ValueError, match=f"must take arguments named z, .* got {got}; hand over"):
        calling(function)


def test_global_generators_begin_at_the_seed_and_are_left_as_they_were():
    def drawn(z):
        return (random.random(), np.random.rand(), float(torch.rand(())))

    torch.manual_seed(8), np.random.seed(8), random.seed(8)
    expected = drawn(None)
    torch.manual_seed(8), np.random.seed(8), random.seed(8)
    first, again = (calling(drawn)(draws(BARE, 0)) for _ in range(2))
    assert first == again != calling(drawn)(draws(BARE, 1))
    assert drawn(None) == expected


@pytest.mark.parametrize(
    "out",
    [
        2,
        2.0,
        np.float32(2),
        np.array([[2.0]]),
        torch.tensor(2),
        torch.tensor([2.0]).requires_grad_(),
    ],
)
def test_a_number_is_one_in_whatever_form(out):
    assert as_number(out) == 2


@pytest.mark.parametrize(
    ("out", "got"),
    [
        (None, "NoneType"),
        ("2", "str"),
        (True, "bool"),
        (torch.zeros(3), r".* of shape \(3,\)"),
        (np.zeros((2, 2)), r".* of shape \(2, 2\)"),
        (np.array("a"), ".*"),
        ([2.0], "list"),
        (2j, "complex"),
    ],
)
def test_what_is_no_number_is_refused_with_what_it_is(out, got):
    with pytest.raises(TypeError, match=f"must return one number, got {got}; return the KL"):
        as_number(out)
