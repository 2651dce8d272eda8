"""What a study varies: the label of each configuration, in their natural order."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.replicates import varied_keys

__all__ = ["are_ordered", "levels"]

_LAYERS = re.compile(r"\d+(-\d+)*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


def levels(frame: pd.DataFrame) -> dict[str, str]:
    """Label the configurations of one study by the keys that differ, in their natural order.

    Args:
        frame: Tidy rows of one study.

    Returns:
        config -> label, such as "8" or "8, 200-200"; numbers ascending, layer lists by depth and
        width, anything else in the order of the rows. The name itself where no key differs.
    """
    keys = varied_keys(frame)
    first = frame.drop_duplicates("config").set_index("config")
    if not keys:
        return {str(config): str(config) for config in first.index}
    columns = [_natural(first[key]) for key in keys]
    order = sorted(range(len(first)), key=lambda row: [column[row] for column in columns])
    texts = [", ".join(_shown(first[key].iloc[row]) for key in keys) for row in order]
    return {str(first.index[row]): text for row, text in zip(order, texts, strict=True)}


def are_ordered(labels: Iterable[str]) -> bool:
    """Whether the labels of a study have an order of their own: numbers, or lists of layers.

    Args:
        labels: As `levels` gives them.

    Returns:
        False for names, such as those of priors.

    Example:
        >>> are_ordered(["2", "16"]), are_ordered(["500", "500-500"]), are_ordered(["ae", "elbo"])
        (True, True, False)
    """
    return all(_NUMBER.fullmatch(text) or _LAYERS.fullmatch(text) for text in labels)


def _natural(column: "pd.Series[Any]") -> list[tuple[float, ...]]:
    texts = [_shown(value) for value in column]
    if all(_LAYERS.fullmatch(text) for text in texts):
        layers = [tuple(map(float, text.split("-"))) for text in texts]
        return [(float(len(widths)), *widths) for widths in layers]
    try:
        return [(float(text),) for text in texts]
    except ValueError:
        return [(float(texts.index(text)),) for text in texts]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value) or "–"
