"""What all objectives share."""

import math

from torch import Tensor, nn

from vaelib.models import VAE
from vaelib.priors import Prior

__all__ = ["Objective", "not_negative", "positive"]


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

    replicable = True
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


def not_negative(**options: float) -> None:
    """Refuse weights below 0.

    Args:
        **options: by name.

    Raises:
        ValueError: for one that is negative or not finite.
    """
    for name, value in options.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must not be negative, got {value}")


def positive(**options: float) -> None:
    """Refuse weights that are not above 0.

    Args:
        **options: by name.

    Raises:
        ValueError: for one that is 0, negative or not a number.
    """
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
