"""The answer of an audit in a dozen lines."""

import re
import textwrap
from collections.abc import Iterable, Mapping

from rich.console import Console

from bench.audit.audit import Audited
from bench.audit.planted import planted_table
from bench.audit.text import (
    headline,
    headline_of_conditions,
    inputs,
    say,
    short_cells,
    took,
    worst,
)
from vaelib.audits.answers import Answer

__all__ = ["LINES", "show_conditions_shortly", "show_shortly"]

LINES = 12
"""The most lines of an answer, on a terminal of 80 columns or more."""
_CONDITIONS = 8
_PLAIN = {
    "certified_kl": "a fitted density gains",
    "shape_gain": "gained over the best Gaussian",
    "hole_mass": "share of the prior's mass",
}
"""Metrics in words; tables have their names."""


def show_shortly(audited: Audited, console: Console) -> None:
    """Print the answer, a line for each question, and what would help.

    Args:
        audited: the audit; a table of planted departures, which are asked for, comes last.
        console: standard output.
    """
    for place, line in enumerate(_lines(audited, console)):
        say(console, line, style="" if place else "bold")
    if audited.planted:
        console.print(planted_table(audited.planted))


def show_conditions_shortly(audits: Mapping[int | None, Audited], console: Console) -> None:
    """Print how often each answer was given, and a line for each condition, the worst first.

    Args:
        audits: condition -> its audit.
        console: standard output.
    """
    say(console, headline_of_conditions(audits), style="bold")
    shown = worst(audits, _CONDITIONS)
    for label, one in shown.items():
        best, kl = one.answers[:2]
        say(console, f"{label}: {best.verdict}, n = {inputs(one)}, {kl.question} {kl.verdict}")
    if left := len(audits) - len(shown):
        say(console, f"{left:,} more, none answered worse than these.")
    if said := next(iter(audits.values())).archive.said:
        say(console, said)
    say(console, f"--all has what would help, --condition {next(iter(audits))} one of them.")


def _lines(audited: Audited, console: Console) -> list[str]:
    """As long as a terminal has room."""
    _, *others, helps = audited.answers
    given = next(one for one in others if one.question == "what was given")
    asked = [one for one in others if one is not given]
    lines = [headline(audited), *(_line(audited, one) for one in asked)]
    lines += [
        f"{helps.question}: {helps.sentence}",
        *filter(None, [audited.archive.said]),
        f"Of {given.verdict}. --all has every number and test. {took(audited)}",
    ]
    if not console.is_terminal or _height(lines, console) <= LINES:
        return lines
    words = "; ".join(f"{one.question} {one.verdict}" for one in asked[1:])
    last = 3 if audited.archive.said else 2
    lines = [*lines[:2], *filter(None, [words]), *lines[-last:]]
    sentences = re.split(r"(?<=[.?]) (?=[A-Z])", lines[0])
    while _height(lines, console) > LINES and len(sentences) > 3:  # the question, the word, why
        sentences.pop()
        lines[0] = f"{' '.join(sentences)} …"
    return lines


def _height(lines: Iterable[str], console: Console) -> int:
    """Lines of a terminal that these take."""
    return sum(max(1, len(textwrap.wrap(line, console.width))) for line in lines)


def _line(audited: Audited, answer: Answer) -> str:
    """One answer in one line, with its number."""
    question, verdict, effect, _ = short_cells(audited, answer)
    effect = effect.replace(answer.effect, _PLAIN.get(answer.effect, answer.effect), 1)
    return f"{question}: {verdict}" + (f", {effect}" if effect else "")
