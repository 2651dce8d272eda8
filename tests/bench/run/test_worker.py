import subprocess
import sys

import pytest

from tests.bench.run.processes import kill_group, start, wait_for

# The part that shows has no public name: a whole job each time would take minutes.
BUSY = """
import os, sys
from bench.run.worker import _shown

def deep(n):
    return n if n == 0 else deep(n - 1) + len([x for x in (lambda y: [y])(n)])

with open(sys.argv[1], "wb", buffering=0) as log:
    for _ in range(600):
        before = os.fstat(log.fileno()).st_size
        with _shown(log, 0.001, 1e4):
            while os.fstat(log.fileno()).st_size == before:
                deep(40)
print("survived")
"""


def test_a_traceback_of_a_busy_job_does_not_kill_it(tmp_path):
    """The standard library's own, dump_traceback_later, did so once in some 500 times."""
    done = subprocess.run(
        [sys.executable, "-c", BUSY, tmp_path / "log"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout == "survived\n", done.stderr[-2000:]


@pytest.mark.parametrize("name", ["hangs", "hangs_in_c"])
def test_the_log_shows_where_a_job_hangs(folder, name):
    """Nothing ends these at their limit, so that the log may come as late as the load wants."""
    log = folder / "logs" / f"{name}-0.log"
    for limit in (1.0, 10.0, 100.0):  # the load may keep it from the place where it hangs
        log.unlink(missing_ok=True)
        with start("execute_alone", name, str(folder), limit) as process:
            wait_for(lambda: log.exists() and "in execute_alone\n" in log.read_text())
            kill_group(process)
        if f"in {name}\n" in log.read_text():
            return
    pytest.fail(log.read_text())
