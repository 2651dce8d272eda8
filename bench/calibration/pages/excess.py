"""The page of raw KL, its null and the excess where the true KL is 0."""

import pandas as pd

from bench.calibration.figures import excess_figure
from bench.calibration.pages.part import Part, bold, mark
from bench.report.blocks import Block, drawn
from bench.report.markdown import fitted, quantity

__all__ = ["excess_parts"]


def excess_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the page of the excess.

    Args:
        table: Its rows, judged.

    Returns:
        One page.
    """
    lines = []
    for _, row in table.sort_values(["D", "N", "rate"]).iterrows():
        numbers = [
            quantity(row[estimate], 1.96 * row[f"{estimate}_error"])
            for estimate in ("rate", "marginal_kl", "null", "excess", "loo")
        ]
        z = f"{row['z']:.1f}{mark(row)}"
        flag = "yes" if row["saturated"] else ""
        settings = [int(row["D"]), f"{int(row['N']):,}", f"{row['scale']:g}"]
        lines.append([*settings, *numbers, f"{row['floor']:.2f}", flag, bold(z, row["outside"])])
    heads = ["D", "N", "scale", "rate R", "raw KL(q_N‖p)", "null", "excess (diagnostic)"]
    heads += ["leave-one-out", "floor", "saturated", "z of the excess"]
    picture = drawn("raw KL, null and excess against the rate", "excess.png", excess_figure(table))
    blocks: list[Block] = [
        "Encoders whose population is the prior: means from N(0, 1 - s²), scale s. The true "
        "KL(q‖p) is 0 in every row. Raw KL of N inputs is not, and its floor R - log N says why; "
        "the excess over the null is, and the leave-one-out end stays below. Nats, mean ± 1.96 "
        "standard errors over encoders.",
        picture,
        *fitted(heads, lines, left=3),
    ]
    title = "Raw KL grows with the rate; the excess given scale, a diagnostic, stays 0"
    return [Part("excess", title, blocks, [_found(table)])]


def _found(table: pd.DataFrame) -> str:
    raw = table.iloc[int(table["marginal_kl"].argmax())]
    return (
        f"In {len(table)} settings whose true KL is 0, raw KL of N inputs is up to "
        f"{raw['marginal_kl']:.3g} nats (D = {int(raw['D'])}, N = {int(raw['N']):,}, rate "
        f"{raw['rate']:.3g}). The excess given scale, a diagnostic, is within "
        f"{table['z'].abs().max():.1f} of its standard errors of 0 in all of them."
    )
