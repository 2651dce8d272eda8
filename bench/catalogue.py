"""What a matrix may use, by kind: names and what they stand for."""

import inspect

from bench.matrix_file import leading_comment, shipped
from bench.metrics import METRICS

__all__ = ["KINDS", "entries"]

_FAMILIES = {
    "datasets": "dataset",
    "decoders": "decoder",
    "encoders": "encoder",
    "likelihoods": "likelihood",
    "objectives": "objective",
    "priors": "prior",
}
KINDS = tuple(sorted([*_FAMILIES, "matrices", "metrics"]))
"""What may be listed."""


def entries(kind: str) -> dict[str, str]:
    """The names of one kind.

    Args:
        kind: one of `KINDS`.

    Returns:
        Name -> what it is, one line each.
    """
    if kind == "matrices":
        return {n: _summary(leading_comment(p.read_text())) for n, p in shipped().items()}
    if kind == "metrics":
        return {n: f"[{m.unit}] {m.summary}" for n, m in METRICS.items()}
    from bench.components import FAMILIES  # imports torch

    family = FAMILIES[_FAMILIES[kind]]
    return {name: _summary(inspect.getdoc(made) or "") for name, made in family.items()}


def _summary(text: str) -> str:
    """The first paragraph, or what stands before the cost, on one line."""
    return " ".join(text.split("\n\n")[0].split("\nCost:")[0].split())
