"""Priors p(z), each with the family of posteriors that goes with it.

Keyword-only arguments are the options that a matrix may set.
"""

import math
from collections.abc import Callable, Sequence

import torch
import zuko
from torch import Tensor, nn

from vaelib.families import BoxFamily, Family, GaussianFamily

__all__ = ["PRIORS", "Flow", "Mixture", "Normal", "Prior", "Uniform", "VampPrior"]

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Data of shape (..., *data_shape) in, posterior mean and scale of shape (..., D) out."""


class Prior(nn.Module):
    """Base of the priors.

    Args:
        latent_dim: D.

    Attributes:
        family: the posteriors that go with it.
        closed_form: whether ``kl`` is known; otherwise the rate is a Monte Carlo estimate.
        learned: whether it has parameters that train with the model.

    Raises:
        ValueError: for D below 1.
    """

    stackable = True
    family: Family = GaussianFamily()
    closed_form = True
    learned = False

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim = latent_dim

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of shape (...), in nats, for z of shape (..., D)."""
        raise NotImplementedError

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        raise NotImplementedError

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """KL(q(z|x) || p) of each posterior of the family, in nats.

        Args:
            mean: posterior means, shape (..., D).
            scale: posterior standard deviations, shape (..., D).

        Returns:
            One divergence per posterior, shape (...).
        """
        raise NotImplementedError

    def rate(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """The KL of each posterior in closed form, or its unbiased estimate from draws.

        Args:
            mean: posterior means, shape (..., D).
            scale: posterior standard deviations, shape (..., D).
            z: draws of these posteriors, shape (..., D).

        Returns:
            ``kl`` where it is known, else log q(z|x) - log p(z), shape (...), in nats.
        """
        if self.closed_form:
            return self.kl(mean, scale)
        return self.log_ratio(mean, scale, z)

    def log_ratio(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """log q(z|x) - log p(z), shape (...), in nats; arguments as for ``rate``."""
        return self.family.log_prob(z, mean, scale) - self.log_prob(z)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Draws of the prior, shape (..., D), from standard normal noise of that shape."""
        raise NotImplementedError

    def bind(self, data_shape: Sequence[int]) -> None:
        """Told the shape of one data point when a model is built."""

    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Told the training data before training.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
        """

    def resolve(self, encode: Encode) -> "Prior":
        """The prior at the present parameters of the encoder: itself, unless it depends on them.

        Args:
            encode: of the model.

        Returns:
            A prior that can be evaluated and sampled.
        """
        return self


class Normal(Prior):
    """The standard normal N(0, I).

    Args:
        latent_dim: D.

    Example:
        >>> prior = Normal(2)
        >>> prior.kl(torch.zeros(1, 2), torch.ones(1, 2))
        tensor([0.])
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; 0, I), shape (...), in nats."""
        return -0.5 * (z.square().sum(-1) + self.latent_dim * math.log(2 * math.pi))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        return torch.randn(count, self.latent_dim, generator=generator)

    def from_noise(self, noise: Tensor) -> Tensor:
        """The noise itself."""
        return noise

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of (scale^2 + mean^2 - 1) / 2 - log scale, shape (...)."""
        return 0.5 * (scale.square() + mean.square() - 1 - 2 * scale.log()).sum(-1)


class Uniform(Prior):
    """Uniform on [low, high]^D, with posteriors that are uniform on boxes inside it.

    Under the whole KL term from the first step on boxes soon widen to the support and stay there; a
    warm-up of it prevents that.

    Args:
        latent_dim: D.
        low: lower end in every dimension.
        high: upper end.

    Raises:
        ValueError: for a D below 1 or ends that are not in order.

    Example:
        >>> prior = Uniform(1, low=0.0, high=10.0)
        >>> prior.kl(torch.tensor([[0.5]]), torch.tensor([[12**-0.5]]))  # the block from 0 to 1
        tensor([2.3026])
    """

    def __init__(self, latent_dim: int, *, low: float = 0.0, high: float = 10.0) -> None:
        super().__init__(latent_dim)
        if not low < high:
            raise ValueError(f"low must be below high, got {low:g} and {high:g}")
        self.low = low
        self.high = high
        self.family = BoxFamily(low, high)

    def log_prob(self, z: Tensor) -> Tensor:
        """-D log(high - low) inside, -inf outside, shape (...), in nats."""
        inside = ((z >= self.low) & (z <= self.high)).all(-1)
        return z.new_zeros(()).where(inside, -math.inf) - self.latent_dim * self._log_range

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        uniform = torch.rand(count, self.latent_dim, generator=generator)
        return self.low + (self.high - self.low) * uniform

    def from_noise(self, noise: Tensor) -> Tensor:
        """Uniform draws by the normal distribution function, shape (..., D)."""
        uniform: Tensor = torch.special.ndtr(noise)
        return self.low + (self.high - self.low) * uniform

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of log((high - low) / width), width = sqrt(12) scale."""
        return (self._log_range - 0.5 * math.log(12) - scale.log()).sum(-1)

    @property
    def _log_range(self) -> float:
        return math.log(self.high - self.low)


class _GaussianMixture(Prior):
    """A mixture of diagonal Gaussians; its parts may carry a leading replicate axis."""

    closed_form = False

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """log sum_k w_k N(z; mean_k, diag scale_k^2), shape (...), in nats."""
        mean, scale, log_weight = self.parts()
        if mean.dim() > 2:  # replicates: one set of parts for all points of each
            mean, scale, log_weight = (v.unsqueeze(1) for v in (mean, scale, log_weight))
        logs = self.family.log_prob(z.unsqueeze(-2), mean, scale)
        return (logs + log_weight).logsumexp(-1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        mean, scale, log_weight = (value.cpu() for value in self.parts())
        chosen = torch.multinomial(log_weight.exp(), count, replacement=True, generator=generator)
        noise = torch.randn(count, self.latent_dim, generator=generator)
        return mean[chosen] + scale[chosen] * noise


class Mixture(_GaussianMixture):
    """A mixture of diagonal Gaussians whose weights, means and scales train with the model.

    At the start the means are draws of N(0, 3/4) and the scales 1/2, so it is close to N(0, I).

    Args:
        latent_dim: D.
        components: K.

    Raises:
        ValueError: for a D or K below 1.

    References:
        Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture VAEs, 2016.
    """

    learned = True

    def __init__(self, latent_dim: int, *, components: int = 10) -> None:
        super().__init__(latent_dim)
        _check_components(components)
        self.mean = nn.Parameter(0.75**0.5 * torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.full((components, latent_dim), math.log(0.5)))
        self.logits = nn.Parameter(torch.zeros(components))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        return self.mean, self.log_scale.exp(), self.logits.log_softmax(-1)

    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Refuse more components than training points.

        Args:
            x: training points, shape (N, *data_shape).
            generator: not used.
        """
        _check_components(len(self.logits), len(x))


class VampPrior(_GaussianMixture):
    """The mean of the posteriors of K pseudo-inputs, which train with the model.

    Pseudo-inputs start as distinct training points and are not confined to the data's range. The
    prior depends on the encoder: ``resolve`` gives the mixture of the moment.

    Args:
        latent_dim: D.
        components: K.

    Raises:
        ValueError: for a D or K below 1.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018.
    """

    learned = True

    def __init__(self, latent_dim: int, *, components: int = 50) -> None:
        super().__init__(latent_dim)
        _check_components(components)
        self.components = components

    def bind(self, data_shape: Sequence[int]) -> None:
        """Make the pseudo-inputs, uniform on [0, 1] until training begins."""
        self.inputs = nn.Parameter(torch.rand(self.components, *data_shape))

    @torch.no_grad()
    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Begin with K distinct training points.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
        """
        _check_components(self.components, len(x))
        chosen = torch.randperm(len(x), generator=generator)[: self.components]
        self.inputs.copy_(x[chosen.to(x.device)])

    def resolve(self, encode: Encode) -> Prior:
        """The mixture of the pseudo-inputs' posteriors.

        Args:
            encode: of the model.

        Returns:
            A mixture of K components of equal weight.
        """
        return _Fixed(*encode(self.inputs))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Not known without the encoder.

        Raises:
            ValueError: always.
        """
        raise ValueError("a VampPrior depends on its encoder: use model.resolved_prior()")


class _Fixed(_GaussianMixture):
    """A mixture of K components of equal weight that are given."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__(mean.shape[-1])
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        return mean, scale, torch.full_like(mean[..., 0], -math.log(mean.shape[-2]))


def _check_components(components: int, points: int | None = None) -> None:
    if components < 1:
        raise ValueError(f"components must be at least 1, got {components}")
    if points is not None and components > points:
        raise ValueError(
            f"components must be at most the {points} training points, got {components}"
        )


class Flow(Prior):
    """A neural spline flow, autoregressive, that trains with the model from close to N(0, I).

    Args:
        latent_dim: D.
        transforms: autoregressive layers.
        hidden: sizes of the hidden layers of each.
        bins: of each spline, on [-5, 5]; outside, a layer is the identity.

    Raises:
        ValueError: for a D, a number of transforms or a size below 1, or fewer than 2 bins.

    References:
        Durkan et al., Neural spline flows, 2019.
        Chen et al., Variational lossy autoencoder, 2017 (flow priors).
    """

    stackable = False
    closed_form = False
    learned = True

    def __init__(
        self,
        latent_dim: int,
        *,
        transforms: int = 3,
        hidden: Sequence[int] = (32, 32),
        bins: int = 8,
    ) -> None:
        super().__init__(latent_dim)
        if transforms < 1 or bins < 2 or any(size < 1 for size in hidden):
            raise ValueError(
                "expected transforms >= 1, hidden sizes >= 1 and bins >= 2, "
                f"got {transforms}, {list(hidden)} and {bins}"
            )
        self.flow = zuko.flows.NSF(
            latent_dim, transforms=transforms, hidden_features=hidden, bins=bins
        )
        with torch.no_grad():  # splines of small parameters are close to the identity
            for name, parameter in self.flow.named_parameters():
                if name.rpartition(".")[0].endswith(f"hyper.{2 * len(hidden)}"):
                    parameter.mul_(0.1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) by the change of variables, shape (...), in nats."""
        weight = next(self.flow.parameters())
        value: Tensor = self.flow().log_prob(z.to(weight.dtype))
        return value

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        weight = next(self.flow.parameters())
        noise = torch.randn(count, self.latent_dim, generator=generator)
        z: Tensor = self.flow().transform.inv(noise.to(weight))
        return z.cpu()


PRIORS: dict[str, type[Prior]] = {
    "normal": Normal,
    "uniform": Uniform,
    "mixture": Mixture,
    "vampprior": VampPrior,
    "flow": Flow,
}
