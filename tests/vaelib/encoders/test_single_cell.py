"""Models of scvi-tools, as objects with the same names: it is not installed here."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.utils.data import DataLoader

from tests.vaelib.encoders.test_models import X, check, mean_of, scale_of, z_of
from vaelib import encode


class Cells:
    def __init__(self, x):
        self.X, self.obs, self.n_obs = x.numpy(), None, len(x)

    def __getitem__(self, rows):
        return Cells(torch.from_numpy(self.X[rows]))


class Encoder(nn.Module):
    """As scvi.nn.Encoder, whose part of that name gives features."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 9)

    def forward(self, x):
        return mean_of(x), scale_of(x) ** 2, z_of(x)


class ScviModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.z_encoder = Encoder()

    def _get_inference_input(self, tensors):
        return {"x": tensors["X"], "batch_index": tensors["batch"]}

    def inference(self, x, batch_index):
        assert batch_index.shape == (len(x), 1) and not self.training
        qz = Normal(mean_of(x), scale_of(x))
        return {"z": qz.sample(), "qz": qz, "ql": Normal(x[:, :1], 1.0), "library": x[:, :1]}


class Scvi:
    def __init__(self):
        self.module, self.adata = ScviModule(), Cells(X)

    def get_latent_representation(
        self, adata=None, give_mean=True, batch_size=None, return_dist=False, dataloader=None
    ):
        assert not self.module.training and return_dist
        x = torch.from_numpy((adata or self.adata).X)
        if dataloader is not None:
            x = torch.cat([batch["X"] for batch in dataloader])
        return mean_of(x).numpy(), scale_of(x).square().numpy()


LOADER = DataLoader([{"X": x, "batch": torch.zeros(1)} for x in X], batch_size=50)
WAYS = {
    "model and its data": lambda: encode(Scvi(), Cells(X)),
    "model alone": lambda: encode(Scvi()),
    "its method": lambda: encode(Scvi().get_latent_representation, Cells(X)),
    "model and loader": lambda: encode(Scvi(), LOADER),
    "module and loader": lambda: encode(Scvi().module, LOADER),
    "encoder and tensor": lambda: encode(Scvi().module.z_encoder, X),
    "call": lambda: encode(
        ScviModule(), LOADER, call=lambda batch: Normal(mean_of(batch["X"]), scale_of(batch["X"]))
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_models_of_scvi_tools(name):
    check(WAYS[name]())


def test_models_of_scvi_tools_that_give_draws_or_means_alone():
    class Draws(Scvi):
        def get_latent_representation(self, adata=None, give_mean=True):
            assert not give_mean
            return mean_of(X).numpy()

    class Means(Scvi):
        def get_latent_representation(self, adata=None):
            return mean_of(X).numpy()

    with pytest.warns(UserWarning, match="Draws has no return_dist"):
        assert not encode(Draws(), Cells(X))[1].any()
    with pytest.raises(ValueError, match="means alone are no z"):
        encode(Means(), Cells(X))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: encode(Scvi(), X),
            r"must be its AnnData, .*got Tensor float32.*encode\(model, adata\)",
        ),
        (
            lambda: encode(ScviModule(), X),
            r"its loader gives dictionaries; or encode\(model, adata\)",
        ),
        (lambda: encode(lambda a: a.n_obs, Cells(X)), "of AnnData it is given X alone"),
    ],
)
def test_what_models_of_scvi_tools_do_not_take(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
