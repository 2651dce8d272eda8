"""Components that do harm: seeded, each with what becomes of the configuration beside it.

Whatever a prior or an encoder of a user's own does to its process, the base that runs beside it has
the rows that it has alone, what fails is a row, and nothing runs on when the run has ended. Such an
encoder has a normal prior, and runs first: what is simulated after its harm is what the base reads.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tests.faults.outcomes import Outcome, own_error
from tests.faults.small import MATRIX, changed, finished, left_over, started

__all__ = ["KINDS", "try_case"]

KINDS = {
    "raises": "raise ValueError('no')",
    "raises what it made": "raise type('Odd', (BaseException,), {})()",
    "exits well": "sys.exit(0)",
    "exits at once": "os._exit(0)",
    "exits with a code": "os._exit(3)",
    "kills what forks it": "os.kill(os.getppid(), signal.SIGKILL)",
    "kills itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "never ends": "while True: pass",
    "never wakes": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(10**6)",
    "forks and returns": "os.fork()",
    "leaves a child": "subprocess.Popen(['sleep', '100000'])",
    "leaves a service": "subprocess.Popen(['sleep', '100000'], start_new_session=True)",
    "leaves a thread": "threading.Thread(target=time.sleep, args=(10**6,)).start()",
    "never lets go": "import atexit; atexit.register(time.sleep, 10**6)",
    "changes the dtype": "torch.set_default_dtype(torch.float64)",
    "changes the precision": "torch.set_float32_matmul_precision('medium')",
    "changes the device": "torch.set_default_device('meta')",
    "changes the threads": "torch.set_num_threads(7)",
    "turns gradients off": "torch.set_grad_enabled(False)",
    "changes the folder": "os.chdir('/')",
    "changes the environment": "os.environ.clear()",
    "changes a function": "math.sqrt = lambda x: 1.0; torch.exp = torch.zeros_like",
    "changes the suite": "import vaelib.stats.kernels as k; [setattr(k, n, 0) for n in k.__all__]",
    "limits its files": "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "limits its memory": "resource.setrlimit(resource.RLIMIT_AS, (10**8, 10**8))",
    "closes all files": "os.closerange(0, 256)",
    "takes all memory": "x = bytearray(10**13)",
    "calls itself": "(lambda f: f(f))(lambda f: f(f))",
    "writes commands": "print('\\x1b[2J\\x1b]0;x\\x07' * 99); os.write(2, b'\\xff' * 99)",
    "changes its group": "os.setpgid(0, os.getppid()) if os.getpgid(os.getppid()) else None",
    "removes its results": "import shutil; shutil.rmtree('results/small/cells', True)",
    "changes draws before nulls": "d = torch.randn; torch.randn = lambda *a, **k: 1.2 * d(*a, **k)",
    "changes products before nets": "d = torch.baddbmm; torch.baddbmm = lambda *a: 1.2 * d(*a)",
    "changes layers before nets": "d = torch.nn.Linear; d.reset_parameters = lambda self: None",
}
EARLY = {kind for kind in KINDS if " before " in kind}
"""What an encoder does, before anything is simulated."""
_LOST = "cause: its record is not in "
MODULE = """
import math, multiprocessing, os, resource, signal, subprocess, sys, threading, time
import torch
from vaelib.priors import Normal

def harm():
    {harm}

class Prior(Normal):
    harmed = False

    def log_prob(self, z):
        if multiprocessing.parent_process() and not Prior.harmed:
            Prior.harmed = True
            harm()
        return super().log_prob(z)
"""
ENCODER = """
import multiprocessing
import torch
from vaelib.networks import MLPEncoder

def harm():
    {harm}

class Encoder(MLPEncoder):
    replicable = False
    harmed = False

    def forward(self, x):
        if multiprocessing.parent_process() and not Encoder.harmed:
            Encoder.harmed = True
            harm()
        return super().forward(x)
"""
STUDY = """
timeout = {timeout}
[[study]]
name = "prior"
grid = {{ prior = [{{ name = "normal" }}, {{ name = "{module}:Prior" }}] }}
"""
FIRST = """
timeout = {timeout}
[[study]]
name = "encoder"
grid = {{ encoder = [
    {{ name = "mlp", hidden = [8] }}, {{ name = "{module}:Encoder", hidden = [9] }},
] }}
"""
"""Of one block of seeds, what costs more runs first."""


def try_case(seed: int, folder: Path) -> Outcome:
    """Run the small matrix with a component that does harm beside its base.

    Args:
        seed: decides the harm, and which runs first; the kind is seed modulo the number of kinds.
        folder: where the matrix runs once without it; the run with it lies beside.

    Returns:
        What came of it.
    """
    done, place, case = finished(folder), folder / f"plugin-{seed}", f"plugin-{seed}-{os.getpid()}"
    kind = list(KINDS)[seed % len(KINDS)]
    module = f"harm_{seed}"
    place.mkdir()
    code, varied = (ENCODER, FIRST) if kind in EARLY else (MODULE, STUDY)
    (place / f"{module}.py").write_text(code.format(harm=KINDS[kind]))
    timeout = int(np.random.default_rng([seed, 24]).integers(40, 60))
    head, base = MATRIX.split("[base]")
    study = varied.format(timeout=timeout, module=module)
    limit, _, rest = study.lstrip().partition("\n")
    (place / "small.toml").write_text(f"{head}{limit}\n[base]{base}{rest}")
    try:
        with started(place, case) as process:
            said = process.communicate()[0]
        return _judged(kind, done, place, process.returncode, said, left_over(case))
    finally:
        shutil.rmtree(place)


def _judged(kind: str, done: Path, place: Path, code: int, said: str, left: list[int]) -> Outcome:
    if left:
        return Outcome(kind, "processes left over", f"{len(left)}")
    if own := own_error(said):
        return Outcome(kind, "traceback", own)
    if code not in (0, 2) or "Traceback" in said or "\x1b" in said:
        return Outcome(kind, f"exit {code}", said[-500:])
    if fault := changed(done, place):
        lost = kind == "removes its results" and _LOST in said and _missing(place)
        if lost and code == 2:
            return Outcome(kind, "rows")
        return Outcome(kind, fault, said[-500:])
    return Outcome(kind, "rows" if code else "answer")


def _missing(place: Path) -> bool:
    """Whether what a component removed from the disk is missing, and no number."""
    frame = pd.read_csv(place / "results" / "small" / "rows.csv", dtype=str)
    base = frame[frame["config"] == "base"]
    return bool((base["value"].isna() & (base["status"] == "missing")).all())
