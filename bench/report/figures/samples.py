"""Pictures of samples: grids by latent source, where sampling fails, and match against cost."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.cluster.hierarchy import fclusterdata

from bench.analysis.replicates import replicates, saturated, t_interval
from bench.report.figures.style import STYLE, WIDTH
from vaelib.numerics.arrays import Floats

__all__ = ["match_against_cost", "mosaic", "sample_grids", "where_sampling_fails", "witness"]

Images = npt.NDArray[np.uint8]

_NEAR = 0.18  # inches between points that have labels of their own

_TITLES = {
    "real": "real, never trained on",
    "reconstruction": "reconstructions",
    "aggregate": "z of held-out inputs",
    "prior": "z of the prior",
    "gmm": "z of a fitted mixture",
    "flow": "z of a fitted flow",
    "two_stage": "z of a second VAE",
}


def mosaic(images: Images) -> Images:
    """Lay images out as a square, row by row, with a light line between them.

    Args:
        images: Shape (n, channels, height, width).

    Returns:
        Shape (rows, columns) for one channel, (rows, columns, 3) for three.
    """
    side = math.isqrt(len(images))
    tiles = np.pad(images[: side * side], ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=160)
    _, channels, height, width = tiles.shape
    laid = tiles.reshape(side, side, channels, height, width).transpose(0, 3, 1, 4, 2)
    laid = laid.reshape(side * height, side * width, channels)
    return laid[..., 0] if channels == 1 else laid


def _show(axes: Axes, images: Images, title: str) -> None:
    axes.imshow(mosaic(images), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()


def sample_grids(samples: Mapping[str, Images]) -> Figure:
    """Images of each latent source side by side, in one order whatever the configuration.

    Args:
        samples: Source -> images, shape (n, channels, height, width); sources without a title are
            left out.

    Returns:
        The figure.
    """
    shown = [name for name in _TITLES if name in samples]
    wide = 5 if len(shown) == 5 else 4
    tall = -(-len(shown) // wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, tall * (WIDTH / wide + 0.25)), layout="constrained")
        panels = figure.subplots(tall, wide, squeeze=False).ravel()
        for axes, name in zip(panels, shown, strict=False):
            _show(axes, samples[name], _TITLES[name])
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
    return figure


def witness(points: Floats, mean: Floats, scale: Floats, bandwidth: float) -> Floats:
    """Witness function of the MMD between an aggregate posterior and N(0, I), exactly.

    E k(z, q) - E k(z, p) with a Gaussian kernel: both expectations have a closed form.

    Args:
        points: Shape (M, D).
        mean: Posterior means, shape (N, D).
        scale: Posterior standard deviations, shape (N, D).
        bandwidth: h.

    Returns:
        Values in kernel units, shape (M,): positive where q has more mass than the prior.
    """
    squared = bandwidth**2

    def expected(centre: Floats, variance: Floats) -> Floats:
        spread = squared + variance  # (n, D)
        near = points[:, None, :] - centre
        exponents: Floats = -0.5 * (near**2 / spread).sum(-1)
        values: Floats = (np.sqrt(squared / spread).prod(-1) * np.exp(exponents)).mean(1)
        return values

    size = points.shape[1]
    return expected(mean, scale**2) - expected(np.zeros((1, size)), np.ones((1, size)))


def where_sampling_fails(
    mean: npt.ArrayLike, scale: npt.ArrayLike, samples: Mapping[str, Images]
) -> Figure:
    """The MMD witness over two latent dimensions, and images from holes and from dense places.

    Args:
        mean: Posterior means, shape (N, 2).
        scale: Posterior standard deviations, shape (N, 2).
        samples: ``deepest`` and ``densest``: images of the tenth of prior draws of lowest and of
            highest log q_N, shape (n, channels, height, width).

    Returns:
        The figure.
    """
    centre, width = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
    axis = np.linspace(-3.5, 3.5, 71)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    values = np.concatenate(
        [witness(part, centre, width, 0.5) for part in np.array_split(grid, 32)]
    )
    limit = float(np.abs(values).max())
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        image = left.imshow(
            values.reshape(len(axis), -1),
            extent=(axis[0], axis[-1], axis[0], axis[-1]),
            origin="lower",
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            interpolation="bilinear",
        )
        left.set(xlabel="$z_1$", ylabel="$z_2$", title="MMD witness, h = 0.5")
        figure.colorbar(image, ax=left, pad=0.03)
        _show(middle, samples["deepest"], "prior draws, lowest tenth of $q_N$")
        _show(right, samples["densest"], "prior draws, highest tenth of $q_N$")
    return figure


def _difference(frame: pd.DataFrame, metric: str, split: str, pair: Sequence[str]) -> pd.DataFrame:
    first, second = (replicates(frame, metric, split, source) for source in pair)
    return first - second


def match_against_cost(frame: pd.DataFrame) -> Figure:
    """Match of the latents against the cost in the images, over all configurations.

    Args:
        frame: Tidy rows of one data set, with the excess given scale and the Fréchet distance of
            prior and aggregate.

    Returns:
        The figure: across, the excess given scale on test inputs; up, the Fréchet distance of
        samples of the prior less that of samples of the aggregate posterior, paired within each
        model. The configurations are numbered from the lowest excess up; neighbours share a label.
    """
    excess = replicates(frame, "marginal_kl_excess", "test")
    cost = _difference(frame, "frechet", "test", ("prior", "aggregate"))
    names = [
        name for name in cost.columns if cost[name].notna().any() and excess[name].notna().any()
    ]
    names.sort(key=lambda name: np.nanmean(excess[name]))
    flagged = set(saturated(frame, "test"))
    with mpl.rc_context(STYLE):
        height = max(3.4, 0.9 + 0.16 * len(names))
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        (x, wide), (y, high) = (t_interval(table[names].to_numpy()) for table in (excess, cost))
        for place, name in enumerate(names):
            hollow: dict[str, Any] = {"mfc": "white"} if name in flagged else {}
            sizes = {
                key: half[place]
                for key, half in (("xerr", wide), ("yerr", high))
                if np.isfinite(half[place])
            }
            axes.errorbar(
                x[place],
                y[place],
                **sizes,
                fmt="o",
                c="#0072B2",
                ms=4.5,
                lw=1.1,
                capsize=2,
                **hollow,
            )
        axes.axhline(0, c="#555555", lw=0.9, ls=":")
        axes.axvline(0, c="#555555", lw=0.9, ls=":")
        axes.set_xlabel("excess given scale, nats, test inputs (hollow: saturated)")
        axes.set_ylabel("Fréchet: prior less aggregate")
        axes.grid()
        keys = [Line2D([], [], ls="", label=f"{i} {name}") for i, name in enumerate(names, 1)]
        figure.legend(
            handles=keys, loc="outside right upper", fontsize=7, handlelength=0, handletextpad=0
        )
        figure.draw_without_rendering()
        _number(axes, np.stack([x, y], 1), figure.dpi)
    return figure


def _number(axes: Axes, points: Floats, dpi: float) -> None:
    """Number points, those too close for a label of their own together."""
    inches = axes.transData.transform(points) / dpi
    groups = fclusterdata(inches, _NEAR, "distance") if len(points) > 1 else np.ones(len(points))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        runs = np.split(members + 1, np.flatnonzero(np.diff(members) > 1) + 1)
        text = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
        highest = points[members[points[members, 1].argmax()]]
        axes.annotate(text, highest, xytext=(4, 3), textcoords="offset points", fontsize=8)
