"""Where results come from: commit, versions, hardware, threads, time and command.

A matrix may be measured in several sessions, on several machines. ``provenance.json`` holds each of
them with the cells that it measured, as long as no later one measured them again.
"""

import json
import os
import platform
import re
import subprocess
import sys
import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import join
from typing import Any

import bench
from bench.errors import DamagedWarning, reason, without_home
from vaelib.reading import read_bytes
from vaelib.sealed import sealed_json, unsealed_json

__all__ = ["cpu", "git", "provenance", "sessions", "set_aside", "with_session"]

Session = dict[str, Any]

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)\S+")
_PACKAGES = (
    *("vaebench", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "zuko"),
    *("pydantic", "matplotlib", "mlxtend"),
)


def provenance(
    start: datetime, *, workers: int, device: str = "cpu", command: str | None = None
) -> dict[str, Any]:
    """Describes a run that ends now.

    Args:
        start: when it began, with its time zone.
        workers: processes that ran at once, of one thread each.
        device: where the models were trained.
        command: the command line; that of this process by default.

    Returns:
        Plain data, a session of ``provenance.json``; None stands for what is not known.
    """
    return {
        "git": git(Path(str(bench.__file__)).parent),
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "hardware": _hardware(device),
        "threads": {"workers": workers, "per_worker": 1},
        "start": start.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - start).total_seconds(), 1),
        "command": _command() if command is None else command,
    }


def sessions(path: Path) -> list[Session]:
    """The sessions of a matrix, oldest first.

    Args:
        path: of ``provenance.json``; one that describes a single run is of one session, without a
            list of cells.

    Returns:
        What `provenance` said of each, with ``cells``, their ids; none where there is no file.

    Raises:
        ValueError: where it is not what a run wrote.
        OSError: where it cannot be read.
    """
    if not os.path.lexists(path):
        return []
    data = read_bytes(path)
    try:
        said = json.loads(data)
        if isinstance(said, dict) and not said.keys() & {"sessions", "sha256"}:
            return [said]
        found = json.loads(unsealed_json(data))["sessions"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it holds no sessions ({type(error).__name__})") from error
    if not isinstance(found, list) or not all(map(_is_session, found)):
        raise ValueError("it holds something else than sessions")
    return found


def _is_session(one: object) -> bool:
    cells = one.get("cells", []) if isinstance(one, dict) else None
    return isinstance(cells, list) and all(isinstance(cell, str) for cell in cells)


def set_aside(path: Path) -> list[Session]:
    """The sessions of a matrix; a file that is not what a run wrote is renamed, with a warning.

    Args:
        path: of ``provenance.json``.

    Returns:
        What `sessions` does; none where it was set aside.

    Raises:
        OSError: where it cannot be read for a reason that is not its own.
    """
    try:
        return sessions(path)
    except (OSError, ValueError) as error:
        why, name = reason(error), f"{path.name}.corrupt"
        path.rename(path.with_name(name))
        what = f"{path} is not what a run wrote ({why}): set aside as {name}"
        text = f"{what}, so that it is not known where its cells were measured"
        warnings.warn(text, DamagedWarning, stacklevel=2)
        return []


def with_session(
    before: Sequence[Session], session: Session, measured: Collection[str], there: Collection[str]
) -> bytes:
    """What ``provenance.json`` holds after one more session.

    Args:
        before: the earlier ones.
        session: what `provenance` said of it.
        measured: ids of the cells that it measured.
        there: ids of all cells of the table.

    Returns:
        The file: the sessions of which a cell is left. One without a list of cells stays as long as
        the table has cells that are in no list.
    """
    listed = set(measured)
    kept = []
    for one in before:
        if "cells" in one:
            left = [cell for cell in one["cells"] if cell not in measured]
            listed.update(left)
            kept += [one | {"cells": left}] if left else []
        else:
            kept.append(one)
    if listed.issuperset(there):
        kept = [one for one in kept if "cells" in one]
    every = [*kept, session | {"cells": sorted(measured)}]
    return sealed_json(json.dumps({"sessions": every}, indent=1))


def git(package: Path) -> dict[str, Any]:
    """The state of the repository that tracks a package.

    Args:
        package: its folder.

    Returns:
        ``commit``, and ``dirty``: whether it or a package beside it differs from the commit.
        Both are None where the package is not in a repository, or only ignored by one.
    """

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(
            command, capture_output=True, check=True, encoding="utf-8"
        ).stdout.strip()

    try:
        run("ls-files", "--error-unmatch", "__init__.py")
        sources = ("--", ":(top)bench", ":(top)vaelib")
        return {"commit": run("rev-parse", "HEAD"), "dirty": bool(run("status", "-s", *sources))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hardware(device: str) -> Mapping[str, Any]:
    accelerator = None
    if device.startswith("cuda"):
        import torch

        accelerator = torch.cuda.get_device_name(device)
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "device": accelerator or device,
    }


def cpu() -> str:
    """The processor's name, with family and model: a cloud's processors share their names."""
    try:
        says = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        says = ""
    keys = ("model name", "cpu family", "model")
    found = [re.search(rf"^{key}\s*: (.+)$", says, re.MULTILINE) for key in keys]
    name, family, model = (match and match[1].strip() for match in found)
    if not name:
        return platform.processor() or platform.machine()
    return f"{name} (family {family}, model {model})" if family and model else name


def _command() -> str:
    program = Path(sys.argv[0])
    name = program.name
    start = ["python", "-m", program.parent.name] if name == "__main__.py" else [name]
    arguments = [_ADDRESS.sub(r"\1...", argument) for argument in sys.argv[1:]]
    return without_home(join([*start, *arguments]))
