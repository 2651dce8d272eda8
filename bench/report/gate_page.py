"""What the gate found, for people (Markdown) and for machines (JUnit XML)."""

import math
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from bench.analysis.gate import ALPHA, Comparison
from bench.errors import visible
from bench.report.markdown import code, markdown, prose
from bench.run.progress import counted

__all__ = ["junit", "label", "line", "page", "sentence", "worst_first"]

_ORDER = (
    *("REGRESSED", "HIDDEN", "FAILED", "MISSING", "CHANGED", "STALE", "NEW", "ABSURD"),
    *("INCONCLUSIVE", "OK"),
)


def line(comparisons: Sequence[Comparison]) -> str:
    """Count the verdicts.

    Args:
        comparisons: All of them.

    Returns:
        Such as ``1 REGRESSED, 3 INCONCLUSIVE, 28 OK``.
    """
    counts: Counter[str] = Counter(one.verdict for one in comparisons)
    return ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name]) or "no comparison"


def worst_first(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Order comparisons by their verdicts, the worst first.

    Args:
        comparisons: All of them.

    Returns:
        The same.
    """
    return sorted(comparisons, key=lambda one: _ORDER.index(one.verdict))


def label(one: Comparison) -> str:
    """Name what was compared.

    Args:
        one: A comparison.

    Returns:
        Such as ``base frechet (prior)``.
    """
    metric = one.metric + (f" ({one.source})" if one.source else "")
    return f"{one.config} {metric}".strip()


def sentence(one: Comparison) -> str:
    """Say in plain words what a verdict rests on.

    Args:
        one: A comparison.

    Returns:
        One line.
    """
    if one.message:
        return one.message
    text = (
        f"worse by {_number(one.worsening)} {one.unit} (bounds {_number(one.low)} and "
        f"{_number(one.high)}), margin {one.margin:g}, {one.test}, S = {one.seeds}"
    )
    if one.verdict != "INCONCLUSIVE":
        return text
    return text + (
        f"; about {counted(one.needed, 'seed')} would decide"
        if one.needed
        else "; more than a thousand seeds would be needed"
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "–"


def page(comparisons: Sequence[Comparison], name: str, baseline: str) -> str:
    """Compose a page for a job summary.

    Args:
        comparisons: All of them.
        name: Of the matrix.
        baseline: What it was compared with.

    Returns:
        Markdown, the worst verdicts first.
    """
    lines = [
        [
            one.verdict if one.verdict == "OK" else f"**{one.verdict}**",
            code(one.config),
            prose(one.metric + (f" ({one.source})" if one.source else "")),
            *(_number(number) for number in (one.worsening, one.low, one.high, one.margin)),
            one.test,
            one.seeds or "–",
            prose(one.message)
            or (f"{counted(one.needed, 'seed')} would decide" if one.needed else ""),
        ]
        for one in worst_first(comparisons)
    ]
    heads = ["verdict", "configuration", "metric", "worse by", "lower", "upper", "margin"]
    blocks = [
        f"# {name} against {prose(baseline)}",
        f"**{line(comparisons)}.**",
        markdown([*heads, "test", "S", "note"], lines, left=3),
        "Worse by: mean of new less baseline over the common seeds, in the metric's unit, positive "
        "where worse; of authenticity, density and precision, how much further from the value of "
        "real images. **REGRESSED**: the lower bound, Holm-corrected over the family, exceeds the "
        f"margin; the chance of any on unchanged code is {ALPHA:.0%}. **OK**: the 95 % upper "
        "bound lies below the margin. **HIDDEN**: worse beyond the margin but for a minority of "
        "seeds, corrected for every choice of them; the chance of any on unchanged code is another "
        f"{ALPHA:.0%}. **INCONCLUSIVE**: none of these. (mean): over all configurations. "
        "paired: the seeds of both runs go together; Welch: they do not.",
    ]
    return "\n\n".join(blocks) + "\n"


def junit(comparisons: Sequence[Comparison], name: str) -> bytes:
    """Spell the comparisons as JUnit test cases.

    Args:
        comparisons: All of them.
        name: Of the matrix.

    Returns:
        XML: a failure where something regressed, an error where nothing could be compared, skipped
        where the seeds do not decide.
    """
    tags = {"REGRESSED": "failure", "INCONCLUSIVE": "skipped", "OK": ""}
    suite = ElementTree.Element(
        "testsuite", name=f"vaebench check {name}", tests=str(len(comparisons))
    )
    for one in comparisons:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=visible(f"{name}.{one.config}"),
            name=".".join(part for part in (one.metric, one.source, one.split) if part) or "cells",
        )
        if tag := tags.get(one.verdict, "error"):
            text = visible(f"{one.verdict}: {sentence(one)}")
            ElementTree.SubElement(case, tag, message=text)
    counted = Counter(tags.get(one.verdict, "error") for one in comparisons)
    suite.set("failures", str(counted["failure"]))
    suite.set("errors", str(counted["error"]))
    suite.set("skipped", str(counted["skipped"]))
    xml: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"
