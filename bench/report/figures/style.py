"""How figures look, and how they are saved."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngImageFile

from vaelib.files import write_atomically

__all__ = [
    "SOURCES",
    "SPLITS",
    "STYLE",
    "VECTORS",
    "VERDICTS",
    "WIDTH",
    "as_it_is",
    "png",
    "save",
    "source_colour",
    "vector",
]


STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "hatch.linewidth": 0.8,
    "savefig.dpi": 160,
}


WIDTH = 8.0  # inches

VERDICTS = {  # Okabe & Ito, and greys
    "no": "#D55E00",
    "yes": "#009E73",
    "undecided": "#777777",
    "flagged": "#CC79A7",
    "collapsed": "#bbbbbb",
}
"""The colour of each answer, the same in every figure."""

SPLITS = {"test": "#0072B2", "train": "#E69F00"}  # Okabe & Ito
"""The colour of each part of the data."""

SOURCES = {"prior": "#D55E00", "aggregate": "#0072B2", "floor": "#777777", "real": "#777777"}
"""The colour of latent sources, and of real images; that of any other is `source_colour`."""

VECTORS = ("svg", "pdf")
"""Forms without pixels in which a figure can be had."""


_COLOURS = 256  # what a palette holds
_UNSEEN = 4  # of 255: a change of a pixel that nobody sees
_DPI = 300  # of what has pixels in a figure that has none


def source_colour(source: str) -> str:
    """The colour of a latent source, the same in every figure."""
    return SOURCES.get(source, "#009E73")


def as_it_is(text: str) -> str:
    """A person's text as matplotlib is to show it: no formula, which may not even parse."""
    return text.replace("\\$", "$").replace("$", r"\$")


def png(figure: Figure) -> bytes:
    """A figure as PNG, without the metadata that would change between runs.

    Args:
        figure: The figure.

    Returns:
        All bytes of the file; equal figures give equal bytes.
    """
    drawn = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(
            drawn, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 0}
        )
    buffer = io.BytesIO()
    drawn.seek(0)
    with PngImageFile(drawn) as image:
        _with_fewer_colours(image).save(buffer, format="png", dpi=image.info["dpi"])
    return buffer.getvalue()


def vector(figure: Figure, form: str) -> bytes:
    """A figure without pixels, but for images and clouds of points that it holds.

    Args:
        figure: The figure.
        form: One of `VECTORS`.

    Returns:
        All bytes of the file; equal figures give equal bytes.
    """
    drawn = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    with mpl.rc_context({**STYLE, "svg.hashsalt": "vaebench", "pdf.fonttype": 42}):
        figure.savefig(drawn, format=form, metadata=undated, dpi=_DPI)
    return drawn.getvalue()


def _with_fewer_colours(image: Image.Image) -> Image.Image:
    """The image with a palette, which takes half the bytes, where nobody can tell them apart."""
    opaque = image.convert("RGB")
    if image.has_transparency_data and image.getchannel("A").getextrema() != (255, 255):
        return image
    fewer = opaque.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    changes = ImageChops.difference(opaque, fewer.convert("RGB"))
    return fewer if np.asarray(changes).max() <= _UNSEEN else opaque


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Args:
        figure: The figure.
        path: The file; its folder is made when it is absent.
    """
    write_atomically(path, png(figure))
