"""The tables of a study: which metrics stand together, and what is said below them."""

import re
from collections.abc import Mapping, Sequence
from itertools import product

from bench.analysis.replicates import SPLITS
from bench.analysis.results import Results
from bench.metrics.metric import Table
from bench.report.markdown import fitted, metric_column, prose, titled
from vaelib.samples.options import SOURCES

__all__ = [
    "DAGGER",
    "DIAGNOSTIC",
    "DIAGNOSTICS",
    "DIAGNOSTICS_TEXT",
    "REST",
    "SAMPLES_TOO",
    "notes",
    "study_tables",
    "tables",
]

GAUGE = "After the gauge fix"
DIAGNOSTICS = "Diagnostics"
"""Title of what rests on assumptions that trained encoders break, and decides nothing."""
DIAGNOSTICS_TEXT = (
    "The raw KL less that of matched encoders with the same scales. Right only where the scale "
    "does not depend on place and exceeds 1 nowhere, which trained encoders break: it decides "
    "nothing."
)
"""What stands above them."""
SAMPLES_TOO = "Samples of q(z) and of the fitted density"
"""Title of what of the images is compared with those of the prior."""
_COMPARED = ("aggregate", "repaired")
REST = (SAMPLES_TOO, GAUGE, Table.SHAPE, Table.DISTANCES, Table.TESTS, DIAGNOSTICS)
"""Titles of the tables that stand on a page of their own."""
_BOTH_SPLITS = (Table.KL, Table.LIKELIHOOD)  # of the others, what holds for held-out inputs
DAGGER = (
    "† saturated on at least one seed (R > log N - 1): the joint KL is bounded below by the floor "
    "R - log N whatever the encoder does. [Bracketed] numbers are not comparable and not ranked."
)
"""What the mark of saturated configurations means."""
DIAGNOSTIC = ("marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test")
"""Names of its metrics, in the order of the page."""
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
_HEAD = "metric"
_RESCALED = "gauge_fixed"  # the source of what was measured after it


def tables(study: Results) -> dict[str, list[tuple[str, str]]]:
    """Which metrics stand together.

    Args:
        study: The part of its configurations.

    Returns:
        Title of each table -> its metrics, each with its source, both in the order of the page. Of
        samples these are the distance of every latent source and all that was measured of the
        prior; the rest is `SAMPLES_TOO`.
    """
    columns: dict[str, list[tuple[str, str]]] = {}
    for table in Table:
        if table == Table.SHAPE:
            rescaled = {name for name, _, source in study.measured_keys if source == _RESCALED}
            columns[GAUGE] = [(name, _RESCALED) for name in study.metrics if name in rescaled]
        there = [metric for metric in study.metrics.values() if metric.table == table]
        names = [metric.name for metric in sorted(there, key=lambda m: m.place)]
        columns[table] = [(name, "") for name in names if name not in DIAGNOSTIC]
        if table == Table.SAMPLES:
            first, *others = names
            columns[table] = [(first, source) for source in SOURCES]
            columns[table] += [(name, "prior") for name in others]
            columns[SAMPLES_TOO] = [*product(others, _COMPARED)]
    columns[DIAGNOSTICS] = [(name, "") for name in DIAGNOSTIC if name in study.metrics]
    return columns


def study_tables(
    study: Results, title: str, metrics: Sequence[tuple[str, str]], labels: Mapping[str, str]
) -> list[str]:
    """The metrics that there are, one line for each, one column for each level.

    Args:
        study: The part of its configurations.
        title: Of the table.
        metrics: Names of its metrics, each with its source.
        labels: Configuration -> its level.

    Returns:
        Tables of Markdown, several where there are many levels; none without numbers. On test
        inputs unless a line says otherwise: on training inputs alone where nothing else was
        measured, on both where the difference is that of seen and unseen inputs.
    """
    keys = study.measured_keys
    splits = [split for split in SPLITS if any((m, split, s) in keys for m, s in metrics)]
    if title not in _BOTH_SPLITS:
        splits = splits[:1]
    lines = []
    for (name, source), split in product(metrics, splits):
        texts = metric_column(study, name, split, source)
        if any(texts[config] != "–" for config in labels):
            where = [source] if source in SOURCES else []
            where += [split] if split != SPLITS[0] else []
            told = f" ({', '.join(where)})" if where else ""
            lines.append([titled(study.metrics[name]) + told, *(texts[c] for c in labels)])
    flagged = {config for split in splits for config in study.saturated(split)}
    marked = [label + (" †" if config in flagged else "") for config, label in labels.items()]
    return fitted([_HEAD, *marked], lines)


def notes(study: Results, metrics: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """What was said of single numbers, such as why one is not defined.

    Texts that differ in numbers alone are one line with the range of each.

    Args:
        study: The part of its configurations.
        metrics: Names of the metrics of one table.
        labels: Configuration -> its level.

    Returns:
        One block of Markdown, or none.
    """
    rows = study.rows
    remarks = rows[(rows["status"] == "ok") & (rows["message"] != "")]
    remarks = remarks[remarks["metric"].isin(list(metrics))]
    lines = []
    for _, part in remarks.groupby(
        remarks["message"].str.replace(_NUMBER, "#", regex=True), sort=False
    ):
        names, configurations = set(part["metric"]), set(part["config"])
        which = ", ".join(study.metrics[name].symbol for name in metrics if name in names)
        where = "; ".join(label for config, label in labels.items() if config in configurations)
        splits = set(rows.loc[rows["metric"].isin(names) & rows["value"].notna(), "split"])
        if len(only := set(part["split"])) < len(splits):
            where = f"{min(only)}: {where}"
        lines.append(f"* {which}: {prose(_ranged(list(dict.fromkeys(part['message']))))} ({where})")
    return ["\n".join(lines)] if lines else []


def _ranged(texts: Sequence[str]) -> str:
    """One text for several that differ in numbers alone."""
    numbers = [_NUMBER.findall(text) for text in texts]
    ends = [(min(own, key=_value), max(own, key=_value)) for own in zip(*numbers, strict=True)]
    words = [low if _value(low) == _value(high) else f"{low} to {high}" for low, high in ends]
    parts = _NUMBER.split(texts[0])
    return "".join(a + b for a, b in zip(parts, [*words, ""], strict=True))


def _value(number: str) -> float:
    return float(number.replace(",", ""))
