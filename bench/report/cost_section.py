"""What sampling from the prior costs, in two sentences and as a ladder."""

from bench.analysis.costs import METRIC, Cost
from bench.analysis.results import Results
from bench.report.blocks import Block, drawn
from bench.report.figures.ladder import SOURCES, ladder
from bench.report.markdown import code, quantity

__all__ = ["cost", "cost_section", "telling"]

_FITTED = {"repaired": "a density", "gmm": "a Gaussian mixture"}


def cost(results: Results) -> str:
    """Say what sampling from the prior costs the first configuration, and what is won back.

    Args:
        results: Of one matrix.

    Returns:
        Two sentences of Markdown; empty where no images were measured.
    """
    if not results.costs:
        return ""
    config, one = next(iter(results.costs.items()))
    metric = results.metrics.named(METRIC)
    rungs = {name: f"{round(rung.mean, 3) + 0.0:.3f}" for name, rung in one.rungs.items()}
    known = [
        f"{what} {rungs[name]}"
        for name, what in (("floor", "other real images lie"), ("blur", "blurred ones"))
        if name in rungs
    ]
    text = (
        f"Sampling from the prior instead of q(z) costs {code(config)} "
        f"{quantity(one.cost.mean, one.cost.half_width)} in {metric.symbol} distance "
        f"({metric.unit}): {rungs['prior']} instead of {rungs['aggregate']}"
    )
    text += f", where {' and '.join(known)} from real ones." if known else "."
    if one.won is not None:
        won = quantity(one.won.mean, one.won.half_width)
        text += f" Sampling from {_FITTED[one.fitted]} fitted to its latents wins {won} back."
    return text


def cost_section(results: Results) -> list[Block]:
    """Show the distance of every latent source, of the first and the extreme configurations.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and a picture; none where no images were measured.
    """
    if not results.costs:
        return []
    metric = results.metrics.named(METRIC)
    chosen = telling(results.costs)
    models = [
        (name, {s: r for s, r in results.costs[name].rungs.items() if s in SOURCES})
        for name in chosen
    ]
    blur = results.costs[chosen[0]].rungs.get("blur")
    figure = ladder(models, None if blur is None else blur.mean, f"{metric.symbol}, {metric.unit}")
    text = f"{metric.symbol} distance to real images by latent source, of {', '.join(chosen)}"
    which = "the first configuration and those that it costs least and most"
    caption = f"Images by where their latents came from, of {which}." if chosen[1:] else ""
    blocks = ["## What sampling from the prior costs", caption]
    return [*filter(None, blocks), drawn(text, "ladder.png", figure)]


def telling(costs: dict[str, Cost]) -> list[str]:
    """Choose who is shown of many: the first configuration, and those of least and largest cost.

    Args:
        costs: Of every configuration.

    Returns:
        Up to three names.
    """
    if not costs:
        return []
    ordered = sorted(costs, key=lambda name: costs[name].cost.mean)
    return list(dict.fromkeys([next(iter(costs)), ordered[0], ordered[-1]]))
