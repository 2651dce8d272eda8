"""One run of the benchmarks on one processor or one GPU, kept as JSON beside the page."""

import json
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench
from bench.run.provenance import cpu, git
from tests.benchmarks.findings import Finding, Gap, Growth, Quantity

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pythae", "hyppo", "dcor")
CPU = "cpu"
KINDS = {kind.__name__: kind for kind in (Finding, Gap, Growth, Quantity)}


@dataclass(frozen=True)
class Run:
    """What one run found, and where.

    Attributes:
        processor: as it names itself; of what was measured on a GPU, the card.
        time: when the run ended, ISO 8601.
        commit: of the code, with ``+`` where files differ from it.
        software: versions, as a text.
        found: findings, quantities, growths and gaps, in their order.
    """

    processor: str
    time: str
    commit: str
    software: str
    found: list[Finding | Gap | Growth | Quantity]

    @property
    def on_gpu(self):
        return any(device_of(result) != CPU for result in self.found)

    @property
    def name(self):
        """Of the processor, without marks of trade and clock."""
        bare = re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@.*", " ", self.processor)
        return " ".join(bare.split())

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def device_of(result):
    """Where something was found."""
    return getattr(result, "device", CPU)


def here(results):
    """The runs that end now on this machine: of its processor and, if it has one, its GPU."""
    state = git(Path(str(bench.__file__)).parent)
    commit = f"{state['commit'] or 'unknown'}"[:12]
    if state["dirty"]:
        commit += "+"
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    now = datetime.now(UTC).isoformat(timespec="seconds")
    by_device = {}
    for result in results:
        by_device.setdefault(device_of(result), []).append(result)
    return [
        Run(cpu() if device == CPU else device, now, commit, ", ".join(versions), of_device)
        for device, of_device in by_device.items()
    ]


def save(run, folder):
    """Write ``<slug>.json``, over an earlier run on such a processor."""
    results = [{"kind": type(result).__name__} | asdict(result) for result in run.found]
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(run) | {"found": results}, indent=1, ensure_ascii=False)
    (folder / f"{run.slug}.json").write_text(text + "\n", encoding="utf-8")


def load_all(folder):
    """All runs of a folder, the latest first."""
    runs = []
    for path in folder.glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        results = [KINDS[result.pop("kind")](**result) for result in record.pop("found")]
        runs.append(Run(**record, found=results))
    return sorted(runs, key=lambda run: run.time, reverse=True)
