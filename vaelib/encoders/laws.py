"""Distributions of torch as posteriors: normal ones by mean and scale, others by their draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
)

from vaelib.arguments.plain import kind_of
from vaelib.encoders.seen import seen

__all__ = ["Part", "drawn", "joined_laws", "of_law", "one_each"]

_TINY = 1e-6  # of the largest correlation: what inverses and roots leave in float32


@dataclass(frozen=True)
class Part:
    """What one batch says of its posteriors.

    Attributes:
        values: mean and what tells the spread, each of shape (B, ...), float64; z alone; or three
            tensors of which one is z.
        kind: of the spread: ``"scale"``, ``"logvar"``, ``"logstd"``, ``"variance"`` or
            ``"unknown"``; ``"z"`` where there is none; ``"three"`` where there are three tensors.
        own: whether the kind is beyond doubt, as a distribution's is.
        z: a draw that came beside mean and spread.
        note: a sentence for whoever reads the result.
    """

    values: tuple[Tensor, ...]
    kind: str
    own: bool = False
    z: Tensor | None = None
    note: str = ""


def of_law(law: Distribution) -> Part:
    """A normal posterior: its mean and scale, or draws of one whose dimensions are correlated.

    Args:
        law: of a batch of inputs.

    Returns:
        What it says.

    Raises:
        ValueError: for one that is not normal.
    """
    base = _base(law)
    if isinstance(base, MultivariateNormal | LowRankMultivariateNormal):
        return _of_covariance(base)
    moments = _moments(base)
    if moments is None:
        _check_density(base)
        raise ValueError(
            f"posteriors must be normal, got {kind_of(base)} of shape "
            f"{tuple(law.batch_shape + law.event_shape)}, which can be audited by its draws alone: "
            "second='z' draws one z of each"
        )
    mean, scale = (value.detach().double().cpu() for value in moments)
    return Part((mean, scale.expand_as(mean)), "scale", own=True)


def _check_density(base: Distribution) -> None:
    """Refuse what has no density with respect to volume, and so no KL to a prior that has one."""
    name = kind_of(base)
    sphere = any(word in name for word in ("Fisher", "Spher"))
    if sphere or getattr(getattr(base, "support", None), "is_discrete", False):
        why = "it lies on a sphere" if sphere else "it is discrete"
        raise ValueError(
            f"posteriors must have a density in space, got {name}: {why}, and draws of it are "
            "never those of N(0, I)"
        )


def _base(law: Distribution) -> Any:  # noqa: ANN401  # a distribution of any kind
    base: Any = law
    while isinstance(base, Independent) or (
        hasattr(base, "base_dist") and type(base).__name__ == "Independent"
    ):
        base = base.base_dist
    return base


def _moments(base: Any) -> tuple[Tensor, Tensor] | None:  # noqa: ANN401
    """Mean and scale of independent normals, shifted and scaled ones too."""
    if isinstance(base, Normal):
        return base.mean, base.stddev
    if not isinstance(base, TransformedDistribution):
        return None
    inner = _moments(_base(base.base_dist))
    if inner is None or not all(isinstance(step, AffineTransform) for step in base.transforms):
        return None
    mean, scale = inner
    for step in base.transforms:
        mean, scale = step.loc + step.scale * mean, abs(step.scale) * scale  # type: ignore[attr-defined]
    return mean, scale


def _of_covariance(base: MultivariateNormal | LowRankMultivariateNormal) -> Part:
    mean = base.mean.detach().double().cpu()
    covariance = base.covariance_matrix.detach().double().cpu()
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    scale = variance.sqrt()
    correlation = covariance / (scale[..., :, None] * scale[..., None, :])
    largest = float((correlation - torch.diag_embed(torch.ones_like(scale))).abs().max())
    if largest <= _TINY:
        return Part((mean, scale.expand_as(mean)), "scale", own=True)
    note = (
        f"the posteriors' dimensions are correlated (up to {largest:.2g}), so one z of each was "
        "drawn with its full covariance, and the scales are 0: the answer can be a no, never a yes"
    )
    return Part(drawn(base).values, "z", note=note)


def drawn(law: Distribution) -> Part:
    """One z of each posterior, whatever its law.

    Args:
        law: of a batch of inputs.

    Returns:
        The draws.

    Raises:
        ValueError: for one without a density.
    """
    _check_density(_base(law))
    with torch.autocast(_device(law).type, enabled=False):
        return Part((law.sample().detach().double().cpu(),), "z")


def _device(law: Distribution) -> torch.device:
    values = getattr(_base(law), "loc", None)
    return values.device if isinstance(values, Tensor) else torch.device("cpu")


def one_each(laws: Sequence[Distribution], rows: int) -> bool:
    """Whether a list holds one distribution for each input, and not several for all.

    Args:
        laws: the list.
        rows: inputs in the batch.

    Returns:
        True where each is that of one input.
    """
    shape = tuple(laws[0].batch_shape + laws[0].event_shape)
    return len(laws) == rows and (len(shape) == 1 or (rows > 1 and shape[:1] == (1,)))


def joined_laws(parts: Sequence[Part], stacked: bool, laws: object) -> Part:
    """Several posteriors as one.

    Args:
        parts: what each says.
        stacked: whether they are of one input each; else all are of all inputs, side by side.
        laws: where they come from, for errors.

    Returns:
        The posteriors of all inputs; where one of them is z alone, z of all.

    Raises:
        ValueError: for shapes that do not go together.
    """
    notes = [part.note for part in parts if part.note]
    pieces = [part.values for part in parts]
    kind = "scale"
    if any(part.kind == "z" for part in parts):
        kind = "z"
        pieces = [
            (
                values[0]
                if len(values) == 1
                else values[0] + values[1] * torch.randn_like(values[0]),
            )
            for values in pieces
        ]
    columns = list(zip(*pieces, strict=True))
    try:
        if stacked:
            lead = [torch.stack(c) if c[0].dim() == 1 else torch.cat(c) for c in columns]
        else:
            lead = [torch.cat([value.flatten(1) for value in c], 1) for c in columns]
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"posteriors must go together, got {seen(laws)} of different inputs; "
            "part= takes one of them"
        ) from error
    return Part(tuple(lead), kind, own=True, note=notes[0] if notes else "")
