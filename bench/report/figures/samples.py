"""Pictures of samples: grids by latent source, and where sampling fails."""

import math
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures.style import STYLE, WIDTH, source_colour
from vaelib.numerics.arrays import Floats

__all__ = ["mosaic", "sample_grids", "where_sampling_fails", "witness"]

Images = npt.NDArray[np.uint8]

_DEEPEST, _DENSEST = "#2166ac", "#b2182b"  # as the witness where q is less and more than p

_TITLES = {
    "real": "real, never trained on",
    "reconstruction": "reconstructions",
    "aggregate": "z of held-out inputs",
    "prior": "z of the prior",
    "gmm": "z of a fitted mixture",
    "flow": "z of a fitted flow",
    "repaired": "z of the fitted stack",
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


def _show(axes: Axes, images: Images, title: str, colour: str) -> None:
    """Images with a title and a frame."""
    axes.imshow(mosaic(images), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(visible=True, color=colour, linewidth=1.6)


def sample_grids(samples: Mapping[str, Images]) -> Figure:
    """Images of each latent source side by side, in one order whatever the configuration.

    Args:
        samples: Source -> images, shape (n, channels, height, width); sources without a title are
            left out.

    Returns:
        The figure: each grid in a frame of the colour that its source has in every figure.
    """
    shown = [name for name in _TITLES if name in samples]
    wide = 5 if len(shown) == 5 else 4
    tall = -(-len(shown) // wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, tall * (WIDTH / wide + 0.25)), layout="constrained")
        panels = figure.subplots(tall, wide, squeeze=False).ravel()
        for axes, name in zip(panels, shown, strict=False):
            _show(axes, samples[name], _TITLES[name], source_colour(name))
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
        figure.get_layout_engine().set(wspace=0.04)  # type: ignore[union-attr, call-arg]
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
        left.text(
            0.03,
            0.97,
            "red (+): q has more\nblue (-): p has more",
            fontsize=7.5,
            va="top",
            transform=left.transAxes,
        )
        bar = figure.colorbar(image, ax=left, pad=0.03, shrink=0.75)
        bar.set_label("E k(z, q) - E k(z, p), unit k(z, z)", fontsize=8)
        _show(middle, samples["deepest"], "prior draws, lowest tenth of $q_N$", _DEEPEST)
        _show(right, samples["densest"], "prior draws, highest tenth of $q_N$", _DENSEST)
    return figure
