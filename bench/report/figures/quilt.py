"""The latent quilt: two latent dimensions beside the prior, and the log-ratio of the two."""

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from bench.report.figures.style import STYLE, WIDTH, as_it_is
from vaelib.numerics.arrays import Floats
from vaelib.posterior import AggregatePosterior

__all__ = ["latent_quilt", "log_density"]

_BLUE = "#0072B2"  # Okabe & Ito
_MUTED = (  # Tol's muted scheme, ten labels that stay apart for every kind of colour vision
    "#332288 #88CCEE #44AA99 #117733 #999933 #DDCC77 #CC6677 #882255 #AA4499 #777777"
).split()
_APART, _ROUNDS = 0.15, 100  # of half the width: between names of labels; steps to get there
_CLIP = 3.0  # nats of log-ratio at which the colours end
_NONE, _PALE = (
    math.log(0.01),
    0.15,
)  # of the prior's peak: next to no density; how strong its colour


def log_density(points: Floats, mean: Floats, scale: Floats) -> Floats:
    """Log-density of the aggregate posterior of N inputs.

    Args:
        points: Shape (M, D).
        mean: Posterior means, shape (N, D).
        scale: Posterior standard deviations, shape (N, D).

    Returns:
        log q_N at the points, shape (M,), nats.
    """
    at, centre, width = (
        torch.from_numpy(np.asarray(array, np.float64)) for array in (points, mean, scale)
    )
    density: Floats = AggregatePosterior(centre, width).log_prob(at).numpy()
    return density


def latent_quilt(
    mean: npt.ArrayLike,
    scale: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """Two latent dimensions beside the standard normal prior.

    Left: one draw from the posterior of each input, coloured by label. Middle: as many draws from
    the prior. Right: log q_N(z) - log p(z), red where the prior under-samples, blue where it falls
    into holes, pale where neither has a hundredth of the prior's peak. Dashed circles hold half and
    95 % of the prior.

    Args:
        mean: Posterior means, shape (N, 2).
        scale: Posterior standard deviations, shape (N, 2).
        labels: Class of each input, shape (N,).
        title: Above all three.

    Returns:
        The figure.

    Raises:
        ValueError: If the posteriors do not have two dimensions.
    """
    centre, width = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
    if centre.ndim != 2 or centre.shape[1] != 2 or centre.shape != width.shape:
        raise ValueError(
            f"expected mean and scale of shape (N, 2), got {centre.shape} and {width.shape}"
        )
    generator = np.random.default_rng(0)
    drawn = centre + width * generator.standard_normal(centre.shape)
    prior = generator.standard_normal(centre.shape)
    limit = float(np.clip(np.quantile(np.abs(drawn), 0.998) + 0.2, 3.2, 8.0))
    axis = np.linspace(-limit, limit, 161)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    below = 0.5 * (grid**2).sum(1)  # how far log p lies below its peak
    ratio = log_density(grid, centre, width) + below + math.log(2 * math.pi)
    density = np.maximum(ratio, 0) - below  # of the denser of both, below the peak of p
    strength = np.clip(np.exp(density - _NONE), _PALE, 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.95 + 0.25 * bool(title)), layout="constrained")
        if title:
            figure.suptitle(as_it_is(title), x=0.01, ha="left", fontsize=10.5, weight="bold")
        left, middle, right = figure.subplots(1, 3, sharex=True, sharey=True)
        _labelled(left, drawn, None if labels is None else np.asarray(labels), limit)
        left.set_title("$q_N(z)$, one draw per input")
        _scatter(middle, prior, "#444444", 0.6)
        middle.set_title("$p(z)$, as many draws")
        image = right.imshow(
            ratio.reshape(len(axis), -1),
            alpha=strength.reshape(len(axis), -1),
            extent=(-limit, limit, -limit, limit),
            origin="lower",
            cmap="RdBu_r",
            vmin=-_CLIP,
            vmax=_CLIP,
            interpolation="bilinear",
        )
        right.set_title("$\\log\\,q_N(z) - \\log\\,p(z)$, nats")
        figure.colorbar(image, ax=right, extend="both", ticks=[-3, -2, -1, 0, 1, 2, 3], pad=0.03)
        for one in (left, middle, right):
            one.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="$z_1$")
            for share in (0.5, 0.95):
                radius = math.sqrt(-2 * math.log(1 - share))
                one.add_patch(Circle((0, 0), radius, fill=False, ls="--", lw=0.7, ec="#333333"))
        left.set_ylabel("$z_2$")
    return figure


def _scatter(
    axes: Axes, points: Floats, colours: str | npt.NDArray[np.str_], strength: float
) -> None:
    size = float(np.clip(4000 / len(points), 1.0, 12.0))
    x, y = points.T
    axes.scatter(x, y, s=size, c=colours, alpha=strength, linewidths=0, rasterized=True)


def _pushed(places: Floats, apart: float) -> Floats:
    """Places that are moved as little as it takes for all to be apart."""
    moved = places.copy()
    for _ in range(_ROUNDS):
        between = moved[:, None] - moved
        distance = np.sqrt((between**2).sum(-1))
        lacking = np.clip(apart - distance, 0, None) * ~np.eye(len(moved), dtype=bool)
        if not lacking.any():
            break
        between[..., 0] += 1e-9 * np.sign(np.subtract.outer(*[np.arange(len(moved))] * 2))
        away = between / np.maximum(np.sqrt((between**2).sum(-1)), 1e-12)[..., None]
        moved = moved + 0.5 * (lacking[..., None] * away).sum(1)
    return moved


def _labelled(axes: Axes, points: Floats, labels: npt.NDArray[Any] | None, limit: float) -> None:
    """Scatter points by class; the name of each class stands at its median, or close to it."""
    kinds = np.unique(labels) if labels is not None else np.array([])
    if labels is None or len(kinds) > len(_MUTED):
        _scatter(axes, points, _BLUE, 0.6)
        return
    colours = np.array(_MUTED)[np.searchsorted(kinds, labels)]
    _scatter(axes, points, colours, 0.75)
    medians = np.array([np.median(points[labels == kind], axis=0) for kind in kinds])
    for kind, (x, y) in zip(kinds, _pushed(medians, _APART * limit), strict=True):
        halo = [withStroke(linewidth=2.2, foreground="white")]
        axes.text(x, y, str(kind), ha="center", va="center", weight="bold", path_effects=halo)
