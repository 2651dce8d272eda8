"""What sampling from the prior costs a model whose decoder is at hand.

Three disjoint real parts keep the comparison honest: data that features are fitted to, the
reference that decoded data are compared with, and data that are encoded, for fresh z of the
aggregate posterior and for reconstructions. The latter two are halves of the held-out data. Where
the data of training are not at hand, or nothing was held out, all three are thirds of what there
is. All sources give as many samples as the reference has, which are compared in the same features;
those that draw give four such samples, whose distances are averaged.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vaelib.audits.measurement import Progress, silent
from vaelib.box_posterior import aggregate
from vaelib.posterior import AggregatePosterior, PointAggregate
from vaelib.priors import Prior
from vaelib.samples.judging import Transform, judged_in
from vaelib.samples.latent_samplers import LATENT_SOURCES, Latents
from vaelib.samples.priced import Price
from vaelib.seeding import stream
from vaelib.stats.moments import active_units
from vaelib.stats.paired_frechet import LEAST, FrechetDistances, most_features

__all__ = ["Inputs", "measured_price"]

_MOST = 2500  # of the reference, and of each source
_FITTED = 5000  # inputs that features, and the density, are fitted to
_REPEATS = 4  # samples of each source that draws
_SHOWN = 36  # images that are kept to look at
_BEYOND, _SHARE = 0.05, 0.01  # of the range of real data; of the numbers that may lie outside
_ALIKE = 1e-4  # of the variance of real features, below which samples are all one
_FAR = 2.0  # variances of the data, beyond which a reconstruction is none
_STEPS = 6


class Inputs(NamedTuple):
    """Posteriors of some inputs, and what they are of.

    Attributes:
        mean: shape (N, D).
        scale: shape (N, D); all 0 for points.
        x: data of shape (N, ...), where they are at hand.
        labels: classes of shape (N,), where there are any.
    """

    mean: Tensor
    scale: Tensor
    x: Tensor | None = None
    labels: Tensor | None = None

    def part(self, rows: Tensor) -> "Inputs":
        """Some of the inputs."""
        return Inputs(*(None if one is None else one[rows] for one in self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Parts:
    """Three disjoint parts of the data, and the inputs that a density is fitted to."""

    fitted: Inputs
    reference: Inputs
    encoded: Inputs
    density: Inputs
    split: str
    notes: tuple[str, ...] = ()


def measured_price(
    decode: Callable[[Tensor], Tensor],
    prior: Prior,
    name: str,
    train: Inputs,
    heldout: Inputs | None = None,
    *,
    kind: str = "auto",
    own: Transform | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Price:
    """Decode from each source and compare.

    Args:
        decode: from z of shape (n, D) to data of shape (n, ...), float32.
        prior: p(z), with sample.
        name: what it is called in a sentence.
        train: the training inputs.
        heldout: inputs that neither the model nor anything here was fitted to.
        kind: of features, of ``vaelib.samples.judging.KINDS``.
        own: features of the user's own, instead.
        seed: of all draws.
        progress: told what is being done.

    Returns:
        The price.

    Raises:
        ValueError: without data, with too few of them, and for decoded data of another shape.
    """
    step = iter(range(1, _STEPS + 1))
    parts = _parts(train, heldout, seed)
    fitted, real = parts.fitted, parts.reference.x
    assert fitted.x is not None and real is not None and parts.encoded.x is not None
    count = len(real)
    progress("features", next(step), _STEPS)
    judged = judged_in(kind, fitted.x, fitted.labels, most_features(count), own)
    q = _aggregate(prior, parts.encoded)
    latents = Latents(prior, _aggregate(prior, parts.density), q, seed)
    drawn: dict[str, Tensor] = {"reconstruction": parts.encoded.mean}
    missing = ""
    for source in ("aggregate", "prior", "repaired"):
        progress(source, next(step), _STEPS)
        try:
            drawn[source] = _draw(latents, source, count * _REPEATS)
        except ValueError as error:
            if source != "repaired":
                raise
            missing = str(error)
    progress("decoding", next(step), _STEPS)
    data = {source: _shaped(decode(z), real) for source, z in drawn.items()}
    order = [name for name in ("prior", "aggregate", "repaired", "reconstruction") if name in data]
    data = {source: data[source] for source in order} | {"floor": parts.encoded.x}
    progress("distances", next(step), _STEPS)
    features = {source: _each(judged.of(x), count) for source, x in data.items()}
    reference = judged.of(real)
    several = {name: x for name, x in features.items() if len(x) > len(reference)}
    one = {name: x for name, x in features.items() if name not in several}
    found = FrechetDistances(several, reference.repeat(_REPEATS, 1, 1))
    single = FrechetDistances(one, reference)
    outside = _outside(data, real)
    alike = _alike(features, reference, parts)
    notes = [*parts.notes, outside]
    if outside and not alike and _worse_than_none(data["reconstruction"], parts.encoded.x):
        alike = "the decoder returns other numbers than the data are made of"
    if not alike:
        notes.append(_out_of_order(data["reconstruction"], parts.encoded.x))
    return Price(
        name,
        count,
        judged.said,
        {source: (found if source in several else single).distance(source) for source in features},
        found.difference("prior", "aggregate"),
        found.difference("prior", "repaired") if "repaired" in features else None,
        missing,
        alike,
        tuple(filter(None, notes)),
        parts.split,
        _images(data, real),
    )


def _parts(train: Inputs, heldout: Inputs | None, seed: int) -> _Parts:
    whole = train if heldout is None or heldout.x is None else heldout
    if whole.x is None:
        raise ValueError("expected the data that some latents are of, got none")
    order = torch.randperm(len(whole.mean), generator=stream("parts of a price", seed))
    apart = heldout is not None and whole is heldout
    shares = 2 if apart and train.x is not None else 3
    size = min(len(order) // shares, _MOST)
    if size < LEAST:
        raise ValueError(
            f"expected at least {shares * LEAST} {'held-out ' * apart}inputs, {LEAST} for each of "
            f"{shares} parts, got {len(order):,}"
        )
    reference, encoded = whole.part(order[:size]), whole.part(order[size : 2 * size])
    if shares == 2:
        few = torch.randperm(len(train.mean), generator=stream("fitted inputs", seed))
        fitted = train.part(few[:_FITTED])
        return _Parts(fitted, reference, encoded, fitted, "test")
    fitted = whole.part(order[2 * size :][:_FITTED])
    if apart:
        few = torch.randperm(len(train.mean), generator=stream("fitted inputs", seed))
        return _Parts(fitted, reference, encoded, train.part(few[:_FITTED]), "test")
    note = "these are inputs that the model was trained on; held-out ones tell what new data cost"
    return _Parts(fitted, reference, encoded, fitted, "train", (note,))


def _each(features: Tensor, count: int) -> Tensor:
    """Samples of n as so many more nets: from (T, R n, d) to (R T, n, d)."""
    return torch.cat(torch.split(features, count, 1))


def _aggregate(prior: Prior, inputs: Inputs) -> AggregatePosterior:
    if not bool((inputs.scale != 0).any()):
        return PointAggregate(inputs.mean)
    return aggregate(prior.family, inputs.mean, inputs.scale)


def _draw(latents: Latents, source: str, count: int) -> Tensor:
    """Latents of a source, shuffled: a sampler may return them sorted by component."""
    sampler = LATENT_SOURCES[source](latents)
    generator = stream(f"price {source}", latents.seed)
    z = sampler.sample(count, generator)
    if z.shape != (count, latents.prior.latent_dim) or not bool(z.isfinite().all()):
        raise ValueError(
            f"{source} must give {count} finite z of {latents.prior.latent_dim} dimensions, got "
            f"shape {tuple(z.shape)}"
        )
    return z[torch.randperm(len(z), generator=generator)]


def _shaped(decoded: Tensor, real: Tensor) -> Tensor:
    """Decoded data in the shape of the real ones: flat, with channels last, or as they are."""
    got, wanted = tuple(decoded.shape[1:]), tuple(real.shape[1:])
    if got == wanted:
        return decoded
    if len(wanted) == 3 and got == (wanted[2], *wanted[:2]) and wanted[2] in (1, 3, 4):
        return decoded.permute(0, 2, 3, 1)
    flat = min(len(got), len(wanted)) == 1
    same = [n for n in got if n > 1] == [n for n in wanted if n > 1]
    if math.prod(got) == math.prod(wanted) and (flat or same):
        return decoded.reshape(len(decoded), *wanted)
    raise ValueError(
        f"the decoder must return x of shape (n, {', '.join(map(str, wanted))}) like the real "
        f"ones, got (n, {', '.join(map(str, got))})"
    )


def _alike(features: dict[str, Tensor], reference: Tensor, parts: _Parts) -> str:
    """Why all samples are one, whatever they are drawn from; empty where they are not."""
    mean, scale = parts.encoded.mean, parts.encoded.scale
    points = not bool((scale != 0).any())
    if not points and not active_units(AggregatePosterior(mean, scale)):
        return (
            "the model is collapsed, no latent dimension is active, so that samples are the same "
            "from wherever z is drawn"
        )
    spread = reference.var(1).sum()
    if float(features["aggregate"].var(1).sum()) < _ALIKE * float(spread):
        return "the decoder returns the same x for every z"
    return ""


def _outside(data: dict[str, Tensor], real: Tensor) -> str:
    """Whether decoded data lie where real ones never do."""
    low, high = float(real.min()), float(real.max())
    beyond = _BEYOND * (high - low)
    found = torch.cat([data[name].flatten() for name in ("reconstruction", "aggregate")])
    share = float(((found < low - beyond) | (found > high + beyond)).double().mean())
    if share < _SHARE:
        return ""
    return (
        f"{share:.0%} of the numbers that the decoder returns lie outside the range of the real "
        f"data, {low:.3g} to {high:.3g}; they reach from {float(found.min()):.3g} to "
        f"{float(found.max()):.3g}: if those are logits or another unit, have the decoder return "
        "data"
    )


def _worse_than_none(decoded: Tensor, real: Tensor) -> bool:
    """Whether the mean of all data is far closer to each than its reconstruction."""
    miss = (decoded - real).double().square().sum()
    return float(miss) > _FAR * float((real - real.mean(0)).double().square().sum())


def _out_of_order(decoded: Tensor, real: Tensor) -> str:
    """Whether reconstructions are no closer to their own input than to another one."""
    one, other = decoded.flatten(1).double(), real.flatten(1).double()
    gain = (one - other.roll(1, 0)).square().sum(1) - (one - other).square().sum(1)
    if float(gain.mean()) > 3 * float(gain.std()) / math.sqrt(len(gain)):
        return ""
    return (
        "reconstructions are no closer to their own input than to another one; save latents and "
        "data of the same inputs in the same order, and give the decoder that goes with them"
    )


def _images(data: dict[str, Tensor], real: Tensor) -> dict[str, npt.NDArray[np.uint8]]:
    """A few of each source, where they are images, in the range of the real ones."""
    shape = tuple(real.shape[1:])
    last = len(shape) == 3 and shape[2] in (1, 3) and shape[0] not in (1, 3)
    if not (len(shape) == 2 and min(shape) > 1 or last or len(shape) == 3 and shape[0] in (1, 3)):
        return {}
    low, high = float(real.min()), float(real.max())
    found = {}
    for name, x in {"real": real, **data}.items():
        if name == "floor":
            continue
        few = x[:_SHOWN]
        few = few.unsqueeze(1) if len(shape) == 2 else few.permute(0, 3, 1, 2) if last else few
        grey = ((few - low) / (high - low)).clamp(0, 1) * 255
        found[name] = grey.round().to(torch.uint8).numpy()
    return found
