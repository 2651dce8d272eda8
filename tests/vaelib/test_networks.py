import pytest
import torch

from vaelib import networks
from vaelib.networks import DECODERS, ENCODERS

IMAGE = (1, 8, 8)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_map_data_to_outputs(name):
    encoder = ENCODERS[name](IMAGE, 6)
    assert encoder(torch.rand(5, *IMAGE)).shape == (5, 6)


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_map_latents_to_data(name):
    decoder = DECODERS[name](3, IMAGE)
    assert decoder(torch.rand(5, 3)).shape == (5, *IMAGE)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_convolutional_networks_fit_the_usual_images(shape):
    assert networks.ConvEncoder(shape, 4)(torch.rand(2, *shape)).shape == (2, 4)
    assert networks.ConvDecoder(2, shape)(torch.rand(2, 2)).shape == (2, *shape)


def test_mlp_sizes_follow_hidden():
    sizes = [tuple(p.shape) for p in networks.MLPEncoder(IMAGE, 4, hidden=[30, 20]).parameters()]
    assert sizes == [(30, 64), (30,), (20, 30), (20,), (4, 20), (4,)]
    assert len(list(networks.MLPDecoder(2, IMAGE, hidden=[]).parameters())) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: networks.MLPEncoder(IMAGE, 4, hidden=[0]), "hidden must be a list of positive"),
        (lambda: networks.MLPEncoder(IMAGE, 4, activation="sine"), "activation must be one of"),
        (lambda: networks.ConvEncoder((64,), 4), "expects images"),
        (lambda: networks.ConvDecoder(2, (1, 28, 28), channels=[8, 8, 8]), "divisible by 8"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
