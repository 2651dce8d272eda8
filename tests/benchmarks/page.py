"""What the benchmarks found, as Markdown pages: the same runs give the same bytes.

``python -m tests.benchmarks.page`` writes those in ``results/`` again from their runs, and measures
nothing.
"""

import statistics
import sys
from pathlib import Path

from bench.report.figures.style import save as save_figure
from bench.report.markdown import fitted
from tests.benchmarks.findings import LEAST, Finding, Gap, Growth, Quantity
from tests.benchmarks.growth_figure import growth_figure
from tests.benchmarks.names import GROUPS, REST, against, definitions, group_of, what
from tests.benchmarks.runs import load_all

RESULTS = Path(__file__).parents[2] / "results" / "performance.md"

_INTRODUCTION = (
    "Each ratio is the CPU time of the first over the second, timed in turn in one process of one "
    "thread: the median over rounds, here from the least to the largest of the processors. Lower "
    "is faster. **Met**: on all of them, or on how many. What has no target and explains others, "
    "the rounds of each ratio and how the cost grows stand on the page of each processor. Written "
    "by `tox -e perf`, which measures the processor it runs on and leaves the others as they are."
)
_OF_A_RUN = (
    "Each ratio is the CPU time of the first over the second: the median, with the range over the "
    "rounds. A reference that takes longest runs once."
)
_GPU = (
    "By the clock of the card, from the first kernel's start to the last one's end, and with one "
    "thread that calls them. A card's product and copy are those of its own library, measured "
    "beside."
)
_GROWTH = (
    "Each size is measured in a fresh process: the least time of a few calls, and the most memory "
    "that the first of them took beyond its inputs. An exponent, of **time** and of **memory**, is "
    "the slope of a straight line through the logarithms, as in the legends of the figure; 1 is "
    f"linear growth, 0 none. Less than {LEAST:g} MB counts as {LEAST:g}."
)


def figure_of(run):
    """The figure of growth of a run, in the folder of the runs."""
    return f"figures/growth-{run.slug}.png"


def write_pages(path):
    """Write the pages of the runs in the folder beside, and the figures of their growth."""
    folder = path.with_suffix("")
    runs = load_all(folder)
    for run in runs:
        if growths := _of(run, Growth):
            save_figure(growth_figure(growths), folder / figure_of(run))
    for file, text in reversed(pages(runs, path.stem).items()):
        (path.parent / file).write_text(text, encoding="utf-8")


def pages(runs, name="performance"):
    """The pages of runs on different processors and cards: the first one, then one of each run.

    Those of a kind are in the order of their time, the latest first; the rows are that one's.
    """
    cards, others = ([run for run in runs if run.on_gpu == on_gpu] for on_gpu in (True, False))
    texts = {f"{name}.md": _first(name, others, cards)}
    for kind in (others, cards):
        for run in kind:
            texts[f"{name}/{run.slug}.md"] = _page(run, kind, name, bool(cards))
    return texts


def _first(name, others, cards):
    rows = [row for kind in (others, cards) for row in _aimed(kind)]
    texts = [
        "# How fast the hot paths are",
        _counted(rows),
        _INTRODUCTION,
        "\n".join(_link(run, kind, name) for kind in (others, cards) for run in kind),
        *_tables(_aimed(others), _over_runs, "##"),
    ]
    if found := _tables(_aimed(cards), _over_runs, None):
        texts += ["## On a GPU", _GPU, *found]
    names = [(run.name, result) for kind in (others, cards) for run in kind for result in run.found]
    by_result = {id(result): run for run, result in names}
    if missed := [_missed(row, by_result) for row in rows if not all(r.met for r in row if r)]:
        texts += ["## Missed targets", "\n".join(missed)]
    if short := definitions([_latest(row) for kind in (others, cards) for row in _all_rows(kind)]):
        texts += ["## What the names stand for", short]
    return _joined(texts)


def _page(run, kind, name, has_cards):
    """What one run found of what the latest one of its kind still measures, and where."""
    rows = [[result] for result in _judged(run, kind)]
    texts = [
        f"# How fast the hot paths are: {run.name}",
        f"Of [{name}](../{name}.md), which says what the names stand for. {_where(run)}",
        _GPU if run.on_gpu else _OF_A_RUN,
        *_tables(rows, _of_run, None if run.on_gpu else "##"),
    ]
    if grown := _of(run, Growth):
        lines = [[cell(growth) for cell in _GROWTHS.values()] for growth in grown]
        texts += ["## How the cost grows", _GROWTH, *fitted(list(_GROWTHS), lines, left=2)]
        texts.append(f"![Time and memory as each size grows, {run.name}]({figure_of(run)})")
    gaps = [gap for gap in _of(run, Gap) if not (has_cards and gap.on_gpu)]
    if gaps:
        lines = dict.fromkeys(f"- {gap.reason}." for gap in gaps)
        texts += ["## Not measured", "\n".join(lines)]
    return _joined(texts)


