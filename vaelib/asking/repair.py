"""What do I sample from instead? A sampler fitted to latents, asked from Python."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vaelib.arguments.plain import as_seed, check_flag
from vaelib.arguments.tables import Table, as_numbers
from vaelib.arguments.tensors import as_tensor
from vaelib.asking.density import prior_of
from vaelib.asking.taken import posteriors_of
from vaelib.asking.threads import fastest, on_threads
from vaelib.audits.answers import name_of
from vaelib.priors import Normal, Prior, Uniform

if TYPE_CHECKING:
    from vaelib.samplers.repair import Repaired

__all__ = ["repair"]


def repair(
    mean: Table,
    scale: Table | None = None,
    heldout: tuple[Table, Table | None] | None = None,
    prior: str | Prior = "normal",
    *,
    groups: Table | None = None,
    plain: bool = False,
    seed: int = 0,
) -> Repaired:
    """Fit a sampler to use instead of the prior, and say what it wins on held-out inputs.

    It is what ``vaebench repair`` does: the densities that play in an audit are fitted to the
    training inputs and weighted by the others; where none is sure to win anything, the sampler is
    the prior itself. Of another prior :func:`vaelib.fit_density` makes a density without asking.

    Args:
        mean: posterior means of the training inputs, shape (N, D), or with no scale bare latents,
            in any form that :func:`vaelib.audit` takes.
        scale: their standard deviations, shape (N, D); None, or all 0, for bare latents or those
            of a deterministic encoder.
        heldout: mean and scale of inputs that were not trained on, which choose, or with no scale
            z and None; a random fifth of the inputs where None.
        prior: ``"normal"`` or ``"uniform"``, or one of these as an object.
        groups: integer labels of inputs that are not independent, as of :func:`vaelib.audit`.
        plain: whether the sampler is a mixture alone, whose file takes the shortest reader.
        seed: of the fit.

    Returns:
        The sampler with what was found: ``print`` says what it wins, what may be left and what is
        free; ``sample(n, generator)`` draws latents of shape (n, D), float64, to decode;
        ``save(path)`` writes the file that :func:`vaelib.load_sampler` reads.

    Raises:
        TypeError: for what is no table of numbers, or a setting of another kind.
        ValueError: for numbers that :func:`vaelib.audit` refuses, too few inputs, a dimension that
            is constant, or another prior.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> def codes(n):
        ...     return torch.randn(n, 2, generator=g).sign(), torch.full((n, 2), 0.2)
        >>> found = repair(*codes(400), codes(200))
        >>> print(found)  # doctest: +ELLIPSIS
        The sampler wins 1... nats (95 % interval ...) over N(0, I) on 200 held-out z.
        Of the mismatch at most 0... nats are left: ...
        >>> found.sample(5, g).shape
        torch.Size([5, 2])
    """
    from vaelib.samplers import repair as fitting

    bare, held = scale is None, heldout if scale is not None else _of_points(heldout)
    as_seed(seed)
    check_flag(plain, "plain")
    taken = posteriors_of(mean, _zeros(mean, "mean") if scale is None else scale, held, groups)
    if taken.places:
        raise ValueError(
            f"mean must have shape (N, D) to be repaired, got maps of {taken.places} places, which "
            "a model of maps draws; flatten them if they are small"
        )
    (centre, spread), pair = taken.train, taken.heldout
    p = prior_of(prior, centre.shape[1])
    if type(p) not in (Normal, Uniform):
        raise ValueError(
            f"prior must be normal or uniform to be repaired, got {type(p).__name__}; "
            "vaelib.fit_density takes others"
        )
    with on_threads(fastest(len(centre), torch.get_num_threads())):
        found = fitting.repair(
            centre.cpu(),
            spread.cpu(),
            None if pair is None else (pair[0].cpu(), pair[1].cpu()),
            p,
            groups=taken.groups,
            plain=bool(plain),
            seed=seed,
        )
    return replace(found, prior=name_of(prior), bare=bare, left_out=taken.left_out)


def _zeros(values: Table, name: str) -> Tensor:
    return torch.zeros_like(as_tensor(as_numbers(values, name), name))


def _of_points(heldout: object) -> object:
    """Held-out z with scales of 0, where they came without."""
    if isinstance(heldout, tuple | list) and len(heldout) == 2 and heldout[1] is None:
        return heldout[0], _zeros(heldout[0], "mean of heldout")
    return heldout
