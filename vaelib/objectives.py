"""Training objectives.

An objective turns a model, a batch and its noise into the loss of one model: averaged over the
batch, in nats per data point, and computed on the last axes, so that a leading replicate axis
passes through. One that has parameters of its own, such as a discriminator, trains them with the
model. Keyword-only arguments are the options that a matrix may set.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaelib.models import VAE
from vaelib.priors import Normal, Prior, Uniform
from vaelib.stacked import Linear
from vaelib.stats.mmd import mmd_squared_loss

__all__ = [
    "OBJECTIVES",
    "DIP",
    "ELBO",
    "IWAE",
    "WAE",
    "AdversarialAE",
    "Autoencoder",
    "BetaTC",
    "InfoVAE",
    "Objective",
    "RegularisedAE",
]


class Objective(nn.Module):
    """Base of the objectives.

    Args:
        latent_dim: D.
        points: N, the training points.

    Attributes:
        draws: K, latent draws per data point and step.
        deterministic: whether the encoder gives points instead of posteriors.
        priors: the kinds of prior it can train with.
    """

    stackable = True
    draws = 1
    deterministic = False
    priors: tuple[type[Prior], ...] = (Prior,)

    def __init__(self, latent_dim: int, points: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.points = points

    def check(self, model: VAE) -> None:
        """Refuse a model that it cannot train.

        Args:
            model: the model.

        Raises:
            ValueError: for a prior that does not fit.
        """
        if not isinstance(model.prior, self.priors):
            fitting = " or ".join(kind.__name__ for kind in self.priors)
            raise ValueError(
                f"objective {type(self).__name__} expects a prior {fitting}, "
                f"got {type(model.prior).__name__}"
            )

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point.

        Args:
            model: the model.
            x: batch, shape (..., n, *data_shape).
            noise: standard normal draws, shape (..., K n, D); draw k of data point i is row
                k n + i.
            progress: share of the training steps that are done, in [0, 1).
        """
        raise NotImplementedError


def _not_negative(**options: float) -> None:
    for name, value in options.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must not be negative, got {value}")


class ELBO(Objective):
    """Negative evidence lower bound, its KL term weighted by beta.

    Args:
        latent_dim: D.
        points: N, the training points.
        beta: weight of the KL term; 1 gives the bound itself.
        warmup: share of the training over which the weight rises from 0 to beta.

    Raises:
        ValueError: for a negative beta or a warm-up outside [0, 1].

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
        Higgins et al., beta-VAE, 2017.
        Sønderby et al., Ladder variational autoencoders, 2016 (warm-up).
    """

    def __init__(
        self, latent_dim: int, points: int, *, beta: float = 1.0, warmup: float = 0.0
    ) -> None:
        super().__init__(latent_dim, points)
        _not_negative(beta=beta)
        if not 0 <= warmup <= 1:
            raise ValueError(f"warmup must be a share of the training in [0, 1], got {warmup}")
        self.beta = beta
        self.warmup = warmup

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        beta = self.beta
        if progress < self.warmup:
            beta *= progress / self.warmup
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        return (beta * model.rate(mean, scale, z) - model.log_likelihood(x, z)).mean(-1)


class IWAE(Objective):
    """Negative importance weighted bound, -log of the mean of K weights p(x, z) / q(z|x).

    One draw gives the ELBO with its KL estimated from the draw.

    Args:
        latent_dim: D.
        points: N, the training points.
        draws: K.

    Raises:
        ValueError: for K below 1.

    References:
        Burda et al., Importance weighted autoencoders, 2016.
    """

    def __init__(self, latent_dim: int, points: int, *, draws: int = 5) -> None:
        super().__init__(latent_dim, points)
        if draws < 1:
            raise ValueError(f"draws must be at least 1, got {draws}")
        self.draws = draws

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = (torch.cat([part] * self.draws, -2) for part in model.encode(x))
        copies = torch.cat([x] * self.draws, -1 - len(model.likelihood.data_shape))
        z = model.draw(mean, scale, noise)
        log_weight = model.log_likelihood(copies, z) - model.log_ratio(mean, scale, z)
        log_weight = log_weight.view(*log_weight.shape[:-1], self.draws, -1)
        return (math.log(self.draws) - log_weight.logsumexp(-2)).mean(-1)


