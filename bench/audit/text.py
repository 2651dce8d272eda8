"""An audit in words, on the terminal."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from rich.console import Console
from rich.table import Table

from bench.analysis.replicates import SPLITS
from bench.audit.audit import Audited
from bench.audit.planted import planted_table
from bench.metrics.latent_tests import POWER
from bench.report.markdown import quantity
from bench.report.study_tables import DIAGNOSTIC, DIAGNOSTICS
from bench.report.terminal import table
from vaelib.audits.answers import Answer
from vaelib.audits.document import WORST_FIRST, counts_of
from vaelib.audits.measurement import Measurement
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.units import unit_of
from vaelib.samples.priced import Price
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS

__all__ = [
    "answer_cells",
    "apart",
    "headline",
    "headline_of_conditions",
    "inputs",
    "measured_cells",
    "note",
    "say",
    "short_cells",
    "show",
    "show_conditions",
    "show_price",
    "title",
    "took",
    "worst",
]


_SEEN = {
    **dict.fromkeys(GOODNESS_OF_FIT_TESTS, DEFAULTS.test_rows),
    "c2st_auc": DEFAULTS.classified,
    "c2st_test": DEFAULTS.classified,
    "mmd_squared": DEFAULTS.kernel_rows,
}  # inputs at most
_CONDITIONS = 20  # whose numbers and sentences are printed


def show_conditions(audits: Mapping[int | None, Audited], console: Console, alpha: float) -> None:
    """Print the answers of all conditions, a table of them with sentences, and the answers again.

    Args:
        audits: condition -> its audit.
        console: standard output.
        alpha: level of all answers together.
    """
    say(console, headline_of_conditions(audits), style="bold")
    left = len(audits) - _CONDITIONS
    shown = worst(audits, _CONDITIONS)
    lines = []
    for label, one in shown.items():
        best, kl = one.answers[:2]
        lines.append([str(label), inputs(one), best.verdict, kl.verdict])
    heads = ["condition", "n", "answer", "KL(q‖p)"]
    console.print(table(heads, lines))
    for label, one in shown.items():
        say(console, f"{label}: {one.answers[0].sentence} {one.answers[-1].sentence}")
    if left > 0:
        say(console, f"{left:,} more, none answered worse than these: --json has all.")
    if said := next(iter(audits.values())).archive.said:
        say(console, said)
    say(
        console,
        f"Each end at level {alpha:g}/{len(audits)}, so that all of one side hold together at "
        f"{alpha:g}. All numbers of one condition: --condition {next(iter(audits))} --all.",
    )
    say(console, headline_of_conditions(audits), style="bold")


def headline_of_conditions(audits: Mapping[int | None, Audited]) -> str:
    """The question and how often each answer was given, in one line."""
    counts = counts_of(one.answers[0].verdict for one in audits.values())
    name = _prior_name(next(iter(audits.values())))
    return f"May I sample from {name} given the condition? {counts}."


def inputs(audited: Audited) -> str:
    """How many inputs decide."""
    rows, _ = _size(audited, list(audited.splits)[-1])
    return f"{rows // math.prod(audited.archive.places):,}"


def worst(audits: Mapping[int | None, Audited], most: int) -> dict[int | None, Audited]:
    """Choose the conditions that are printed.

    Args:
        audits: condition -> its audit.
        most: how many have room.

    Returns:
        All where they have; else those that are answered worst, the worst first.
    """
    if len(audits) <= most:
        return dict(audits)
    order = sorted(audits.items(), key=lambda item: WORST_FIRST.index(item[1].answers[0].verdict))
    return dict(order[:most])


def show(audited: Audited, console: Console) -> None:
    """Print the answers, then what was measured, then the first answer again.

    Args:
        audited: the audit.
        console: standard output.
    """
    say(console, headline(audited), style="bold")
    heads = ["question", "answer", "effect (interval)", "p-value"]
    console.print(table(heads, (short_cells(audited, one) for one in audited.answers)))
    for one in audited.answers[1:]:
        say(console, f"{one.question}: {one.sentence}")
    if audited.planted:
        console.print(planted_table(audited.planted))
    for split in (*SPLITS, "sample"):
        mine = [row for row in audited.rows if row.split == split]
        if mine:
            rest, aside = apart([row for row in mine if row.value is not None])
            console.print(_measured(rest, title(audited, split)))
            if aside:
                console.print(
                    _measured(aside, f"{split}: {DIAGNOSTICS.lower()}, which decide nothing")
                )
            for text, names in _notes(audited, mine).items():
                say(console, f"{', '.join(names)}: {text}")
    measured = {row.metric for row in audited.rows if row.value is not None}
    for name in filter(measured.__contains__, POWER):
        say(console, f"{name}: {POWER[name]}")
    if audited.archive.said:
        say(console, audited.archive.said)
    say(console, took(audited))
    say(console, headline(audited), style="bold")


def show_price(price: Price, console: Console) -> None:
    """Print what sampling from the prior costs.

    Args:
        price: of the same latents.
        console: standard output.
    """
    for place, line in enumerate(price.lines()):
        say(console, line, style="" if place else "bold")


def took(audited: Audited) -> str:
    """The time that an audit took."""
    threads = f"{audited.threads} thread" + ("s" if audited.threads > 1 else "")
    return f"{audited.seconds:.1f} s on {threads}"


def apart(rows: Iterable[Measurement]) -> tuple[list[Measurement], list[Measurement]]:
    """What tells of the match, and the diagnostics, which rest on what trained encoders break."""
    parts: tuple[list[Measurement], list[Measurement]] = ([], [])
    for row in rows:
        parts[row.metric in DIAGNOSTIC].append(row)
    return parts


def _measured(rows: Iterable[Measurement], title: str) -> Table:
    """Numbers with a value, for a terminal."""
    cells = map(measured_cells, rows)
    lines = [[name, _with_unit(value, unit), p] for name, value, p, unit in cells]
    return table(["metric", "value", "p-value"], lines, title=title)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence; on a terminal it wraps between words.

    Args:
        console: standard output.
        text: the sentence.
        style: as rich names it.
    """
    console.print(text, markup=False, style=style, soft_wrap=not console.is_terminal)


