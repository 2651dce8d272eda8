"""Builds the sdist and the wheel and says what they lack: ``python tests/packed.py FOLDER``.

That is what ``tox -e wheel`` runs; it needs hatchling and nothing of the suite.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

__all__ = ["DATA", "main", "wrong_of_sdist", "wrong_of_wheel"]

ROOT = Path(__file__).parents[1]
DATA = (
    "bench/py.typed",
    "vaelib/py.typed",
    "vaelib/audits/power.csv",
    "vaelib/worlds/expected.json",
)
"""What is no Python and must be in a wheel, beside the shipped matrices."""

_MOST = 4_000_000  # bytes of an archive; results are a hundred megabytes
_LEFT_OUT = ("results", ".ci", ".github", ".tox", "build", "dist")
_UNNEEDED = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


def shipped():
    """The matrices that a wheel must have, by their paths in it."""
    folder = ROOT / "bench" / "matrix" / "shipped"
    return {path.relative_to(ROOT).as_posix() for path in folder.glob("*.toml")}


def modules():
    """All modules of both packages, by their paths in a wheel."""
    found = (path for name in ("bench", "vaelib") for path in (ROOT / name).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix() for path in found}


def wrong_of_wheel(names):
    """What is wrong with the names in a wheel, a line each."""
    names = set(names)
    yield from (f"{name} lacks" for name in sorted({*DATA, *shipped(), *modules()} - names))
    for name in sorted(names):
        top = name.partition("/")[0]
        if top not in ("bench", "vaelib") and not top.endswith(".dist-info"):
            yield f"{name} is too much"
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        yield "the licence lacks"


def wrong_of_sdist(names):
    """What is wrong with the names in an sdist, below its one folder, a line each."""
    inside = {name.partition("/")[2] for name in names}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", *DATA, *shipped()}
    yield from (f"{name} lacks" for name in sorted((needed | modules()) - inside))
    for name in sorted(inside):
        parts = name.split("/")
        if parts[0] in _LEFT_OUT or set(parts) & set(_UNNEEDED):
            yield f"{name} is too much"


def main(folder):
    """Builds both into a new folder and says what is wrong with them; 1 where anything is."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        wrong = list(wrong_of_wheel(archive.namelist()))
    with tarfile.open(sdist) as archive:
        wrong += wrong_of_sdist(archive.getnames())
    for path in (wheel, sdist):
        size = path.stat().st_size
        wrong += [f"{path.name} has {size:,} bytes"] if size > _MOST else []
        print(f"{path.name}: {size:,} bytes")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).resolve()))
