"""Where generated latents come from: the prior, the aggregate posterior, or a density fitted to it.

A sampler is made from what a trained model gives and has one method, ``sample(count, generator)``.
Those that are fitted see one fresh z per training input and nothing else, and draw their rows in
random order.

References:
    Ghosh et al. (2020), From variational to deterministic autoencoders, ICLR (mixtures, ex post).
    Dai and Wipf (2019), Diagnosing and enhancing VAE models, ICLR (the second stage).
    Durkan et al. (2019), Neural spline flows, NeurIPS.
"""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from vaelib.likelihoods import LearnedGaussian
from vaelib.models import VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.numerics.matmul import float32_products
from vaelib.numerics.subnormals import subnormals_flushed
from vaelib.objectives import ELBO
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.seeding import global_stream, stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import Stack
from vaelib.stats.stack.fitted import fit_candidates, log_ratios
from vaelib.stats.stack.weights import stack_weights, with_prior
from vaelib.training import Training, train

__all__ = [
    "LATENT_SOURCES",
    "AggregateSampler",
    "FlowSampler",
    "LatentSampler",
    "Latents",
    "MixtureSampler",
    "PriorSampler",
    "StackSampler",
    "TwoStageSampler",
]

_COMPONENTS = 10


@dataclass(frozen=True)
class Latents:
    """What a trained model offers to sample from.

    Attributes:
        prior: p(z).
        train: the aggregate posterior of the training inputs.
        heldout: that of inputs which neither the model nor a sampler was fitted to.
        seed: of the streams that fitting draws from.
    """

    prior: Prior
    train: AggregatePosterior
    heldout: AggregatePosterior
    seed: int

    def training_points(self) -> Tensor:
        """One fresh z per training input, shape (N, D), float64."""
        return self.train.sample(stream("latents to fit", self.seed))[0].cpu()


class LatentSampler(Protocol):
    """Something to draw latents from."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64, in random order."""


class _Standardised:
    """Points brought to mean 0 and deviation 1 in every dimension, and back.

    Args:
        z: shape (N, D).
    """

    def __init__(self, z: Tensor) -> None:
        self.centre, self.deviation = z.mean(0), z.std(0).clamp(min=1e-12)

    def forth(self, z: Tensor) -> Tensor:
        """Points of shape (n, D) in standard coordinates."""
        return (z - self.centre) / self.deviation

    def back(self, points: Tensor) -> Tensor:
        """Points of shape (n, D) in the coordinates of the latents."""
        return points * self.deviation + self.centre

    def log_jacobian(self) -> Tensor:
        """What the log density in standard coordinates exceeds that of the latents by, in nats."""
        return self.deviation.log().sum()


