"""What a person sees while something runs: a bar on a terminal, lines elsewhere, never silence."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Columns

from bench.run.job import Job

__all__ = [
    "QUIET",
    "Bar",
    "Lines",
    "Progress",
    "beating",
    "counted",
    "duration",
    "progress_on",
    "seeds_text",
    "tally",
    "timed_bar",
]

QUIET = 20.0
"""Seconds after which silence would look like a hang."""
_PAUSE = 0.5  # seconds between two looks at what runs


class Progress(Protocol):
    """What the runner tells."""

    def start(self, jobs: Sequence[Job], cached: int) -> None:
        """The run begins: the jobs to come, and how many cells need none."""

    def note(self, line: str) -> None:
        """Something to know, in one line."""

    def show(self, names: Iterable[str]) -> None:
        """These configurations run now."""

    def finish(self, job: Job, statuses: Sequence[str], seconds: float) -> None:
        """A job ended: the statuses of its cells, the seconds it took (nan: unknown)."""

    def stop(self) -> None:
        """The run is over."""


class Lines:
    """One plain line per finished job: ``[ 12/170] ok latent_dim-4 seeds 0-9 28.1s``.

    Where none finishes for 20 seconds, a line says how far it is and what runs.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = self._done = 0
        self._began = self._spoke = time.monotonic()

    def start(self, jobs: Sequence[Job], cached: int) -> None:
        """Says how much there is to do."""
        self._total, self._done = len(jobs), 0
        self._began = time.monotonic()
        jobs_text, cells_text = counted(len(jobs), "job"), counted(cached, "cell")
        self._print(f"{jobs_text} to run, {cells_text} cached")

    def note(self, line: str) -> None:
        """Prints the line."""
        self._print(line)

    def show(self, names: Iterable[str]) -> None:
        """Nothing, but where nothing else has happened for long."""
        now = time.monotonic()
        if now - self._spoke >= QUIET and (running := ", ".join(dict.fromkeys(names))):
            self._print(f"{self._place()} after {duration(now - self._began)}, running: {running}")

    def finish(self, job: Job, statuses: Sequence[str], seconds: float) -> None:
        """Prints the line."""
        self._done += 1
        took = f" {duration(seconds)}" if seconds == seconds else ""
        seeds = seeds_text(job.cells.values())
        self._print(f"{self._place()} {tally(statuses)} {job.name} {seeds}{took}")

    def stop(self) -> None:
        """Nothing is open."""

    def _place(self) -> str:
        return f"[{self._done:{len(str(self._total))}}/{self._total}]"

    def _print(self, line: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bar:
    """One bar for the whole matrix, with counts of cells, time left and what runs now.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._bar = timed_bar(
            console,
            [
                BarColumn(),
                TextColumn("{task.completed}/{task.total} jobs"),
                TextColumn("{task.fields[counts]}"),
            ],
            [TextColumn("{task.fields[names]}", markup=False)],
            speed_estimate_period=3600,  # jobs are long: rich's own 30 s would often see none end
        )
        self._counts: Counter[str] = Counter()
        self._next = 0.0

    def start(self, jobs: Sequence[Job], cached: int) -> None:
        """Opens the bar."""
        self._counts = Counter({"cached": cached} if cached else {})
        self._task = self._bar.add_task("", total=len(jobs), counts=self._text(), names="")
        self._bar.start()

    def note(self, line: str) -> None:
        """Prints the line above the bar."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, names: Iterable[str]) -> None:
        """Names what runs now; to ask thousands of jobs after each is too much."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PAUSE
        self._bar.update(self._task, names=", ".join(dict.fromkeys(names)))

    def finish(self, job: Job, statuses: Sequence[str], seconds: float) -> None:
        """Moves the bar."""
        self._counts.update(statuses)
        self._bar.update(self._task, advance=1, counts=self._text())

    def stop(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.stop()

    def _text(self) -> str:
        return ", ".join(f"{count} {status}" for status, count in self._counts.items())


def timed_bar(
    console: Console,
    before: Sequence[ProgressColumn],
    after: Sequence[ProgressColumn] = (),
    *,
    speed_estimate_period: float = 30.0,
    transient: bool = False,
) -> Columns:
    """A bar of rich's with the time that has passed and the time that is left.

    Args:
        console: a terminal.
        before: columns to the left of the times.
        after: columns to their right.
        speed_estimate_period: seconds over which the pace is taken.
        transient: whether the bar goes away at the end.

    Returns:
        The bar, not yet started.
    """
    return Columns(
        *before,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        *after,
        console=console,
        speed_estimate_period=speed_estimate_period,
        transient=transient,
    )


def progress_on(console: Console) -> Progress:
    """The bar where the console is a terminal, else lines.

    Args:
        console: where to.

    Returns:
        Something to hand to `bench.run.runner.run`.
    """
    return Bar(console) if console.is_terminal else Lines(console)


@contextmanager
def beating(
    say: Callable[[str], object], what: Callable[[], str]
) -> Iterator[Callable[[str], None]]:
    """Within the block a line says how far it is after each 20 s in which none was said.

    Args:
        say: takes a line, from another thread, too.
        what: what goes on now; it is asked from another thread.

    Yields:
        A function that says a line, from which on the silence is counted anew.
    """
    began = spoke = time.monotonic()
    ended = Event()

    def tell(line: str) -> None:
        nonlocal spoke
        spoke = time.monotonic()
        say(line)

    def beat() -> None:
        while not ended.wait(max(0.0, spoke + QUIET - time.monotonic())):
            if time.monotonic() >= spoke + QUIET:
                with suppress(OSError, ValueError):  # nobody reads on: the command says so itself
                    tell(f"after {duration(time.monotonic() - began)}: {what()}")

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        ended.set()
        thread.join()


def tally(statuses: Iterable[str]) -> str:
    """Statuses in few words: ``ok``, or ``9 ok, 1 diverged``."""
    counts = Counter(statuses)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def seeds_text(seeds: Collection[int]) -> str:
    """Seeds in few words: ``seed 3``, ``seeds 0-9`` or ``seeds 0,2,5``."""
    ordered = sorted(seeds)
    if len(ordered) == 1:
        return f"seed {ordered[0]}"
    if ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"seeds {ordered[0]}-{ordered[-1]}"
    return f"seeds {','.join(map(str, ordered))}"


def duration(seconds: float) -> str:
    """A length of time in few characters: ``28.1s``, ``3m12s`` or ``1h05m``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def counted(number: int, what: str, several: str = "") -> str:
    """How many of a thing there are: "1 cell", "2 cells"; or what they do.

    Args:
        number: how many.
        what: the name of one, or a clause that is said of one.
        several: the same of any other number; ``what`` and an s where empty.

    Returns:
        The text.

    Example:
        >>> counted(1, "cell"), counted(2, "cell"), counted(0, "matches", "match")
        ('1 cell', '2 cells', '0 match')
    """
    return f"{number} {what}" if number == 1 else f"{number} {several or f'{what}s'}"
