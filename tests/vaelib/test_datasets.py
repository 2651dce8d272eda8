import numpy as np
import pytest
import torch
from scipy import integrate

from vaelib import datasets
from vaelib.datasets import DATASETS, Dataset

OFFLINE = ["digits", "mnist5k", "gaussian_mixture"]
SHAPES = {"digits": (1797, 1, 8, 8), "mnist5k": (5000, 1, 28, 28), "gaussian_mixture": (2000, 8)}


@pytest.fixture(scope="module", params=OFFLINE)
def data(request) -> Dataset:
    return DATASETS[request.param]()


def test_shape_type_and_range(data):
    assert tuple(data.x.shape) == SHAPES[data.name]
    assert data.x.dtype == torch.float32
    assert data.labels.shape == (len(data.x),)
    assert data.labels.unique().tolist() == list(range(10))
    if data.x.dim() == 4:
        assert (float(data.x.min()), float(data.x.max())) == (0.0, 1.0)


def test_splits_are_disjoint_complete_and_a_function_of_the_seed(data):
    first, again, other = data.split(0), data.split(0), data.split(1)
    parts = [first.train, first.validation, first.test]
    assert sorted(torch.cat(parts).tolist()) == list(range(len(data.x)))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)
    assert [len(other.train), len(other.test)] == [len(first.train), len(first.test)]


def test_fingerprint_follows_the_data_and_the_split_rule(data):
    assert data.fingerprint == DATASETS[data.name]().fingerprint
    changed = data.x.clone()
    changed[3] += 1e-3
    variants = [
        Dataset(data.name, changed, data.labels),
        Dataset(data.name, data.x, data.labels.flip(0)),
        Dataset(data.name, data.x, data.labels, fractions=(0.5, 0.1)),
        Dataset(data.name, data.x, data.labels, official_test=7),
    ]
    assert len({data.fingerprint, *(v.fingerprint for v in variants)}) == 5


def test_official_test_points_are_never_trained_on():
    data = Dataset("x", torch.rand(100, 3), fractions=(0.9, 0.1), official_test=20)
    for seed in range(5):
        split = data.split(seed)
        assert split.test.tolist() == list(range(80, 100))
        assert sorted([*split.train.tolist(), *split.validation.tolist()]) == list(range(80))


def test_binary_digits_are_zero_or_one():
    assert datasets.digits(binary=True).x.unique().tolist() == [0.0, 1.0]


def test_the_density_of_the_gaussian_mixture_integrates_to_one_and_matches_its_sample():
    data = datasets.gaussian_mixture(size=50_000, dimensions=1, components=3, spread=3.0)
    grid = torch.linspace(-25, 25, 20_001, dtype=torch.float64).unsqueeze(1)
    density = data.log_density(grid).exp().numpy()
    assert integrate.simpson(density, x=grid[:, 0].numpy()) == pytest.approx(1, abs=1e-6)
    mean = integrate.simpson(density * grid[:, 0].numpy(), x=grid[:, 0].numpy())
    error = float(data.x.std()) / np.sqrt(len(data.x))
    assert abs(float(data.x.mean()) - mean) < 5 * error  # fails by chance below 1 in 10^6


@pytest.mark.parametrize(
    "options", [{"size": 5}, {"dimensions": 0}, {"components": 0}, {"spread": -1.0}]
)
def test_gaussian_mixture_refuses_nonsense(options):
    with pytest.raises(ValueError, match="size must be at least 10"):
        datasets.gaussian_mixture(**options)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10"])
def test_a_folder_without_the_files_is_one_line(name, tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(ValueError, match="expected the files of") as caught:
        DATASETS[name]()
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