class PriorSampler:
    """The prior itself.

    Args:
        latents: what the model offers.
    """

    def __init__(self, latents: Latents) -> None:
        self.prior = latents.prior

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64; a ValueError where the prior has none."""
        try:
            return self.prior.sample(count, generator).double().cpu()
        except NotImplementedError:
            kind = type(self.prior).__name__
            raise ValueError(
                f"prior must have sample to draw from it, got {kind} without"
            ) from None


class AggregateSampler:
    """Fresh z of held-out inputs: what sampling would give if the prior were q(z).

    Args:
        latents: what the model offers.
    """

    def __init__(self, latents: Latents) -> None:
        self.posterior = latents.heldout

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64: as many of each input, up to one, in random order."""
        draws = -(-count // self.posterior.components)
        z = self.posterior.sample(generator, draws).flatten(0, 1).cpu()
        return z[torch.randperm(len(z), generator=generator)[:count]]


class MixtureSampler:
    """A mixture of ten full-covariance Gaussians, fitted by expectation maximisation.

    Args:
        latents: what the model offers.

    Raises:
        ValueError: for fewer training inputs than components.
    """

    def __init__(self, latents: Latents) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        z = latents.training_points()
        if len(z) < _COMPONENTS:
            raise ValueError(
                f"a mixture of {_COMPONENTS} components needs as many training inputs, got {len(z)}"
            )
        self.standard = _Standardised(z)
        fitted = GaussianMixture(_COMPONENTS, max_iter=200, random_state=latents.seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are as good a fit
            fitted.fit(self.standard.forth(z).numpy())
        self.weights = torch.from_numpy(fitted.weights_)
        self.means = torch.from_numpy(fitted.means_)
        self.roots = torch.linalg.cholesky(torch.from_numpy(fitted.covariances_))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64; each chooses its component by itself."""
        kind = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        z: Tensor = self.means[kind] + (self.roots[kind] @ noise.unsqueeze(-1)).squeeze(-1)
        return self.standard.back(z)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of shape (n,), in nats, at z of shape (n, D)."""
        offset = self.standard.forth(z).unsqueeze(-2) - self.means
        solved = torch.linalg.solve_triangular(self.roots, offset.unsqueeze(-1), upper=False)
        logs = -0.5 * solved.square().sum((-2, -1)) - 0.5 * z.shape[1] * math.log(2 * math.pi)
        logs = logs - self.roots.diagonal(dim1=-2, dim2=-1).log().sum(-1) + self.weights.log()
        mixed: Tensor = logs.logsumexp(-1)
        return mixed - self.standard.log_jacobian()


class FlowSampler:
    """A neural spline flow, stopped early on a tenth of the training latents.

    Args:
        latents: what the model offers.

    Raises:
        ValueError: for fewer than 20 training inputs.
    """

    _STEPS, _EVERY, _PATIENCE, _BATCH, _RATE = 1000, 50, 4, 256, 3e-3

    def __init__(self, latents: Latents) -> None:
        import zuko

        z = latents.training_points()
        if len(z) < 20:
            raise ValueError(f"a flow needs at least 20 training inputs, got {len(z)}")
        self.standard = _Standardised(z)
        points = self.standard.forth(z).float()
        generator = stream("flow batches", latents.seed)
        order = torch.randperm(len(points), generator=generator)
        held, fit = points[order[: len(z) // 10]], points[order[len(z) // 10 :]]
        with global_stream("flow", latents.seed):
            self.flow: nn.Module = zuko.flows.NSF(
                z.shape[1], transforms=2, bins=8, hidden_features=(64, 64)
            )
        self._fit(fit, held, generator)

    @subnormals_flushed()
    @float32_products()
    def _fit(self, fit: Tensor, held: Tensor, generator: torch.Generator) -> None:
        optimizer = torch.optim.Adam(self.flow.parameters(), lr=self._RATE, fused=True)
        best, state, waited = -math.inf, copy.deepcopy(self.flow.state_dict()), 0
        for step in range(1, self._STEPS + 1):
            batch = fit[torch.randint(len(fit), (self._BATCH,), generator=generator)]
            optimizer.zero_grad()
            torch.autograd.backward(-self.flow().log_prob(batch).mean())
            optimizer.step()
            if step % self._EVERY:
                continue
            with torch.no_grad():
                reached = float(self.flow().log_prob(held).mean())
            if reached > best:
                best, state, waited = reached, copy.deepcopy(self.flow.state_dict()), 0
            else:
                waited += 1
                if waited == self._PATIENCE:
                    break
        self.flow.load_state_dict(state)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64."""
        noise = torch.randn(count, len(self.standard.centre), generator=generator)
        z: Tensor = self.flow().transform.inv(noise)
        return self.standard.back(z.double())

    @torch.no_grad()
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of shape (n,), in nats, at z of shape (n, D)."""
        points = self.standard.forth(z).float()
        logs: Tensor = self.flow().log_prob(points).double()
        return logs - self.standard.log_jacobian()


class TwoStageSampler:
    """A second VAE whose data are the latents, of the same dimension, with a learned noise scale.

    Args:
        latents: what the model offers.

    Raises:
        ValueError: if its training diverges.
    """

    _TRAINING = Training(steps=1500, batch_size=256, learning_rate=2e-3)
    # Of the decoder's noise at first, in deviations of the latents. At 1, codes that are nearly
    # N(0, I) as a whole are an optimum for a decoder that ignores its input.
    _SCALE = 0.3

    def __init__(self, latents: Latents) -> None:
        z = latents.training_points()
        self.standard, size = _Standardised(z), z.shape[1]
        points = self.standard.forth(z).float()
        with global_stream("second stage", latents.seed):
            self.model = VAE(
                MLPEncoder((size,), 2 * size, hidden=(128, 128)),
                Normal(size),
                MLPDecoder(size, (size,), hidden=(128, 128)),
                LearnedGaussian((size,), scale=self._SCALE),
            )
        index, objective = torch.arange(len(points)).unsqueeze(0), ELBO(size, len(points))
        (outcome,) = train([self.model], points, index, [objective], self._TRAINING, [latents.seed])
        if outcome.diverged_at is not None:
            raise ValueError(f"the second stage diverged at step {outcome.diverged_at}")

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64."""
        output = self.model.decoder(self.model.prior.sample(count, generator))
        z = self.model.likelihood.sample(output, generator)
        return self.standard.back(z.double())


class StackSampler:
    """The stack of densities by which the certified mismatch is measured, fitted to z anew.

    Candidates are fitted to four fifths of the training inputs and weighted by the others, so that
    its gain over the prior, in nats, and its images stand side by side.

    Args:
        latents: what the model offers.

    Raises:
        ValueError: for latents that no candidate can be fitted to.
    """

    _WEIGHED, _PRIOR = 0.2, 0.02

    def __init__(self, latents: Latents) -> None:
        z, q = latents.training_points(), latents.train
        gaussian = type(q) is AggregatePosterior
        data = Posteriors(q.mean.cpu(), q.scale.cpu()) if gaussian else Posteriors(z, 0 * z)
        generator = stream("stack", latents.seed)
        order = torch.randperm(len(z), generator=generator)
        few = round(self._WEIGHED * len(z))
        held, fit = order[:few], order[few:]
        prior = (
            None if type(latents.prior) is Normal else copy.deepcopy(latents.prior).cpu().double()
        )
        candidates = fit_candidates(data.part(fit), generator, prior=prior)
        weights = stack_weights(log_ratios(candidates, z[held]))
        self.stack = Stack(candidates, with_prior(weights, self._PRIOR))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of shape (count, D), float64."""
        return self.stack.sample(count, generator)

    @torch.no_grad()
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of shape (n,), in nats, at z of shape (n, D)."""
        return self.stack.log_prob(z)


LATENT_SOURCES: dict[str, Callable[[Latents], LatentSampler]] = {
    "prior": PriorSampler,
    "aggregate": AggregateSampler,
    "gmm": MixtureSampler,
    "flow": FlowSampler,
    "repaired": StackSampler,
    "two_stage": TwoStageSampler,
}