class BetaTC(Objective):
    """beta-TCVAE: the KL term in three parts, the total correlation weighted by beta.

        KL = I(n; z) + KL(q(z) || prod_j q(z_j)) + [E log prod_j q(z_j) - log p(z)]

    The densities of the aggregate posterior are estimated on the batch with stratified weights: 1/N
    for the component that z was drawn from, (N - 1) / N shared by the others of the batch. With
    all weights 1 the loss is that of IWAE with one draw.

    Args:
        latent_dim: D.
        points: N, the training points.
        alpha: weight of the mutual information.
        beta: weight of the total correlation.
        gamma: weight of the dimension-wise part.

    Raises:
        ValueError: for a negative weight.

    References:
        Chen et al., Isolating sources of disentanglement in VAEs, 2018.
    """

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
    ) -> None:
        super().__init__(latent_dim, points)
        _not_negative(alpha=alpha, beta=beta, gamma=gamma)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        logs = model.family.log_prob_per_dimension(
            z.unsqueeze(-2), mean.unsqueeze(-3), scale.unsqueeze(-3)
        )
        weights = stratified_log_weights(mean.shape[-2], self.points).to(z)
        joint = (logs.sum(-1) + weights).logsumexp(-1)
        product = (logs + weights.unsqueeze(-1)).logsumexp(-2).sum(-1)
        own = model.family.log_prob(z, mean, scale)
        prior = own - model.log_ratio(mean, scale, z)
        information, correlation, rest = own - joint, joint - product, product - prior
        cost = self.alpha * information + self.beta * correlation + self.gamma * rest
        return (cost - model.log_likelihood(x, z)).mean(-1)


def stratified_log_weights(batch: int, points: int) -> Tensor:
    """Log weights with which a batch estimates the density of the aggregate posterior.

    Over the batches that hold i, the mean of sum_j w_ij q_j(z) is q_N(z).

    Args:
        batch: B points in the batch, drawn without replacement.
        points: N points in all.

    Returns:
        log w_ij of shape (B, B): w_ii = 1 / N and w_ij = (N - 1) / (N (B - 1)).
    """
    others = (points - 1) / (points * (batch - 1)) if batch > 1 else 1.0
    own = torch.eye(batch, dtype=torch.bool)
    return torch.full((batch, batch), math.log(others)).masked_fill(own, -math.log(points))


class DIP(Objective):
    """DIP-VAE: the ELBO, and the covariance of the aggregate posterior drawn to the identity.

    Kind I takes the covariance of the posterior means, kind II that of z itself; both over the
    batch.

    Args:
        latent_dim: D.
        points: N, the training points.
        kind: ``"I"`` or ``"II"``.
        off_diagonal: weight of the squared covariances.
        diagonal: weight of the squared departures of the variances from 1.

    Raises:
        ValueError: for a negative weight.

    References:
        Kumar et al., Variational inference of disentangled latent concepts, 2018.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        kind: Literal["I", "II"] = "II",
        off_diagonal: float = 10.0,
        diagonal: float = 10.0,
    ) -> None:
        super().__init__(latent_dim, points)
        _not_negative(off_diagonal=off_diagonal, diagonal=diagonal)
        if kind not in ("I", "II"):
            raise ValueError(f"kind must be I or II, got {kind!r}")
        self.kind = kind
        self.off_diagonal = off_diagonal
        self.diagonal = diagonal

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        bound = (model.log_likelihood(x, z) - model.rate(mean, scale, z)).mean(-1)
        offset = mean - mean.mean(-2, keepdim=True)
        covariance = offset.mT @ offset / mean.shape[-2]
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        off = covariance.square().sum((-2, -1)) - variance.square().sum(-1)
        if self.kind == "II":
            variance = variance + scale.square().mean(-2)
        return self.off_diagonal * off + self.diagonal * (variance - 1).square().sum(-1) - bound


class InfoVAE(Objective):
    """InfoVAE: the ELBO with part of its KL replaced by an MMD to the prior.

        -E log p(x|z) + (1 - alpha) KL(q(z|x) || p) + (alpha + weight - 1) MMD²(q, p)

    The MMD is the ``mmd_squared`` that is reported: Gaussian kernel, closed form on the side of the
    prior, unbiased, here on one z per point of the batch.

    Args:
        latent_dim: D.
        points: N, the training points.
        alpha: share of the KL that is left out; 1 gives an MMD-VAE.
        weight: lambda.
        bandwidths: of the kernel, in units of √D; the mean over them. 1 is the reported one.

    Raises:
        ValueError: for a weight or bandwidth that is not positive, or an alpha outside [0, 1].

    References:
        Zhao et al., InfoVAE: balancing learning and inference in variational autoencoders, 2019.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        alpha: float = 0.5,
        weight: float = 100.0,
        bandwidths: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(latent_dim, points)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {alpha}")
        if not weight > 0:
            raise ValueError(f"weight must be positive, got {weight}")
        self.alpha = alpha
        self.weight = weight
        self.bandwidths = _bandwidths(bandwidths, latent_dim)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        discrepancy = mmd_squared_loss(z, self.bandwidths).mean(-1)
        rate = (1 - self.alpha) * model.rate(mean, scale, z)
        loss = (rate - model.log_likelihood(x, z)).mean(-1)
        return loss + (self.alpha + self.weight - 1) * discrepancy


