"""The page's section on samples: what sampling from the prior costs, and how that looks."""

from collections.abc import Iterator

import numpy as np

from bench.analysis.replicates import FEW_SEEDS, TOO_FEW, between_sources, dimensions, t_interval
from bench.analysis.results import Results
from bench.metrics.registry import OF_SAMPLES
from bench.report.blocks import Block, drawn
from bench.report.cost_section import telling
from bench.report.figures.match_cost import match_against_cost
from bench.report.figures.samples import sample_grids, where_sampling_fails
from bench.report.markdown import code, fitted, heading, metric_column, prose, quantity
from bench.report.names import file_name, of_configuration
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
    ("coverage", "prior", "aggregate"),
    ("frechet", "gmm", "prior"),
    ("frechet", "flow", "prior"),
    ("frechet", "repaired", "prior"),
    ("frechet", "two_stage", "prior"),
    ("frechet", "aggregate", "reconstruction"),
]
_NAMES = {"aggregate": "q(z)", "two_stage": "second VAE"}
_MATCHES = ("certified_kl", "c2st_auc")
"""What may say how well the latents match, the best first."""
_INTRODUCTION = (
    "Every model decodes as many images from each latent source as the reference has real ones; "
    "the same nets see them all. **prior - q(z)** is the cost of sampling from p(z) where "
    "q(z) was meant: a paired difference within each model, its interval over the seeds. A "
    "positive Fréchet distance or a negative coverage is a cost. What is left of the distance when "
    "z is that of real, held-out images is the decoder's part, not the prior's."
)
_DECILES = (
    "Among ten times as many prior draws, the tenth where the aggregate posterior of the training "
    "inputs is least dense, and the tenth where it is most dense: do images from holes look real?"
)
_GRIDS = (
    "The first seed, drawn at random, not chosen: of the first configuration and of those that "
    "sampling from the prior costs least and most."
)
_HOLES = (
    "Left: where the aggregate posterior has more mass than the prior (red) and less (blue), in "
    "closed form. Middle and right: what the decoder makes of the tenth of prior draws where the "
    "aggregate posterior of the training inputs is least dense, and most dense."
)


def sample_section(results: Results) -> list[Block]:
    """Show what sampling costs: differences between sources, references, grids.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and pictures; none without sample quality.
    """
    keys = _of_sources(results)
    if ("frechet", "prior") not in keys and not any(metric in OF_SAMPLES for metric, _ in keys):
        return []
    blocks: list[Block] = [_INTRODUCTION]
    several = len(results.datasets) > 1
    for data, part in results.datasets.items():
        blocks += [f"# Samples of {prose(data)}"] if several else []
        blocks += [*_costs(part, keys), *_deciles(part, keys), *_references(part, keys)]
        blocks += _match(part, f"match-cost-{file_name(data)}.png" if several else "match-cost.png")
    return [*blocks, *_pictures(results)]


def _match(part: Results, file: str) -> Iterator[Block]:
    """The match of the latents against the cost in the images."""
    measured = _of_sources(part)
    match = [part.metrics[name] for name in _MATCHES if (name, "") in measured]
    if match and {("frechet", "prior"), ("frechet", "aggregate")} <= measured:
        yield "## Match against cost"
        if dimensions(part.rows) > 1 and not match[0].across_dimensions:
            yield f"By {match[0].symbol}, which compares only at equal latent dimension."
        figure = match_against_cost(part.rows, match[0])
        yield drawn(f"{match[0].symbol} against the cost", file, figure)


def _of_sources(results: Results) -> set[tuple[str, str]]:
    """Metrics and latent sources that were measured, on any split."""
    return {(metric, source) for metric, _, source in results.measured_keys}


