import dataclasses

import numpy as np
import pytest
import torch

from bench.errors import MatrixError
from bench.matrix.language import Configuration, Matrix, load
from bench.metrics.registry import METRICS
from bench.run.cell import run_block
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
            "base.decoder: the decoder must return data of shape (1, 8, 8), got (1, 7, 8)",
        ),
        (
            {"dataset": {"name": f"{__name__}:unlabelled"}},
            'base.quality: quality.features = "classifier" needs labels, and digits has none; '
            'set quality.features = "pca"',
        ),
        (
            {"dataset": {"name": "gaussian_mixture", "size": 60}},
            "base.quality: sample quality needs 80 points outside the training part, got 24; "
            "give more data or set quality.sources = []",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_sentence_before_training(changes, sentence, tmp_path):
    values = VALUES | changes
    only = Configuration("base", values, (), {})
    with pytest.raises(MatrixError) as caught:
        plan(Matrix("m", "", 2, 5, 60.0, (), METRICS, values, (), (), (only,)), tmp_path)
    assert str(caught.value) == sentence


def test_a_mistake_of_a_study_names_the_study_the_configuration_and_the_key(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        SMALL + '[[study]]\nname = "nets"\n'
        'grid = { "encoder.name" = ["mlp", "conv"], latent_dim = [2, 3] }\n'
    )
    with pytest.raises(MatrixError) as caught:
        plan(load(path), tmp_path)
    assert str(caught.value) == (
        'study "nets", configuration encoder-conv: encoder.name: a convolutional network expects '
        "images (channels, height, width), got data of shape (8,); use an mlp"
    )


SMALL = """
[matrix]
name = "small"
[base]
dataset = { name = "gaussian_mixture", size = 150 }
likelihood = { name = "gaussian" }
encoder = { hidden = [8] }
decoder = { hidden = [8] }
training = { steps = 3 }
quality = { sources = [], bound_inputs = 0 }
"""


def planned(folder, **options):
    path = folder / "small.toml"
    path.write_text(SMALL)
    return plan(load(path, **options), folder)


@pytest.mark.parametrize("block", [10, 5, 4, 7, 1])
def test_a_seed_trains_in_its_own_block_wherever_the_seeds_begin(block, tmp_path):
    override = [f"matrix.block={block}"]
    every = planned(tmp_path, overrides=override, seeds=20)
    late = planned(tmp_path, overrides=override, seeds=10, first_seed=10)
    blocks, later = (
        {cell: (seed, job.block) for job in one.jobs for cell, seed in job.cells.items()}
        for one in (every, late)
    )
    assert len(later) == 10 and later.items() <= blocks.items()
    assert all(seed in where and len(where) == block for seed, where in later.values())


def test_a_seed_gives_the_same_model_and_rows_wherever_the_seeds_begin(tmp_path):
    found = []
    for name, options in (("every", {"seeds": 3}), ("late", {"seeds": 1, "first_seed": 2})):
        folder = tmp_path / name
        folder.mkdir()
        jobs = planned(folder, overrides=["matrix.block=2"], **options).jobs
        results = [result for job in jobs for result in run_block(job)]
        models = {path.name: np.load(path) for path in folder.glob("small/models/*.npz")}
        found.append((results, models))
    (every, models), (late, later) = found
    assert (len(every), len(models), len(late), len(later)) == (3, 3, 1, 1)
    assert (late[0].cell, late[0].measurements) == (every[2].cell, every[2].measurements)
    for name, model in later.items():
        assert all((model[key] == models[name][key]).all() for key in set(model) - {"seconds"})
