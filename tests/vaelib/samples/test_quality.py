"""Sample quality from parts to rows, on a model that returns exactly what it was shown."""

import dataclasses

import pytest
import torch
from torch import nn

from vaelib.datasets import Dataset, Splits, digits, gaussian_mixture
from vaelib.likelihoods import Gaussian
from vaelib.models import VAE
from vaelib.priors import Normal
from vaelib.samples import image_reference, quality
from vaelib.samples.features import FEATURES
from vaelib.samples.image_reference import Judge, judge_of, real_parts
from vaelib.samples.latent_samplers import LATENT_SOURCES
from vaelib.samples.options import FEATURES as FEATURE_NAMES
from vaelib.samples.options import SOURCES, Quality
from vaelib.samples.quality import check, sample_quality

METRICS = (
    "frechet frechet_pca image_mmd precision density recall coverage authenticity image_auc"
).split()


class Show(nn.Module):
    """Encodes an image as its pixels, with hardly any noise."""

    def forward(self, x):
        pixels = x.flatten(1)
        return torch.cat([pixels, torch.full_like(pixels, -12.0)], 1)


def mirror(data_shape):
    """A model whose reconstructions are the images."""
    size = torch.Size(data_shape).numel()
    return VAE(Show(), Normal(size), nn.Unflatten(1, data_shape), Gaussian(data_shape))


@pytest.fixture(scope="module")
def measured():
    data = digits()
    options = Quality(sources=("prior", "aggregate", "gmm", "reconstruction"), bound_inputs=0)
    return data, *sample_quality(mirror(data.data_shape), data, data.x, data.split(0), 0, options)


def value(rows, metric, source):
    (row,) = [r for r in rows if (r.metric, r.source) == (metric, source)]
    return row.value


@pytest.mark.parametrize("seed", [0, 1])
def test_the_real_parts_are_disjoint_of_one_size_and_random(seed):
    split = digits().split(seed)
    reference, encoded = real_parts(split, seed)
    assert len(reference) == len(encoded) == 359
    used = torch.cat([reference, encoded, split.train])
    assert len(used.unique()) == len(used)
    assert set(reference.tolist()) & set(split.test.tolist())
    assert not torch.equal(reference, reference.sort().values)


def test_many_test_images_serve_alone_and_are_capped():
    split = Splits(torch.arange(100), torch.arange(100, 200), torch.arange(200, 9000))
    reference, encoded = real_parts(split, 0)
    assert len(reference) == len(encoded) == 2500
    assert min(reference.min(), encoded.min()) >= 200
    assert not set(reference.tolist()) & set(encoded.tolist())


def test_every_source_has_every_measure_once(measured):
    _, rows, _ = measured
    sources = ["prior", "aggregate", "gmm", "reconstruction"]
    sources += ["floor", "training", "marginals", "blur"]
    measured = [(row.source, row.metric) for row in rows]
    assert len(measured) == len(set(measured)) and {row.split for row in rows} == {"test"}
    expected = {(source, metric) for source in sources for metric in METRICS}
    deciles = ("lowest_decile", "highest_decile")
    assert set(measured) - expected == {(d, m) for d in deciles for m in ("precision", "density")}
    assert expected <= set(measured)
    assert all(row.standard_error is not None for row in rows if row.metric != "image_auc")


def test_real_images_reach_the_floor_and_bad_ones_do_not(measured):
    _, rows, _ = measured
    for source in ("floor", "reconstruction", "aggregate"):
        assert abs(value(rows, "frechet", source)) < 0.03
        assert abs(value(rows, "frechet_pca", source)) < 0.03
        assert abs(value(rows, "image_mmd", source)) < 0.004
        assert value(rows, "coverage", source) == pytest.approx(0.969, abs=0.03)
        assert 0.35 < value(rows, "image_auc", source) < 0.65
        assert 0.4 < value(rows, "authenticity", source) < 0.65
    for source in ("prior", "marginals"):
        assert value(rows, "frechet", source) > 0.1
        assert value(rows, "coverage", source) < 0.5
        assert value(rows, "image_auc", source) > 0.9
    assert value(rows, "frechet", "gmm") < value(rows, "frechet", "prior") / 4
    assert 0.02 < value(rows, "frechet", "blur") < value(rows, "frechet", "marginals")


def test_training_images_are_found_out_as_copies(measured):
    _, rows, _ = measured
    assert value(rows, "authenticity", "training") == 0
    assert abs(value(rows, "frechet", "training")) < 0.03


def test_the_floor_says_what_coverage_to_expect(measured):
    _, rows, _ = measured
    notes = {row.message for row in rows if row.message}
    assert notes == {"0.969 is expected of real images; n = 359 for all sources"}


