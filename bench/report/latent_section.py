"""The latent space: two-dimensional posteriors beside the prior."""

from collections.abc import Sequence

from bench.analysis.results import Results
from bench.report.answer import certified, ends, whose
from bench.report.blocks import Block, drawn
from bench.report.figures.quilt import latent_quilt
from bench.report.markdown import code
from bench.report.names import of_configuration
from bench.run.record import KEPT

__all__ = ["latent_section", "other_latents"]

_QUILT = (
    "Left: one z of each input's posterior, coloured and named by label. Middle: as many z of the "
    "prior. Right: log-density of the aggregate posterior less that of the prior, red where q is "
    "denser, blue where the prior samples and q does not, pale where both have next to no density "
    "(colours end at ± 3 nats). The circles "
    "hold 50 % and 95 % of the prior."
)


def latent_section(results: Results) -> list[Block]:
    """Show the posterior of the first configuration, where it has two dimensions.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and a picture; none where there is no such posterior among the arrays.
    """
    blocks = _quilts(results, results.configurations[:1])
    return [*blocks, _QUILT] if blocks else []


def other_latents(results: Results) -> list[Block]:
    """Show every other two-dimensional posterior among the arrays.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and pictures; none where there is no such posterior.
    """
    blocks = _quilts(results, results.configurations[1:])
    return ["## The latent space", _QUILT, *blocks] if blocks else []


def _quilts(results: Results, names: Sequence[str]) -> list[Block]:
    arrays, blocks = results.arrays or {}, list[Block]()
    for name in (name for name in names if f"{name}/mean" in arrays):
        mean, scale = arrays[f"{name}/mean"], arrays[f"{name}/scale"]
        figure = latent_quilt(mean, scale, arrays.get(f"{name}/labels"), _title(results, name))
        some = f", {len(mean):,} random inputs" if len(mean) == KEPT else ""
        picture = drawn(f"latent space of {name}", f"quilt-{of_configuration(name)}.png", figure)
        blocks += [f"{code(name)}{some}:", picture]
    return blocks


def _title(results: Results, name: str) -> str:
    """How far the mixture in the picture is from the prior, where that was bounded."""
    found = certified(results, name)
    if found is None:
        return ""
    match, one = found
    return f"KL(q‖p) is {ends(one)} on {whose(match)} inputs (S = {one.lower.seeds})"
