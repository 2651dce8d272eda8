"""How an audit looks: its randomness, how much it looks at, and who is told how far it is."""

from dataclasses import dataclass

from vaelib.arguments.plain import as_count, as_seed, check_callable, check_kind
from vaelib.audits.measurement import Progress, Terms, silent, unheard
from vaelib.stats.checks import check_level
from vaelib.stats.nulls import NormalNull

__all__ = ["DEFAULTS", "AuditSettings"]


@dataclass(frozen=True)
class AuditSettings:
    """Settings of an audit.

    Attributes:
        seed: of the streams that the Monte Carlo estimates draw from.
        null_draws: simulated draws of the null of the marginal KL.
        test_rows: inputs that the tests see at most, a random choice.
        classified: inputs that the classifier sees at most.
        certified_rows: inputs whose z are played against the prior at most.
        alpha: one-sided level of both ends of the bracket.
        kernel_rows: inputs that the unbiased MMD and the hole mass see at most.
        null: null draws of the tests, with where to keep them.
        progress: told how far each stage is.
        terms: told the gain of every held-out input.

    Raises:
        TypeError: for a seed or number of rows that is no integer, a null that is none, or what
            cannot be told.
        ValueError: for fewer than 2 rows to test, or an alpha outside (0, 1).
    """

    seed: int = 0
    null_draws: int = 19
    test_rows: int = 500
    classified: int = 2000
    kernel_rows: int = 10_000
    certified_rows: int = 10_000
    alpha: float = 0.025
    null: NormalNull = NormalNull()
    progress: Progress = silent
    terms: Terms = unheard

    def __post_init__(self) -> None:
        as_seed(self.seed)
        as_count(self.null_draws, "null_draws", 0)
        as_count(self.test_rows, "test_rows", 2)
        check_level(self.alpha)
        check_kind(self.null, NormalNull, "null")
        check_callable(self.progress, "progress")
        check_callable(self.terms, "terms")


DEFAULTS = AuditSettings()