def _bandwidths(factors: Sequence[float], latent_dim: int) -> tuple[float, ...]:
    if not factors or not all(0 < factor < math.inf for factor in factors):
        raise ValueError(f"bandwidths must hold positive numbers, got {list(factors)}")
    return tuple(factor * latent_dim**0.5 for factor in factors)


class WAE(Objective):
    """WAE-MMD: reconstruction, and an MMD that draws the encoded data to the prior.

    The MMD is the ``mmd_squared`` that is reported, see ``InfoVAE``.

    Args:
        latent_dim: D.
        points: N, the training points.
        weight: lambda, of MMD².
        encoder: whether z is a point or drawn from a Gaussian posterior.
        bandwidths: of the kernel, in units of √D; the mean over them. 1 is the reported one.

    Raises:
        ValueError: for a weight or bandwidth that is not positive.

    References:
        Tolstikhin et al., Wasserstein auto-encoders, 2018.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        weight: float = 100.0,
        encoder: Literal["deterministic", "gaussian"] = "deterministic",
        bandwidths: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(latent_dim, points)
        if not weight > 0:
            raise ValueError(f"weight must be positive, got {weight}")
        self.weight = weight
        self.deterministic = encoder == "deterministic"
        self.bandwidths = _bandwidths(bandwidths, latent_dim)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        discrepancy = mmd_squared_loss(z, self.bandwidths).mean(-1)
        return self.weight * discrepancy - model.log_likelihood(x, z).mean(-1)


class Autoencoder(Objective):
    """Plain autoencoder: reconstruction alone; latents are points."""

    deterministic = True
    priors = (Normal, Uniform)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        return -model.log_likelihood(x, z).mean(-1)


class RegularisedAE(Objective):
    """RAE-L2: reconstruction, |z|² / 2 and the decoder's squared weights; latents are points.

    Args:
        latent_dim: D.
        points: N, the training points.
        beta: weight of |z|² / 2.
        decay: weight of the sum of the decoder's squared parameters.

    Raises:
        ValueError: for a negative weight.

    References:
        Ghosh et al., From variational to deterministic autoencoders, 2020.
    """

    deterministic = True
    priors = (Normal,)

    def __init__(
        self, latent_dim: int, points: int, *, beta: float = 0.1, decay: float = 1e-3
    ) -> None:
        super().__init__(latent_dim, points)
        _not_negative(beta=beta, decay=decay)
        self.beta = beta
        self.decay = decay

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        replicates = z.dim() - 2
        squares = [p.square().flatten(replicates).sum(-1) for p in model.decoder.parameters()]
        norm = 0.5 * z.square().sum(-1)
        loss = (self.beta * norm - model.log_likelihood(x, z)).mean(-1)
        return loss + self.decay * torch.stack(squares).sum(0)


class AdversarialAE(Objective):
    """Adversarial autoencoder: a discriminator of z against the prior, trained along.

    The encoder minimises -log D(z), the discriminator the cross-entropy; each sees the other's
    parameters as constants, so one optimiser serves both.

    Args:
        latent_dim: D.
        points: N, the training points.
        weight: of the encoder's adversarial term.
        encoder: whether z is a point or drawn from a Gaussian posterior.
        hidden: sizes of the discriminator's hidden layers.

    Raises:
        ValueError: for a weight or size that is not positive.

    References:
        Makhzani et al., Adversarial autoencoders, 2015.
    """

    draws = 2  # the second is the prior's
    priors = (Normal, Uniform)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        weight: float = 1.0,
        encoder: Literal["deterministic", "gaussian"] = "deterministic",
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__(latent_dim, points)
        if not weight > 0:
            raise ValueError(f"weight must be positive, got {weight}")
        if any(size < 1 for size in hidden):
            raise ValueError(f"hidden must be a list of positive sizes, got {list(hidden)}")
        self.weight = weight
        self.deterministic = encoder == "deterministic"
        layers: list[nn.Module] = []
        for inputs, outputs in zip([latent_dim, *hidden], [*hidden, 1], strict=True):
            layers += [Linear(inputs, outputs), nn.ReLU()]
        self.discriminator = nn.Sequential(*layers[:-1])

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        own, other = noise.chunk(2, -2)
        z, real = model.draw(*model.encode(x), own), model.prior.from_noise(other)
        held = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        judged: Tensor = torch.func.functional_call(self.discriminator, held, (z,))
        fooled = self.weight * F.softplus(-judged).mean((-2, -1))
        right = F.softplus(-self.discriminator(real)) + F.softplus(self.discriminator(z.detach()))
        return fooled + right.mean((-2, -1)) - model.log_likelihood(x, z).mean(-1)


OBJECTIVES: dict[str, type[Objective]] = {
    "elbo": ELBO,
    "iwae": IWAE,
    "tcvae": BetaTC,
    "infovae": InfoVAE,
    "wae": WAE,
    "dip": DIP,
    "ae": Autoencoder,
    "rae": RegularisedAE,
    "aae": AdversarialAE,
}
