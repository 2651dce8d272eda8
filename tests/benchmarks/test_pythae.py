"""Training the replicates together against pythae's trainer, a seed at a time.

The network, the data, the batch size and the number of steps are the same, all else is pythae's
default: Adam at 1e-4, batches collated point by point, the best model copied each epoch and
written at the end.
"""

import contextlib
import io
import logging
from functools import partial
from importlib.util import find_spec

import pytest
import torch

from tests.benchmarks.test_training import (
    BATCH,
    CAUSE,
    DATA,
    LATENT,
    POINTS,
    SIZES,
    STEPS,
    PlainVAE,
    floor,
    images,
    together,
)

pytestmark = [
    pytest.mark.skipif(
        find_spec("pythae") is None, reason="Training against pythae: pythae is not installed"
    ),
    pytest.mark.filterwarnings("ignore"),
]

REFERENCE = "pythae's trainer with its defaults, seed after seed"
TARGETS = {"64-200-200-2 x 10": 0.3, "784-500-500-2 x 5": 0.5}


def model_of(pixels, hidden):
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = PlainVAE.mlp([pixels, *hidden, 2 * LATENT])

        def forward(self, x):
            mean, log_covariance = self.layers(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_covariance)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = PlainVAE.mlp([LATENT, *hidden, pixels])

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    config = VAEConfig(input_dim=(pixels,), latent_dim=LATENT, reconstruction_loss="bce")
    return VAE(config, Encoder(), Decoder())


def loop_of_pythae(x, hidden, seeds, steps, folder):
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    data = BaseDataset(x, torch.zeros(len(x)))
    for seed in seeds:
        torch.manual_seed(seed)
        config = BaseTrainerConfig(
            output_dir=str(folder / str(seed)),
            num_epochs=steps * BATCH // len(x),
            per_device_train_batch_size=BATCH,
            seed=seed,
        )
        BaseTrainer(model_of(x.shape[1], hidden), data, training_config=config).train()


@contextlib.contextmanager
def quiet():
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_training_against_pythae(compare_once, size, tmp_path):
    pixels, hidden, replicates, _ = SIZES[size]
    assert STEPS * BATCH % POINTS == 0
    x, seeds = images(pixels), list(range(replicates))
    own = sum(p.numel() for p in PlainVAE(pixels, hidden).parameters())
    assert sum(p.numel() for p in model_of(pixels, hidden).parameters()) == own
    with quiet():
        loop_of_pythae(x, hidden, seeds[:1], 20, tmp_path)
        compare_once(
            f"{size}: replicates trained together, {STEPS:,} steps on {DATA[pixels]}",
            partial(together, x, hidden, seeds, STEPS),
            {REFERENCE: partial(loop_of_pythae, x, hidden, seeds, STEPS, tmp_path)},
            warm=partial(together, x, hidden, seeds, 5),
            targets={REFERENCE: TARGETS[size]},
            floor=floor(size),
            cause=CAUSE,
        )