def _joined(texts):
    return "\n\n".join(text.rstrip() for text in texts if text) + "\n"


def _of(run, kind):
    return [result for result in run.found if isinstance(result, kind)]


def _key(result):
    return type(result), result.what, getattr(result, "reference", "")


def _all_rows(runs):
    """What each run found of the same thing, None where nothing, in the order of the latest."""
    by_key = [{_key(r): r for r in run.found if not isinstance(r, Gap | Growth)} for run in runs]
    return [[of_run.get(key) for of_run in by_key] for key in (by_key[0] if by_key else ())]


def _aimed(runs):
    """Rows with a target."""
    return [row for row in _all_rows(runs) if _latest(row).target is not None]


def _latest(row):
    return next(result for result in row if result is not None)


def _judged(run, runs):
    """Of a run, what has a row."""
    found = [row[runs.index(run)] for row in _all_rows(runs)]
    return [result for result in found if result is not None]


def _counted(rows):
    if not rows:
        return ""
    met = [[result.met for result in row if result is not None] for row in rows]
    every, none = sum(map(all, met)), sum(not any(of_row) for of_row in met)
    return (
        f"**Of {len(rows)} targets {every} are met wherever they were measured, "
        f"{len(rows) - every - none} on some processors, {none} on none.**"
    )


def _link(run, kind, name):
    judged = [result for result in _judged(run, kind) if result.target is not None]
    met = sum(result.met for result in judged)
    return f"- [{run.name}]({name}/{run.slug}.md): {met} of {len(judged)} targets met."


def _tables(rows, number, level):
    """Ratios and other numbers, by group where there is a heading for each."""
    texts = []
    groups = (*GROUPS, REST) if level else (None,)
    for group in groups:
        own = [row for row in rows if group in (None, group_of(_latest(row)))]
        ratios = [row for row in own if isinstance(_latest(row), Finding)]
        others = [row for row in own if isinstance(_latest(row), Quantity)]
        if level and own:
            texts.append(f"{level} {group}")
        heads = ["what", "against", "ratio", "target", "met"]
        lines = [[what(_latest(r)), against(_latest(r)), *_judgement(r, number)] for r in ratios]
        texts += fitted(heads, lines, left=2)
        heads = ["what", "how much", "target", "met"]
        texts += fitted(heads, [[what(_latest(r)), *_judgement(r, number)] for r in others])
    return texts


def _judgement(row, number):
    found = [result for result in row if result is not None]
    met = sum(result.met for result in found)
    word = "yes" if met == len(found) else f"{met} of {len(found)}" if met else "no"
    target = found[0].target
    return [number(found), _target(found[0]), "–" if target is None else word]


def _over_runs(found):
    ends = min(found, key=lambda r: r.measured), max(found, key=lambda r: r.measured)
    first, last = (result.text for result in ends)
    return first if first == last else f"{first.removesuffix(ends[0].unit).strip()} to {last}"


def _of_run(found):
    (result,) = found
    if not isinstance(result, Finding) or len(result.ratios) == 1:
        return result.text
    return f"{result.text} ({min(result.ratios):.3g} to {max(result.ratios):.3g})"


def _target(result):
    return "–" if result.target is None else f"{result.target:g} {result.unit}".strip()


_GROWTHS = {
    "what": lambda result: result.what,
    "against": lambda result: result.axis,
    "sizes": lambda result: f"{result.sizes[0]:,} to {result.sizes[-1]:,}",
    "time": lambda result: f"{result.time_exponent:.2f}",
    "memory": lambda result: f"{result.memory_exponent:.2f}",
    "most memory": lambda result: f"{max(result.megabytes):.3g} MB",
}


def _missed(row, runs):
    """By how much a target is missed, where, and why."""
    missed = [result for result in row if result is not None and not result.met]
    of = what(missed[0]) + (f", against {against(missed[0])}" if _key(missed[0])[2] else "")
    each = ", ".join(f"{result.text} on {runs[id(result)]}" for result in missed)
    causes = dict.fromkeys(f" {result.cause}" for result in missed if result.cause)
    return f"- {of}: {each} instead of {_target(missed[0])}.{''.join(causes)}"


def _where(run):
    noises = [result.noise for result in _of(run, Finding) if len(result.ratios) > 1]
    noise = ""
    if noises:
        noise = (
            f" Two timings of a reference differ by {100 * statistics.median(noises):.0f} %, "
            f"at most by {100 * max(noises):.0f} %."
        )
    return f"{run.processor}: {run.time[:10]}, {run.commit}; {run.software}.{noise}"


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("expected no argument: the pages of results/performance are written again")
    write_pages(RESULTS)
    print(f"wrote {RESULTS}")
