"""Other processes: how tests start them, wait for them and see that they are gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 600.0  # seconds that no test needs, on no machine: they only bound a hang


def start(function, *arguments):
    """Calls a function of `tests.bench.fakes` in a process, and session, of its own."""
    call = f"from tests.bench import fakes; raise SystemExit(fakes.{function}(*{arguments}))"
    return subprocess.Popen(
        [sys.executable, "-c", call],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition):
    """Waits for what another process does, which can tell this one only through files."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "waited too long"  # why: of a hang only
        time.sleep(0.005)  # why: leaves the processor to what is waited for


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_group(process):
    """Kills a process and all that it started in its session; waits for its end."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
