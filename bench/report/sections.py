"""The sections of a matrix's page: failures, leaderboard, studies, latent space."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analysis.replicates import (
    FEW_SEEDS,
    TOO_FEW,
    failures,
    saturated,
    summarise,
    varied_keys,
)
from bench.metrics.registry import METRICS, OF_SAMPLES, metric_named, own
from bench.report.figures.quantiles import quantile_plot
from bench.report.figures.quilt import latent_quilt
from bench.report.figures.ranks import rank_plot
from bench.report.figures.studies import kl_parts, levels, metric_panels
from bench.report.figures.style import save
from bench.report.markdown import (
    SPLITS,
    code,
    heading,
    markdown,
    measured,
    metric_column,
    quantity,
    rank_text,
    rankings,
)
from bench.run.record import KEPT
from vaelib.samples.options import SOURCES

__all__ = [
    "count_cells",
    "failure_section",
    "latent_section",
    "leaderboard_section",
    "study_section",
]

_KL, _SAMPLES, _GAUGE = (
    "Where the KL comes from",
    "Samples by latent source",
    "After the gauge fix",
)
_TABLES = {
    _KL: (
        "rate mutual_information marginal_kl_floor marginal_kl marginal_kl_null marginal_kl_excess "
        "marginal_kl_null_test marginal_kl_loo saturated"
    ),
    "Likelihood": "elbo reconstruction iwae bound_gap",
    _SAMPLES: " ".join(OF_SAMPLES),
    _GAUGE: "rate marginal_kl marginal_kl_excess",
    "Dimensions, moments and shape": (
        "kl_per_dimension total_correlation moment_kl negentropy second_moment excess_kurtosis "
        "active_units variance_law"
    ),
    "Distance between z of q and z of the prior": "mmd_squared hole_mass c2st_auc",
    "Tests of q = p": (
        "mmd_test energy_test ksd_test likelihood_ratio_test henze_zirkler_test mardia_test "
        "ks_test c2st_test"
    ),
}
_FOLDED = list(_TABLES)[3:]
_HEADLINES = [
    ("marginal_kl_excess", ""),
    ("c2st_auc", ""),
    ("hole_mass", ""),
    ("elbo", ""),
    ("frechet", "prior"),
]
_PANELS = "marginal_kl_excess rate elbo c2st_auc hole_mass mmd_squared kl_per_dimension".split()
_DAGGER = (
    "† saturated on at least one seed (R > log N - 1): the joint KL is bounded below by the floor "
    "R - log N whatever the encoder does. [Bracketed] numbers are not comparable and not ranked; "
    "decide from the distances and tests on held-out z, or encode more inputs."
)
_QUILT = (
    "Left: one z of each input's posterior, coloured and named by label. Middle: as many z of the "
    "prior. Right: log-density of the aggregate posterior less that of the prior, red where q is "
    "denser, blue where the prior samples and q does not (colours end at ± 3 nats). The circles "
    "hold 50 % and 95 % of the prior."
)
_QUANTILES = (
    "Test inputs of the first seed, one line per latent dimension: the quantiles of q_j less those "
    "of N(0, 1). A level line at 0 is a match, a slope a wrong scale, a wave a wrong shape."
)


def _headlines() -> list[tuple[str, str]]:
    """Metric and source of every headline; the user's own come last."""
    return _HEADLINES + [(name, "") for name in own() if METRICS[name].better]


def count_cells(rows: pd.DataFrame) -> int:
    """Count the cells of some rows.

    Args:
        rows: Tidy rows.

    Returns:
        Pairs of a configuration and a seed.
    """
    return len(rows.drop_duplicates(["config", "seed"]))


def failure_section(rows: pd.DataFrame) -> list[str]:
    """List the cells without a result, those with the same message together.

    Args:
        rows: Tidy rows of one matrix.

    Returns:
        Blocks of Markdown; none without failures.
    """
    lost = failures(rows)
    if lost.empty:
        return []
    body = []
    for kind, part in lost.groupby(["config", "status", "message"], sort=False):
        config, status, message = map(str, kind)
        seeds = ", ".join(map(str, part["seed"]))
        body.append([code(config), status, code(message), seeds])
    heads = ["configuration", "status", "message", "seeds"]
    return [f"## Failures: {len(lost)} of {count_cells(rows)} cells", markdown(heads, body, left=4)]


