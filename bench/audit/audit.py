"""An audit from an archive to what a person reads: terminal, JSON rows, Markdown with figures."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from bench.audit.archive import Archive
from bench.audit.maps import maps_of
from bench.audit.planted import count_planted
from bench.run.progress import beating, timed_bar
from vaelib.asking.threads import FEW, on_threads
from vaelib.audits.answers import Answer, Moments, answers_from, name_of
from vaelib.audits.asked import Asked
from vaelib.audits.audit import audit, audit_samples
from vaelib.audits.measurement import Measurement, Progress
from vaelib.audits.power import Counted
from vaelib.audits.prepared import left_out, prepared
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.verdict import MARGIN
from vaelib.datasets import cache_folder, data_folder
from vaelib.maps.answers import with_maps
from vaelib.maps.positions import map_rows
from vaelib.seeding import stream
from vaelib.stats.nulls import NormalNull

__all__ = ["Audited", "audit_archive"]


@dataclass(frozen=True)
class Audited:
    """One audit.

    Attributes:
        archive: what the file held.
        prior: name of the prior.
        rows: the measurements.
        answers: to the plain questions; of priors other than N(0, I) fewer.
        planted: how often departures from N(0, I) are seen at these n and D, where that was asked.
        threads: of torch and BLAS that were used.
        seconds: wall time.
        alpha: one-sided level of both ends of the bracket.
        margin: KL in nats that still counts as a match.
    """

    archive: Archive
    prior: str
    rows: list[Measurement]
    answers: list[Answer] = field(default_factory=list)
    planted: list[Counted] = field(default_factory=list)
    threads: int = 1
    seconds: float = math.nan
    alpha: float = DEFAULTS.alpha
    margin: float = MARGIN

    @property
    def asked(self) -> Asked:
        """The question."""
        parts = self.splits.items()
        shapes = {s: (p if isinstance(p, torch.Tensor) else p[0]).shape for s, p in parts}
        each = math.prod(self.archive.places)
        sizes = {split: shape[0] // each for split, shape in shapes.items()}
        dimensions = next(iter(shapes.values()))[1]
        return Asked(
            name_of(self.prior), self.margin, self.alpha, sizes, dimensions, positions=each
        )

    @property
    def splits(self) -> dict[str, tuple[torch.Tensor, torch.Tensor] | torch.Tensor]:
        """Split -> its (mean, scale), or z."""
        if self.archive.z is not None:
            return {"sample": self.archive.z}
        pairs = {"train": self.archive.train, "test": self.archive.heldout}
        return {split: pair for split, pair in pairs.items() if pair is not None}


def audit_archive(
    archive: Archive,
    prior: str,
    console: Console,
    threads: int = 1,
    *,
    always: bool = False,
    margin: float = MARGIN,
    alpha: float = DEFAULTS.alpha,
    repeats: int = 0,
) -> Audited:
    """Measure what a file held; of inputs with conditions, those of one.

    Simulated nulls of the tests, which depend on n and D alone, are kept in the data folder.

    Args:
        archive: as it was read, without conditions.
        prior: a name of ``vaelib.priors.PRIORS``.
        console: where warnings and, on a terminal, progress go: standard error.
        threads: of torch and BLAS; up to 5,000 inputs, where more cost more than they give, one
            is used.
        always: whether to use as many threads whatever the number of inputs.
        margin: KL in nats that still counts as a match.
        alpha: one-sided level of both ends of the bracket.
        repeats: of every departure from N(0, I) that is planted at these n and D.

    Returns:
        The audit.
    """
    start, normal = time.perf_counter(), prior == "normal"
    count = threads if always or _inputs(archive) > FEW else 1
    null = NormalNull(folder=_cache(console))
    with on_threads(count), _progress(console) as progress:
        if archive.train is None:
            z = archive.z
            assert z is not None
            given = z, torch.zeros_like(z)
            kept = prepared(given, None, archive.groups, split="sample", normal=normal)
            z = kept.train[0]
            rows = audit_samples(
                z, prior, alpha=alpha, groups=kept.groups, null=null, progress=progress
            )
            moments = {"sample": Moments.of_sample(z)}
        else:
            kept = prepared(archive.train, archive.heldout, archive.groups, normal=normal)
            rows = audit(
                *kept.train,
                prior,
                kept.heldout,
                alpha=alpha,
                groups=kept.groups,
                null=null,
                progress=progress,
            )
            moments = {"train": Moments.of(*kept.train)}
            if kept.heldout is not None:
                moments["test"] = Moments.of(*kept.heldout)
        decides = list(moments)[-1]
        rows += [*kept.rows, *left_out(archive.left_out, archive.lost, decides)]
        planted: list[Counted] = []
        if repeats:
            planted = count_planted(rows, moments, margin, alpha, repeats, console, progress)
    if normal:
        answers = answers_from(rows, moments, margin=margin, planted=planted)
    else:
        answers = answers_from(rows, margin=margin, prior=f"the {prior} prior")
    if normal and archive.places:
        found = _of_maps(archive, alpha)
        rows += found
        answers = with_maps(answers, found, margin)
    seconds = time.perf_counter() - start
    return Audited(archive, prior, rows, answers, planted, count, seconds, alpha, margin)


def _of_maps(archive: Archive, alpha: float) -> list[Measurement]:
    """What positions hide, at one z of each."""
    maps, split = maps_of(archive, stream("z of maps", DEFAULTS.seed))
    return list(map_rows(maps, split, DEFAULTS.seed, alpha))


def _cache(console: Console) -> Path | None:
    """Where simulated nulls are kept; None where nothing can be written."""
    folder = cache_folder(data_folder()) / "nulls"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    warning = f"warning: cannot write to {folder}: nulls are simulated anew; set VAEBENCH_CACHE"
    console.print(warning, markup=False)
    return None


def _inputs(archive: Archive) -> int:
    return max(len(part) for part in (archive.z, *(archive.train or ())) if part is not None)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a line where it takes long."""
    if not console.is_terminal:
        place = ["reading"]

        def keep(stage: str, done: int, of: int) -> None:
            place[0] = f"{stage}, {done} of {of}"

        with beating(partial(console.print, markup=False, highlight=False), lambda: place[0]):
            yield keep
        return
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with timed_bar(console, columns, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of)

        yield tell
