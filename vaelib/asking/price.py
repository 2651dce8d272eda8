"""What does sampling from the prior cost? Asked from Python, of a model with its decoder."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vaelib.arguments.plain import as_seed, kind_of, shown
from vaelib.arguments.rows import of_both, usable
from vaelib.arguments.tables import Table, as_numbers, check_order
from vaelib.arguments.tensors import as_labels, as_tensor, check_finite
from vaelib.asking.density import prior_of
from vaelib.asking.progress import watched
from vaelib.asking.threads import fastest, on_threads
from vaelib.audits.answers import name_of
from vaelib.audits.given import as_posteriors
from vaelib.audits.lacking import lacks
from vaelib.audits.measurement import Progress
from vaelib.encoders.batches import inputs_of
from vaelib.encoders.decoding import decoding
from vaelib.priors import Prior
from vaelib.samples.judging import KINDS, Transform
from vaelib.samples.price import Inputs, measured_price
from vaelib.samples.priced import Price

__all__ = ["price"]


def price(
    decoder: Any,  # noqa: ANN401  # any decoder
    mean: Table,
    scale: Table | None = None,
    images: Any = None,  # noqa: ANN401  # in any form
    heldout: tuple[Table, Table] | None = None,
    heldout_images: Any = None,  # noqa: ANN401
    *,
    labels: Table | None = None,
    features: str | Callable[[Tensor], Tensor] = "auto",
    prior: str | Prior = "normal",
    batch_size: int = 256,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Price:
    """Measure what sampling from the prior costs, and what a fitted density gives back.

    z of the prior, fresh z of the aggregate posterior of held-out inputs, z of a density fitted to
    the latents (:func:`vaelib.fit_density`) and posterior means are decoded, as many of each, and
    compared with other held-out data by the Fréchet distance of their features. The cost is the
    distance of the prior less that of the aggregate posterior, with a paired interval of 95 %.

    Args:
        decoder: from z of shape (b, D) to x: a module or function, or a model with ``decode`` or
            ``decoder``; of a distribution that it returns the mean is taken. Modules are in
            evaluation mode for the call, and afterwards as they were.
        mean: posterior means of the training inputs, shape (N, D), or with no scale bare latents.
        scale: their standard deviations, shape (N, D); None, or all 0, for points.
        images: the training inputs themselves, shape (N, ...), in the same order: images or any
            other data, in any form that :func:`vaelib.encode` takes. Features are fitted to them;
            without them to a third of the held-out data.
        heldout: mean and scale of inputs that were not trained on, each of n rows, as
            :func:`vaelib.answers` takes them. None: the price is that of thirds of the training
            inputs.
        heldout_images: the held-out inputs themselves, shape (n, ...), in the same order, in any
            such form.
        labels: classes of the inputs that ``images`` holds, shape (N,); without ``images`` those of
            the held-out ones.
        features: ``"auto"``: those of small classifiers where there are labels, else principal
            components, of counts those of log(1 + x); ``"classifier"``, ``"pca"`` or ``"log1p"``;
            or a function or module from x to features of shape (b, d).
        prior: as of :func:`vaelib.audit`; it must have ``sample``.
        batch_size: z, or x, at once.
        seed: of all draws; torch's own state is as before afterwards.
        progress: as of :func:`vaelib.audit`.

    Returns:
        The price: ``print`` says it in sentences, a notebook shows samples beside them, ``.cost``
        and ``.back`` hold differences with their intervals, in shares of the variance of real
        features.

    Raises:
        TypeError: for what is no table of numbers, or a setting of another kind.
        ValueError: for data that do not belong to the latents, too few of them, fewer than 160 for
            each part; a decoder or features that raise an error or return something else; a prior
            without ``sample``.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> def codes(n):
        ...     return 0.5 * torch.randn(n, 2, generator=generator), torch.full((n, 2), 0.1)
        >>> (mean, scale), held = codes(400), codes(800)
        >>> found = price(lambda z: z, mean, scale, mean, held, held[0])
        >>> print(found.sentence)  # doctest: +ELLIPSIS
        Sampling from N(0, I) costs ... ± ... in Fréchet distance (aggregate ...).
        >>> found.cost.low > 0.2, found.back.low > 0.2
        (True, True)
    """
    seed = as_seed(seed)
    check_order(mean, scale)
    train = _inputs(mean, scale, images, "", "images")
    held = _held_out(heldout, heldout_images)
    if held is not None:
        _check_same(train, held)
    if labels is not None:
        whole = train if train.x is not None or held is None else held
        given = as_numbers(labels, "labels", "integers")
        of = as_labels(given, "labels", len(whole.mean), "input")
        if whole is train:
            train = train._replace(labels=of)
        else:
            held = whole._replace(labels=of)
    if train.x is None and held is None:
        raise ValueError("images must hold the data that mean is of, got none; hand them over")
    train, held, left_out = _with_numbers(train, held)
    own = _own(features, batch_size, seed)
    p = prior_of(prior, train.mean.shape[1])
    if lacks(p, "sample"):
        raise ValueError(f"prior must have a sample to price, got {type(p).__name__} without")
    with watched(progress) as tell, on_threads(fastest(len(train.mean), torch.get_num_threads())):
        found = measured_price(
            decoding(decoder, batch_size, seed),
            p,
            name_of(prior),
            train,
            held,
            kind=features if isinstance(features, str) else "auto",
            own=own,
            seed=seed,
            progress=tell,
        )
    return replace(found, notes=(left_out, *found.notes)) if left_out else found


def _held_out(heldout: object, images: object) -> Inputs | None:
    if heldout is None:
        if images is not None:
            raise ValueError("heldout_images go with heldout, mean and scale of the same inputs")
        return None
    if not isinstance(heldout, tuple | list) or len(heldout) != 2:
        raise ValueError(
            f"heldout must be mean and scale of the held-out inputs, got {_got(heldout)}; their "
            "data are heldout_images"
        )
    if images is None:
        raise ValueError("heldout_images must hold the data that heldout is of, got none")
    mean, scale = heldout
    return _inputs(mean, scale, images, " of heldout", "heldout_images")


def _inputs(mean: Table, scale: Table | None, x: object, of: str, called: str) -> Inputs:
    centre = as_tensor(as_numbers(mean, f"mean{of}"), f"mean{of}")
    given = torch.zeros_like(centre) if scale is None else as_numbers(scale, f"scale{of}")
    centre, spread = as_posteriors(centre, given, of)
    centre, spread = centre.double().cpu(), spread.double().cpu()
    if x is None:
        return Inputs(centre, spread)
    data = as_tensor(as_numbers(inputs_of(x, called), called), called).float().cpu()
    if data.dim() < 2 or len(data) != len(centre):
        raise ValueError(
            f"{called} must have shape (N, ...) with a row for each of the {len(centre):,} rows of "
            f"mean{of}, of the same inputs in the same order, got {tuple(data.shape)}"
        )
    return Inputs(centre, spread, data)


def _with_numbers(train: Inputs, held: Inputs | None) -> tuple[Inputs, Inputs | None, str]:
    """Without the inputs that gave no numbers, and which they are."""
    own = usable(train.mean, train.scale, "" if held is None else "training")
    others = None if held is None else usable(held.mean, held.scale, "held-out")
    train = train.part(own.rows)
    held = None if held is None or others is None else held.part(others.rows)
    for part, called in ((train, "images"), (held, "heldout_images")):
        if part is not None and part.x is not None:
            check_finite(part.x, called)
    return train, held, of_both(own.said, "" if others is None else others.said)


def _check_same(train: Inputs, held: Inputs) -> None:
    pairs = [("mean of heldout", train.mean, held.mean)]
    if train.x is not None and held.x is not None:
        pairs.append(("heldout_images", train.x, held.x))
    for name, ours, theirs in pairs:
        if ours.shape[1:] != theirs.shape[1:]:
            raise ValueError(
                f"{name} must have shape (n, {', '.join(map(str, ours.shape[1:]))}) "
                f"like that of training, got {tuple(theirs.shape)}"
            )


def _own(features: str | Callable[[Tensor], Tensor], batch: int, seed: int) -> Transform | None:
    if isinstance(features, str):
        if features not in KINDS:
            raise ValueError(
                f"features must be one of {', '.join(KINDS)} or a function, got {shown(features)}"
            )
        return None
    return decoding(features, batch, seed, what="features")


def _got(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} parts"
    return kind_of(value)
