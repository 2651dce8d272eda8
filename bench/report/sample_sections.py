"""The page's section on samples: what sampling from the prior costs, and how that looks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analysis.replicates import FEW_SEEDS, TOO_FEW, replicates, t_interval
from bench.metrics.registry import OF_SAMPLES, metric_named
from bench.report.figures.samples import match_against_cost, sample_grids, where_sampling_fails
from bench.report.figures.style import save
from bench.report.markdown import code, heading, markdown, measured, metric_column, quantity
from vaelib.samples.options import DECILES

__all__ = ["sample_section"]

_REFERENCES = {
    "floor": "real images, never trained on",
    "training": "training images, copied",
    "blur": "real images, blurred",
    "marginals": "every pixel drawn by itself",
}
"""Rows that no model makes: what the numbers are for images that are known."""

_PAIRS = [
    ("frechet", "prior", "aggregate"),
    ("image_mmd", "prior", "aggregate"),
    ("coverage", "prior", "aggregate"),
    ("frechet", "gmm", "prior"),
    ("frechet", "flow", "prior"),
    ("frechet", "two_stage", "prior"),
    ("frechet", "aggregate", "reconstruction"),
]
_INTRODUCTION = (
    "Every model decodes as many images from each latent source as the reference has real ones; "
    "the same nets see them all. **Prior less aggregate** is the cost of sampling from p(z) where "
    "q(z) was meant: a paired difference within each model, its interval over the seeds. A "
    "positive Fréchet distance or a negative coverage is a cost. What is left of the distance when "
    "z is that of real, held-out images is the decoder's part, not the prior's."
)
_DECILES = (
    "Among ten times as many prior draws, the tenth where the aggregate posterior of the training "
    "inputs is least dense, and the tenth where it is most dense: do images from holes look real?"
)
_GRIDS = "The first seed, drawn at random, not chosen; the same layout for every configuration."
_HOLES = (
    "Left: where the aggregate posterior has more mass than the prior (red) and less (blue), in "
    "closed form. Middle and right: what the decoder makes of the tenth of prior draws where the "
    "aggregate posterior of the training inputs is least dense, and most dense."
)


def sample_section(rows: pd.DataFrame, folder: Path) -> list[str]:
    """Show what sampling costs: differences between sources, references, grids.

    Args:
        rows: Tidy rows of one matrix.
        folder: The matrix's results: ``arrays.npz`` if there are pictures, ``figures`` to draw in.

    Returns:
        Blocks of Markdown; none without sample quality.
    """
    there = {(metric, source) for metric, _, source in measured(rows)}
    if ("frechet", "prior") not in there and not any(m in OF_SAMPLES for m, _ in there):
        return []
    parts = ["## Samples", _INTRODUCTION]
    for data, part in rows.groupby("dataset", sort=False):
        several = rows["dataset"].nunique() > 1
        parts += [f"### Samples of {data}"] * several
        parts += [*_costs(part, there), *_deciles(part, there), *_references(part, there)]
        wanted = {("frechet", "prior"), ("frechet", "aggregate"), ("marginal_kl_excess", "")}
        if wanted <= {(m, s) for m, _, s in measured(part)}:
            picture = (
                folder / "figures" / (f"match-cost-{data}.png" if several else "match-cost.png")
            )
            save(match_against_cost(part), picture)
            parts += ["### Match against cost", _image("excess KL against the cost", picture)]
    return [*parts, *_pictures(folder)]


def _costs(rows: pd.DataFrame, there: set[tuple[str, str]]) -> Iterator[str]:
    shown = [
        (metric, *pair)
        for metric, *pair in _PAIRS
        if all((metric, source) in there for source in pair)
    ]
    if not shown:
        return
    columns, counts = [], dict.fromkeys(map(str, rows["config"].unique()), 0)
    for metric, first, second in shown:
        table = replicates(rows, metric, "test", first) - replicates(rows, metric, "test", second)
        mean, half = t_interval(table.to_numpy())
        columns.append([quantity(*pair) for pair in zip(mean, half, strict=True)])
        counts = {name: max(counts[name], int(table[name].notna().sum())) for name in counts}
    body = [
        [code(name), *texts, counts[name]]
        for name, *texts in zip(counts, *columns, strict=True)
        if any(text != "–" for text in texts)
    ]
    heads = [
        f"{metric_named(metric).symbol}: {first} less {second}".replace("_", " ")
        for metric, first, second in shown
    ]
    yield "### What sampling from the prior costs"
    yield markdown(["configuration", *heads, "S"], body)
    if min(counts.values()) <= FEW_SEEDS:
        yield f"S ≤ {FEW_SEEDS}: {TOO_FEW}."


def _deciles(rows: pd.DataFrame, there: set[tuple[str, str]]) -> Iterator[str]:
    metrics = [m for m in ("precision", "density") if (m, DECILES[0]) in there]
    if not metrics:
        return
    columns = [
        metric_column(rows, metric, "test", source) for metric in metrics for source in DECILES
    ]
    body = []
    for name in rows["config"].unique():
        texts = [column[name] for column in columns]
        if any(text != "–" for text in texts):
            body.append([code(name), *texts])
    heads = [
        f"{metric_named(metric).symbol}, {decile} q"
        for metric in metrics
        for decile in ("lowest", "highest")
    ]
    yield from ["### Images from where q is low", _DECILES]
    yield markdown(["configuration", *heads], body)


def _references(rows: pd.DataFrame, there: set[tuple[str, str]]) -> Iterator[str]:
    """What no model makes is the same for every configuration: that of one that ran."""
    shown = [name for name in OF_SAMPLES if any((name, source) in there for source in _REFERENCES)]
    if not shown:
        return
    there_is = rows[(rows["source"] == "floor") & (rows["status"] == "ok")]
    counts = there_is.groupby("config", sort=False)["seed"].nunique()
    part = rows[rows["config"] == counts.idxmax()]
    body = []
    for source, meaning in _REFERENCES.items():
        texts = [
            next(iter(metric_column(part, metric, "test", source).values())) for metric in shown
        ]
        if any(text != "–" for text in texts):
            body.append([source, meaning, *texts])
    notes = part.loc[part["source"].isin(list(_REFERENCES)) & (part["message"] != ""), "message"]
    yield "### Images that no model made"
    yield markdown(["source", "what it is", *map(heading, shown)], body, left=2)
    yield from (f"Coverage: {note}." for note in dict.fromkeys(notes))


def _pictures(folder: Path) -> Iterator[str]:
    path = folder / "arrays.npz"
    if not path.exists():
        return
    with np.load(path) as arrays:
        found: dict[str, dict[str, np.ndarray]] = {}
        for key in arrays:
            name, _, source = key.partition("/samples/")
            if source:
                found.setdefault(name, {})[source] = arrays[key]
        planes = {
            name: (arrays[f"{name}/mean"], arrays[f"{name}/scale"])
            for name in found
            if f"{name}/mean" in arrays
        }
    if found:
        yield from ["### Sample grids", _GRIDS]
    for name in sorted(found, key=lambda name: (name != "base", name)):
        picture = folder / "figures" / f"samples-{name}.png"
        save(sample_grids(found[name]), picture)
        yield from [f"{code(name)}:", _image(f"samples of {name}", picture)]
    for name, (mean, scale) in sorted(planes.items()):
        if {"deepest", "densest"} <= set(found[name]):
            picture = folder / "figures" / f"holes-{name}.png"
            save(where_sampling_fails(mean, scale, found[name]), picture)
            yield from ["### Where sampling fails", _HOLES, f"{code(name)}:"]
            yield _image(f"holes of {name}", picture)


def _image(text: str, picture: Path) -> str:
    return f"![{text}]({'/'.join(picture.parts[-3:])})"
