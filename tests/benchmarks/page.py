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
    cards, others = ([run for run in runs if run.on_gpu == on_gpu] for on_gpu in (True, False))
    sections = ["# How fast the hot paths are", _INTRODUCTION.format(runs=_names(others))]
    if rows := _rows(others, Finding):
        sections.append(_table(_RATIO, rows, others, left=2))
    if rows := _rows(others, Quantity):
        sections += ["## Other limits", _table(_QUANTITY, rows, others)]
    if cards:
        sections += ["## On a GPU", _GPU.format(runs=_names(cards))]
        sections.append(_table(_RATIO, _rows(cards, Finding), cards, left=2))
        if rows := _rows(cards, Quantity):
            sections.append(_table(_QUANTITY, rows, cards))
    if grown := [run for run in runs if _of(run, Growth)]:
        sections += ["## How the cost grows", _GROWTH]
        for run in grown:
            if len(others) > 1:
                sections.append(f"### {run.name}")
            rows = [[cell(growth) for cell in _GROWTHS.values()] for growth in _of(run, Growth)]
            sections.append(markdown(list(_GROWTHS), rows, left=2))
            sections.append(f"![Time and memory as each size grows, {run.name}]({figure_of(run)})")
    missed = [
        _missed(run, result)
        for kind in (others, cards)
        for run in kind
        for result in _judged(run, kind)
        if not result.met
    ]
    if missed:
        sections += ["## Missed targets", "\n".join(missed)]
    gaps = dict.fromkeys(
        f"- {run.name}: {gap.reason}."
        for run in runs
        for gap in _of(run, Gap)
        if not (cards and gap.on_gpu)
    )
    if gaps:
        sections += ["## Not measured", "\n".join(gaps)]
    sections += ["## Where", "\n".join(map(_where, others + cards))]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def _names(runs):
    return " and ".join(f"**{run.name}**" for run in runs)


def _of(run, kind):
    return [result for result in run.found if isinstance(result, kind)]


def _key(result):
    return result.what, getattr(result, "reference", "")


def _rows(runs, kind):
    """What each run found of the same thing, None where nothing, in the order of the latest."""
    by_key = [{_key(result): result for result in _of(run, kind)} for run in runs]
    return [[of_run.get(key) for of_run in by_key] for key in (by_key[0] if by_key else ())]


def _judged(run, runs):
    """Of a run, what has a row."""
    rows = [*_rows(runs, Finding), *_rows(runs, Quantity)]
    return [result for row in rows if (result := row[runs.index(run)]) is not None]


def _target(result):
    return "–" if result.target is None else f"{result.target:g} {result.unit}".strip()


def _ratio(result):
    if len(result.ratios) == 1:
        return result.text
    return f"{result.text} ({min(result.ratios):.3g} to {max(result.ratios):.3g})"


def _met(row, runs):
    results = zip(runs, row, strict=True)
    met = {run.name: result.met for run, result in results if result is not None}
    if all(result is None or result.target is None for result in row):
        return "–"
    if len(set(met.values())) == 1:
        return "yes" if all(met.values()) else "no"
    return "on " + ", ".join(name for name, is_met in met.items() if is_met)


_RATIO = {"what": lambda result: result.what, "against": lambda result: result.reference}, _ratio
_QUANTITY = {"what": lambda result: result.what}, lambda result: result.text
_GROWTHS = {
    "what": lambda result: result.what,
    "against": lambda result: result.axis,
    "from": lambda result: f"{result.sizes[0]:,}",
    "to": lambda result: f"{result.sizes[-1]:,}",
    "time exponent": lambda result: f"{result.time_exponent:.2f}",
    "memory exponent": lambda result: f"{result.memory_exponent:.2f}",
    "most memory": lambda result: f"{max(result.megabytes):.3g} MB",
}


def _table(columns, rows, runs, left=1):
    texts, number = columns
    lines = []
    for row in rows:
        latest = next(result for result in row if result is not None)
        cells = [text(latest) for text in texts.values()]
        cells += ["–" if result is None else number(result) for result in row]
        lines.append([*cells, _target(latest), _met(row, runs)])
    heads = [*texts, *(run.name for run in runs), "target", "target met"]
    return markdown(heads, lines, left=left)


def _missed(run, result):
    missed = f"- {run.name}, {result.what}: {result.text} instead of {_target(result)}."
    return f"{missed} {result.cause}".rstrip()


def _where(run):
    noises = [result.noise for result in _of(run, Finding) if len(result.ratios) > 1]
    noise = ""
    if noises:
        noise = (
            f" Two timings of a reference differ by {100 * statistics.median(noises):.0f} %, "
            f"at most by {100 * max(noises):.0f} %."
        )
    return f"- {run.processor}: {run.time[:10]}, {run.commit}; {run.software}.{noise}"
