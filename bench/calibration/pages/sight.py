"""The pages that show where the answer sees nothing, and what the diagnostics say of a match."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.calibration.answers.audits import PANEL
from bench.calibration.pages.part import Part, mean, said
from bench.report.blocks import Block
from bench.report.markdown import fitted
from vaelib.audits.verdict import MARGIN

__all__ = ["diagnosed", "sight"]

_FAR = 0.2
_FEW, _MOST = 0.1, 0.5  # shares of the KL


def diagnosed(table: pd.DataFrame) -> Part | None:
    """The diagnostics that decided before, on the same exact matches.

    Args:
        table: One row per audit.

    Returns:
        Their page; None where no match was looked at by them.
    """
    looked = table[(table["kl"] == 0) & table[PANEL[0]].notna()]
    if looked.empty:
        return None
    lines, called, read = [], 0, 0
    for kind, rows in looked.groupby("kind", sort=False):
        with_excess = rows[rows["excess"].notna()]
        above = with_excess["excess"] - 1.96 * with_excess["excess_se"] > MARGIN
        called, read = called + int(above.sum()), read + len(above)
        lines.append(
            [
                kind,
                len(rows),
                _share(rows["verdict"] == "no"),
                mean(with_excess["excess"]),
                _share(above),
                _share(with_excess["excess_p"] <= 0.05),
                *(_share(rows[test] <= 0.05) for test in PANEL),
            ]
        )
    refused = int((looked["verdict"] == "no").sum())
    heads = ["exact match", "audits", "“no”", "mean excess (diagnostic)"]
    heads += ["excess above the margin"]
    tests = ["null test of the excess", "MMD", "likelihood ratio", "KS"]
    text = (
        "The excess given scale, a diagnostic, lies above the margin, with its interval, in "
        f"{called:,} of {read:,} exact matches: its null holds where the scale does not depend on "
        f"place. The answer to these {len(looked):,} is “no” {refused} times. "
        "Tests reject a true match at their level by design, and do not say how far q is."
    )
    table_of = fitted([*heads, *(f"{test}, p ≤ .05" for test in tests)], lines)
    title = "What the diagnostics say of exact matches"
    return Part("diagnostics", title, [text, *table_of], [text])


def _share(hits: pd.Series) -> str:
    return f"{int(hits.sum())} of {len(hits)}" if len(hits) else "–"


def sight(table: pd.DataFrame) -> Part | None:
    """Power by kind, D and n, at a KL that matters; and where there is next to none.

    Args:
        table: One row per audit.

    Returns:
        Its page; None without such audits.
    """
    far = table[(table["kl"] == _FAR) & (table["family"] != "world")]
    if far.empty:
        return None
    sizes, dimensions = sorted(far["n"].unique()), sorted(far["D"].unique())
    most = far[far["n"] == sizes[-1]]
    lines, power = [], []
    for kind, rows in far.groupby("kind", sort=False):
        shown = most[most["kind"] == kind]
        gains = [shown.loc[shown["D"] == d, "gain"].mean() / _FAR for d in dimensions]
        lines.append([kind, *map(_percent, gains)])
        for d, own in rows.groupby("D"):
            power.append([kind, d, *(said(own[own["n"] == n], "no") for n in sizes)])
    text = (
        f"The mean gain at n = {sizes[-1]:,} as a share of the KL. {_blind(most)} An “undecided” "
        "there is no evidence of a match."
    )
    heads = [f"D = {d}" for d in dimensions]
    blocks: list[Block] = [text, *fitted(["kind", *heads], lines)]
    blocks += [
        "## How often “no” is said, by n",
        *fitted(["kind", "D", *(f"n = {n:,}" for n in sizes)], power, left=2),
    ]
    title = f"What is seen of {_FAR:g} nats, and what is not"
    found = fitted(["share of the KL", *heads], _middle(most, dimensions))
    return Part("sight", title, blocks, [text, *found])


def _middle(rows: pd.DataFrame, dimensions: Sequence[int]) -> list[list[object]]:
    """What is found of the kind in the middle, and of the one of which least is found."""
    shares = [rows[rows["D"] == d].groupby("kind")["gain"].mean() / _FAR for d in dimensions]
    return [
        ["of the kind in the middle", *(_percent(of_kinds.median()) for of_kinds in shares)],
        ["of the kind least seen", *(_percent(of_kinds.min()) for of_kinds in shares)],
    ]


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.0%}"


def _blind(rows: pd.DataFrame) -> str:
    means = rows.groupby(["kind", "D"], sort=False)["gain"].mean().reset_index()
    shares = means["gain"] / _FAR
    few = means[shares < _FEW]
    blind = [f"{kind} (D = {d})" for kind, d in zip(few["kind"], few["D"], strict=True)]
    half = int((shares >= _MOST).sum())
    return (
        f"At least half of it is found in {half} of {len(shares)} settings, less than a tenth in "
        f"{len(blind)}" + (f": {', '.join(blind)}." if blind else ".")
    )
