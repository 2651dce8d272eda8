"""Whole runs of made-up jobs, and what they said."""

import io

from rich.console import Console

from bench.rows import rows
from bench.run.progress import Lines
from bench.run.runner import run
from bench.run.store import Store
from tests.bench.fakes import InlineExecutor, cells_of


class Told(Lines):
    """Lines that can be read afterwards."""

    def __init__(self):
        self._file = io.StringIO()
        super().__init__(Console(file=self._file, width=20))

    def read(self):
        return self._file.getvalue().splitlines()


def run_all(jobs, folder, lines, executor=None, **options):
    executor = InlineExecutor() if executor is None else executor
    return run(jobs, Store(folder), executor, lines, **options)


def table(names, seeds, folder):
    return rows("digits", cells_of(names, seeds), Store(folder), {"rate": "nats"})
