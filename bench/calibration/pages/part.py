"""One subject of the calibration: what the first page says of it, and a page of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.report.blocks import Block

__all__ = ["Part", "bold", "mark", "mean", "said"]


@dataclass(frozen=True)
class Part:
    """A page in the folder of the tables.

    Attributes:
        file: What it is called there, without ``.md``; no two begin with the same words.
        title: Of the page, and of its section on the first one.
        blocks: What stands on it.
        found: What the first page says of it: a paragraph and a small table. With none, the page
            that stands before it links to it.
    """

    file: str
    title: str
    blocks: Sequence[Block]
    found: Sequence[str] = field(default=())


def mark(row: pd.Series) -> str:
    """The mark of what was run again, where it was."""
    return " ²" if row.get("again", 0) else ""


def bold(text: str, outside: object) -> str:
    """The text, set in bold where it lies outside."""
    return f"**{text}**" if outside else text


def said(rows: pd.DataFrame, word: str) -> str:
    """Of how many audits the word was said."""
    return f"{(rows['verdict'] == word).sum():,} of {len(rows):,}" if len(rows) else "–"


def mean(values: pd.Series) -> str:
    """The mean of what there is."""
    return f"{values.mean():.2g}" if values.notna().any() else "–"
