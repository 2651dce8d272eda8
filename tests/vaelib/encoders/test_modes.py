"""Modules are evaluated, and are afterwards exactly as they were; what trains is detected."""

from functools import partial

import pytest
import torch
from torch import nn

from vaelib import encode

X = torch.rand(16, 4, generator=torch.Generator().manual_seed(0))


class Frozen(nn.BatchNorm1d):
    """Stays in evaluation mode, as those of pretrained backbones do."""

    def train(self, mode=True):
        return super().train(False)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(4, 6), Frozen(6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 4)
        )
        self.decoder = nn.Linear(2, 4)
        self.register_buffer("calls", torch.zeros(()))

    def encode(self, x):
        self.calls += 1
        mean, logvar = self.encoder(x).chunk(2, 1)
        return {"mean": mean, "logvar": logvar}


class Compiled(nn.Module):
    """As torch.compile wraps a module, without the seconds that its import takes."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def __getattr__(self, name):
        inside = super().__getattr__("_orig_mod")
        return inside if name == "_orig_mod" else getattr(inside, name)


def compiled(function):
    def wrapper(x):
        raise TypeError("compiled code is not called")

    wrapper._torchdynamo_orig_callable = function
    return wrapper


def state(model):
    return [part.training for part in model.modules()], {
        name: buffer.clone() for name, buffer in model.named_buffers()
    }


def check_same(before, after):
    assert before[0] == after[0]
    assert all(torch.equal(before[1][name], after[1][name]) for name in before[1])


def half_frozen():
    torch.manual_seed(0)
    model = Model().train()
    model.encoder[2].training = False  # frozen by hand
    model.encoder[4].eval()
    return model


HANDED = {
    "the module": lambda model: model,
    "its method": lambda model: model.encode,
    "a partial of it": lambda model: partial(model.encode),
    "compiled": lambda model: Compiled(model),
    "the compiled method": lambda model: compiled(model.encode),
    "DataParallel": nn.DataParallel,
    "compiled in parallel": lambda model: Compiled(nn.DataParallel(model)),
}


@pytest.mark.parametrize("name", HANDED)
def test_flags_and_buffers_are_as_they_were(name):
    model = half_frozen()
    before = state(model)
    mean, _ = encode(HANDED[name](model), X, 5)
    check_same(before, state(model))
    expected = model.eval().encode(X)["mean"]
    torch.testing.assert_close(mean.float(), expected)


def test_flags_and_buffers_are_as_they_were_after_an_error():
    model = half_frozen()
    before = state(model)
    with pytest.raises(ValueError, match="but raised RuntimeError: .*mat1 and mat2"):
        encode(model, X[:, :3])
    with pytest.raises(ValueError, match="mean"):
        encode(model, X, call=lambda x: model.encode(x)["mean"])
    with pytest.raises(KeyboardInterrupt):
        encode(model, X, call=interrupted)
    check_same(before, state(model))


def interrupted(x):
    raise KeyboardInterrupt


def test_a_call_around_the_model_evaluates_it_too():
    model = half_frozen()
    before = state(model)
    mean, _ = encode(model, X, call=lambda x: model.encode(x))
    check_same(before, state(model))
    torch.testing.assert_close(mean.float(), model.eval().encode(X)["mean"])


def test_torch_draws_on_from_where_it_was():
    before = torch.get_rng_state()
    first, _ = encode(torch.randn_like, X, second="z")
    again, _ = encode(torch.randn_like, X, second="z")
    other, _ = encode(torch.randn_like, X, second="z", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


class Holder:
    """No module: it hides one where nobody looks."""

    def __init__(self, part):
        self.parts = [part]

    def __call__(self, x):
        return self.parts[0](x).chunk(2, 1)


TRAINING = {
    "dropout": nn.Dropout(0.5),
    "statistics of a batch": nn.BatchNorm1d(4, affine=False),
    "statistics without memory": nn.BatchNorm1d(4, affine=False, track_running_stats=False),
}


@pytest.mark.parametrize("name", TRAINING)
def test_a_function_around_a_training_model_is_detected(name):
    layer = TRAINING[name].train()
    before = state(layer)
    for function in (Holder(layer), lambda x: layer(x).chunk(2, 1)):
        with pytest.raises(ValueError, match="a model in training.* call its model.eval"):
            encode(function, X, second="logvar")
    assert layer.training
    if name == "statistics of a batch":
        layer.load_state_dict(before[1])


def test_buffers_that_a_function_changes_are_said_and_brought_back():
    """Where the results do not tell: the statistics are kept, and not used."""
    layer, kept = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def function(x):
        kept(x)
        return layer(x).chunk(2, 1)

    before = state(kept)
    with pytest.raises(ValueError, match=r"new values in running_mean .*kept.eval\(\) first"):
        encode(function, X, second="logvar")
    check_same(before, state(kept))
    kept.eval()
    kept.num_batches_tracked.fill_(7)
    counter = kept.num_batches_tracked
    layer.register_forward_hook(lambda *_: counter.add_(1) and None)
    assert encode(function, X, second="logvar")[0].shape == (16, 2)
    assert counter == 7  # counted in evaluation mode: no training, and brought back


def test_other_sums_of_fewer_rows_are_no_training():
    layer = nn.Linear(4, 4).bfloat16()
    assert encode(lambda x: layer(x).chunk(2, 1), X, second="logvar")[0].shape == (16, 2)
