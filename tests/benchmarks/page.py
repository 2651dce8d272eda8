"""What the benchmarks found, as a Markdown page: the same findings give the same bytes."""

import platform
from importlib.metadata import PackageNotFoundError, version

from bench.provenance import cpu
from bench.tables import markdown
from tests.benchmarks.findings import LEAST, Finding, Gap, Growth, Quantity

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pythae", "hyppo", "dcor")
FIGURE = "performance/figures/growth.png"

_INTRODUCTION = (
    "Each row is the CPU time of the first over the second, timed in turn in one process of one "
    "thread: median and range over the rounds. The reference runs twice per round; noise is the "
    "largest difference of the two. A reference that takes longest runs once. Lower is faster. "
    "Written by `tox -e perf`."
)
_GPU = (
    "As above, but by the clock of the device, from the first kernel's start to the last one's end."
)
_GROWTH = (
    "Each size is measured in a fresh process: the least time of a few calls, and the most memory "
    "that the first of them took beyond its inputs. An exponent is the slope of a straight line "
    "through the logarithms, as in the legends of the figure; 1 is linear growth, 0 none. Less "
    f"than {LEAST:g} MB counts as {LEAST:g}."
)


def page(found):
    """The page of findings, quantities, growths and gaps, each kind in its order."""
    ratios = [one for one in found if isinstance(one, Finding)]
    parts = ["# How fast the hot paths are", _INTRODUCTION]
    if on_cpu := [one for one in ratios if one.device == "cpu"]:
        parts.append(_table(_RATIOS, on_cpu, left=2))
    if on_gpu := [one for one in ratios if one.device != "cpu"]:
        parts += ["## On a GPU", f"{_GPU} {on_gpu[0].device}.", _table(_RATIOS, on_gpu, left=2)]
    if quantities := [one for one in found if isinstance(one, Quantity)]:
        parts += ["## Other limits", _table(_QUANTITIES, quantities)]
    if growths := [one for one in found if isinstance(one, Growth)]:
        parts += ["## How the cost grows", _GROWTH, _table(_GROWTHS, growths, left=2)]
        parts.append(f"![Time and memory as each size grows]({FIGURE})")
    if missed := [one for one in (*ratios, *quantities) if not one.met]:
        parts += ["## Missed targets", "\n".join(map(_missed, missed))]
    if gaps := dict.fromkeys(one.reason for one in found if isinstance(one, Gap)):
        parts += ["## Not measured", "\n".join(f"- {reason}." for reason in gaps)]
    parts += ["## Where", f"{cpu()}; Python {platform.python_version()}, {_packages()}."]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _target(one):
    return "–" if one.target is None else f"{one.target:g} {one.unit}".strip()


def _met(one):
    return "–" if one.target is None else ("yes" if one.met else "no")


_RATIOS = {
    "what": lambda one: one.what,
    "against": lambda one: one.reference,
    "ratio": lambda one: one.text,
    "range": lambda one: f"{min(one.ratios):.3g} to {max(one.ratios):.3g}",
    "noise": lambda one: f"{100 * one.noise:.0f} %" if len(one.ratios) > 1 else "–",
    "target": _target,
    "target met": _met,
}
_QUANTITIES = {
    "what": lambda one: one.what,
    "measured": lambda one: one.text,
    "target": _target,
    "target met": _met,
}
_GROWTHS = {
    "what": lambda one: one.what,
    "against": lambda one: one.axis,
    "from": lambda one: f"{one.sizes[0]:,}",
    "to": lambda one: f"{one.sizes[-1]:,}",
    "time exponent": lambda one: f"{one.time_exponent:.2f}",
    "memory exponent": lambda one: f"{one.memory_exponent:.2f}",
    "most memory": lambda one: f"{max(one.megabytes):.3g} MB",
}


def _table(columns, found, left=1):
    rows = [[cell(one) for cell in columns.values()] for one in found]
    return markdown(list(columns), rows, left=left)


def _missed(one):
    return f"- {one.what}: {one.text} instead of {_target(one)}. {one.cause}".rstrip()


def _packages():
    known = []
    for name in PACKAGES:
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(known)
