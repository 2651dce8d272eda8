import io
import re

import pytest
from rich.console import Console

from bench.run import progress
from bench.run.progress import Bar, Lines, duration, progress_on, seeds_text, tally
from tests.bench.fakes import Clock, job
from tests.bench.run.runs import run_all


def test_a_terminal_shows_one_bar_with_counts(folder):
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    progress = progress_on(console)
    assert isinstance(progress, Bar)
    run_all([job("a", folder)], folder, Lines(Console(file=io.StringIO())))
    jobs = [job("a", folder), job("b[x]", folder), job("c", folder, does="raises")]
    run_all(jobs, folder, progress)
    shown = re.sub(r"\x1b\[[^m]*m", "", console.file.getvalue())
    assert "2/2 jobs 2 cached, 2 ok, 2 failed" in shown
    assert isinstance(progress_on(Console(file=io.StringIO())), Lines)


def test_lines_say_what_runs_where_nothing_ends_for_long(lines, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "QUIET", 20.0)
    lines.start([job("a"), job("b")], 0)
    for clock.now in (1.0, 19.0, 20.0, 21.0, 40.5):
        lines.show(["b[x]", "a", "a"])
    clock.now = 50.0
    lines.finish(job("a"), ["ok"], 50.0)
    for clock.now in (69.0, 71.0):
        lines.show(["b[x]"])
    clock.now = 1000.0
    lines.show([])
    assert lines.read() == [
        "2 jobs to run, 0 cells cached",
        "[0/2] after 20.0s, running: b[x], a",
        "[0/2] after 40.5s, running: b[x], a",
        "[1/2] ok a seeds 0-1 50.0s",
        "[1/2] after 1m11s, running: b[x]",
    ]


def test_the_bar_names_what_runs():
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    bar = Bar(console)
    bar.start([job("a")], 0)
    bar.show(["latent_dim-4", "b[x]", "latent_dim-4"])
    bar.stop()
    assert "latent_dim-4, b[x]" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (28.14, "28.1s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (192, "3m12s"),
        (3599.4, "59m59s"),
        (3599.6, "1h00m"),
        (90061, "25h01m"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_few_words():
    assert seeds_text([3]) == "seed 3"
    assert seeds_text([2, 0, 1]) == "seeds 0-2"
    assert seeds_text([5, 0, 2]) == "seeds 0,2,5"
    assert tally(["ok", "ok"]) == "ok"
    assert tally(["ok", "failed", "ok"]) == "2 ok, 1 failed"