def test_pictures_are_kept_of_the_first_seed_alone(measured):
    data, _, arrays = measured
    assert set(arrays) == {
        f"samples_{name}"
        for name in "real prior aggregate gmm reconstruction deepest densest".split()
    }
    assert all(a.shape == (64, 1, 8, 8) and a.dtype == "uint8" for a in arrays.values())
    reference, _ = real_parts(data.split(0), 0)
    shown = (data.x[reference[:64]] * 255).round().to(torch.uint8)
    assert (arrays["samples_real"] == shown.numpy()).all()


def test_samples_are_shuffled_whatever_a_sampler_does(monkeypatch):
    class Sorted:
        def __init__(self, latents):
            pass

        def sample(self, count, generator):
            return torch.arange(float(count)).unsqueeze(1)

    monkeypatch.setitem(quality.LATENT_SOURCES, "gmm", Sorted)
    latents = quality.Latents(Normal(1), None, None, 0)
    # The order of rows is lost in every measure of their images.
    z = quality._draw(latents, "gmm", 500)
    assert sorted(z.flatten().tolist()) == list(range(500))
    assert abs(float(torch.stack([z[1:, 0], z[:-1, 0]]).corrcoef()[0, 1])) < 0.2


def test_a_source_that_cannot_be_fitted_says_so_and_leaves_the_others(monkeypatch):
    def hopeless(latents):
        raise ValueError("a mixture of 10 components needs as many training inputs, got 9")

    monkeypatch.setitem(quality.LATENT_SOURCES, "gmm", hopeless)
    data = digits()
    options = Quality(sources=("gmm", "reconstruction"), bound_inputs=0)
    rows, _ = sample_quality(mirror((1, 8, 8)), data, data.x, data.split(0), 0, options)
    (lost,) = [row for row in rows if row.source == "gmm"]
    assert lost.value is None and "needs as many training inputs, got 9" in lost.message
    assert value(rows, "coverage", "reconstruction") > 0.9


@pytest.mark.parametrize("features", ["classifier", "pca"])
def test_data_that_are_no_images_are_measured_without_blur_and_pictures(features):
    data = gaussian_mixture(size=800, dimensions=4)
    options = Quality(sources=("prior", "reconstruction"), features=features, bound_inputs=0)
    rows, arrays = sample_quality(mirror((4,)), data, data.x, data.split(0), 0, options)
    assert arrays == {} and "blur" not in {row.source for row in rows}
    assert value(rows, "frechet", "prior") > 0.2 > abs(value(rows, "frechet", "reconstruction"))
    if features == "pca":
        assert value(rows, "frechet", "prior") == value(rows, "frechet_pca", "prior")


def test_nothing_is_measured_without_sources():
    data = digits()
    split = data.split(0)
    assert sample_quality(mirror((1, 8, 8)), data, data.x, split, 0, Quality(sources=())) == (
        [],
        {},
    )


def test_a_judge_is_shared_by_the_configurations_of_a_seed(monkeypatch):
    monkeypatch.setattr(image_reference, "_JUDGES", {})  # those of other tests are not counted
    data, split = digits(), digits().split(3)
    first = judge_of(data, data.x, split, 3, "pca", None)
    assert judge_of(data, data.x, split, 3, "pca", None) is first
    assert isinstance(first, Judge)
    for seed in range(4, 15):
        judge_of(data, data.x, data.split(seed), seed, "pca", None)
    assert len(image_reference._JUDGES) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ["prior", "vamp"]}, "sources must be of prior, aggregate, .*got 'vamp'"),
        ({"sources": ["gmm", "gmm"]}, "sources must be distinct"),
        ({"features": "resnet"}, "features must be one of classifier, pca, pretrained, got"),
        ({"bound_inputs": 1}, "bound_inputs must be 0 or at least 2, got 1"),
        ({"sbc_draws": 19}, "sbc_draws must be 0 or at least 20, got 19"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Quality(**options)


def test_what_cannot_be_measured_is_said_before_training():
    data = digits()
    bare = dataclasses.replace(data, labels=None)
    with pytest.raises(ValueError, match='needs labels, and digits has none; set .* = "pca"'):
        check(bare, Quality())
    check(bare, Quality(features="pca"))
    check(bare, Quality(sources=()))
    small = Dataset("small", data.x[:150], data.labels[:150])
    with pytest.raises(ValueError, match=r"needs 80 points outside the training part, got 60"):
        check(small, Quality())
    with pytest.raises(ValueError, match="need images of shape"):
        check(gaussian_mixture(size=500), Quality(features="pretrained"))
    assert tuple(LATENT_SOURCES) + ("reconstruction",) == SOURCES
    assert tuple(FEATURES) == FEATURE_NAMES
