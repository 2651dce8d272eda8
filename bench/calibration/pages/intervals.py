"""The page of how often what is printed holds."""

import re

import pandas as pd

from bench.calibration.bands import clopper_pearson
from bench.calibration.pages.part import Part, bold, mark
from bench.report.blocks import Block
from bench.report.markdown import fitted, markdown
from bench.report.study_tables import DIAGNOSTIC

__all__ = ["interval_parts"]

_SEEDS = re.compile(r"(S = \d+), ")
"""At the start of a setting that stands with the others of as many seeds."""


def interval_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the page of intervals, tie groups, ranks and the gate.

    Args:
        table: Their rows, judged.

    Returns:
        One page.
    """
    blocks: list[Block] = [
        "How often what is printed holds. Student's t is exact for normal values; skewed ones are "
        "there to show what breaking that assumption costs at few seeds. The errors of `audit()` "
        "are Monte Carlo errors at given inputs, and approximate."
    ]
    groups: dict[str, list[list[object]]] = {}
    for _, row in table.iterrows():
        group, where = _grouped(row["setting"])
        low, high = clopper_pearson(int(row["held"]), int(row["repetitions"]))
        rate = bold(f"{row['held'] / row['repetitions']:.3f}{mark(row)}", row["outside"])
        line: list[object] = [
            _named(row["what"]),
            *([where] if where else []),
            f"{row['promise']} {row['nominal']:g}",
            f"{row['held']} of {row['repetitions']}",
            f"{rate} [{low:.3f}, {high:.3f}]",
        ]
        groups.setdefault(group, []).append(line)
    for group, lines in groups.items():
        left = len(lines[0]) - 3
        heads = ["what is printed", *(["of"] if left > 1 else []), "promise", "held"]
        blocks += [f"## {group}", *fitted([*heads, "share [exact 95 %]"], lines, left=left)]
    found = [
        "How often 95 % intervals, tie groups, ranks and the gate hold what they promise; where an "
        "assumption is broken on purpose nothing is promised.",
        _found(table),
    ]
    return [Part("intervals", "Intervals, tie groups, ranks, and the gate", blocks, found)]


def _grouped(setting: str) -> tuple[str, str]:
    """Under which heading a setting stands, and what of it its line says."""
    if found := _SEEDS.match(setting):
        return found[1], setting[found.end() :]
    return setting[0].upper() + setting[1:], ""


def _found(table: pd.DataFrame) -> str:
    lines = []
    for (promise, nominal), rows in table.groupby(["promise", "nominal"], sort=False):
        shares, outside = rows["held"] / rows["repetitions"], int(rows["outside"].sum())
        ends = f"{shares.min():.3f} to {shares.max():.3f}"
        lines.append([promise, f"{nominal:g}", len(rows), ends, bold(f"{outside}", outside)])
    return markdown(["promise", "nominal", "statements", "held", "outside"], lines)


def _named(what: str) -> str:
    """What is printed; of the diagnostics that assume a null, that they are."""
    return f"{what}, a diagnostic" if any(name in what for name in DIAGNOSTIC) else what
