"""The pages of how often tests reject a true null."""

from collections.abc import Iterator

import pandas as pd

from bench.calibration.bands import clopper_pearson
from bench.calibration.figures import level_figure
from bench.calibration.pages.part import Part, bold, mark
from bench.report.blocks import Block, drawn
from bench.report.markdown import fitted, markdown

__all__ = ["level_parts"]


def level_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the pages of the levels.

    Args:
        table: Their rows, judged.

    Returns:
        The page of the rates, and one of every count.
    """
    fresh, shipped = (table[table["null"] == kind] for kind in ("fresh", "shipped"))
    said = [
        "Rejections where the null is true, z ~ N(0, I) or a matched encoder.",
        _listed(fresh[fresh["conservative"]], "Conservative, below their band"),
        "Beyond 1,000 rows the statistics of cost O(n²) take their null from 1,000.",
        "[Every count](levels-counts.md).",
    ]
    picture = drawn("rejection rates and their bands", "levels.png", level_figure(fresh))
    blocks: list[Block] = [" ".join(filter(None, said)), picture, *_tables(fresh)]
    if len(shipped):
        blocks += ["## Given the shipped null draws", *_tables(shipped)]
    found = [
        "How often each test rejects a true null, which it should do as often as its level says; "
        "above its band is a defect, below it a test is conservative.",
        _found(table),
    ]
    return [
        Part("levels", "Levels of the tests", blocks, found),
        Part("levels-counts", "Levels of the tests: every count", _counts(table)),
    ]


def _found(table: pd.DataFrame) -> str:
    lines = []
    for (null, level), rows in table.groupby(["null", "level"], sort=False):
        rates = rows["rejections"] / rows["repetitions"]
        ends = f"{_rate(rates.min())} to {_rate(rates.max())}"
        outside, below = int(rows["outside"].sum()), int(rows["conservative"].sum())
        lines.append([null, f"{level:g}", len(rows), ends, bold(f"{outside}", outside), below])
    heads = ["null draws", "level", "settings", "rejected", "above the band", "below it"]
    return markdown(heads, lines)


def _rate(rate: float) -> str:
    return f"{rate:.4f}".removeprefix("0")


def _counts(table: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    kinds = table["null"].where(table["draws"] > 0, "none shared")
    for (null, level), rows in table.groupby([kinds, table["level"]], sort=False):
        lines = []
        for _, row in rows.iterrows():
            ends = clopper_pearson(int(row["rejections"]), int(row["repetitions"]))
            place = "**above**" if row["outside"] else "below" if row["conservative"] else "inside"
            lines.append(
                [
                    row["test"],
                    f"{row['n']:,}",
                    row["D"],
                    f"{row['rejections']} of {row['repetitions']}{mark(row)}",
                    f"[{ends[0]:.4f}, {ends[1]:.4f}]",
                    f"{place} {row['low']}–{row['high']}",
                ]
            )
        heads = ["test", "n", "D", "rejections", "exact 95 % interval", "band"]
        blocks += [f"## Null draws: {null}; level {level:g}", *fitted(heads, lines)]
    return blocks


def _listed(rows: pd.DataFrame, text: str) -> str:
    if rows.empty:
        return ""
    names = dict.fromkeys(
        f"{row['test']} (n = {row['n']:,}, D = {row['D']}, level {row['level']:g})"
        for _, row in rows.iterrows()
    )
    return f"{text}: {', '.join(names)}."


def _tables(table: pd.DataFrame) -> Iterator[str]:
    settings = list(dict.fromkeys(zip(table["n"], table["D"], strict=True)))
    for level, at_level in table.groupby("level", sort=False):
        lines = []
        for test, rows in at_level.groupby("test", sort=False):
            rates = {}
            for _, row in rows.iterrows():
                text = _rate(row["rejections"] / row["repetitions"]) + mark(row)
                rates[row["n"], row["D"]] = bold(text, row["outside"])
            lines.append([test, *(rates.get(setting, "–") for setting in settings)])
        heads = [f"level {level:g}", *(f"n = {n:,}, D = {d}" for n, d in settings)]
        yield from fitted(heads, lines)