def leaderboard_section(rows: pd.DataFrame, folder: Path) -> list[str]:
    """Show all configurations by every headline metric, in the order of the first.

    Args:
        rows: Tidy rows of one matrix.
        folder: The matrix's results, where the picture of the ranks goes.

    Returns:
        Blocks of Markdown.
    """
    there = measured(rows)
    split = next((name for name in SPLITS if any(s == name for _, s, _ in there)), "")
    shown = [(name, source) for name, source in _headlines() if (name, split, source) in there]
    if not shown:
        return ["No cell gave a result that could be ranked."]
    boards = [rankings(rows, name, split, source) for name, source in shown]
    columns = [metric_column(rows, name, split, source) for name, source in shown]
    counts = summarise(rows, shown[0][0], split, shown[0][1])
    flagged, data = saturated(rows, split), rows.groupby("config", sort=False)["dataset"].first()
    several = data.nunique() > 1
    heads = ["configuration", *["data"] * several, "S", "failed"]
    for name, source in shown:
        heads += [heading(name) + f" ({source})" * bool(source), "rank"]
    body = []
    order, place = dict.fromkeys([*boards[0].index, *counts.index]), list(data.unique()).index
    for config in sorted(order, key=lambda config: place(data[config])):
        row = [code(config) + " †" * (config in flagged), *[data[config]] * several]
        row += [counts["S"][config], counts["failures"][config]]
        for column, board in zip(columns, boards, strict=True):
            row += [column[config], rank_text(board, config)]
        body.append(row)
    text = f"On {split} inputs, in the order of the mean {metric_named(shown[0][0]).symbol}."
    text += " Ranks are within a data set." * several
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." * bool((counts["S"] <= FEW_SEEDS).any())
    parts = [text, markdown(heads, body, left=1 + several), *[_DAGGER] * bool(flagged)]
    if not several and len(body) > 1:
        picture = folder / "figures" / "ranks.png"
        save(rank_plot(rows, shown, split), picture)
        parts.append(_image(f"rank intervals on {split} inputs", picture))
    return parts


def study_section(rows: pd.DataFrame, name: str, folder: Path) -> list[str]:
    """Show one study: its picture, ranking and tables.

    Args:
        rows: Tidy rows of its configurations.
        name: Of the study.
        folder: The matrix's results, where the pictures go.

    Returns:
        Blocks of Markdown.
    """
    there, labels = measured(rows), levels(rows)
    key = ", ".join(varied_keys(rows)) or "configuration"
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    parts = [f"## Study: {name}"]
    panels = [m for m in _PANELS if any((m, split, "") in there for split in SPLITS)][:4]
    if panels:
        picture = folder / "figures" / f"{slug}.png"
        save(metric_panels(rows, panels), picture)
        parts.append(_image(f"{name}: metrics against {key}", picture))
    parts += _ranked(rows, labels, key)
    for title, text in {**_TABLES, "Your own metrics": " ".join(own())}.items():
        table = _table(rows, title, text.split(), labels, key)
        if table and title in _FOLDED:
            parts += [f"<details><summary>{title}</summary>", table, "</details>"]
        elif table:
            parts += [f"### {title}", table, *_notes(rows, text.split(), labels)]
        if table and title == _KL:
            parts += [_DAGGER] * (" †" in table)
            if any(metric == "marginal_kl_null" for metric, *_ in there):
                picture = folder / "figures" / f"{slug}-kl.png"
                save(kl_parts(rows), picture)
                parts.append(_image(f"{name}: raw KL, null and excess", picture))
    if quantiles := _quantiles(folder, labels):
        picture = folder / "figures" / f"{slug}-quantiles.png"
        save(quantile_plot(quantiles), picture)
        parts += ["### Each dimension against N(0, 1)", _QUANTILES]
        parts.append(_image(f"{name}: quantiles of each dimension less those of N(0, 1)", picture))
    return parts


def _quantiles(folder: Path, labels: dict[str, str]) -> dict[str, np.ndarray]:
    """Label -> quantiles of every marginal, of the configurations that have them."""
    path = folder / "arrays.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        keys = {label: f"{config}/quantiles" for config, label in labels.items()}
        return {label: arrays[key] for label, key in keys.items() if key in arrays}


