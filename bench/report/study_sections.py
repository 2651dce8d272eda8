"""The sections of a matrix's studies: pictures, ranking, tables."""

import math
import re
from collections.abc import Mapping

import numpy as np

from bench.analysis.replicates import FEW_SEEDS, SPLITS, TOO_FEW, varied_keys
from bench.analysis.results import Results
from bench.metrics.metric import Table
from bench.report.blocks import Block, drawn
from bench.report.figures.quantiles import quantile_plot
from bench.report.figures.studies import kl_parts, levels, metric_panels
from bench.report.leaderboard import DAGGER, NOTHING_RANKED, headlines
from bench.report.markdown import markdown, quantity, rank_text
from bench.report.study_tables import FOLDED, notes, study_table, tables

__all__ = ["study_section"]

_PANELS = "rate elbo c2st_auc hole_mass mmd_squared kl_per_dimension".split()
_QUANTILES = (
    "Test inputs of the first seed, one line per latent dimension: the quantiles of q_j less those "
    "of N(0, 1). A level line at 0 is a match, a slope a wrong scale, a wave a wrong shape."
)


def study_section(study: Results, name: str) -> list[Block]:
    """Show one study: its picture, ranking and tables.

    Args:
        study: The part of its configurations.
        name: Of the study.

    Returns:
        Blocks of Markdown and pictures.
    """
    keys, labels = study.measured_keys, levels(study.rows)
    varied = ", ".join(varied_keys(study.rows)) or "configuration"
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    blocks: list[Block] = [f"## Study: {name}"]
    panels = [m for m in _PANELS if any((m, split, "") in keys for split in SPLITS)][:4]
    if panels:
        figure = metric_panels(study.rows, [study.metrics[metric] for metric in panels])
        blocks.append(drawn(f"{name}: metrics against {varied}", f"{slug}.png", figure))
    blocks += _ranked(study, labels, varied)
    for title, names in tables(study).items():
        table = study_table(study, title, names, labels, varied)
        if not table:
            continue
        if title in FOLDED:
            blocks += [f"<details><summary>{title}</summary>", table, "</details>"]
        else:
            blocks += [f"### {title}", table, *notes(study, names, labels)]
        if title == Table.KL:
            blocks += [DAGGER] if " †" in table else []
            if any(metric == "marginal_kl_null" for metric, *_ in keys):
                text = f"{name}: raw KL, null and excess"
                blocks.append(drawn(text, f"{slug}-kl.png", kl_parts(study.rows)))
    if quantiles := _quantiles(study, labels):
        text = f"{name}: quantiles of each dimension less those of N(0, 1)"
        picture = drawn(text, f"{slug}-quantiles.png", quantile_plot(quantiles))
        blocks += ["### Each dimension against N(0, 1)", _QUANTILES, picture]
    return blocks


def _quantiles(study: Results, labels: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Label -> quantiles of every marginal, of the configurations that have them."""
    arrays = study.arrays or {}
    keys = {label: f"{config}/quantiles" for config, label in labels.items()}
    return {label: arrays[key] for label, key in keys.items() if key in arrays}


def _ranked(study: Results, labels: Mapping[str, str], varied: str) -> list[str]:
    """The ranking of a study by its first headline metric."""
    options = [(m, split, source) for m, source in headlines(study.metrics) for split in SPLITS]
    chosen = next((option for option in options if option in study.measured_keys), None)
    if chosen is None:
        return [NOTHING_RANKED]
    board, counts = study.ranking(*chosen), study.summary(*chosen)
    lines = []
    for config, row in board.iterrows():
        best = math.isnan(row["gap"])
        lines.append(
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
    symbol = study.metrics[chosen[0]].symbol
    text = f"By {symbol} on {chosen[1]} inputs, best first."
    if absent := [label for config, label in labels.items() if config not in board.index]:
        between = "; " if any(", " in label for label in absent) else ", "
        text += f" Not ranked: {between.join(absent)}."
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." if (board["S"] <= FEW_SEEDS).any() else ""
    heads = [varied, symbol, "rank", "tie group", "gap", "beats best", "S", "failed"]
    return ["### Ranking", text, *([markdown(heads, lines)] if lines else [])]
