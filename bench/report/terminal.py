"""Tables for terminals of any width: cells wrap between words, and no name is cut."""

from collections.abc import Iterable, Sequence

from rich.table import Column, Table
from rich.text import Text

from bench.errors import visible

__all__ = ["table"]

_WHOLE = 30  # characters of a word that stays whole however narrow the terminal; a longer one folds


def table(
    heads: Sequence[str], lines: Iterable[Sequence[str]], title: str = "", caption: str = ""
) -> Table:
    """Lay out a table.

    Args:
        heads: Column headings.
        lines: Rows of cells; plain text.
        title: What stands above.
        caption: What stands below.

    Returns:
        Something to print; it may be wider than a terminal that is narrower than its words.

    Example:
        >>> from rich.console import Console
        >>> rows = [["marginal_kl_excess", "KL less its finite-N null"]]
        >>> Console(width=38).print(table(["name", "what it is"], rows))
        ┏━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
        ┃ name               ┃ what it is    ┃
        ┡━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
        │ marginal_kl_excess │ KL less its   │
        │                    │ finite-N null │
        └────────────────────┴───────────────┘
    """
    rows = [list(map(visible, row)) for row in lines]
    columns = []
    for head, *cells in zip(heads, *rows, strict=True):
        widest = max(map(len, " ".join([head, *cells]).split()), default=0)
        whole = widest <= _WHOLE and not any(" " in text for text in (head, *cells))
        least = min(widest, _WHOLE)
        columns.append(Column(head, overflow="fold", min_width=least, no_wrap=whole))
    out = Table(*columns)
    if title:
        out.title, out.title_justify = Text(title), "left"
    if caption:
        out.caption, out.caption_justify = Text(caption), "left"
    for row in rows:
        out.add_row(*map(Text, row))
    return out
