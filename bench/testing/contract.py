"""What a contract test raises, and the small model that components are tried in."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from bench.testing.promises import BrokenError
from vaelib.likelihoods import Bernoulli
from vaelib.models import VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.priors import Normal
from vaelib.seeding import global_stream

__all__ = ["DOUBLE", "IMAGE", "ContractError", "require", "small_model"]

DOUBLE = torch.float64

IMAGE = (1, 8, 8)
"""Shape of a data point of the small model."""


class ContractError(AssertionError):
    """A component does not do what the suite expects of its kind.

    Attributes:
        problems: one sentence for each broken promise.
    """

    def __init__(self, name: str, kind: str, problems: Sequence[str]) -> None:
        super().__init__("\n- ".join([f"{name} breaks the contract of {kind}:", *problems]))
        self.problems = list(problems)


def require(target: object, kind: str, sentences: Iterator[str]) -> None:
    """Raise what is wrong with a component, if anything is.

    Args:
        target: the class or function.
        kind: as in "a prior".
        sentences: what is wrong; a ``BrokenError`` ends them.

    Raises:
        ContractError: with every sentence.
    """
    problems = []
    try:
        if not callable(target):
            problems.append(f"expected a class or a function, got {target!r}")
        problems += [] if problems else sentences
    except BrokenError as error:
        problems.append(str(error))
    if problems:
        raise ContractError(getattr(target, "__name__", str(target)), kind, problems)


def small_model(seed: int, prior: Any = None) -> VAE:  # noqa: ANN401
    """A small model, with the prior that is tested or the standard normal.

    Args:
        seed: of its weights.
        prior: without one, N(0, I) with D = 2.

    Returns:
        The model, for data of shape ``IMAGE``.
    """
    prior = Normal(2) if prior is None else prior
    with global_stream("contract model", seed):
        return VAE(
            MLPEncoder(IMAGE, 2 * prior.latent_dim, hidden=(8,)),
            prior,
            MLPDecoder(prior.latent_dim, IMAGE, hidden=(8,)),
            Bernoulli(IMAGE),
        )