def _ranked(rows: pd.DataFrame, labels: dict[str, str], key: str) -> list[str]:
    """The ranking of a study by its first headline metric."""
    there = measured(rows)
    options = [(m, split, source) for m, source in _headlines() for split in SPLITS]
    chosen = next((option for option in options if option in there), None)
    if chosen is None:
        return ["No cell gave a result that could be ranked."]
    board, counts = rankings(rows, *chosen), summarise(rows, *chosen)
    body = []
    for config, row in board.iterrows():
        best = math.isnan(row["gap"])
        body.append(
            [
                labels[str(config)],
                quantity(row["mean"], row["half_width"]),
                rank_text(board, str(config)),
                "yes" if row["tie"] else "",
                "–" if best else quantity(row["gap"], row["gap_half_width"]),
                "–" if best else f"{row['gap_probability']:.2f}",
                row["S"],
                counts["failures"][str(config)],
            ]
        )
    symbol = metric_named(chosen[0]).symbol
    text = f"By {symbol} on {chosen[1]} inputs, best first."
    if absent := [label for config, label in labels.items() if config not in board.index]:
        between = "; " if any(", " in label for label in absent) else ", "
        text += f" Not ranked: {between.join(absent)}."
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." * bool((board["S"] <= FEW_SEEDS).any())
    heads = [key, symbol, "rank", "tie group", "gap", "beats best", "S", "failed"]
    return ["### Ranking", text, *([markdown(heads, body)] if body else [])]


def _table(
    rows: pd.DataFrame, title: str, metrics: list[str], labels: dict[str, str], key: str
) -> str:
    """The metrics that there are, one line for each level, split and source; empty for none."""
    there, by_source = measured(rows), title == _SAMPLES
    named = [source for source in SOURCES if source in set(rows["source"])]
    sources = named if by_source else ["gauge_fixed"] if title == _GAUGE else [""]
    parts = [(split, source) for split in SPLITS for source in sources]
    shown = [name for name in metrics if any((name, *part) in there for part in parts)]
    columns = {part: [metric_column(rows, name, *part) for name in shown] for part in parts}
    flagged = {split: saturated(rows, split) for split in SPLITS}
    body = []
    for config, label in labels.items():
        for split, source in parts:
            texts = [column[config] for column in columns[split, source]]
            if any(text != "–" for text in texts):
                mark = " †" * (config in flagged[split])
                body.append([label + mark, split, *[source] * by_source, *texts])
    heads = [key, "split", *["source"] * by_source, *map(heading, shown)]
    return markdown(heads, body, left=2 + by_source) if body else ""


def _notes(rows: pd.DataFrame, metrics: list[str], labels: dict[str, str]) -> list[str]:
    """What was said of single numbers, such as why one is not defined."""
    said = rows[(rows["status"] == "ok") & (rows["message"] != "") & rows["metric"].isin(metrics)]
    lines = []
    for text, part in said.groupby("message", sort=False):
        names, found = set(part["metric"]), set(part["config"])
        which = ", ".join(metric_named(name).symbol for name in metrics if name in names)
        where = "; ".join(label for config, label in labels.items() if config in found)
        splits = set(rows.loc[rows["metric"].isin(names) & rows["value"].notna(), "split"])
        if len(only := set(part["split"])) < len(splits):
            where = f"{min(only)}: {where}"
        lines.append(f"* {which}: {text} ({where})")
    return ["\n".join(lines)] if lines else []


def latent_section(folder: Path) -> list[str]:
    """Show every two-dimensional posterior in ``arrays.npz`` beside the prior.

    Args:
        folder: The matrix's results.

    Returns:
        Blocks of Markdown; none without such arrays.
    """
    path = folder / "arrays.npz"
    if not path.exists():
        return []
    parts = ["## The latent space", _QUILT]
    with np.load(path) as arrays:
        for name in sorted(key.removesuffix("/mean") for key in arrays if key.endswith("/mean")):
            labels = arrays[f"{name}/labels"] if f"{name}/labels" in arrays else None
            picture = folder / "figures" / f"quilt-{name}.png"
            mean, scale = arrays[f"{name}/mean"], arrays[f"{name}/scale"]
            save(latent_quilt(mean, scale, labels), picture)
            some = f", {len(mean):,} random inputs" * (len(mean) == KEPT)
            parts += [f"{code(name)}{some}:", _image(f"latent space of {name}", picture)]
    return parts


def _image(text: str, picture: Path) -> str:
    return f"![{text}]({'/'.join(picture.parts[-3:])})"
