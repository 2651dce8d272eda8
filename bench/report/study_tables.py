"""The tables of a study: which metrics stand together, and what is said below them."""

import re
from collections.abc import Mapping, Sequence

from bench.analysis.replicates import SPLITS
from bench.analysis.results import Results
from bench.metrics.metric import Table
from bench.report.markdown import heading, markdown, metric_column, prose
from vaelib.samples.options import SOURCES

__all__ = [
    "DAGGER",
    "DIAGNOSTIC",
    "DIAGNOSTICS",
    "DIAGNOSTICS_TEXT",
    "FOLDED",
    "notes",
    "study_table",
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
FOLDED = (GAUGE, Table.SHAPE, Table.DISTANCES, Table.TESTS, DIAGNOSTICS)
"""Titles of the tables that a reader unfolds."""
DAGGER = (
    "† saturated on at least one seed (R > log N - 1): the joint KL is bounded below by the floor "
    "R - log N whatever the encoder does. [Bracketed] numbers are not comparable and not ranked."
)
"""What the mark of saturated configurations means."""
DIAGNOSTIC = ("marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test")
"""Names of its metrics, in the order of the page."""
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
_RESCALED = "gauge_fixed"  # the source of what was measured after it


def tables(study: Results) -> dict[str, list[str]]:
    """Which metrics stand together.

    Args:
        study: The part of its configurations.

    Returns:
        Title of each table -> names of its metrics, both in the order of the page.
    """
    columns: dict[str, list[str]] = {}
    for table in Table:
        if table == Table.SHAPE:
            rescaled = {name for name, _, source in study.measured_keys if source == _RESCALED}
            columns[GAUGE] = [name for name in study.metrics if name in rescaled]
        there = [metric for metric in study.metrics.values() if metric.table == table]
        names = [metric.name for metric in sorted(there, key=lambda m: m.place)]
        columns[table] = [name for name in names if name not in DIAGNOSTIC]
    return columns | {DIAGNOSTICS: [name for name in DIAGNOSTIC if name in study.metrics]}


def study_table(
    study: Results, title: str, metrics: Sequence[str], labels: Mapping[str, str], varied: str
) -> str:
    """The metrics that there are, one line for each level, split and source.

    Args:
        study: The part of its configurations.
        title: Of the table.
        metrics: Names of its metrics.
        labels: Configuration -> its level.
        varied: What the levels are of.

    Returns:
        Markdown; empty without lines.
    """
    keys, by_source = study.measured_keys, title == Table.SAMPLES
    named = [source for source in SOURCES if source in set(study.rows["source"])]
    sources = named if by_source else [_RESCALED] if title == GAUGE else [""]
    places = [(split, source) for split in SPLITS for source in sources]
    shown = [name for name in metrics if any((name, *place) in keys for place in places)]
    columns = {place: [metric_column(study, name, *place) for name in shown] for place in places}
    flagged = {split: study.saturated(split) for split in SPLITS}
    lines = []
    for config, label in labels.items():
        for split, source in places:
            texts = [column[config] for column in columns[split, source]]
            if any(text != "–" for text in texts):
                mark = " †" if config in flagged[split] else ""
                lines.append([label + mark, split, *([source] if by_source else []), *texts])
    heads = [varied, "split", *(["source"] if by_source else [])]
    heads += [heading(study.metrics[name]) for name in shown]
    return markdown(heads, lines, left=3 if by_source else 2) if lines else ""


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
