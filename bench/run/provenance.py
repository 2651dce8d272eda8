"""Where results come from: commit, versions, hardware, threads, time and command."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import join
from typing import Any

import bench
from bench.errors import without_home

__all__ = ["cpu", "git", "provenance"]

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
        Plain data for ``provenance.json``; None stands for what is not known.
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
    return without_home(join([*start, *sys.argv[1:]]))
