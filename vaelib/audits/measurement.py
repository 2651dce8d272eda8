"""What is measured: one number about one split, and who is told how far it is."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Measurement", "Progress", "Terms", "joined", "silent", "ticks", "unheard"]

Progress = Callable[[str, int, int], None]
"""Told what is being measured, how many steps of it are done, and of how many."""

Terms = Callable[[str, str, Tensor], None]
"""Told the split, the metric, and of every input in its order the number whose mean it is."""


@dataclass(frozen=True)
class Measurement:
    """One number about one split.

    Attributes:
        split: ``"train"`` or ``"test"``; ``"sample"`` where only z was given.
        source: empty for the posterior itself, ``"gauge_fixed"`` for the standardised one.
        metric: name of the metric.
        value: in the metric's unit; None where it is not defined.
        standard_error: Monte Carlo standard error of the value, None where it is exact.
        p_value: of a test, else None.
        message: what a reader must know about this number.
    """

    split: str
    metric: str
    value: float | None
    standard_error: float | None = None
    p_value: float | None = None
    source: str = ""
    message: str = ""


def silent(stage: str, done: int, of: int) -> None:
    """Progress that nobody watches."""


def unheard(split: str, metric: str, values: Tensor) -> None:
    """Terms that nobody keeps."""


def ticks(progress: Progress, stage: str, of: int) -> Callable[[], None]:
    """What to call after each of the steps of a stage."""
    count = iter(range(1, of + 1))
    return lambda: progress(stage, next(count), of)


def joined(*notes: str) -> str:
    """One message of several, of which some are empty."""
    return "; ".join(filter(None, notes))
