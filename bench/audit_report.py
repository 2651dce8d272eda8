"""An audit from a file to what a person reads: terminal, JSON rows, Markdown with figures."""

import math
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from bench import archive
from bench.metrics import METRICS
from bench.tables import SPLITS, markdown, quantity
from bench.terminal import table
from vaelib import audit, audit_samples
from vaelib.audit import CLASSIFIED, KERNEL_ROWS, TEST_ROWS, Measurement, Progress
from vaelib.datasets import cache_folder, data_folder
from vaelib.findings import Finding, Moments, findings
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull

__all__ = ["Audited", "audit_file", "json_rows", "page", "show"]

_FEW = 5000  # inputs
_SEEN = {
    **dict.fromkeys(GOODNESS_OF_FIT_TESTS, TEST_ROWS),
    "c2st_auc": CLASSIFIED,
    "c2st_test": CLASSIFIED,
    "mmd_squared": KERNEL_ROWS,
}  # inputs at most


@dataclass(frozen=True)
class Audited:
    """One audit.

    Attributes:
        encoded: what the file held.
        prior: name of the prior.
        rows: the measurements.
        found: the answers; none for priors other than N(0, I).
        threads: of torch that were used.
        seconds: wall time.
    """

    encoded: archive.Encoded
    prior: str
    rows: list[Measurement]
    found: list[Finding] = field(default_factory=list)
    threads: int = 1
    seconds: float = math.nan

    @property
    def parts(self) -> dict[str, tuple[torch.Tensor, torch.Tensor] | torch.Tensor]:
        """Split -> its (mean, scale), or z."""
        if self.encoded.z is not None:
            return {"sample": self.encoded.z}
        pairs = {"train": self.encoded.train, "test": self.encoded.heldout}
        return {split: pair for split, pair in pairs.items() if pair is not None}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Within the block torch computes with so many threads; afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def audit_file(
    path: Path, prior: str, console: Console, threads: int = 1, *, always: bool = False
) -> Audited:
    """Read a file and measure what it holds.

    Simulated nulls of the tests, which depend on n and D alone, are kept in the data folder.

    Args:
        path: an .npz, see :mod:`bench.archive`.
        prior: a name of ``vaelib.priors.PRIORS``.
        console: where warnings and, on a terminal, progress go: standard error.
        threads: of torch; below 5,000 inputs, where more cost more than they give, one is used.
        always: whether to use as many threads whatever the number of inputs.

    Returns:
        The audit.
    """
    start = time.perf_counter()
    encoded = archive.read(path)
    count = threads if always or _inputs(encoded) > _FEW else 1
    for warning in encoded.warnings:
        console.print(f"warning: {warning}", markup=False)
    null = NormalNull(folder=_cache(console))
    with _threads(count), _progress(console) as progress:
        if encoded.train is None:
            z = encoded.z
            assert z is not None
            rows = audit_samples(z, prior, null=null, progress=progress)
            moments = {"sample": Moments.of_sample(z)}
        else:
            rows = audit(*encoded.train, prior, encoded.heldout, null=null, progress=progress)
            moments = {"train": Moments.of(*encoded.train)}
            if encoded.heldout is not None:
                moments["test"] = Moments.of(*encoded.heldout)
    found = findings(rows, moments) if prior == "normal" else []
    return Audited(encoded, prior, rows, found, count, time.perf_counter() - start)


def _cache(console: Console) -> Path | None:
    """Where simulated nulls are kept; None where nothing can be written."""
    folder = cache_folder(data_folder()) / "nulls"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    said = f"warning: cannot write to {folder}: nulls are simulated anew; set VAEBENCH_CACHE"
    console.print(said, markup=False)
    return None


def _inputs(encoded: archive.Encoded) -> int:
    return max(len(part) for part in (encoded.z, *(encoded.train or ())) if part is not None)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield lambda stage, done, of: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of)

        yield tell


def json_rows(audited: Audited) -> list[dict[str, Any]]:
    """Rows as plain objects, with their units."""
    return [
        {**row.__dict__, "message": _note(audited, row), "unit": METRICS[row.metric].unit}
        for row in audited.rows
    ]


def show(audited: Audited, console: Console) -> None:
    """Print the answers, then what was measured.

    Args:
        audited: the audit.
        console: standard output.
    """
    _say(console, _headline(audited), style="bold")
    if audited.found:
        heads = ["question", "answer", "effect (95 % interval)", "p-value"]
        console.print(table(heads, map(_short, audited.found)))
        for one in audited.found:
            _say(console, f"{one.question}{':' * (one.question[-1] != '?')} {one.sentence}")
    for split in (*SPLITS, "sample"):
        mine = [row for row in audited.rows if row.split == split]
        if mine:
            there = [_measured(row) for row in mine if row.value is not None]
            body = [[name, _with_unit(value, unit), p] for name, value, p, unit in there]
            title = _title(audited, split)
            console.print(table(["metric", "value", "p-value"], body, title=title))
            for note, names in _notes(audited, mine).items():
                _say(console, f"{', '.join(names)}: {note}")
    took = f"{audited.seconds:.1f} s on {audited.threads} thread{'s' * (audited.threads > 1)}"
    _say(console, took)


