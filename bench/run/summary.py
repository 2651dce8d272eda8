"""What became of a run: every cell's status, the failures, one line and one exit code."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import INTERRUPTED
from bench.run.progress import duration, seeds_text
from bench.run.record import DONE

__all__ = ["Failure", "Summary"]

_STATUSES = ("ok", "diverged", "failed", "timeout", "died", "missing")


@dataclass(frozen=True)
class Failure:
    """Cells of one job that gave no result for one cause."""

    name: str
    seeds: tuple[int, ...]
    status: str
    message: str
    log: Path


@dataclass
class Summary:
    """What became of every cell.

    Attributes:
        statuses: cell id -> ok, diverged, failed, timeout, died or missing (has not run).
        cached: cells that did not need to run.
        stale: those of them that other code computed.
        failures: what a reader must look at, in the order of the jobs.
        seconds: wall time.
        stages: seconds of the workers by stage; ``harness`` is the rest of their time: starting,
            reading, writing, waiting.
        interrupted: whether a signal ended the run early.
    """

    statuses: dict[str, str] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 where every cell is ok; 130 after a signal; 2 else, and where there is none."""
        if self.interrupted:
            return INTERRUPTED
        return 0 if set(self.statuses.values()) == {"ok"} else 2

    def line(self, page: str | Path | None = None) -> str:
        """One line: ``118 ok, 1 failed, 40 cached (0 stale) in 3m12s -> results/digits.md``.

        Args:
            page: what to read next.

        Returns:
            The line.
        """
        ran = Counter(status for cell, status in self.statuses.items() if cell not in self.cached)
        counts = [f"{ran[status]} {status}" for status in _STATUSES if ran[status]]
        if self.cached:
            diverged = sum(self.statuses[cell] == "diverged" for cell in self.cached)
            also = f", {diverged} diverged" if diverged else ""
            counts.append(f"{len(self.cached)} cached ({len(self.stale)} stale{also})")
        text = f"{', '.join(counts) or 'nothing to run'} in {duration(self.seconds)}"
        text = f"interrupted: {text}" if self.interrupted else text
        return f"{text} -> {page}" if page else text

    def text(self, page: str | Path | None = None, rerun: str = "") -> str:
        """The failures with their causes and logs, then the line.

        Args:
            page: what to read next.
            rerun: the command that runs a configuration again; ``{name}`` in it is filled in.

        Returns:
            Lines to print.
        """
        lines = []
        for failure in self.failures:
            lines.append(f"{failure.status} {failure.name} {seeds_text(failure.seeds)}")
            lines.append(f"  cause: {failure.message}")
            if failure.log.exists() and failure.log.stat().st_size:
                lines.append(f"  log:   {failure.log}")
            if rerun and failure.status not in DONE:
                lines.append(f"  again: {rerun.replace('{name}', failure.name)}")
        return "\n".join([*lines, *self._shares(), self.line(page)])

    def _shares(self) -> list[str]:
        """Where the time of the workers went, if they did anything: one line."""
        total = sum(self.stages.values())
        if len(self.stages) < 2 or total <= 0:
            return []
        shares = (f"{stage} {seconds / total:.0%}" for stage, seconds in self.stages.items())
        return [f"time: {', '.join(shares)}"]
