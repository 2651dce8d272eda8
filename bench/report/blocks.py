"""What a page is made of: blocks of Markdown, and pictures that are drawn but not yet saved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from bench.report.figures.style import png, vector

__all__ = ["Block", "Page", "Picture", "composed", "drawn"]


@dataclass(frozen=True)
class Picture:
    """A figure in its place in a page.

    Attributes:
        text: What it shows, for those who cannot see it.
        file: Its name in the folder of the matrix's figures.
        png: The bytes of that file.
        figure: Drawn once more where it is wanted in another form; None where there is no other.
    """

    text: str
    file: str
    png: bytes
    figure: Figure | None = field(default=None, repr=False, compare=False)

    def vector(self, form: str) -> tuple[str, bytes] | None:
        """The figure without pixels, for papers.

        Args:
            form: svg or pdf.

        Returns:
            The name of its file, which is that of the picture but for its end, and its bytes; None
            where there is no figure.
        """
        if self.figure is None:
            return None
        return f"{self.file.removesuffix('.png')}.{form}", vector(self.figure, form)


Block = str | Picture
"""A paragraph, heading or table of Markdown, or a picture."""


@dataclass(frozen=True)
class Page:
    """A page before it is saved.

    Attributes:
        file: Where it is meant to stand in the folder of all results.
        text: Markdown.
        pictures: Those that it links to, in the folder of its matrix's figures.
    """

    file: str
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
    return Picture(text, file, png(figure), figure)


def _plain(text: str) -> str:
    """The text of a picture, from which no link or tag can break out."""
    return re.sub(r"([\\`\[\]<>])", r"\\\1", " ".join(text.split()))


def composed(name: str, blocks: Sequence[Block], part: str = "") -> Page:
    """Put a page together.

    Args:
        name: Of the matrix, whose folder holds the figures.
        blocks: In their order.
        part: What the page is called in the folder of the matrix; the matrix's own page stands
            beside that folder.

    Returns:
        The page.
    """
    figures = "figures" if part else f"{name}/figures"
    texts = [
        block if isinstance(block, str) else f"![{_plain(block.text)}]({figures}/{block.file})"
        for block in blocks
    ]
    pictures = tuple(block for block in blocks if isinstance(block, Picture))
    file = f"{name}/{part}.md" if part else f"{name}.md"
    return Page(file, "\n\n".join(texts) + "\n", pictures)
