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
        parts.append(_ratios(on_cpu))
    if on_gpu := [one for one in ratios if one.device != "cpu"]:
        parts += ["## On a GPU", f"{_GPU} {on_gpu[0].device}.", _ratios(on_gpu)]
    if quantities := [one for one in found if isinstance(one, Quantity)]:
        parts += ["## Other limits", _quantities(quantities)]
    if growths := [one for one in found if isinstance(one, Growth)]:
        parts += ["## How the cost grows", _GROWTH, _growths(growths)]
        parts.append(f"![Time and memory as each size grows]({FIGURE})")
    if missed := [one for one in (*ratios, *quantities) if not one.met]:
        parts += ["## Missed targets", "\n".join(map(_missed, missed))]
    if gaps := dict.fromkeys(one.reason for one in found if isinstance(one, Gap)):
        parts += ["## Not measured", "\n".join(f"- {reason}." for reason in gaps)]
    parts += ["## Where", f"{cpu()}; Python {platform.python_version()}, {_packages()}."]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _ratios(findings):
    heads = ["what", "against", "ratio", "range", "noise", "target", "target met"]
    rows = [
        [
            one.what,
            one.reference,
            f"{one.ratio:.3g}",
            f"{min(one.ratios):.3g} to {max(one.ratios):.3g}",
            f"{100 * one.noise:.0f} %" if len(one.ratios) > 1 else "–",
            *_judged(one),
        ]
        for one in findings
    ]
    return markdown(heads, rows, left=2)


def _quantities(quantities):
    rows = [[one.what, one.text, *_judged(one)] for one in quantities]
    return markdown(["what", "measured", "target", "target met"], rows)


def _growths(growths):
    heads = ["what", "against", "from", "to", "time exponent", "memory exponent", "most memory"]
    rows = [
        [
            one.what,
            one.axis,
            f"{one.sizes[0]:,}",
            f"{one.sizes[-1]:,}",
            f"{one.time_exponent:.2f}",
            f"{one.memory_exponent:.2f}",
            f"{max(one.megabytes):.3g} MB",
        ]
        for one in growths
    ]
    return markdown(heads, rows, left=2)


def _judged(one):
    if one.target is None:
        return "–", "–"
    unit = getattr(one, "unit", "")
    return f"{one.target:g} {unit}".strip(), "yes" if one.met else "no"


def _missed(one):
    value = one.text if isinstance(one, Quantity) else f"{one.ratio:.3g}"
    return f"- {one.what}: {value} instead of {_judged(one)[0]}. {one.cause}".rstrip()


def _packages():
    known = []
    for name in PACKAGES:
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(known)
