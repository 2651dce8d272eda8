"""The page of an audit and its figures: quilt, quantiles of every dimension, where the KL lies."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from bench.audit_report import Audited, page
from bench.figures import STYLE, WIDTH, save
from bench.quantile_figure import SHARES, marginal_quantiles, quantile_plot
from bench.quilt_figure import latent_quilt
from vaelib.measurements import Measurement
from vaelib.seeding import stream

__all__ = ["kl_bars", "write_report"]

_DRAWN = 5000  # inputs that a figure shows at most
_BARS = {
    "marginal_kl": "KL(q_N‖p)",
    "marginal_kl_null": "explained by finite N",
    "marginal_kl_excess": "excess",
    "moment_kl": "mean and covariance alone",
    "marginal_kl_loo": "leave-one-out",
}


def write_report(folder: Path, audited: Audited, name: str) -> Path:
    """Write the page of an audit and its figures.

    Args:
        folder: made when it is absent.
        audited: the audit.
        name: of the file that was audited.

    Returns:
        The path of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    quantiles = {}
    who = "each input"
    for split, part in audited.parts.items():
        if isinstance(part, torch.Tensor):
            quantiles[split] = np.quantile(part.numpy(), SHARES, axis=0).T
            continue
        mean, scale = (values.numpy() for values in _few(*part))
        if len(part[0]) > _DRAWN:
            who = f"{_DRAWN:,} random inputs"
        quantiles[split] = marginal_quantiles(mean, scale)
        if mean.shape[1] == 2:
            what = f"{split}: z of {who}, draws of N(0, I), and their log-ratio"
            figures[f"quilt-{split}"] = (what, latent_quilt(mean, scale))
    what = "Quantiles of every dimension less those of N(0, 1): level is a match, a slope a wrong "
    what += f"scale, an S a wrong shape; of {who}"
    figures["quantiles"] = (what, quantile_plot(quantiles))
    for split in audited.parts:
        mine = [
            r for r in audited.rows if r.split == split and not r.source and r.value is not None
        ]
        if any(row.metric == "marginal_kl_excess" for row in mine):
            figures[f"kl-{split}"] = (f"{split}: where the KL lies", kl_bars(mine))
    for file, (_, figure) in figures.items():
        save(figure, folder / "figures" / f"{file}.png")
    shown = [(caption, f"figures/{file}.png") for file, (caption, _) in figures.items()]
    path = folder / "audit.md"
    path.write_text(page(audited, name, shown), encoding="utf-8")
    return path


def _few(mean: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.randperm(len(mean), generator=stream("drawn inputs", 0))[:_DRAWN]
    return mean[index], scale[index]


def kl_bars(rows: list[Measurement]) -> Figure:
    """Draw the joint KL, what finite N explains of it, and what is left.

    Args:
        rows: measurements of one split, with values.

    Returns:
        The figure; whiskers are 95 % Monte Carlo intervals.
    """
    chosen = {row.metric: row for row in rows if row.metric in _BARS}
    names = [name for name in _BARS if name in chosen]
    values = [chosen[name].value or 0.0 for name in names]
    errors = [1.96 * (chosen[name].standard_error or 0.0) for name in names]
    colours = ["#D55E00" if name == "marginal_kl_excess" else "#888888" for name in names]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.0), layout="constrained")
        axes = figure.subplots()
        axes.barh(np.arange(len(names)), values, xerr=errors, color=colours, height=0.6)
        axes.set_yticks(np.arange(len(names)), [_BARS[name] for name in names])
        axes.invert_yaxis()
        axes.axvline(0, c="#555555", lw=0.9)
        axes.set_xlabel("nats")
        axes.grid(axis="x")
    return figure
