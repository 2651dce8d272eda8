"""What the benchmarks found, as a Markdown page: the same runs give the same bytes."""

import statistics

from bench.report.markdown import markdown
from tests.benchmarks.findings import LEAST, Finding, Gap, Growth, Quantity

FIGURES = "performance/figures"

_INTRODUCTION = (
    "Each figure is the CPU time of the first over the second, timed in turn in one process of one "
    "thread: the median, with the range over the rounds. A reference that takes longest runs once. "
    "Lower is faster. Ratios depend on the processor, so each has a column: {runs}. Written by "
    "`tox -e perf`, which measures the processor it runs on and leaves the others as they are."
)
_GPU = (
    "By the clock of the card, from the first kernel's start to the last one's end, and with one "
    "thread that calls them: {runs}. A card's product and copy are those of its own library, "
    "measured beside."
)
_GROWTH = (
    "Each size is measured in a fresh process: the least time of a few calls, and the most memory "
    "that the first of them took beyond its inputs. An exponent is the slope of a straight line "
    "through the logarithms, as in the legends of the figure; 1 is linear growth, 0 none. Less "
    f"than {LEAST:g} MB counts as {LEAST:g}."
)


def figure_of(run):
    """Where the page expects the figure of growth, relative to the page."""
    return f"{FIGURES}/growth-{run.slug}.png"


def page(runs):
    """The page of runs on different processors and cards.

    Those of a kind are in the order of their time, the latest first; the rows are that one's.
    """
    cards, others = ([run for run in runs if run.on_gpu == there] for there in (True, False))
    parts = ["# How fast the hot paths are", _INTRODUCTION.format(runs=_names(others))]
    if rows := _rows(others, Finding):
        parts.append(_table(_RATIO, rows, others, left=2))
    if rows := _rows(others, Quantity):
        parts += ["## Other limits", _table(_QUANTITY, rows, others)]
    if cards:
        parts += ["## On a GPU", _GPU.format(runs=_names(cards))]
        parts.append(_table(_RATIO, _rows(cards, Finding), cards, left=2))
        if rows := _rows(cards, Quantity):
            parts.append(_table(_QUANTITY, rows, cards))
    if grown := [run for run in runs if _of(run, Growth)]:
        parts += ["## How the cost grows", _GROWTH]
        for run in grown:
            parts += [f"### {run.name}"] * (len(others) > 1)
            rows = [[cell(one) for cell in _GROWTHS.values()] for one in _of(run, Growth)]
            parts.append(markdown(list(_GROWTHS), rows, left=2))
            parts.append(f"![Time and memory as each size grows, {run.name}]({figure_of(run)})")
    missed = [
        _missed(run, one)
        for kind in (others, cards)
        for run in kind
        for one in _judged(run, kind)
        if not one.met
    ]
    if missed:
        parts += ["## Missed targets", "\n".join(missed)]
    gaps = dict.fromkeys(
        f"- {run.name}: {one.reason}."
        for run in runs
        for one in _of(run, Gap)
        if not (cards and one.on_gpu)
    )
    if gaps:
        parts += ["## Not measured", "\n".join(gaps)]
    parts += ["## Where", "\n".join(map(_where, others + cards))]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _names(runs):
    return " and ".join(f"**{run.name}**" for run in runs)


def _of(run, kind):
    return [one for one in run.found if isinstance(one, kind)]


def _key(one):
    return one.what, getattr(one, "reference", "")


def _rows(runs, kind):
    """What each run found of the same thing, None where nothing, in the order of the latest."""
    by_key = [{_key(one): one for one in _of(run, kind)} for run in runs]
    return [[found.get(key) for found in by_key] for key in (by_key[0] if by_key else ())]


def _judged(run, runs):
    """Of a run, what has a row."""
    rows = [*_rows(runs, Finding), *_rows(runs, Quantity)]
    return [one for row in rows if (one := row[runs.index(run)]) is not None]


def _target(one):
    return "–" if one.target is None else f"{one.target:g} {one.unit}".strip()


def _ratio(one):
    if len(one.ratios) == 1:
        return one.text
    return f"{one.text} ({min(one.ratios):.3g} to {max(one.ratios):.3g})"


def _met(row, runs):
    met = {run.name: one.met for run, one in zip(runs, row, strict=True) if one is not None}
    if all(one is None or one.target is None for one in row):
        return "–"
    if len(set(met.values())) == 1:
        return "yes" if all(met.values()) else "no"
    return "on " + ", ".join(name for name, is_met in met.items() if is_met)


_RATIO = {"what": lambda one: one.what, "against": lambda one: one.reference}, _ratio
_QUANTITY = {"what": lambda one: one.what}, lambda one: one.text
_GROWTHS = {
    "what": lambda one: one.what,
    "against": lambda one: one.axis,
    "from": lambda one: f"{one.sizes[0]:,}",
    "to": lambda one: f"{one.sizes[-1]:,}",
    "time exponent": lambda one: f"{one.time_exponent:.2f}",
    "memory exponent": lambda one: f"{one.memory_exponent:.2f}",
    "most memory": lambda one: f"{max(one.megabytes):.3g} MB",
}


def _table(columns, rows, runs, left=1):
    texts, number = columns
    body = []
    for row in rows:
        known = next(one for one in row if one is not None)
        cells = [text(known) for text in texts.values()]
        cells += ["–" if one is None else number(one) for one in row]
        body.append([*cells, _target(known), _met(row, runs)])
    heads = [*texts, *(run.name for run in runs), "target", "target met"]
    return markdown(heads, body, left=left)


def _missed(run, one):
    return f"- {run.name}, {one.what}: {one.text} instead of {_target(one)}. {one.cause}".rstrip()


def _where(run):
    noises = [one.noise for one in _of(run, Finding) if len(one.ratios) > 1]
    noise = ""
    if noises:
        noise = (
            f" Two timings of a reference differ by {100 * statistics.median(noises):.0f} %, "
            f"at most by {100 * max(noises):.0f} %."
        )
    return f"- {run.processor}: {run.time[:10]}, {run.commit}; {run.software}.{noise}"
