"""The page of which departures the tests see, and where they are blind."""

import pandas as pd

from bench.calibration.figures import power_figure
from bench.calibration.pages.part import Part
from bench.calibration.reach import DIMENSIONS, KL, POINTS, reach
from bench.calibration.samples import DESCRIPTIONS
from bench.report.blocks import Block, drawn
from bench.report.markdown import fitted

__all__ = ["blind", "power_parts", "reach_blocks"]

_SEEN = 0.5


def power_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the page of the power.

    Args:
        table: Its rows, judged.

    Returns:
        One page.
    """
    alternatives = list(dict.fromkeys(table["alternative"]))
    explained = "; ".join(f"{q}: {DESCRIPTIONS[q]}" for q in alternatives)
    blocks: list[Block] = [
        f"Rejections at level .05. {explained}.",
        drawn("power of every test", "power.png", power_figure(table)),
    ]
    for (n, d), at in table.groupby(["n", "D"], sort=False):
        counted = list(dict.fromkeys(at["alternative"]))
        lines = []
        for test, rows in at.groupby("test", sort=False):
            power = dict(zip(rows["alternative"], rows["power"], strict=True))
            cells = [f"{power[q]:.2f}" if q in power else "–" for q in counted]
            lines.append([test, rows["repetitions"].iloc[0], *cells])
        blocks += [f"## n = {n:,}, D = {d}", *fitted(["test", "repetitions", *counted], lines)]
    largest = table[table["n"] == table["n"].max()]
    found = [
        f"How many of {len(alternatives)} departures ({', '.join(alternatives)}) each test sees "
        f"at least every other time at n = {largest['n'].iloc[0]:,}, of those that a D allows.",
        *_seen(largest),
    ]
    return [Part("power", "Power of the tests", blocks, found)]


def _seen(table: pd.DataFrame) -> list[str]:
    dimensions = list(dict.fromkeys(table["D"]))
    lines = []
    for test, rows in table.groupby("test", sort=False):
        powers = [rows.loc[rows["D"] == d, "power"] for d in dimensions]
        cells = [f"{int((of >= _SEEN).sum())} of {len(of)}" if len(of) else "–" for of in powers]
        lines.append([test, *cells])
    return fitted(["test", *(f"D = {d}" for d in dimensions)], lines)


def blind(table: pd.DataFrame) -> str:
    """Name the departures that a test sees at no D.

    Args:
        table: As `bench.calibration.reach` writes it.

    Returns:
        One sentence.
    """
    found = []
    for test, reached in reach(table).items():
        if unseen := [departure for departure, largest in reached.items() if not largest]:
            found.append(f"`{test}` to {', '.join(unseen)}")
    tests = "; ".join(found) if found else "no test"
    return f"Blind to {KL:g} nats at every D, from {min(DIMENSIONS)} on: {tests}."


def reach_blocks(table: pd.DataFrame, said: str) -> list[Block]:
    """Tell up to which D each test sees a departure of one KL.

    Args:
        table: As `bench.calibration.reach` writes it.
        said: Which code measured it.

    Returns:
        Blocks for the page of the power.
    """
    departures = list(dict.fromkeys(table["departure"]))
    lines = [
        [test, *(reached.get(departure) or "blind" for departure in departures)]
        for test, reached in reach(table).items()
    ]
    return [
        f"## Where the tests are blind to {KL:g} nats",
        f"Up to which D, of {min(DIMENSIONS)} to {max(DIMENSIONS)}, each test sees a departure of "
        f"{KL:g} nats at n = {POINTS} at least every other time: [reach.csv](reach.csv). {said}",
        *fitted(["test", *departures], lines),
    ]
