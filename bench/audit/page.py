"""The page of an audit and its figures: quilt, quantiles of every dimension, where the KL lies."""

from collections.abc import Collection, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from bench.analysis.quantiles import SHARES, marginal_quantiles
from bench.audit.audit import Audited
from bench.audit.planted import planted_lines
from bench.audit.text import answer_cells, apart, headline, measured_cells, note, title
from bench.metrics.registry import METRICS
from bench.report.figures.quantiles import quantile_plot
from bench.report.figures.quilt import latent_quilt
from bench.report.figures.style import STYLE, WIDTH, save
from bench.report.markdown import markdown, prose
from bench.report.study_tables import DIAGNOSTICS, DIAGNOSTICS_TEXT
from vaelib.audits.measurement import Measurement
from vaelib.files import write_atomically
from vaelib.samples.priced import Price
from vaelib.seeding import stream

__all__ = ["kl_bars", "page", "write_report"]

_SAMPLES = "samples"
_DRAWN = 5000  # inputs that a figure shows at most
_BARS = {
    "certified_kl_lower": "proved",
    "certified_kl": "gained by a fitted density",
    "certified_kl_upper": "upper end",
    "marginal_kl": "KL(q_N‖p)",
    "moment_kl": "mean and covariance alone",
    "marginal_kl_loo": "leave-one-out",
}


def write_report(folder: Path, audited: Audited, name: str, price: Price | None = None) -> Path:
    """Write the page of an audit and its figures.

    Args:
        folder: made when it is absent.
        audited: the audit.
        name: of the file that was audited.
        price: of sampling from the prior, where that was asked.

    Returns:
        The path of the page.
    """
    figures = {}
    quantiles, counts = {}, {}
    who = "each input"
    for split, part in audited.splits.items():
        if audited.archive.groups is None:
            counts[split] = min(len(part if isinstance(part, torch.Tensor) else part[0]), _DRAWN)
        if isinstance(part, torch.Tensor):
            quantiles[split] = np.quantile(part.numpy(), SHARES, axis=0).T
            continue
        mean, scale = (values.numpy() for values in _few(*part))
        if len(part[0]) > _DRAWN:
            who = f"{_DRAWN:,} random inputs"
        quantiles[split] = marginal_quantiles(mean, scale)
        if mean.shape[1] == 2 and audited.prior == "normal" and scale.any():
            what = f"{split}: z of {who}, draws of N(0, I), and their log-ratio"
            figures[f"quilt-{split}"] = (what, latent_quilt(mean, scale))
    if audited.prior == "normal":
        what = "Quantiles of every dimension less those of N(0, 1): level is a match, a slope a "
        what += f"wrong scale, an S a wrong shape; of {who}"
        what += "; grey: where 95 % of lines of N draws from N(0, 1) stay" if counts else ""
        figures["quantiles"] = (what, quantile_plot(quantiles, counts))
    for split in audited.splits:
        mine = [
            r for r in audited.rows if r.split == split and not r.source and r.value is not None
        ]
        if any(row.metric == "certified_kl" for row in mine):
            figures[f"kl-{split}"] = (f"{split}: where the KL lies", kl_bars(mine))
    samples = None if price is None else price.figure()
    if samples is not None:
        save(samples, folder / "figures" / f"{_SAMPLES}.png")
    for file, (_, figure) in figures.items():
        save(figure, folder / "figures" / f"{file}.png")
    shown = [(caption, f"figures/{file}.png") for file, (caption, _) in figures.items()]
    path = folder / "audit.md"
    write_atomically(path, page(audited, name, shown, price).encode())
    return path


def _few(mean: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.randperm(len(mean), generator=stream("drawn inputs", 0))[:_DRAWN]
    return mean[index], scale[index]


def kl_bars(rows: list[Measurement]) -> Figure:
    """Draw the bracket of KL(q‖p), and the KL of the mixture of these inputs.

    Args:
        rows: measurements of one split, with values.

    Returns:
        The figure; whiskers are 95 % Monte Carlo intervals.
    """
    chosen = {row.metric: row for row in rows if row.metric in _BARS}
    names = [name for name in _BARS if name in chosen]
    values = [chosen[name].value or 0.0 for name in names]
    errors = [1.96 * (chosen[name].standard_error or 0.0) for name in names]
    colours = ["#D55E00" if name == "certified_kl_lower" else "#888888" for name in names]
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


def page(
    audited: Audited,
    name: str,
    figures: Sequence[tuple[str, str]],
    price: Price | None = None,
) -> str:
    """The audit as a Markdown page.

    Args:
        audited: the audit.
        name: of the file that was audited.
        figures: caption and path, relative to the page, of each figure.
        price: of sampling from the prior, where that was asked.

    Returns:
        Markdown; the same for the same file.
    """
    blocks = [f"# Audit of {prose(name)}", f"**{headline(audited)}**"]
    heads = ["question", "answer", "effect", "value and interval", "p-value"]
    cells = [answer_cells(audited, one) for one in audited.answers]
    blocks.append(markdown(heads, cells, left=3))
    blocks += [f"- **{one.question}**: {one.sentence}" for one in audited.answers[1:]]
    if audited.archive.said:
        blocks.append(prose(audited.archive.said))
    if price is not None:
        blocks += _price_blocks(price)
    if audited.planted:
        blocks.append("## What could have been seen")
        blocks.append(markdown(*planted_lines(audited.planted)))
        blocks.append(
            "Departures from N(0, I) of known KL, planted at the n and D of these inputs: how "
            "often the e-value rejects · how often the lower end exceeds 0."
        )
    for caption, path in figures:
        blocks.append(f"![{caption}]({path})\n\n*{caption}*")
    for split in audited.splits:
        rest, aside = apart(row for row in audited.rows if row.split == split)
        blocks += [f"## {title(audited, split)}", _measured(audited, rest)]
        if aside:
            folded = [DIAGNOSTICS_TEXT, _measured(audited, aside)]
            blocks += [f"<details><summary>{DIAGNOSTICS}</summary>", *folded, "</details>"]
    blocks += [
        "## How to read this",
        "± is half a 95 % Monte Carlo interval, at these inputs; intervals of the answers are over "
        "inputs. That of the first is the bracket: its lower end is proved at one-sided level "
        f"alpha = {audited.alpha:g}, its upper end asymptotic. Margins: "
        "`vaelib/audits/answers.py`.",
        _glossary({row.metric for row in audited.rows}),
    ]
    return "\n\n".join(blocks) + "\n"


def _price_blocks(price: Price) -> list[str]:
    """What the prior costs, samples beside it, and the distance of each source."""
    first, *rest = price.lines()
    blocks = ["## What does the prior cost?", f"**{first}**", *rest]
    if price.samples:
        caption = (
            "Held-out data and what is decoded from each source; below each its Fréchet distance, "
            "0 at best"
        )
        blocks.append(f"![{caption}](figures/{_SAMPLES}.png)\n\n*{caption}*")
    lines = [[row.source, *measured_cells(row)[1:2], row.message] for row in price.rows]
    blocks.append(markdown(["source", "Fréchet distance", "message"], lines))
    return blocks


def _measured(audited: Audited, rows: Sequence[Measurement]) -> str:
    lines = [[*measured_cells(row), note(audited, row)] for row in rows]
    return markdown(["metric", "value", "p-value", "unit", "message"], lines)


def _glossary(names: Collection[str]) -> str:
    lines = [[m.name, m.summary, m.reference] for m in METRICS.values() if m.name in names]
    return markdown(["metric", "what it is", "from"], lines, left=3)
