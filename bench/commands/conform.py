"""What ``vaebench conform`` does: run a user's estimator on worlds whose KL is known, judge it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.audit.imported import imported
from bench.commands.outputs import check_output, write_output
from bench.commands.printing import console as on_console
from bench.commands.printing import written_out
from bench.errors import UserError, shown, unknown
from bench.report.markdown import code, markdown, prose
from bench.report.terminal import table
from bench.run.progress import beating, counted
from vaelib.asking.threads import on_threads
from vaelib.worlds.conform import SEEDS, Conformance, Found, conform
from vaelib.worlds.given import calling
from vaelib.worlds.named import worlds
from vaelib.worlds.words import FAULTS, KINDS, MEANING, Kind

__all__ = ["execute"]

_HEADS = ("world", "D", "KL", "mean", "sd", "word")


def execute(
    name: str,
    console: Console,
    *,
    kind: str = "estimate",
    names: Sequence[str] = (),
    seeds: int = SEEDS,
    as_json: bool = False,
    page: Path | None = None,
) -> int:
    """Run a function on worlds whose KL is known, and say where it deviates.

    Args:
        name: Import path of the function.
        console: Standard output.
        kind: What it returns: estimate, lower or upper.
        names: Of the worlds; all where there are none.
        seeds: Draws of each.
        as_json: Whether to print one object instead of the table.
        page: A Markdown file that the table is written to.

    Returns:
        The exit code: 1 where it deviates in a world, 2 where the answer could not be printed.

    Raises:
        UserError: For options that cannot be, and a function that takes or returns something else,
            or answers in no world.
    """
    if kind not in KINDS:
        raise UserError(unknown("--kind", f'kind "{kind}"', kind, KINDS))
    known = [one.name for one in worlds()]
    for one in names:
        if one not in known:
            raise UserError(unknown("--world", f"world {shown(one)}", one, known))
    if page is not None:
        check_output(page, "--markdown")
    function = imported(name, "MODULE:NAME", "my_module:kl")
    found = _run(function, name, kind, names or None, seeds)
    if found.ok is None:
        said = next((row.note for row in found.rows if row.note), "all worlds are of bare z")
        raise UserError(
            f"{name} must return a finite number in two draws of a world or more, got none ({said})"
            "; try it on a z of its own"
        )
    if page is not None:
        write_output(page, _page(found, name).encode())
    with written_out() as output:
        if as_json:
            print(json.dumps(found.document(), indent=1, ensure_ascii=False, allow_nan=False))
        else:
            _show(found, console)
    return output.code or int(not found.ok)


def _run(
    function: Callable[..., Any],
    name: str,
    kind: Kind,
    names: Sequence[str] | None,
    seeds: int,
) -> Conformance:
    aside, now = on_console(stderr=True), ["the first world"]
    try:
        calling(function)
        with on_threads(1), beating(aside.print, lambda: f"at work on {now[0]}"):
            return conform(function, kind, names, seeds, lambda world: now.__setitem__(0, world))
    except (TypeError, ValueError) as error:
        said = str(error).replace("function must", f"{name} must", 1)
        raise UserError(f"--{said}" if said.startswith("seeds ") else said) from error


def _show(found: Conformance, console: Console) -> None:
    console.print(table(_HEADS, [found.cells(row) for row in found.rows]))
    for line in _notes(found):
        console.print(line, markup=False, soft_wrap=not console.is_terminal)


def _notes(found: Conformance) -> list[str]:
    """What the words mean here, how often it refused and why, and the answer."""
    lines = [MEANING[found.kind]]
    refused = [row for row in found.rows if row.note]
    if refused:
        first: Found = refused[0]
        where = counted(len(refused), "world")
        lines.append(f"Refused draws in {where}, first {first.world}: {first.note}")
    return [*lines, found.sentence]


def _page(found: Conformance, name: str) -> str:
    lines = [
        [prose(text) if place == 0 else text for place, text in enumerate(_bold(found, row))]
        for row in found.rows
    ]
    title = f"# {code(name)} where the KL is known"
    said = [prose(line) for line in _notes(found)]
    return "\n\n".join([title, said[-1], markdown(_HEADS, lines), *said[:-1]]) + "\n"


def _bold(found: Conformance, row: Found) -> list[str]:
    *cells, word = found.cells(row)
    return [*cells, f"**{word}**" if row.word in FAULTS else word]
