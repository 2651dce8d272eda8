"""Data in every form that people have them in."""

import pandas as pd
import pytest
import scipy.sparse
import torch
from torch import nn
from torch.distributions import Normal
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from vaelib import encode

X = torch.rand(10, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(10)
LAYER = nn.Linear(4, 3).requires_grad_(False)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = LAYER

    def encode(self, x):
        return Normal(self.layer(x), 0.5)


class Items(Dataset):
    def __init__(self, of=lambda i: (X[i], int(Y[i]))):
        self.of = of

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return self.of(i)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(X)


FORMS = {
    "tensor": X,
    "gradients": X.clone().requires_grad_(),
    "not contiguous": X.T.contiguous().T,
    "float64": X.double(),
    "array": X.numpy(),
    "array of float64": X.double().numpy(),
    "nested lists": X.double().tolist(),
    "data frame": pd.DataFrame(X.double().numpy()),
    "list of tensors": list(X),
    "list of arrays": list(X.numpy()),
    "list of pairs": [(x, 1) for x in X],
    "list of dictionaries": [{"data": x} for x in X],
    "pair": (X, Y),
    "dictionary": {"label": Y, "image": X},
    "dictionary of one": {"pictures": X},
    "TensorDataset": TensorDataset(X, Y),
    "Dataset": Items(),
    "Dataset of dictionaries": Items(lambda i: {"x": X[i].double(), "label": i}),
    "IterableDataset": Stream(),
    "DataLoader": DataLoader(TensorDataset(X, Y), batch_size=4),
    "DataLoader of dictionaries": DataLoader([{"pixel_values": x} for x in X], batch_size=4),
    "iterator": iter(X.split(4)),
}


class Cells:
    """Annotated data as anndata has them: rows by slices, X sparse."""

    def __init__(self, x):
        self.X, self.obs, self.n_obs = scipy.sparse.csr_matrix(x), None, len(x)

    def __getitem__(self, rows):
        return Cells(self.X[rows].toarray())


FORMS["AnnData"] = Cells(X.numpy())


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_encoded_in_order(name):
    told = []
    mean, scale = encode(Model(), FORMS[name], 4, progress=lambda done, of: told.append((done, of)))
    torch.testing.assert_close(mean, LAYER(X).double())
    assert scale.eq(0.5).all()
    assert told[-1] == (10, 10)


def conditional(x, c):
    return Normal(LAYER(x) + c[:, None], 0.5)


@pytest.mark.parametrize(
    ("data", "call"),
    [
        (DataLoader(TensorDataset(X, Y), batch_size=4), lambda batch: conditional(*batch)),
        ((X, Y), lambda batch: conditional(*batch)),
        (Items(), lambda batch: conditional(*batch)),
        ({"x": X, "c": Y}, lambda batch: conditional(batch["x"], batch["c"])),
        (
            [{"x": x, "c": c} for x, c in zip(X, Y, strict=True)],
            lambda b: conditional(b["x"], b["c"]),
        ),
        (X, lambda x: conditional(x, (x @ LAYER.weight.T)[:, 0])),
        (
            Cells(X.numpy()),
            lambda a: conditional(torch.from_numpy(a.X.toarray()), torch.zeros(a.n_obs)),
        ),
    ],
)
def test_a_call_is_given_batches_as_they_come(data, call):
    mean, _ = encode(Model(), data, 5, call=call)
    rows = mean - LAYER(X).double()
    assert mean.shape == (10, 3)
    torch.testing.assert_close(rows, rows[:, :1].expand(10, 3))


class Graphs:
    """A batch of no known form, that moves as a whole."""

    def __init__(self, x, place="elsewhere"):
        self.x, self.place = x, place

    def to(self, place):
        return Graphs(self.x, place)


def test_batches_of_a_library_of_their_own_are_moved_as_they_are():
    def call(batch):
        assert batch.place == torch.device("cpu")
        return Normal(LAYER(batch.x), 0.5)

    told = []
    batches = iter([Graphs(X[:6]), Graphs(X[6:])])
    mean, _ = encode(Model(), batches, call=call, progress=lambda done, of: told.append(done))
    torch.testing.assert_close(mean, LAYER(X).double())
    assert told == [6, 10]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_come_in_the_type_of_the_parameters(kind):
    model = nn.Sequential(nn.Linear(4, 4)).to(kind)
    mean, scale = encode(lambda x: model(x).chunk(2, 1), X, second="logvar")
    assert mean.dtype == scale.dtype == torch.float64
    expected = model(X.to(kind)).chunk(2, 1)[0].double()
    torch.testing.assert_close(mean, expected, atol=0.02, rtol=0)


def test_autocast_is_taken():
    with torch.autocast("cpu", torch.bfloat16):
        mean, scale = encode(lambda x: LAYER(x).split((2, 1), 1), X, second="logvar")
    assert mean.dtype == scale.dtype == torch.float64
    torch.testing.assert_close(mean, LAYER(X)[:, :2].double(), atol=0.03, rtol=0)


def test_whole_numbers_reach_encoders_that_want_them():
    table = nn.Embedding(10, 6)
    mean, _ = encode(
        lambda t: table(t).mean(1).chunk(2, 1), Y[:, None].expand(10, 5), second="logvar"
    )
    torch.testing.assert_close(mean, table.weight[:, :3].detach().double())
    image = (255 * X).byte()
    with pytest.raises(ValueError, match=r"uint8 of shape \(10, 4\).*data.float\(\) / 255"):
        encode(Model(), image)
    assert encode(Model(), image.float() / 255)[0].shape == (10, 3)


@pytest.mark.parametrize("place", [0, 7])
def test_a_row_that_is_not_finite_is_named(place):
    with pytest.raises(
        ValueError, match=rf"1 of 10 inputs, the first of them row {place} \(.*: nan"
    ):
        encode(Model(), X.index_fill(0, torch.tensor([place]), torch.nan), 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("digits.npz", "data must be a tensor, .*got 'digits.npz'; load it first"),
        (None, "data must be a tensor, .*got NoneType"),
        (3.0, "data must be a tensor"),
        ([], "at least 1 input, got an empty list"),
        ([X[:4], X[4:]], r"inputs of one shape, got list of 2 parts \(.*torch.cat\(data\)"),
        (["a", "b"], "the encoder must take 'a'"),
        ([[1.0, 2.0], [3.0]], "lists of different lengths"),
        ({}, "data in parts must be tensors or arrays"),
        ({"x": X, "c": Y[:3]}, "of as many inputs each.*got dict with x"),
        (
            {"pictures": X, "c": Y},
            r"named among data, .*call=lambda batch: model\(batch\['pictures'\]\)",
        ),
        (iter([]), "got no batch; has its iterator been used"),
        (X[0], r"one input x is x\[None\]"),
        (X[:, :0], "N at least 1"),
        (X.to(torch.complex64), "data must hold real numbers"),
        (X[:, :2], r"float32 of shape \(10, 2\): .*but raised RuntimeError: .*call=lambda batch"),
    ],
)
def test_what_is_no_data_is_refused_with_what_was_seen(data, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        encode(Model(), data)
    assert len(str(caught.value)) <= 300 and "\n" not in str(caught.value)


def test_a_model_that_wants_a_condition_says_so():
    with pytest.raises(
        ValueError, match=r"TypeError: .*'c'; .*call=lambda batch: model\(\*batch\)"
    ):
        encode(conditional, X)
