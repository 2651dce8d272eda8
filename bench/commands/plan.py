"""What ``vaebench audit --plan`` does: how many held-out inputs a margin needs at some D."""

import json
from dataclasses import asdict

from rich.console import Console

from bench.errors import UserError
from bench.report.terminal import table
from vaelib.audits.departures import DEPARTURES
from vaelib.audits.power import shipped
from vaelib.audits.sight import Plan, plan
from vaelib.audits.verdict import LEAST_FOR_YES, MARGIN, check_margin

__all__ = ["execute"]


def execute(
    console: Console, dimensions: int | None, margin: float | None, *, as_json: bool = False
) -> int:
    """Plan an audit from the counts of planted departures that come with the package.

    Args:
        console: Standard output.
        dimensions: D.
        margin: KL in nats that still counts as a match; the suite's where None.
        as_json: Whether to print the sentence and the counts as JSON instead.

    Returns:
        The exit code, 0.

    Raises:
        UserError: For a margin or a D that nothing was counted for.
    """
    margin = MARGIN if margin is None else margin
    if dimensions is None:
        raise UserError("--plan needs --dimensions, the D of the latents")
    try:
        check_margin(margin)
        planned = plan(shipped(), dimensions, margin)
    except ValueError as error:
        raise UserError(f"--{error}") from error
    if as_json:
        found = {
            "schema": {"name": "vaebench.plan", "version": 1},
            "sentence": planned.sentence,
            "margin": margin,
            "dimensions": dimensions,
            "rows": [asdict(row) for row in planned.rows],
        }
        print(json.dumps(found, indent=1, allow_nan=False))
        return 0
    console.print(planned.sentence, markup=False, style="bold", soft_wrap=not console.is_terminal)
    heads = [f"n = {n:,}, D = {counted}" for n, counted in planned.sizes.items()]
    console.print(table(["planted", *heads], _lines(planned)))
    for text in (
        "In each cell: seen by the e-value · answered no, of so many repeats. Points, in random "
        "directions, and three times as many to fit to.",
        f"A yes needs {LEAST_FOR_YES} held-out inputs, and their number above exp(rate + 1): the "
        "rate is the mean KL of a posterior to the prior.",
    ):
        console.print(text, markup=False, soft_wrap=not console.is_terminal)
    return 0


def _lines(planned: Plan) -> list[list[str]]:
    """A kind a row, an n a column."""
    cells = {
        (row.departure, row.n): f"{row.seen} · {row.halved} of {row.repeats}"
        for row in planned.rows
    }
    kinds = [name for name in DEPARTURES if any(row.departure == name for row in planned.rows)]
    return [[kind, *(cells.get((kind, n), "–") for n in planned.sizes)] for kind in kinds]
