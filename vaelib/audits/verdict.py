"""Does q match its prior? The bracket against a margin, and the words for it."""

import math
from dataclasses import dataclass
from typing import Literal

from vaelib.arguments.plain import shown
from vaelib.arguments.tensors import number_of

__all__ = [
    "LEAST_FOR_YES",
    "MARGIN",
    "Bracket",
    "Verdict",
    "check_margin",
    "unseen_share",
    "verdict",
]

Verdict = Literal["yes", "no", "undecided", "flagged"]

MARGIN = 0.05
"""KL in nats that still counts as a match: no discriminator is then right in more than .58."""

LEAST_FOR_YES = 300
"""Independent held-out inputs below which nothing is called a match."""


@dataclass(frozen=True)
class Bracket:
    """Both ends of KL(q‖p), and what they rest on.

    Attributes:
        lower: proved lower end in nats; NaN where nothing could be played.
        upper: upper end in nats; NaN where there is no density.
        inputs: independent z that were played.
        saturated: whether the rate exceeds log N - 1, so that the upper end cannot give a yes.
        flagged: whether the z are no independent draws.
    """

    lower: float
    upper: float = math.nan
    inputs: int = 0
    saturated: bool = False
    flagged: bool = False


def verdict(bracket: Bracket, margin: float = MARGIN) -> Verdict:
    """Decide whether q matches its prior within a margin.

    "no" is wrong with probability at most the level of the lower end: a theorem. "yes" is wrong
    about as often, asymptotically, but for modes that no input has shown.

    Args:
        bracket: both ends.
        margin: KL in nats that still counts as a match.

    Returns:
        "no" where the lower end exceeds the margin; "yes" where the upper end lies below it, is not
        saturated and rests on 300 inputs; "flagged" where the z prove nothing; else "undecided".

    Raises:
        ValueError: for a margin that is not positive and finite.

    Example:
        >>> verdict(Bracket(0.29, 0.43, 10_000))
        'no'
        >>> verdict(Bracket(0.0, 0.04, 10_000))
        'yes'
    """
    check_margin(margin)
    if bracket.flagged:
        return "flagged"
    if bracket.lower > margin:
        return "no"
    enough = bracket.inputs >= LEAST_FOR_YES and not bracket.saturated
    return "yes" if enough and bracket.upper < margin else "undecided"


def check_margin(margin: object) -> None:
    """Refuse what is no margin.

    Args:
        margin: KL in nats that still counts as a match.

    Raises:
        ValueError: for what is not a positive, finite number.
    """
    number = number_of(margin)
    if number is None or not 0 < number < math.inf:
        raise ValueError(f"margin must be a positive number of nats, got {shown(margin)}")


def unseen_share(inputs: int) -> float:
    """The largest share of a mode that none of n inputs may have shown, at 2.5 %.

    Args:
        inputs: n, at least 1.

    Returns:
        1 - .025^(1/n), about 3.7/n.
    """
    return -math.expm1(math.log(0.025) / inputs)