def _with_unit(value: str, unit: str) -> str:
    return value if unit in ("1", "flag", "statistic", "probability") else f"{value} {unit}"


def note(audited: Audited, row: Measurement) -> str:
    """What a reader must know about a number: its message, and whether it saw every input."""
    most = _SEEN.get(row.metric, math.inf)
    some = f"of {most:,} random inputs" if _size(audited, row.split)[0] > most else ""
    return "; ".join(filter(None, [row.message, some]))


def _notes(audited: Audited, rows: Sequence[Measurement]) -> dict[str, list[str]]:
    """Note -> names of the metrics that it is about."""
    notes: dict[str, list[str]] = {}
    for row in rows:
        if text := note(audited, row):
            notes.setdefault(text, []).append(_name(row))
    return notes


def headline(audited: Audited) -> str:
    """The question and its answer, in one line."""
    one = audited.answers[0]
    return f"May I sample from {_prior_name(audited)}? {one.verdict.upper()}. {one.sentence}"


def _prior_name(audited: Audited) -> str:
    return "N(0, I)" if audited.prior == "normal" else f"the {audited.prior} prior"


def _size(audited: Audited, split: str) -> tuple[int, int]:
    """N and D."""
    part = audited.splits[split]
    n, dimensions = (part if isinstance(part, torch.Tensor) else part[0]).shape
    return n, dimensions


def title(audited: Audited, split: str) -> str:
    """A split with its N and D."""
    n, dimensions = _size(audited, split)
    each = math.prod(audited.archive.places)
    of = f" of {each:,} positions each" if each > 1 else ""
    return f"{split}: {n // each:,} inputs{of}, D = {dimensions}"


def answer_cells(audited: Audited, answer: Answer) -> list[str]:
    """One answer in cells; a number has one interval, in the form that it has everywhere.

    Args:
        audited: the audit.
        answer: one of its answers.

    Returns:
        Question, verdict, effect, value with its 95 % interval, p-value. Of the first answer the
        bracket stands for the value: the gain, which lies in it, has an interval of its own.
    """
    interval = value = ""
    if answer.interval is not None:
        low, high = answer.interval
        interval = f"{low:.3g} to {high:.3g}" if high < math.inf else f"at least {low:.3g}"
    measured = _measured_as(audited, answer.effect)
    if measured:
        value = measured
    elif answer is audited.answers[0]:
        value = f"{interval} nats" if interval else ""
    elif answer.value is not None:
        value = f"{answer.value:.4g}" + (f" ({interval})" if interval else "")
    p_value = "" if answer.p_value is None else f"{answer.p_value:.2g}"
    return [answer.question, answer.verdict, answer.effect, value, p_value]


def _measured_as(audited: Audited, metric: str) -> str:
    """How a metric of the split that decides is printed elsewhere; empty of what is none."""
    split = next(name for name in ("test", "train", "sample") if name in audited.splits)
    for row in audited.rows:
        if (row.metric, row.split, row.source) == (metric, split, "") and row.value is not None:
            _, value, _, unit = measured_cells(row)
            return _with_unit(value, unit)
    return ""


def short_cells(audited: Audited, answer: Answer) -> list[str]:
    """The same in four cells.

    Args:
        audited: the audit.
        answer: one of its answers.

    Returns:
        Question, verdict, effect with its value and interval, p-value.
    """
    question, verdict, effect, value, p_value = answer_cells(audited, answer)
    return [question, verdict, " ".join(filter(None, [effect, value])), p_value]


def _name(row: Measurement) -> str:
    return row.metric + (" (rescaled)" if row.source == "gauge_fixed" else "")


def measured_cells(row: Measurement) -> list[str]:
    """One number: metric, value ± half its 95 % interval, p-value, unit."""
    if row.value is None:
        value = "–"
    elif row.standard_error is None or row.standard_error <= 1e-6 * abs(row.value):
        value = quantity(row.value)
    else:
        value = quantity(row.value, 1.96 * row.standard_error)
    p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
    return [_name(row), value, p_value, unit_of(row.metric)]
