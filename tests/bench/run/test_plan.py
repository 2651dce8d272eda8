import dataclasses

import pytest
import torch

from bench.errors import MatrixError
from bench.matrix.language import Configuration, Matrix
from bench.metrics.registry import METRICS
from bench.run.models import dataset_of
from bench.run.plan import plan
from tests.bench.run.test_cell import VALUES


class Narrow(torch.nn.Module):
    """A decoder of images one row too short."""

    def __init__(self, latent_dim, data_shape):
        super().__init__()
        self.layer = torch.nn.Linear(latent_dim, 56)

    def forward(self, z):
        return self.layer(z).view(*z.shape[:-1], 1, 7, 8)


def unlabelled():
    return dataclasses.replace(dataset_of(VALUES["dataset"]), labels=None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"decoder": {"name": f"{__name__}:Narrow"}},
            "the decoder must return data of shape (1, 8, 8), got (1, 7, 8)",
        ),
        (
            {"dataset": {"name": f"{__name__}:unlabelled"}},
            'quality.features = "classifier" needs labels, and digits has none; '
            'set quality.features = "pca"',
        ),
        (
            {"dataset": {"name": "gaussian_mixture", "size": 60}},
            "sample quality needs 80 points outside the training part, got 24; "
            "give more data or set quality.sources = []",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_sentence_before_training(changes, sentence, tmp_path):
    values = VALUES | changes
    only = Configuration("base", values, (), {})
    with pytest.raises(MatrixError) as caught:
        plan(Matrix("m", "", 2, 5, 60.0, (), METRICS, values, (), (), (only,)), tmp_path)
    assert str(caught.value) == f"base: {sentence}"