def _costs(part: Results, keys: set[tuple[str, str]]) -> Iterator[str]:
    shown = [
        (metric, *pair)
        for metric, *pair in _PAIRS
        if all((metric, source) in keys for source in pair)
    ]
    if not shown:
        return
    columns, counts = [], dict.fromkeys(part.configurations, 0)
    for metric, *pair in shown:
        table = between_sources(part.rows, metric, *pair)
        mean, half = t_interval(table.to_numpy())
        columns.append([quantity(*interval) for interval in zip(mean, half, strict=True)])
        counts = {name: max(counts[name], int(table[name].notna().sum())) for name in counts}
    lines = [
        [code(name), *texts]
        for name, *texts in zip(counts, *columns, strict=True)
        if any(text != "–" for text in texts)
    ]
    heads = [
        f"{part.metrics[metric].symbol}: {_NAMES.get(first, first)} - {_NAMES.get(second, second)}"
        for metric, first, second in shown
    ]
    yield "## What sampling from the prior costs"
    yield from fitted(["configuration", *heads], lines)
    if min(counts.values()) <= FEW_SEEDS:
        yield f"S ≤ {FEW_SEEDS}: {TOO_FEW}."


def _deciles(part: Results, keys: set[tuple[str, str]]) -> Iterator[str]:
    metrics = [m for m in ("precision", "density") if (m, DECILES[0]) in keys]
    if not metrics:
        return
    columns = [
        metric_column(part, metric, "test", source) for metric in metrics for source in DECILES
    ]
    lines = []
    for name in part.configurations:
        texts = [column[name] for column in columns]
        if any(text != "–" for text in texts):
            lines.append([code(name), *texts])
    heads = [
        f"{part.metrics[metric].symbol}, {decile} q"
        for metric in metrics
        for decile in ("lowest", "highest")
    ]
    yield from ["## Images from where q is low", _DECILES]
    yield from fitted(["configuration", *heads], lines)


def _references(part: Results, keys: set[tuple[str, str]]) -> Iterator[str]:
    """What no model makes is the same for every configuration: that of one that ran."""
    shown = [name for name in OF_SAMPLES if any((name, source) in keys for source in _REFERENCES)]
    if not shown:
        return
    rows = part.rows
    floor = rows[(rows["source"] == "floor") & (rows["status"] == "ok")]
    counts = floor.groupby("config", sort=False)["seed"].nunique()
    one = part.part(rows[rows["config"] == counts.idxmax()])
    lines = []
    for source, meaning in _REFERENCES.items():
        texts = [
            next(iter(metric_column(one, metric, "test", source).values())) for metric in shown
        ]
        if any(text != "–" for text in texts):
            lines.append([f"{meaning} ({source})", *texts])
    of_references = one.rows["source"].isin(list(_REFERENCES)) & (one.rows["message"] != "")
    yield "## Images that no model made"
    heads = [heading(part.metrics[name]) for name in shown]
    yield from fitted(["what they are", *heads], lines)
    notes = one.rows.loc[of_references, "message"]
    yield from (f"Coverage: {prose(note)}." for note in dict.fromkeys(notes))


def _pictures(results: Results) -> Iterator[Block]:
    arrays = results.arrays or {}
    samples: dict[str, dict[str, np.ndarray]] = {}
    for key, images in arrays.items():
        name, _, source = key.partition("/samples/")
        if source:
            samples.setdefault(name, {})[source] = images
    if samples:
        yield from ["## Sample grids", _GRIDS]
    few = [name for name in telling(results.costs) if name in samples] or list(samples)[:1]
    for name in few:
        yield f"{code(name)}:"
        yield drawn(
            f"samples of {name}",
            f"samples-{of_configuration(name)}.png",
            sample_grids(samples[name]),
        )
    for name in samples:
        if f"{name}/mean" in arrays and {"deepest", "densest"} <= set(samples[name]):
            plane = arrays[f"{name}/mean"], arrays[f"{name}/scale"]
            figure = where_sampling_fails(*plane, samples[name])
            yield from ["## Where sampling fails", _HOLES, f"{code(name)}:"]
            yield drawn(f"holes of {name}", f"holes-{of_configuration(name)}.png", figure)
