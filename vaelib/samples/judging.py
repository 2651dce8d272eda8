"""Features that a user's own data are compared in, no more of them than the data allow.

Whatever is fitted here is fitted to data that are neither the reference nor encoded: classifiers to
their labels, principal components to the rest. Data wider than 1,024 numbers go into the
classifiers as their first 256 principal components.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.samples.features import ClassifierFeatures
from vaelib.seeding import stream

__all__ = ["KINDS", "Judged", "Transform", "judged_in"]

Transform = Callable[[Tensor], Tensor]
"""From data of shape (n, ...) to features of shape (n, ...)."""

KINDS = ("auto", "classifier", "pca", "log1p")
"""What data may be compared in; log1p is principal components of log(1 + x), for counts."""

_MOST, _MOST_OWN = 32, 64  # components of the data, and of a user's own features
_ROWS = 2000  # that components are fitted to
_WIDE, _KEPT = 1024, 256  # numbers of one input that classifiers see
_NUMBERS = 1 << 27  # of all rows that components are fitted to
_CLASSES = 0.5  # of the inputs; more different labels are no classes


@dataclass(frozen=True)
class Judged:
    """Fitted features.

    Attributes:
        of: from data of shape (n, ...) to features of shape (T, n, d), float64.
        said: what they are, in words.
        count: d.
    """

    of: Transform
    said: str
    count: int


class _Components:
    """The first principal components of some rows.

    Args:
        x: shape (N, D).
        most: how many.
    """

    def __init__(self, x: Tensor, most: int) -> None:
        rows = max(most + 1, min(_ROWS, _NUMBERS // x.shape[1]))
        x = x[torch.randperm(len(x), generator=stream("rows of components", 0))[:rows]].double()
        self.centre = x.mean(0)
        offset = x - self.centre
        if len(x) > x.shape[1]:
            directions = torch.linalg.eigh(offset.T @ offset)[1].flip(1)[:, :most]
        else:
            values, vectors = torch.linalg.eigh(offset @ offset.T)
            kept = (values > 1e-10 * values[-1]).nonzero()[:, 0].flip(0)[:most]
            directions = offset.T @ (vectors[:, kept] / values[kept].sqrt())
        self.directions = directions

    def __call__(self, x: Tensor) -> Tensor:
        """Coordinates of shape (n, d), float64, of x of shape (n, D)."""
        parts = [(part.double() - self.centre) @ self.directions for part in torch.split(x, _ROWS)]
        return torch.cat(parts)


def judged_in(
    kind: str, x: Tensor, labels: Tensor | None, most: int, own: Transform | None = None
) -> Judged:
    """Fit the features.

    Args:
        kind: one of ``KINDS``; auto is classifiers where there are labels of two classes or more,
            log1p of counts, else pca.
        x: data to fit them to, shape (N, ...).
        labels: their classes, shape (N,).
        most: the largest d that the samples allow.
        own: features of the user's own, instead.

    Returns:
        The features.

    Raises:
        ValueError: for classifiers without labels of classes, and for data that do not vary.
    """
    if own is not None:
        return _own(own, x, most)
    if kind == "auto":
        several = labels is not None and _classes(labels) is None
        kind = "classifier" if several else "log1p" if _counts(x) else "pca"
    if kind == "log1p" and float(x.min()) < 0:
        raise ValueError(f"log1p is for counts, got a least value of {float(x.min()):.3g}")
    flat = _flat(kind)
    rows = flat(x)
    spread = float(rows.std())
    if not spread > 0:
        raise ValueError("the real data must vary, got one value throughout")
    if kind == "classifier":
        return _classifiers(rows, labels, most, flat, spread)
    fitted = _Components(rows, min(most, _MOST, len(x) - 1, rows.shape[1]))
    count = fitted.directions.shape[1]
    what = "log(1 + counts)" if kind == "log1p" else "the data"
    said = f"{count} principal components of {what}"
    return Judged(lambda new: fitted(flat(new)).unsqueeze(0), said, count)


def _flat(kind: str) -> Transform:
    if kind == "log1p":
        return lambda x: x.flatten(1).clamp(min=0).log1p()
    return lambda x: x.flatten(1)


def _counts(x: Tensor) -> bool:
    """Whether rows of a table are counts."""
    whole = x.dim() == 2 and float(x.min()) >= 0 and float(x.max()) > 1
    return whole and bool((x == x.round()).all())


def _classes(labels: Tensor) -> str | None:
    """Why labels are no classes, where they are none."""
    different = len(torch.unique(labels))
    if different < 2:
        return "one class"
    if different > _CLASSES * len(labels):
        return f"{different:,} different ones of {len(labels):,} inputs"
    return None


def _classifiers(
    rows: Tensor, labels: Tensor | None, most: int, flat: Transform, spread: float
) -> Judged:
    if labels is None or (why := _classes(labels)) is not None:
        got = "none" if labels is None else why
        raise ValueError(f"classifier features need labels of two classes or more, got {got}")
    first = _Components(rows, _KEPT) if rows.shape[1] > _WIDE else None

    def seen(x: Tensor) -> Tensor:
        """In units of the spread of all data, which the nets' rate is made for."""
        wide = flat(x)
        kept = wide.double() if first is None else first(wide)
        return (kept / spread).float()

    nets = ClassifierFeatures(seen_all := seen(rows), torch.unique(labels, return_inverse=True)[1])
    fitted = nets(seen_all)
    said, count = f"{fitted.shape[2]} features", fitted.shape[2]
    fewer = [_Components(one, most) for one in fitted] if count > most else None
    if fewer is not None:
        said, count = f"{most} principal components of the {count} features", most

    def of(x: Tensor) -> Tensor:
        features = nets(seen(x))
        if fewer is None:
            return features
        return torch.stack([keep(one) for keep, one in zip(fewer, features, strict=True)])

    said += f" of each of {len(fitted)} small classifiers of the labels"
    return Judged(of, said, count)


def _own(own: Transform, x: Tensor, most: int) -> Judged:
    def rows(new: Tensor) -> Tensor:
        return own(new).flatten(1)

    few = x[torch.randperm(len(x), generator=stream("rows of features", 0))[:_ROWS]]
    fitted = rows(few)
    count = fitted.shape[1]
    if count <= most:
        return Judged(lambda new: rows(new).double().unsqueeze(0), f"{count} own features", count)
    kept = _Components(fitted, min(most, _MOST_OWN, len(few) - 1))
    left = kept.directions.shape[1]
    said = f"{left} principal components of {count:,} own features"
    return Judged(lambda new: kept(rows(new)).unsqueeze(0), said, left)
