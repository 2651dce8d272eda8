"""The certified mismatch of an audit: both ends of KL(q‖p), without a null model."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vaelib.audits.alarms import COPIES, MOST_COPIED, alarm_of, copied, inputs
from vaelib.audits.densities import points_of
from vaelib.audits.lacking import lacks
from vaelib.audits.latents import Latents
from vaelib.audits.measurement import Measurement, joined
from vaelib.audits.prior_check import inconsistent
from vaelib.audits.settings import AuditSettings
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.priors.base import has_map
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import LEAST, Certified, certify, certify_in_sequence
from vaelib.stats.stack.groups import as_groups
from vaelib.stats.stack.upper import upper_end

__all__ = [
    "INFINITE",
    "SURFACE",
    "UNKNOWN",
    "UNPROVED",
    "bracket",
    "stacked",
]

INFINITE = "the KL is infinite"
SURFACE = "the prior lives on a surface, where no density with respect to volume exists"
UNKNOWN = "the prior has no log_prob, without which no gain over it is known"
UNPROVED = "of inputs that the encoder was trained on: not proved for new ones"

_LOWER = ("certified_kl", "certified_kl_lower", "certified_inputs", "certified_kl_test")
_NOTICED = 0.05  # share of z; 1 % of independent ones lie so near
_DRAWS = 4  # z per input where candidates are fitted to draws: as good as the posteriors
_DRAWN = 20_000  # inputs up to which the upper end takes as many z of each


def bracket(
    prior: Prior,
    split: str,
    played: Latents,
    settings: AuditSettings,
    fitted: Latents | None = None,
) -> Iterator[Measurement]:
    """Measure both ends of KL(q‖p) on one split.

    Args:
        prior: p.
        split: named in the measurements.
        played: held-out latents; all there are where there are no others.
        settings: of the audit.
        fitted: what the candidates are fitted to; None where there are no other inputs.

    Yields:
        The gain, the proved lower end, the e-value, the gain over a Gaussian, the share of held-out
        inputs that are copies, and the upper end.
    """
    settings.progress(f"bracket of {split}", 0, 2)
    note = UNPROVED if split == "train" else ""
    few = played.part(settings.certified_rows, stream(f"certified rows {split}", settings.seed))
    if len(few.z) < len(played.z):
        note = joined(note, f"of {len(few.z):,} random inputs")
    alarm = alarm_of(few, stream("twins", settings.seed))
    enough = int(as_groups(few.groups, len(few.z)).max()) + 1 >= LEAST
    if fitted is not None and len(fitted.z) >= LEAST and enough:
        share = copied(fitted, few, stream("copies", settings.seed))
        alarm = COPIES if share > MOST_COPIED else alarm
        yield Measurement(split, "copies", share, message=COPIES * (share > MOST_COPIED))
    without = _no_density(prior)
    wrong = without or inconsistent(prior, stream("draws of the prior", settings.seed))
    if alarm or wrong:
        yield from _nothing(prior, split, alarm or wrong)
    else:
        yield from _lower(prior, split, few, fitted, settings, note)
    settings.progress(f"bracket of {split}", 1, 2)
    if played.posterior is not None and not without:
        if wrong:
            yield Measurement(split, "certified_kl_upper", None, message=wrong)
        else:
            yield _upper(played, prior, split, settings)
    settings.progress(f"bracket of {split}", 2, 2)


def _nothing(prior: Prior, split: str, reason: str) -> Iterator[Measurement]:
    """Why there is no lower end: of all that `_lower` measures, as no table may have holes."""
    for metric in (*_LOWER, *["shape_gain"] * (type(prior) is Normal)):
        yield Measurement(split, metric, None, message=reason)


def _lower(
    prior: Prior,
    split: str,
    played: Latents,
    fitted: Latents | None,
    settings: AuditSettings,
    note: str,
) -> Iterator[Measurement]:
    """The gain and what is proved of it."""
    try:
        result = stacked(prior, played, settings, fitted)
    except ValueError as error:
        yield from _nothing(prior, split, str(error))
        return
    if not note and played.groups is None:
        settings.terms(split, "certified_kl", result.gains)
    if result.recited > _NOTICED:
        share = f"{result.recited:.0%} of z"
        note = joined(note, f"{share} lie as near to training inputs as copies, and win nothing")
    yield Measurement(split, "certified_kl", *result.gain, message=note)
    yield Measurement(split, "certified_kl_lower", result.lower, message=note)
    yield Measurement(split, "certified_inputs", float(min(result.rounds, inputs(played))))
    test = result.log_e, None, result.p_value
    yield Measurement(split, "certified_kl_test", *test, message=note)
    if type(prior) is Normal:
        yield Measurement(split, "shape_gain", *result.shape, message=note)


def stacked(
    prior: Prior, played: Latents, settings: AuditSettings, fitted: Latents | None = None
) -> Certified:
    """Fit the candidates and play their stack.

    Where the prior has a map to N(0, I), z and draws of the posteriors are mapped, and the stack is
    a density of mapped z.

    Args:
        prior: p.
        played: the z whose gains count.
        settings: of the audit.
        fitted: what the candidates are fitted to; None for earlier ones of those that are played.

    Returns:
        The bound.

    Raises:
        ValueError: where nothing can be said: a prior on a surface, z outside its support, too few
            z, or latents that have no density.
    """
    if reason := _no_density(prior) or _infinite(prior, played):
        raise ValueError(reason)
    mapped = has_map(prior)
    z = _moved(prior, played.z, mapped)
    against = None if mapped or type(prior) is Normal else copy.deepcopy(prior).cpu()
    generator = stream("certified", settings.seed)
    if fitted is None:
        own = _posteriors(played, z, mapped)
        return certify_in_sequence(
            own, z, generator, prior=against, alpha=settings.alpha, groups=played.groups
        )
    other = fitted.z
    if mapped and fitted.posterior is not None:
        other = fitted.posterior.sample(stream("fitted z", settings.seed), _DRAWS)
        other = other.reshape(-1, other.shape[-1])
    data = _posteriors(fitted, _moved(prior, other, mapped), mapped)
    means = None
    if not mapped and all(type(one.posterior) is AggregatePosterior for one in (fitted, played)):
        assert played.posterior is not None
        means = played.posterior.mean.cpu()
    return certify(
        data,
        z,
        generator,
        prior=against,
        alpha=settings.alpha,
        groups=played.groups,
        means=means,
    )


def _one_of_each(latents: Latents, generator: torch.Generator) -> Latents:
    """A random input of each group: independent, and of the q in which groups count alike."""
    numbers = as_groups(latents.groups, len(latents.z))
    order = torch.randperm(len(numbers), generator=generator)
    first = order[np.unique(numbers[order].numpy(), return_index=True)[1]]
    q = latents.posterior
    return Latents(latents.z[first], None if q is None else q.part(first))


def _no_density(prior: Prior) -> str:
    """Why a prior has no density with respect to volume that can be evaluated, or nothing."""
    if prior.surface:
        return SURFACE
    return UNKNOWN if lacks(prior, "log_prob") else ""


def _posteriors(latents: Latents, z: Tensor, mapped: bool) -> Posteriors:
    """What candidates are fitted to: Gaussian posteriors as they are, of others draws."""
    q = latents.posterior
    if mapped or type(q) is not AggregatePosterior:
        return Posteriors(z, torch.zeros_like(z))
    return Posteriors(q.mean.cpu(), q.scale.cpu())


def _moved(prior: Prior, z: Tensor, mapped: bool) -> Tensor:
    """z on the CPU, mapped where there is a map; those that it takes nowhere are left out."""
    if not mapped:
        return z.cpu()
    with torch.no_grad():
        moved = prior.to_normal(z)
    assert moved is not None
    return moved[moved.isfinite().all(1)].cpu()


def _infinite(prior: Prior, played: Latents) -> str:
    """Why no law of a finite KL draws such z, whatever was fitted to others; or nothing."""
    z = played.z
    with torch.no_grad():
        lost = prior.log_prob(z) == -torch.inf
        moved = prior.to_normal(z) if has_map(prior) else None
    if moved is not None:
        lost |= ~moved.isfinite().all(1).to(lost.device)
    if bool(lost.any()):
        which = f"{int(lost.sum()):,} z of {len(z):,}"
        return f"{INFINITE}: {which} lie where the prior has no mass"
    independent = int(as_groups(played.groups, len(z)).max()) + 1
    constant = torch.nonzero((z == z[0]).all(0))[:, 0].tolist()
    if not constant or independent < LEAST:
        return ""
    dimensions = ", ".join(map(str, constant))
    return (
        f"{INFINITE}: of {len(z):,} z all are the same in dimensions {dimensions}; leave these "
        "out to see what the others say"
    )


def _upper(latents: Latents, prior: Prior, split: str, settings: AuditSettings) -> Measurement:
    """The upper end, at z of a random choice of inputs where all would cost too much."""
    if latents.groups is not None:
        latents = _one_of_each(latents, stream(f"one of a group {split}", settings.seed))
    q = latents.posterior
    assert q is not None
    few = points_of(q, 16)
    generator = stream(f"upper end {split}", settings.seed)
    points = None if few is None else torch.randperm(q.components, generator=generator)[:few]
    draws = _DRAWS if few is None and q.components <= _DRAWN else 1
    try:
        with torch.no_grad():
            end = upper_end(q, prior, generator, alpha=settings.alpha, draws=draws, points=points)
    except ValueError as error:
        return Measurement(split, "certified_kl_upper", None, message=str(error))
    note = UNPROVED if split == "train" else ""
    if few is not None and few < q.components:
        note = joined(note, f"density at z of {few:,} random inputs")
    return Measurement(split, "certified_kl_upper", end.value, message=note)
