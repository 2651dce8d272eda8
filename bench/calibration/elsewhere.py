"""Three estimators of KL(q‖N(0, I)) as papers on VAEs use them, for `vaebench conform` to run.

They are none of the suite's own, and decide nothing in it.

References:
    Wang, Kulkarni & Verdú (2009), Divergence estimation for multidimensional densities via
        k-nearest-neighbor distances, IEEE Transactions on Information Theory 55.
    Chen, Li, Grosse & Duvenaud (2018), Isolating sources of disentanglement in variational
        autoencoders, NeurIPS.
    Mescheder, Nowozin & Geiger (2017), Adversarial variational Bayes, ICML.
"""

import math

import torch
from torch import Tensor, nn

from vaelib.worlds.world import log_normal, normal

__all__ = [
    "BATCH",
    "EPOCHS",
    "HIDDEN",
    "NEIGHBOURS",
    "discriminator",
    "minibatch_weighted",
    "nearest_neighbours",
]

NEIGHBOURS = 5
"""k, the usual one of published code."""
BATCH = 1000
"""M inputs of a minibatch."""
_NEAREST = 1e-300  # of a distance whose logarithm is taken
HIDDEN, EPOCHS = 128, 30
"""Units of each of the discriminator's two layers, and how often it sees every z."""
_RATE, _ROWS = 1e-3, 200


def nearest_neighbours(z: Tensor, train_z: Tensor, generator: torch.Generator) -> float:
    r"""Distances to the k-th neighbour among z of q and among as many draws of the prior.

    $\hat{KL} = \frac{D}{n} \sum_i \log \frac{\nu_k(i)}{\rho_k(i)} + \log \frac{m}{n - 1}$ with
    $\rho_k(i)$ the distance of z_i to its k-th neighbour among the others and $\nu_k(i)$ that
    among m draws of N(0, I).

    Args:
        z: one of each of n inputs, shape (n, D).
        train_z: of N others, shape (N, D); all count.
        generator: of the draws of the prior.

    Returns:
        The estimate, in nats.
    """
    points = torch.cat([z, train_z])
    count, dimensions = points.shape
    prior = normal(count, dimensions, generator)
    own = _to_neighbour(points, points, NEIGHBOURS + 1)  # the first is the point itself
    other = _to_neighbour(points, prior, NEIGHBOURS)
    mean = (other.log() - own.log()).mean()
    return float(dimensions * mean) + math.log(count / (count - 1))


def _to_neighbour(points: Tensor, among: Tensor, k: int) -> Tensor:
    far = torch.cdist(points, among, compute_mode="donot_use_mm_for_euclid_dist")
    return far.kthvalue(k, dim=1).values.clamp_min(_NEAREST)


def minibatch_weighted(
    z: Tensor,
    mean: Tensor,
    scale: Tensor,
    train_z: Tensor,
    train_mean: Tensor,
    train_scale: Tensor,
) -> float:
    r"""The density of q from the posteriors of a minibatch, each weighted 1/(NM).

    $\log \hat{q}(z_i) = \log \frac{1}{NM} \sum_{j=1}^{M} q(z_i | x_j)$ within a minibatch of M of N
    inputs, z_i's own posterior among them; the estimate is its mean less that of log p(z_i).

    Args:
        z: one of each of n inputs, shape (n, D).
        mean: the means of their posteriors, shape (n, D).
        scale: their standard deviations, shape (n, D).
        train_z: of other inputs, shape (N - n, D); all count.
        train_mean: the means of their posteriors.
        train_scale: their standard deviations.

    Returns:
        The estimate, in nats.
    """
    every = [torch.cat(pair) for pair in ((z, train_z), (mean, train_mean), (scale, train_scale))]
    count = len(every[0])
    ratios = []
    for points, means, scales in zip(*(torch.split(one, BATCH) for one in every), strict=True):
        logs = sum(
            log_normal(points[:, d, None], means[:, d], scales[:, d].square())
            for d in range(points.shape[1])
        )
        density = torch.logsumexp(torch.as_tensor(logs), 1) - math.log(count * len(points))
        ratios.append(density - log_normal(points).sum(1))
    return float(torch.cat(ratios).mean())


def discriminator(z: Tensor, train_z: Tensor, seed: int, generator: torch.Generator) -> float:
    """The mean logit, at held-out z, of a network that tells z of q from draws of the prior.

    Two hidden layers of `HIDDEN` units, `EPOCHS` epochs of Adam at 1e-3 in batches of 200, trained
    on N of each; the logit of the best network is log q - log p.

    Args:
        z: where the logit is taken, shape (n, D).
        train_z: to train on, shape (N, D).
        seed: of the network.
        generator: of the draws of the prior and the batches.

    Returns:
        The estimate, in nats.
    """
    count, dimensions = train_z.shape
    points = torch.cat([train_z, normal(count, dimensions, generator)]).float()
    labels = torch.arange(2 * count).lt(count).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(dimensions, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(2 * count, generator=generator), _ROWS):
            optimizer.zero_grad()
            logits = network(points[rows])[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[rows])
            torch.autograd.backward(loss)
            optimizer.step()
    with torch.no_grad():
        return float(network(z.float()).double().mean())
