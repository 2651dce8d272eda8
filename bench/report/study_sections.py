"""The pages of a study: what decides, and the rest of its numbers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.analysis.levels import levels
from bench.analysis.replicates import FEW_SEEDS, SPLITS, TOO_FEW, replicates, varied_keys
from bench.analysis.results import Results
from bench.metrics.metric import Table
from bench.report.blocks import Block, drawn
from bench.report.figures.quantiles import quantile_plot
from bench.report.figures.sbc import rank_ecdf_plot
from bench.report.figures.studies import kl_parts, metric_panels
from bench.report.leaderboard import NOTHING_RANKED, ordering, remarks
from bench.report.markdown import fitted, metric_column, prose, quantity, rank_text
from bench.report.names import file_name
from bench.report.study_tables import (
    DAGGER,
    DIAGNOSTICS,
    DIAGNOSTICS_TEXT,
    REST,
    SAMPLES_TOO,
    notes,
    study_tables,
    tables,
)
from bench.run.record import KEPT

__all__ = ["rest_section", "study_section"]

_PANELS = "certified_kl certified_kl_upper rate elbo c2st_auc hole_mass kl_per_dimension".split()
_NULL = "marginal_kl_null"
_QUANTILES = (
    "Test inputs of the first seed, one line per latent dimension: the quantiles of q_j less those "
    "of N(0, 1). A level line at 0 is a match, a slope a wrong scale, a wave a wrong shape."
)
_BAND = "Grey: where 95 % of lines stay, each as a whole, of N draws from N(0, 1) itself."
_RANKS = (
    "First seed: the share of ranks below each value, less that value, of every latent dimension "
    "(blue) and of the joint rank (orange). Where the encoder is the posterior of its decoder, "
    "95 % of lines stay in the grey band. An S that first rises is a q(z|x) that is too narrow, "
    "one that first falls too wide, a bow a shift; a joint rank below the band covers less than it "
    "claims."
)


def study_section(study: Results, name: str) -> list[Block]:
    """Show one study: its picture, ranking, and what decides.

    Args:
        study: The part of its configurations.
        name: Of the study.

    Returns:
        Blocks of Markdown and pictures.
    """
    labels, varied, slug = levels(study.rows), _varied(study), file_name(name)
    texts, keys = _escaped(labels), study.measured_keys
    blocks: list[Block] = []
    panels = [m for m in _PANELS if any((m, split, "") in keys for split in SPLITS)][:4]
    if panels:
        figure = metric_panels(study.rows, [study.metrics[metric] for metric in panels])
        blocks.append(drawn(f"{name}: metrics against {varied}", f"{slug}.png", figure))
    blocks += _ranked(study, texts, varied)
    for title, metrics in tables(study).items():
        if title not in REST:
            blocks += _table(study, title, metrics, texts)
        if title == Table.ENCODER:
            blocks += _ranks(study, name, labels)
    return blocks


def rest_section(study: Results, name: str) -> list[Block]:
    """Show the other numbers of a study: samples of every source, shape, tests, diagnostics.

    Args:
        study: The part of its configurations.
        name: Of the study.

    Returns:
        Blocks of Markdown and pictures; none where nothing of it was measured.
    """
    labels, slug, named = levels(study.rows), file_name(name), tables(study)
    blocks: list[Block] = []
    for title in REST:
        blocks += _table(study, title, named[title], _escaped(labels))
        if title == DIAGNOSTICS and any(key == _NULL for key, *_ in study.measured_keys):
            text = f"{name}: raw KL, null and excess"
            blocks.append(drawn(text, f"{slug}-kl.png", kl_parts(study.rows)))
    if quantiles := _cut(study, labels, "quantiles"):
        text = f"{name}: quantiles of each dimension less those of N(0, 1)"
        counts = _inputs(study, labels)
        picture = drawn(text, f"{slug}-quantiles.png", quantile_plot(quantiles, counts))
        said = f"{_QUANTILES} {_BAND}" if counts.keys() & quantiles.keys() else _QUANTILES
        blocks += ["## Each dimension against N(0, 1)", said, picture]
    return blocks


def _inputs(study: Results, labels: Mapping[str, str]) -> dict[str, int]:
    """Label -> of how many independent test inputs the quantiles of the first seed are."""
    counts = replicates(study.rows, "certified_inputs", "test").bfill().head(1)
    found = {label: counts[config].iloc[0] for config, label in labels.items() if config in counts}
    return {label: min(int(n), KEPT) for label, n in found.items() if n > 0}


def _varied(study: Results) -> str:
    return ", ".join(varied_keys(study.rows)) or "configuration"


def _escaped(labels: Mapping[str, str]) -> dict[str, str]:
    return {config: prose(label) for config, label in labels.items()}


def _table(
    study: Results, title: str, metrics: Sequence[tuple[str, str]], texts: Mapping[str, str]
) -> list[Block]:
    """A table with what a reader needs beside it; nothing where nothing was measured."""
    shown = study_tables(study, title, metrics, texts)
    if not shown:
        return []
    above = [DIAGNOSTICS_TEXT] if title == DIAGNOSTICS else []
    daggers = [DAGGER] if title in (Table.KL, DIAGNOSTICS) and " †" in "".join(shown) else []
    of_samples = title in (Table.SAMPLES, SAMPLES_TOO)
    said = _of_real_images(study) if of_samples else notes(study, [m for m, _ in metrics], texts)
    return [f"## {title}", *above, *shown, *daggers, *said]


def _of_real_images(study: Results) -> list[str]:
    """What the scores are of which real images are the best."""
    measured = [name for name, _, source in study.measured_keys if source == "floor"]
    real = [m for m in study.metrics.values() if m.better == "real" and m.name in measured]
    if not real or len(study.datasets) > 1:
        return []
    means = {m.symbol: replicates(study.rows, m.name, "test", "floor").stack().mean() for m in real}
    values = ", ".join(f"{symbol} {mean:.3f}" for symbol, mean in means.items())
    return [f"→ real: best where closest to real, unseen images, which have {values}."]


def _ranks(study: Results, name: str, labels: Mapping[str, str]) -> list[Block]:
    """The figure of the encoder's calibration, where ranks are kept."""
    if not (counts := _cut(study, labels, "sbc")):
        return []
    return [_RANKS, drawn(f"{name}: ranks", f"{file_name(name)}-sbc.png", rank_ecdf_plot(counts))]


