"""What a page is made of: blocks of Markdown, and pictures that are drawn but not yet saved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.report.figures.style import png

__all__ = ["Block", "Page", "Picture", "composed", "drawn"]


@dataclass(frozen=True)
class Picture:
    """A figure in its place in a page.

    Attributes:
        text: What it shows, for those who cannot see it.
        file: Its name in the folder of the matrix's figures.
        png: The bytes of that file.
    """

    text: str
    file: str
    png: bytes


Block = str | Picture
"""A paragraph, heading or table of Markdown, or a picture."""


@dataclass(frozen=True)
class Page:
    """A page before it is saved.

    Attributes:
        text: Markdown; it is meant to stand beside the folder of its matrix.
        pictures: Those that it links to.
    """

    text: str
    pictures: tuple[Picture, ...]


def drawn(text: str, file: str, figure: Figure) -> Picture:
    """Draw a figure.

    Args:
        text: What it shows.
        file: Its name, with ``.png``.
        figure: The figure.

    Returns:
        The picture.
    """
    return Picture(text, file, png(figure))


def _plain(text: str) -> str:
    """The text of a picture, from which no link or tag can break out."""
    return re.sub(r"([\\`\[\]<>])", r"\\\1", " ".join(text.split()))


def composed(name: str, blocks: Sequence[Block]) -> Page:
    """Put a page together.

    Args:
        name: Of the matrix, whose folder holds the figures.
        blocks: In their order.

    Returns:
        The page.
    """
    texts = [
        block if isinstance(block, str) else f"![{_plain(block.text)}]({name}/figures/{block.file})"
        for block in blocks
    ]
    pictures = tuple(block for block in blocks if isinstance(block, Picture))
    return Page("\n\n".join(texts) + "\n", pictures)
