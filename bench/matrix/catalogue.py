"""What a matrix may use, by kind: names, what they stand for, and where they come from.

Of components the source is read, none is imported: that would take seconds.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.matrix.files import leading_comment, shipped
from bench.matrix.sources import Source, sources
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS

__all__ = ["KINDS", "Entry", "also", "entries", "matrices", "names"]

_MODULES = {
    "datasets": "vaelib.datasets",
    "decoders": "vaelib.networks",
    "encoders": "vaelib.networks",
    "likelihoods": "vaelib.likelihoods",
    "objectives": "vaelib.objectives",
    "priors": "vaelib.priors",
}
KINDS = tuple(sorted([*_MODULES, "matrices", "metrics"]))
"""What may be listed."""


@dataclass(frozen=True)
class Entry:
    """One name.

    Attributes:
        summary: what it is, in one line.
        reference: where it comes from; empty where it is nobody's invention.
        options: what a matrix may set, with defaults, in one line; empty where there is nothing.
    """

    summary: str
    reference: str = ""
    options: str = ""


def entries(kind: str) -> dict[str, Entry]:
    """The names of one kind.

    Args:
        kind: one of `KINDS`.

    Returns:
        Name -> what it is.
    """
    if kind == "matrices":
        texts = {name: leading_comment(path.read_text("utf-8")) for name, path in shipped().items()}
        return {name: Entry(_summary(text.split("\nCost:")[0])) for name, text in texts.items()}
    if kind == "metrics":
        return {name: _metric(metric) for name, metric in METRICS.items()}
    return {name: _component(source) for name, source in _sources(kind).items()}


def also(kind: str) -> str:
    """What else a matrix takes in the place of a name of one kind.

    Args:
        kind: one of `KINDS`.

    Returns:
        One line.
    """
    if kind == "matrices":
        return "or the path of a TOML file"
    if kind == "metrics":
        return 'and your own: metrics = ["package.module:my_metric"] below [matrix]'
    return 'or your own, by import path: name = "package.module:Attribute"'


def names(kind: str) -> list[str]:
    """The names of one kind, as completion needs them.

    Args:
        kind: one of `KINDS`.

    Returns:
        The keys of its table.
    """
    if kind == "matrices":
        return list(shipped())
    if kind == "metrics":
        return list(METRICS)
    return list(_sources(kind))


def matrices(incomplete: str) -> list[str]:
    """Completes the name of a shipped matrix or the path of a TOML file.

    Args:
        incomplete: what was typed.

    Returns:
        Names, files, and folders with a slash.
    """
    folder = incomplete.rpartition("/")[0]
    paths = sorted(Path(folder or ".").glob("*"))
    hidden = incomplete.rpartition("/")[2].startswith(".")
    files = [
        str(path) + "/" * path.is_dir()
        for path in paths
        if (path.suffix == ".toml" or path.is_dir()) and (hidden or not path.name.startswith("."))
    ]
    return [name for name in [*shipped(), *files] if name.startswith(incomplete)]


def _sources(kind: str) -> dict[str, Source]:
    return sources(_MODULES[kind], kind.upper())


def _component(source: Source) -> Entry:
    options = [f"{name} = {given}" if given else name for name, given in source.options.items()]
    return Entry(_summary(source.text), _reference(source.text), ", ".join(options))


def _metric(metric: Metric) -> Entry:
    better = f"; better: {metric.direction}" if metric.direction else ""
    return Entry(f"[{metric.unit}{better}] {metric.summary}", metric.reference)


def _summary(text: str) -> str:
    """The first paragraph on one line."""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "")


def _reference(text: str) -> str:
    """What a docstring says under References, one after the other, on one line."""
    lines = text.partition("\nReferences:\n")[2].split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines)
