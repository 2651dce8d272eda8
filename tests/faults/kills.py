"""Runs that are killed: seeded, each resumed by the same command, which must give the same rows.

The command that is killed has a process of its own; the one that goes on is called in this.
"""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np

from tests.faults.outcomes import Called, Outcome, called
from tests.faults.small import again, changed, finished, left_over, started

__all__ = ["KINDS", "try_case"]

KINDS = {
    "SIGKILL": signal.SIGKILL,
    "SIGTERM": signal.SIGTERM,
    "SIGINT": signal.SIGINT,
    "SIGHUP": signal.SIGHUP,
    "a worker, SIGKILL": signal.SIGKILL,
    "a worker, SIGSEGV": signal.SIGSEGV,
}
LONGEST = 15.0  # seconds after its start within which a run is killed


def try_case(seed: int, folder: Path) -> Outcome:
    """Kill a run at some moment, and give its command again.

    Args:
        seed: decides the signal and the moment; the kind is seed modulo the number of kinds.
        folder: where the matrix runs once without disturbance; the run that is killed lies beside.

    Returns:
        What came of it.
    """
    done, place, case = finished(folder), folder / f"kill-{seed}", f"kill-{seed}-{os.getpid()}"
    kind = list(KINDS)[seed % len(KINDS)]
    place.mkdir()
    shutil.copy(done / "small.toml", place)
    try:
        moment = float(np.random.default_rng([seed, 23]).uniform(0, LONGEST))
        with started(place, case) as process:
            time.sleep(moment)  # why: any moment will do
            _kill(process.pid, kind)
            process.communicate()
        resumed = called(again(place))
        return _judged(kind, done, place, resumed, left_over(case))
    finally:
        shutil.rmtree(place)


def _kill(process: int, kind: str) -> None:
    """Sends the signal to the run, or to the youngest of what it has started."""
    target = process
    if kind.startswith("a worker"):
        members = [
            int(place.name)
            for place in Path("/proc").glob("[0-9]*")
            if int(place.name) != process and _session(place) == process
        ]
        target = max(members, default=process)
    try:
        os.kill(target, KINDS[kind])
    except ProcessLookupError:
        return  # it had ended


def _session(place: Path) -> int:
    try:
        return int((place / "stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return 0


def _judged(kind: str, done: Path, place: Path, resumed: Called, left: list[int]) -> Outcome:
    said = "\n".join([*resumed.said, resumed.out[-300:], resumed.raised])
    if resumed.code or resumed.raised:
        return Outcome(kind, f"exit {resumed.code}", said[-500:])
    if left:
        return Outcome(kind, "processes left over", f"{len(left)}")
    if fault := changed(done, place):
        return Outcome(kind, fault, said[-500:])
    return Outcome(kind, "repaired")