def _say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence; on a terminal it wraps between words."""
    console.print(text, markup=False, style=style, soft_wrap=not console.is_terminal)


def _with_unit(value: str, unit: str) -> str:
    return value if unit in ("1", "flag", "statistic") else f"{value} {unit}"


def _note(audited: Audited, row: Measurement) -> str:
    """What a reader must know about a number: its message, and whether it saw every input."""
    most = _SEEN.get(row.metric, math.inf)
    some = f"of {most:,} random inputs" if _size(audited, row.split)[0] > most else ""
    return "; ".join(filter(None, [row.message, some]))


def _notes(audited: Audited, rows: Sequence[Measurement]) -> dict[str, list[str]]:
    """Note -> names of the metrics that it is about."""
    notes: dict[str, list[str]] = {}
    for row in rows:
        if note := _note(audited, row):
            notes.setdefault(note, []).append(_name(row))
    return notes


def _headline(audited: Audited) -> str:
    if not audited.found:
        return f"Against {audited.prior}: numbers only; plain answers are given for N(0, I)."
    one = audited.found[-2]
    return f"May I sample from N(0, I)? {one.verdict.upper()}. {one.sentence}"


def _size(audited: Audited, split: str) -> tuple[int, int]:
    """N and D."""
    part = audited.parts[split]
    n, dimensions = (part if isinstance(part, torch.Tensor) else part[0]).shape
    return n, dimensions


def _title(audited: Audited, split: str) -> str:
    n, dimensions = _size(audited, split)
    return f"{split}: {n:,} inputs, D = {dimensions}"


def _answer(one: Finding) -> list[str]:
    value = "" if one.value is None else f"{one.value:.4g}"
    interval = "" if one.interval is None else f"{one.interval[0]:.3g} to {one.interval[1]:.3g}"
    p_value = "" if one.p_value is None else f"{one.p_value:.2g}"
    return [one.question, one.verdict, one.effect, value, interval, p_value]


def _short(one: Finding) -> list[str]:
    """The same in four cells."""
    question, verdict, effect, value, interval, p_value = _answer(one)
    words = [effect, value, f"({interval})" if interval else ""]
    return [question, verdict, " ".join(filter(None, words)), p_value]


def _name(row: Measurement) -> str:
    return row.metric + (" (rescaled)" if row.source == "gauge_fixed" else "")


def _measured(row: Measurement) -> list[str]:
    if row.value is None:
        value = "–"
    elif row.standard_error is None or row.standard_error <= 1e-6 * abs(row.value):
        value = quantity(row.value)
    else:
        value = quantity(row.value, 1.96 * row.standard_error)
    p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
    return [_name(row), value, p_value, METRICS[row.metric].unit]


def page(audited: Audited, name: str, figures: Sequence[tuple[str, str]]) -> str:
    """The audit as a Markdown page.

    Args:
        audited: the audit.
        name: of the file that was audited.
        figures: caption and path, relative to the page, of each figure.

    Returns:
        Markdown; the same for the same file.
    """
    parts = [f"# Audit of {name}", f"**{_headline(audited)}**"]
    if audited.found:
        heads = ["question", "answer", "effect", "value", "95 % interval", "p-value"]
        parts.append(markdown(heads, [_answer(one) for one in audited.found], left=3))
        parts += [f"- **{one.question}**: {one.sentence}" for one in audited.found]
    for caption, path in figures:
        parts.append(f"![{caption}]({path})\n\n*{caption}*")
    for split in audited.parts:
        mine = [
            [*_measured(row), _note(audited, row)] for row in audited.rows if row.split == split
        ]
        parts.append(f"## {_title(audited, split)}")
        parts.append(markdown(["metric", "value", "p-value", "unit", "message"], mine))
    parts += [
        "## How to read this",
        "± is half a 95 % Monte Carlo interval, at these inputs; intervals of the answers are over "
        "inputs. Margins: `vaelib/findings.py`.",
        _glossary({row.metric for row in audited.rows}),
    ]
    return "\n\n".join(parts) + "\n"


def _glossary(names: Collection[str]) -> str:
    body = [[m.name, m.summary, m.reference] for m in METRICS.values() if m.name in names]
    return markdown(["metric", "what it is", "from"], body, left=3)
