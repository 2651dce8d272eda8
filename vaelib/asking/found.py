"""An audit of what was handed over: measured, answered, and with what a report says beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_number
from vaelib.asking.density import prior_of
from vaelib.asking.progress import watched
from vaelib.asking.taken import Pair, Taken
from vaelib.asking.threads import fastest, on_threads
from vaelib.audits.answers import answered, answered_samples, is_normal, name_of
from vaelib.audits.asked import Asked, Codes
from vaelib.audits.lacking import lacks
from vaelib.audits.measurement import Measurement, Progress
from vaelib.audits.moment_answers import Answer
from vaelib.box_posterior import aggregate
from vaelib.maps.answers import with_maps
from vaelib.maps.positions import drawn_maps, map_rows
from vaelib.posterior import PointAggregate
from vaelib.priors import Prior
from vaelib.seeding import stream

__all__ = ["Found", "found_of"]

_DRAWN = 1000  # codes that a figure shows at most


@dataclass(frozen=True)
class Found:
    """What was measured and answered, and what a report says of the question."""

    rows: list[Measurement]
    answers: list[Answer]
    asked: Asked


def found_of(
    taken: Taken,
    prior: str | Prior,
    progress: Progress | bool | None,
    margin: float,
    **settings: Any,  # noqa: ANN401  # as audit types them
) -> Found:
    """Measure and answer.

    Args:
        taken: the latents.
        prior: a name, or a prior.
        progress: as of :func:`vaelib.audit`.
        margin: KL in nats that still counts as a match.
        **settings: of :func:`vaelib.audits.audit.audit` or, of bare z, ``audit_samples``, with
            ``alpha``.

    Returns:
        All of it; of maps also what their positions hide.
    """
    given: dict[str, Any] = {"margin": margin, "groups": taken.groups, "beside": taken.rows}
    sizes = _sizes(taken)
    with watched(progress) as tell, _threads(max(sizes.values())):
        if taken.split == "sample":
            z = taken.train[0]
            rows, said = answered_samples(z, prior, **given, progress=tell, **settings)
        else:
            mean, scale = taken.train
            rows, said = answered(
                mean, scale, prior, taken.heldout, **given, progress=tell, **settings
            )
        if taken.places and is_normal(prior):
            hidden = _of_maps(taken, settings)
            rows, said = rows + hidden, with_maps(said, hidden, margin)
        codes = _codes(prior, *(taken.train if taken.heldout is None else taken.heldout))
    # numbers of Python's own, which may have come as those of NumPy or torch
    numbers = as_number(margin, "margin"), as_number(settings["alpha"], "alpha")
    inputs = {split: size // taken.positions for split, size in sizes.items()}
    asked = Asked(
        name_of(prior),
        *numbers,
        inputs,
        taken.train[0].shape[1],
        codes,
        taken.positions,
        taken.notes,
    )
    return Found(rows, said, asked)


def _sizes(taken: Taken) -> dict[str, int]:
    if taken.heldout is None:
        return {taken.split: len(taken.train[0])}
    return {"train": len(taken.train[0]), "test": len(taken.heldout[0])}


def _of_maps(taken: Taken, settings: dict[str, Any]) -> list[Measurement]:
    """What positions hide, at one z of each."""
    seed = settings["seed"]
    z = stream("z of maps", seed)
    maps = drawn_maps(_here(taken.train), _maybe(taken.heldout), taken.places, z)
    return list(map_rows(maps, taken.split, seed, as_number(settings["alpha"], "alpha")))


def _here(pair: Pair) -> Pair:
    return pair[0].cpu().double(), pair[1].cpu().double()


def _maybe(pair: Pair | None) -> Pair | None:
    return None if pair is None else _here(pair)


def _threads(rows: int) -> Any:  # noqa: ANN401  # a context
    """As many as are fastest, of those that the caller lets torch use."""
    return on_threads(fastest(rows, torch.get_num_threads()))


@torch.no_grad()
def _codes(prior: str | Prior, mean: Tensor, scale: Tensor) -> Codes | None:
    """The first two dimensions of some z of q and of as many of the prior, for a figure."""
    if mean.shape[1] < 2:
        return None
    generator = stream("codes of a figure", 0)
    few = torch.randperm(len(mean), generator=generator)[:_DRAWN].to(mean.device)
    p = prior_of(prior, mean.shape[1])
    points = not bool((scale != 0).any())
    q = PointAggregate(mean[few]) if points else aggregate(p.family, mean[few], scale[few])
    z = q.sample(generator)[0][:, :2].cpu().numpy()
    if lacks(p, "sample"):
        return Codes(z, None)
    drawn = p.sample(len(z), generator).detach().double().cpu()
    return Codes(z, drawn[:, :2].numpy() if drawn.shape == (len(z), mean.shape[1]) else None)
