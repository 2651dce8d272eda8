"""One metric, as data; a user's own by its import path."""

import importlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

__all__ = ["Metric", "Table", "metric_at"]


class Table(StrEnum):
    """The tables of a study, in the order of the page."""

    BRACKET = "Does q match p?"
    KL = "Where the KL comes from"
    LIKELIHOOD = "Likelihood"
    ENCODER = "Is the encoder the posterior?"
    SAMPLES = "Samples by latent source"
    SHAPE = "Dimensions, moments and shape"
    DISTANCES = "Distance between z of q and z of the prior"
    TESTS = "Tests of q = p"
    OWN = "Your own metrics"


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        name: The contract: the text in the ``metric`` column of the rows.
        unit: Unit of the value and of the margin.
        better: Direction of improvement; ``"real"`` where noise can beat real images, so that a
            score is the better the closer it lies to that of real images in the same cell; None
            where a comparison of configurations by this number alone would mislead (raw
            divergences carry the finite-N floor, tests depend on N).
        margin: Largest difference that does not matter, in the metric's unit; None for statistics
            of tests, whose unit has no meaning outside the test.
        symbol: Heading in tables, in the field's notation.
        summary: One line in the field's standard terms, with the reason of the margin where that
            is not obvious.
        reference: Where the definition comes from.
        needs_unsaturated: Whether the number says nothing once the rate exceeds log N - 1.
        across_dimensions: Whether values at different latent dimensions D compare; else no claim
            sets one D against another by it, and no ranking does. Not those that change with D at
            one and the same mismatch: a KL of the joint law and its parts, what is lost in it where
            the mismatch lies in few of many dimensions, and what a test sees. Numbers per
            dimension compare, and costs in nats per input: the rate, the ELBO and what it is of.
        compared: Whether claims may compare configurations by it: not by an estimate from below
            that falls short by more in one than in another.
        at_most: Of a lower estimate: name of the metric that bounds it from above, without which
            no claim calls it small.
        at_least: Of an upper estimate: name of the metric that bounds it from below, without which
            no claim calls it large.
        matched: The value where the aggregate posterior is the prior, if that is one number.
        table: Where pages show it.
        place: Its column there; those of one place keep the order in which they are listed.
        measure: Of a user's own metric: a `bench.metrics.own.Encoded` -> a number, a number and its
            standard error, or None where it is not defined.
    """

    name: str
    unit: str
    better: Literal["lower", "higher", "real"] | None
    margin: float | None
    symbol: str
    summary: str
    reference: str
    needs_unsaturated: bool = False
    across_dimensions: bool = True
    compared: bool = True
    at_most: str = ""
    at_least: str = ""
    matched: float | None = None
    table: Table = Table.OWN
    place: int = 99
    measure: Callable[[Any], Any] | None = None

    @property
    def arrow(self) -> str:
        """The direction of improvement as a sign; empty without one."""
        return {"lower": "↓", "higher": "↑", "real": "→ real", None: ""}[self.better]

    @property
    def direction(self) -> str:
        """The direction of improvement in words; empty without one."""
        return "closer to real images" if self.better == "real" else self.better or ""


def metric_at(path: str) -> Metric:
    """The metric that an import path leads to.

    Args:
        path: ``"package.module:attribute"``.

    Returns:
        What stands there, whatever that is.
    """
    module, _, attribute = path.partition(":")
    metric: Metric = operator.attrgetter(attribute)(importlib.import_module(module))
    return metric