def _cut(study: Results, labels: Mapping[str, str], kind: str) -> dict[str, np.ndarray]:
    """Label -> arrays of one kind, of the configurations that have them."""
    arrays = study.arrays or {}
    keys = {label: f"{config}/{kind}" for config, label in labels.items()}
    return {label: arrays[key] for label, key in keys.items() if key in arrays}


def _ranked(study: Results, labels: Mapping[str, str], varied: str) -> list[str]:
    """The ranking of a study, in the order of the leaderboard."""
    chosen = ordering(study)
    if chosen is None:
        return [NOTHING_RANKED]
    name, split, source = chosen
    board, counts = study.ranking(*chosen), study.summary(*chosen)
    column, lines = metric_column(study, *chosen), []
    for config, row in board.iterrows():
        best, place = math.isnan(row["gap"]), str(config)
        lost = counts["failures"][place]
        lines.append(
            [
                labels[place],
                column[place],
                rank_text(board, place),
                "–" if best else quantity(row["gap"], row["gap_half_width"]),
                "–" if best else f"{row['gap_probability']:.2f}",
                f"{row['S']}, {lost} failed" if lost else row["S"],
            ]
        )
    symbol = study.metrics[name].symbol + (f" ({source})" if source else "")
    text = f"By {symbol} on {split} inputs, best first."
    dead = study.collapses(split)["apart"]
    text += _listed("Collapsed", [label for config, label in labels.items() if dead[config]])
    out = [c for c in labels if c not in board.index and not dead[c]]
    text += _listed("Not ranked", [labels[config] for config in out])
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." if (board["S"] <= FEW_SEEDS).any() else ""
    heads = [varied, symbol, "rank", "gap", "beats best", "S"]
    said = remarks(study, split, [name, *(metric for metric, *_ in study.measured_keys)])
    return ["## Ranking", text, *fitted(heads, lines), *said]


def _listed(what: str, labels: Sequence[str]) -> str:
    between = "; " if any(", " in label for label in labels) else ", "
    return f" {what}: {between.join(labels)}." if labels else ""
