"""What an audit was asked, and where codes lie: what a report says beside its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Asked", "Codes"]


@dataclass(frozen=True)
class Codes:
    """Where codes lie, in the first two dimensions.

    Attributes:
        of_q: some z, shape (m, 2).
        of_prior: as many draws of the prior, shape (m, 2); None where it has none.
    """

    of_q: npt.NDArray[np.float64]
    of_prior: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class Asked:
    """What an audit was asked.

    Attributes:
        prior: what the prior is called.
        margin: KL in nats that still counts as a match.
        alpha: one-sided level of both ends of the bracket.
        inputs: split -> how many there are.
        dimensions: D.
        codes: for the figure; None of one dimension.
        positions: vectors of each input: of a map, or the steps of a sequence.
        notes: sentences that a person should read first.
    """

    prior: str
    margin: float
    alpha: float
    inputs: Mapping[str, int]
    dimensions: int
    codes: Codes | None = None
    positions: int = 1
    notes: tuple[str, ...] = ()
