"""Feature nets: what they know, what they depend on, how they are kept, and what they refuse."""

import numpy as np
import pytest
import torch
from torch import nn

from vaelib.datasets import digits
from vaelib.samples import features
from vaelib.samples.features import ClassifierFeatures, PCAFeatures, PretrainedFeatures
from vaelib.sealed import CacheWarning


@pytest.fixture(scope="module")
def data():
    return digits()


@pytest.fixture(scope="module")
def part(data):
    return data.split(0).train


@pytest.fixture(scope="module")
def nets(data, part):
    return ClassifierFeatures(data.x[part], data.labels[part])


def scores(nets, images):
    """What each net says of each class, shape (3, n, classes)."""
    return torch.func.functional_call(nets.net, nets.state, (images.expand(3, *images.shape),))


def test_three_nets_know_the_classes_and_differ(data, nets):
    held = data.split(0).test
    right = scores(nets, data.x[held]).argmax(-1) == data.labels[held]
    assert (right.double().mean(1) > 0.93).all()
    hidden = nets(data.x[held])
    assert hidden.shape == (3, len(held), 32) and hidden.dtype == torch.float64
    assert (hidden >= 0).all()
    assert not torch.allclose(hidden[0], hidden[1])


def test_features_are_the_last_hidden_layer(data, nets):
    x = data.x[:50]
    last = {name: nets.state[f"layers.4.{name}"].double() for name in ("weight", "bias")}
    by_hand = nets(x) @ last["weight"].mT + last["bias"].unsqueeze(1)
    torch.testing.assert_close(by_hand, scores(nets, x).double(), atol=1e-4, rtol=1e-4)


def test_the_same_images_give_the_same_nets_whatever_else_was_drawn(data, part, nets):
    torch.manual_seed(torch.seed() % 1000)
    again = ClassifierFeatures(data.x[part], data.labels[part])
    assert torch.equal(again(data.x[:20]), nets(data.x[:20]))


def test_nets_are_kept_by_content_and_damage_is_mended(data, part, nets, tmp_path, monkeypatch):
    x, labels = data.x[part], data.labels[part]
    ClassifierFeatures(x, labels, tmp_path)
    (file,) = tmp_path.iterdir()
    trained = []
    # Whether the nets were trained again cannot be seen in them.
    monkeypatch.setattr(features, "_trained", lambda *_: trained.append(1) or nets.state)
    kept = ClassifierFeatures(x, labels, tmp_path)
    assert not trained and torch.equal(kept(data.x[:9]), nets(data.x[:9]))
    altered = {name: 1.5 * value.numpy() for name, value in nets.state.items()}
    for damage in (
        lambda: file.write_bytes(file.read_bytes()[:100]),
        lambda: np.savez(file, **altered),
    ):
        trained.clear()
        damage()
        with pytest.warns(CacheWarning, match="is not used but computed again: it is truncated"):
            mended = ClassifierFeatures(x, labels, tmp_path)
        assert len(trained) == 1 and torch.equal(mended(data.x[:9]), nets(data.x[:9]))
    with np.load(file) as mended:
        assert set(mended.files) == set(nets.state)
    for other in ((x.flip(0), labels), (x, labels.flip(0))):
        ClassifierFeatures(*other, tmp_path)
    assert len(trained) == 3 and len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(features, "code_hash", lambda module: f"other code of {module}")
    ClassifierFeatures(x, labels, tmp_path)
    assert len(trained) == 4 and len(list(tmp_path.iterdir())) == 4


def test_principal_components_keep_the_variance_in_order(data):
    components = PCAFeatures(data.x)(data.x)[0]
    assert components.shape == (1797, 32)
    expected = torch.linalg.svdvals((data.x - data.x.mean(0)).flatten(1).double())[:32]
    torch.testing.assert_close(components.norm(dim=0), expected)
    covariance = components.T.cov()
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-8


def test_constant_pixels_give_no_components():
    x = torch.zeros(50, 4)
    x[:, 0] = torch.arange(50.0)
    assert PCAFeatures(x)(x).shape == (1, 50, 1)


def test_images_of_another_shape_are_refused(data, nets):
    for made in (nets, PCAFeatures(data.x)):
        with pytest.raises(ValueError, match=r"shape \(n, 1, 8, 8\) .* got \(5, 1, 7, 7\)"):
            made(torch.zeros(5, 1, 7, 7))


def test_classifiers_need_labels_of_two_classes(data):
    with pytest.raises(ValueError, match='need labels, got none; use features = "pca"'):
        ClassifierFeatures(data.x, None)
    with pytest.raises(ValueError, match="two classes"):
        ClassifierFeatures(data.x, torch.zeros(len(data.x), dtype=torch.int64))


class Network(nn.Module):
    """Stands for the pretrained one: as many features, of images of its kind alone."""

    def forward(self, images):
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        small = images.double().flatten(1)
        return (small @ torch.linspace(-1, 1, small.shape[1]).double().outer(torch.ones(2048)),)


def test_pretrained_features_are_components_of_the_network(data, monkeypatch):
    monkeypatch.setattr(
        features, "_inception", lambda: Network()
    )  # nothing is downloaded in a test
    found = PretrainedFeatures(data.x[:100])(data.x[:30])
    assert found.shape == (1, 30, 1)  # its features are all one
    with pytest.raises(ValueError, match=r"need images of shape \(1 or 3, height, width\)"):
        PretrainedFeatures(torch.zeros(10, 8))


def test_weights_that_cannot_be_had_are_one_clear_line(data, monkeypatch):
    import sys
    import types

    def offline(*_):
        raise OSError("no route to host")

    name = "torch_fidelity.feature_extractor_inceptionv3"
    module = types.ModuleType(name)
    module.FeatureExtractorInceptionV3 = offline
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(ValueError, match="weights .* cannot be had .*no route to host.*put them"):
        PretrainedFeatures(data.x[:10])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match="torch-fidelity, which is not installed; install"):
        PretrainedFeatures(data.x[:10])
