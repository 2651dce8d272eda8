"""Training the replicates together against a plain loop over seeds, one thread, in one run.

The reference is what a careful user writes: one tensor of data, tensor indexing, fused Adam. Both
draw batches and noise from the same kind of streams. A whole training shows what the first steps
do not: Adam's means of gradients that have become zero are subnormal after about 800 steps.
"""

from functools import cache, partial
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.benchmarks.timing import cpu_seconds, like_a_worker
from vaelib import likelihoods, networks, objectives, priors
from vaelib.datasets import DATASETS
from vaelib.models import VAE
from vaelib.numerics.matmul import float32_products
from vaelib.numerics.subnormals import subnormals_flushed
from vaelib.training import Training, train

SIZES = {
    "64-200-200-2 x 10": (64, [200, 200], 10, 200),
    "784-500-500-2 x 5": (784, [500, 500], 5, 60),
}
TARGETS = {"64-200-200-2 x 10": 0.45, "784-500-500-2 x 5": 0.7}
LATENT, BATCH, POINTS = 2, 128, 1280
STEPS = 1500  # of a whole training, as in the digits matrix
DATA = {64: "digits", 784: "mnist5k"}
FEW = 20
REFERENCE = "a plain loop over seeds"
CAUSE = "The row of only its products and Adam says how much less there can be here."
FLUSHED = "the same loop, with torch told to flush subnormal numbers to zero"


class PlainVAE(nn.Module):
    def __init__(self, pixels, hidden):
        super().__init__()
        self.encoder = self.mlp([pixels, *hidden, 2 * LATENT])
        self.decoder = self.mlp([LATENT, *hidden, pixels])

    @staticmethod
    def mlp(sizes):
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def loss(self, x, noise):
        mean, log_scale = self.encoder(x).chunk(2, -1)
        scale = log_scale.exp()
        logits = self.decoder(mean + scale * noise)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
        rate = 0.5 * (mean.square() + scale.square() - 1 - 2 * log_scale).sum(-1)
        return (reconstruction + rate).mean()


def loop_over_seeds(x, hidden, seeds, steps):
    for seed in seeds:
        torch.manual_seed(seed)
        model = PlainVAE(x.shape[1], hidden)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        order = torch.randperm(len(x))
        for step in range(steps):
            start = step * BATCH % len(x)
            batch = x[order[start : start + BATCH]]
            optimizer.zero_grad()
            model.loss(batch, torch.randn(BATCH, LATENT)).backward()
            optimizer.step()


def together(x, hidden, seeds, steps, *, plain=False, precision="float32"):
    shape = (x.shape[1],)
    models = [
        VAE(
            networks.MLPEncoder(shape, 2 * LATENT, hidden=hidden),
            priors.Normal(LATENT),
            networks.MLPDecoder(LATENT, shape, hidden=hidden),
            likelihoods.Bernoulli(shape),
        )
        for _ in seeds
    ]
    if plain:  # a user's network: trains through vmap
        for model in models:
            model.encoder = PlainVAE.mlp([x.shape[1], *hidden, 2 * LATENT])
            model.decoder = PlainVAE.mlp([LATENT, *hidden, x.shape[1]])
    index = torch.arange(len(x)).expand(len(seeds), -1)
    objective = [objectives.ELBO(LATENT, len(x))] * len(seeds)
    training = Training(steps=steps, batch_size=BATCH, precision=precision)
    train(models, x, index, objective, training, seeds)


def bare(hidden, pixels, steps):
    """The matrix products of one replicate's steps, and one fused Adam on its weights each."""
    shapes = []
    for sizes in ([pixels, *hidden, 2 * LATENT], [LATENT, *hidden, pixels]):
        for inputs, outputs in pairwise(sizes):
            shapes.append((inputs, outputs, inputs != pixels))  # the data need no gradient
    inputs = [torch.randn(BATCH, i) for i, _, _ in shapes]
    gradients = [torch.randn(BATCH, o) for _, o, _ in shapes]
    weights = [nn.Parameter(torch.randn(i, o)) for i, o, _ in shapes]
    for weight in weights:
        weight.grad = torch.empty_like(weight)
    optimizer = torch.optim.Adam(weights, lr=1e-3, fused=True)
    with torch.no_grad():
        for _ in range(steps):
            for x, weight in zip(inputs, weights, strict=True):
                torch.mm(x, weight)
            for x, g, weight, (*_, backwards) in zip(
                inputs, gradients, weights, shapes, strict=True
            ):
                torch.mm(x.T, g, out=weight.grad)
                if backwards:
                    torch.mm(g, weight.T)
            optimizer.step()


@cache
def floor(size):
    """What a whole training cannot do without, and its CPU seconds here."""
    pixels, hidden, replicates, _ = SIZES[size]
    with like_a_worker(), float32_products():
        bare(hidden, pixels, FEW)
        seconds = replicates * cpu_seconds(partial(bare, hidden, pixels, STEPS))
    return f"{size}: only its matrix products and a fused Adam, seed after seed", seconds


def images(pixels):
    dataset = DATASETS[DATA[pixels]]()
    return dataset.x[:POINTS].flatten(1).contiguous()


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_training(compare_once, size):
    pixels, hidden, replicates, steps = SIZES[size]
    x, seeds = images(pixels), list(range(replicates))
    compare_once(
        f"{size}: replicates trained together, {STEPS:,} steps on {DATA[pixels]}",
        partial(together, x, hidden, seeds, STEPS),
        {
            REFERENCE: partial(loop_over_seeds, x, hidden, seeds, STEPS),
            FLUSHED: subnormals_flushed()(partial(loop_over_seeds, x, hidden, seeds, STEPS)),
        },
        warm=partial(together, x, hidden, seeds, 5),
        targets={REFERENCE: TARGETS[size]},
        floor=floor(size),
        cause=CAUSE,
    )


@pytest.mark.parametrize("size", SIZES)
def test_products_in_bfloat16(compare, size):
    pixels, hidden, replicates, steps = SIZES[size]
    x, seeds = torch.rand(POINTS, pixels), list(range(replicates))
    compare(
        f"{size}: replicates trained together with products in bfloat16, {steps} steps",
        partial(together, x, hidden, seeds, steps, precision="bfloat16"),
        partial(together, x, hidden, seeds, steps),
        reference="the same in float32",
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("plain", [False, True], ids=["replicates", "vmap"])
def test_replicates_against_a_loop_over_seeds(compare, size, plain):
    pixels, hidden, replicates, steps = SIZES[size]
    x, seeds = torch.rand(POINTS, pixels), list(range(replicates))
    compare(
        f"{size}: {'plain modules' if plain else 'replicates'} trained together, {steps} steps",
        partial(together, x, hidden, seeds, steps, plain=plain),
        partial(loop_over_seeds, x, hidden, seeds, steps),
        reference=REFERENCE,
    )
