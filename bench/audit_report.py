"""An audit from a file to what a person reads: terminal, JSON rows, Markdown with figures."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from bench import archive
from bench.metrics import METRICS
from bench.tables import SPLITS, glossary, markdown, quantity
from vaelib import audit, audit_samples
from vaelib.audit import Measurement, Progress
from vaelib.datasets import cache_folder, data_folder
from vaelib.findings import Finding, Moments, findings
from vaelib.stats.nulls import NormalNull

__all__ = ["Audited", "audit_file", "json_rows", "page", "show"]


_FEW = 5000  # inputs


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
    null = NormalNull(folder=cache_folder(data_folder()) / "nulls")
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


def _inputs(encoded: archive.Encoded) -> int:
    return max(len(part) for part in (encoded.z, *(encoded.train or ())) if part is not None)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield lambda stage, done, of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of)

        yield tell


def json_rows(rows: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Rows as plain objects, with their units."""
    return [{**row.__dict__, "unit": METRICS[row.metric].unit} for row in rows]


def show(audited: Audited, console: Console) -> None:
    """Print the answers, then what was measured.

    Args:
        audited: the audit.
        console: standard output.
    """
    console.print(_headline(audited), markup=False, style="bold")
    if audited.found:
        table = Table("question", "answer", "effect", "value", "95 % interval", "p-value")
        for one in audited.found:
            table.add_row(*(escape(text) for text in _answer(one)))
        console.print(table)
        for one in audited.found:
            console.print(f"{one.question}: {one.sentence}", markup=False)
    for split in (*SPLITS, "sample"):
        mine = [row for row in audited.rows if row.split == split]
        if mine:
            table = Table(
                "metric", "value", "p-value", "unit", "", title=f"{split}: {_size(audited, split)}"
            )
            for row in mine:
                table.add_row(*(escape(text) for text in _measured(row)))
            console.print(table)
    took = f"{audited.seconds:.1f} s on {audited.threads} thread{'s' * (audited.threads > 1)}"
    console.print(took, markup=False)


def _headline(audited: Audited) -> str:
    if not audited.found:
        return f"Against {audited.prior}: numbers only; plain answers are given for N(0, I)."
    one = audited.found[-2]
    return f"May I sample from N(0, I)? {one.verdict.upper()}. {one.sentence}"


def _size(audited: Audited, split: str) -> str:
    part = audited.parts[split]
    n, dimensions = (part if isinstance(part, torch.Tensor) else part[0]).shape
    return f"{n:,} inputs, D = {dimensions}"


def _answer(one: Finding) -> list[str]:
    value = "" if one.value is None else f"{one.value:.4g}"
    interval = "" if one.interval is None else f"{one.interval[0]:.3g} to {one.interval[1]:.3g}"
    p_value = "" if one.p_value is None else f"{one.p_value:.2g}"
    return [one.question, one.verdict, one.effect, value, interval, p_value]


def _measured(row: Measurement) -> list[str]:
    name = row.metric + (", rescaled" if row.source == "gauge_fixed" else "")
    if row.value is None:
        value = "–"
    elif row.standard_error is None:
        value = quantity(row.value)
    else:
        value = quantity(row.value, 1.96 * row.standard_error)
    p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
    return [name, value, p_value, METRICS[row.metric].unit, row.message]


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
        mine = [_measured(row) for row in audited.rows if row.split == split]
        parts.append(f"## {split}: {_size(audited, split)}")
        parts.append(markdown(["metric", "value", "p-value", "unit", "message"], mine))
    parts += [
        "## How to read this",
        "± is half a 95 % Monte Carlo interval, at these inputs; intervals of the answers are over "
        "inputs. Margins: `vaelib/findings.py`.",
        glossary(row.metric for row in audited.rows),
    ]
    return "\n\n".join(parts) + "\n"
