"""The tables of a study: which metrics stand together, and what is said below them."""

from collections.abc import Mapping, Sequence

from bench.analysis.replicates import SPLITS
from bench.analysis.results import Results
from bench.metrics.registry import OF_SAMPLES
from bench.report.markdown import heading, markdown, metric_column
from vaelib.samples.options import SOURCES

__all__ = ["FOLDED", "GAUGE", "KL", "TABLES", "notes", "study_table"]

KL, _SAMPLES, GAUGE = (
    "Where the KL comes from",
    "Samples by latent source",
    "After the gauge fix",
)
TABLES: dict[str, Sequence[str]] = {
    KL: (
        "rate mutual_information marginal_kl_floor marginal_kl marginal_kl_null marginal_kl_excess "
        "marginal_kl_null_test marginal_kl_loo saturated"
    ).split(),
    "Likelihood": "elbo reconstruction iwae bound_gap".split(),
    _SAMPLES: OF_SAMPLES,
    GAUGE: "rate marginal_kl marginal_kl_excess".split(),
    "Dimensions, moments and shape": (
        "kl_per_dimension total_correlation moment_kl negentropy second_moment excess_kurtosis "
        "active_units variance_law"
    ).split(),
    "Distance between z of q and z of the prior": "mmd_squared hole_mass c2st_auc".split(),
    "Tests of q = p": (
        "mmd_test energy_test ksd_test likelihood_ratio_test henze_zirkler_test mardia_test "
        "ks_test c2st_test"
    ).split(),
}
"""Title of each table -> names of its metrics."""
FOLDED = tuple(TABLES)[3:]
"""Titles of the tables that a reader unfolds."""


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
    keys, by_source = study.measured_keys, title == _SAMPLES
    named = [source for source in SOURCES if source in set(study.rows["source"])]
    sources = named if by_source else ["gauge_fixed"] if title == GAUGE else [""]
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
    for text, part in remarks.groupby("message", sort=False):
        names, configurations = set(part["metric"]), set(part["config"])
        which = ", ".join(study.metrics[name].symbol for name in metrics if name in names)
        where = "; ".join(label for config, label in labels.items() if config in configurations)
        splits = set(rows.loc[rows["metric"].isin(names) & rows["value"].notna(), "split"])
        if len(only := set(part["split"])) < len(splits):
            where = f"{min(only)}: {where}"
        lines.append(f"* {which}: {text} ({where})")
    return ["\n".join(lines)] if lines else []
