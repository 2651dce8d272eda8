"""Densities as plain tensors: what each kind of candidate is made of, and the candidate again.

| kind | tensors |
|---|---|
| mixture | shares (K,), means (K, d), factors (K, d, d), lower, or (K, d); directions (D, d) |
| copula | share (D,); of the J lines that have one low, step (J,), height, mass (1024, J) |
| radius | the same of one line |

Without ``directions`` d is D. A copula may have a ``factor`` (D, D), lower, of its correlation.
Each may have ``shift`` and ``scale`` of shape (D,): it is then the law of shift + scale y.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.stats.stack.candidates import Candidate, GaussianCandidate, StandardNormal
from vaelib.stats.stack.fitted import SmoothedCandidate
from vaelib.stats.stack.line import CopulaCandidate, LineDensities, RadiusCandidate
from vaelib.stats.stack.mixtures import MixtureCandidate
from vaelib.stats.stack.subspaces import SubspaceCandidate

__all__ = [
    "CELLS",
    "KINDS",
    "Moved",
    "Tensors",
    "as_read",
    "candidate_of",
    "independent",
    "is_mixture",
    "tensors_of",
]

KINDS = ("mixture", "copula", "radius")
CELLS = 1024
"""Knots of the piecewise linear density of a line."""

Tensors = dict[str, Tensor]
_BLOCK = 64  # lines that a copula holds together
_LINES = ("low", "step", "height", "mass")
_Made = TypeVar("_Made")


class Moved:
    """The law of shift + scale y.

    Args:
        inner: density of y.
        shift: shape (D,).
        scale: positive, shape (D,).
    """

    def __init__(self, inner: Candidate, shift: Tensor, scale: Tensor) -> None:
        self.inner, self.shift, self.scale = inner, shift, scale

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        return self.inner.log_prob((z - self.shift) / self.scale) - self.scale.log().sum()

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        return self.shift + self.scale * self.inner.sample(n, generator)


def tensors_of(candidate: Candidate) -> tuple[str, Tensors]:
    """What a candidate is made of.

    Args:
        candidate: of a stack, perhaps moved.

    Returns:
        Its kind and its tensors, float64.

    Raises:
        ValueError: for one that is made of something else, such as a learned prior.
    """
    kind, made_of = _taken(candidate)
    # in rows, as a file has them: a product of another layout is rounded otherwise
    return kind, {name: value.double().contiguous() for name, value in made_of.items()}


def _taken(candidate: Candidate) -> tuple[str, Tensors]:
    if isinstance(candidate, Moved):
        kind, inner = _taken(candidate.inner)
        return kind, inner | {"shift": candidate.shift, "scale": candidate.scale}
    if isinstance(candidate, StandardNormal):
        one = torch.ones(1, len(candidate._mean), dtype=torch.float64)
        return "mixture", {"shares": one[:, 0], "means": 0 * one, "factors": one}
    if isinstance(candidate, GaussianCandidate):
        share = torch.ones(1, dtype=torch.float64)
        mean, factor = candidate._mean[None], candidate._factor[None]
        return "mixture", {"shares": share, "means": mean, "factors": factor}
    if isinstance(candidate, MixtureCandidate):
        parts = (candidate.shares, candidate.means, candidate.factors)
        return "mixture", dict(zip(("shares", "means", "factors"), parts, strict=True))
    if isinstance(candidate, SmoothedCandidate):
        q = candidate._mixture
        shares = torch.full((q.components,), 1 / q.components, dtype=torch.float64)
        return "mixture", {"shares": shares, "means": q.mean, "factors": q.scale}
    if isinstance(candidate, SubspaceCandidate):
        kind, inner = _taken(candidate._inner)
        if kind == "mixture" and "directions" not in inner:
            return kind, inner | {"directions": candidate._directions}
    if isinstance(candidate, CopulaCandidate):
        factor, lines = candidate._factor, _lines(candidate._marginals)
        if bool((factor == torch.eye(len(factor), dtype=torch.float64)).all()):
            return "copula", lines
        return "copula", lines | {"factor": factor}
    if isinstance(candidate, RadiusCandidate):
        return "radius", _lines([candidate._law])
    raise ValueError(
        f"a sampler's file holds mixtures, copulas and radii, got {type(candidate).__name__}; it "
        "can be written where the prior is N(0, I)"
    )


def candidate_of(kind: str, tensors: Tensors, dimensions: int) -> Candidate:
    """The candidate that tensors were taken of: the same log density, bit for bit.

    Args:
        kind: one of ``KINDS``.
        tensors: as :func:`tensors_of` gives them, checked.
        dimensions: D.

    Returns:
        The candidate.
    """
    inner = _unmoved(kind, tensors, dimensions)
    if "shift" in tensors:
        return Moved(inner, tensors["shift"], tensors["scale"])
    return inner


def is_mixture(candidate: Candidate) -> bool:
    """Whether a candidate is of Gaussians alone, which take a reader of few lines.

    Args:
        candidate: any.

    Returns:
        False for tables of kernel densities, and for what has no form as plain tensors.
    """
    try:
        return tensors_of(candidate)[0] == "mixture"
    except ValueError:
        return False


def as_read(candidate: Candidate, dimensions: int) -> Candidate:
    """The candidate as it will be when it is read again, so that a seed draws the same.

    Args:
        candidate: any.
        dimensions: D.

    Returns:
        The same density; what has no form as plain tensors is left as it is.
    """
    try:
        return candidate_of(*tensors_of(candidate), dimensions)
    except ValueError:
        return candidate


def _unmoved(kind: str, tensors: Tensors, dimensions: int) -> Candidate:
    if kind == "mixture":
        inner = _mixture(tensors["shares"], tensors["means"], tensors["factors"])
        if "directions" in tensors:
            return SubspaceCandidate(tensors["directions"], inner)
        return inner
    blocks = [
        _line_densities(tensors, slice(at, at + _BLOCK))
        for at in range(0, len(tensors["share"]), _BLOCK)
    ]
    if kind == "copula":
        return _copula(blocks, tensors.get("factor"), dimensions)
    return _made(RadiusCandidate, _dimensions=dimensions, _law=blocks[0])


def _copula(blocks: list[LineDensities], factor: Tensor | None, dimensions: int) -> Candidate:
    if factor is None:
        factor = torch.eye(dimensions, dtype=torch.float64)
    return _made(CopulaCandidate, _marginals=blocks, _factor=factor)


def independent(z: Tensor) -> Candidate:
    """Kernel marginals of independent dimensions, each mixed with N(0, 1).

    Args:
        z: points in random order, shape (N, D).

    Returns:
        A copula without correlation.
    """
    blocks = [LineDensities(block) for block in torch.split(z, _BLOCK, 1)]
    return _copula(blocks, None, z.shape[1])


def _mixture(shares: Tensor, means: Tensor, factors: Tensor) -> Candidate:
    if len(shares) == 1 and factors.dim() == 3:
        return _made(GaussianCandidate, _mean=means[0], _factor=factors[0])
    if factors.dim() == 2 and len(shares) > 1 and bool((shares == shares[0]).all()):
        return _made(SmoothedCandidate, _mixture=AggregatePosterior(means, factors))
    return MixtureCandidate(shares, means, factors)


def _lines(blocks: list[LineDensities]) -> Tensors:
    """The lines of all blocks side by side; those that are N(0, 1) have no table."""
    out = {"share": torch.cat([lines.share for lines in blocks])}
    some = [lines for lines in blocks if len(lines._on)]
    for name in _LINES:
        parts = [getattr(lines, f"_{name}") for lines in some]
        empty = (0,) if name in ("low", "step") else (CELLS, 0)
        out[name] = torch.cat(parts, -1) if parts else torch.zeros(empty, dtype=torch.float64)
    return out


def _line_densities(tensors: Tensors, columns: slice) -> LineDensities:
    share = tensors["share"][columns]
    on = torch.nonzero(share > 0)[:, 0]
    before = int((tensors["share"][: columns.start] > 0).sum())
    held: dict[str, Any] = {"share": share, "gain": 0 * share, "_on": on, "_own": share[on]}
    for name in _LINES if len(on) else ():
        held[f"_{name}"] = tensors[name][..., before : before + len(on)].contiguous()
    return _made(LineDensities, **held)


def _made(kind: type[_Made], **attributes: object) -> _Made:
    """An object of tensors that were fitted before."""
    out = kind.__new__(kind)
    cast(Any, out).__dict__.update(attributes)
    return out
