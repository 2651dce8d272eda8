"""What the benchmarks found, as a Markdown page: the same findings give the same bytes."""

import platform
import statistics
from dataclasses import dataclass
from importlib.metadata import version

from bench.provenance import cpu
from bench.tables import markdown

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One row.

    Attributes:
        what: what was timed.
        reference: what it is compared with.
        ratios: its time over the reference's, one per round.
        noise: largest relative difference of the reference's two timings of one round.
        target: the ratio that it should not exceed; None for a row that explains others.
        cause: why it may miss the target.
    """

    what: str
    reference: str
    ratios: list[float]
    noise: float
    target: float | None = None
    cause: str = ""

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    @property
    def met(self):
        return self.target is None or self.ratio <= self.target

    @property
    def worse_than_noise(self):
        return self.target is not None and self.ratio > self.target * (1 + self.noise)


def page(findings):
    """The page of some findings, in their order."""
    rows = [_row(finding) for finding in findings]
    heads = ["what", "against", "ratio", "range", "noise", "target", "target met"]
    parts = [
        "# How fast the hot paths are",
        "Each row is the CPU time of the first over the second, timed in turn in one process of "
        "one thread: median and range over the rounds. The reference runs twice per round; noise "
        "is the largest difference of the two. Lower is faster. Written by `tox -e perf`.",
        markdown(heads, rows, left=2),
    ]
    if missed := [finding for finding in findings if not finding.met]:
        parts.append("## Missed targets")
        parts.append(
            "\n".join(
                f"- {f.what}: {f.ratio:.3g} instead of {f.target:g}. {f.cause}" for f in missed
            )
        )
    parts.append("## Where")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    parts.append(f"{cpu()}; Python {platform.python_version()}, {packages}.")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _row(finding):
    target = "–" if finding.target is None else f"{finding.target:g}"
    met = "–" if finding.target is None else ("yes" if finding.met else "no")
    low, high = min(finding.ratios), max(finding.ratios)
    return [
        finding.what,
        finding.reference,
        f"{finding.ratio:.3g}",
        f"{low:.3g} to {high:.3g}",
        f"{100 * finding.noise:.0f} %",
        target,
        met,
    ]
