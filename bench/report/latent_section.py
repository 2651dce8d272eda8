"""The latent space: two-dimensional posteriors beside the prior."""

from collections.abc import Sequence

from bench.analysis.results import Results
from bench.report.answer import certified, ends, whose
from bench.report.blocks import Block, drawn
from bench.report.figures.quilt import latent_quilt
from bench.report.markdown import code
from bench.report.names import of_configuration
from bench.run.record import KEPT

__all__ = ["latent_section"]

_QUILT = (
    "Left: one z of each input's posterior, coloured and named by label. Middle: as many z of the "
    "prior. Right: log-density of the aggregate posterior less that of the prior, red where q is "
    "denser, blue where the prior samples and q does not (colours end at ± 3 nats). The circles "
    "hold 50 % and 95 % of the prior."
)


def latent_section(results: Results) -> tuple[list[Block], list[Block]]:
    """Show every two-dimensional posterior among the arrays.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and pictures: of the first configuration, for the page with the answer,
        and of the others; none where there is no such posterior.
    """
    arrays = results.arrays or {}
    kept = [key.removesuffix("/mean") for key in arrays if key.endswith("/mean")]
    names = [name for name in results.configurations if name in kept] or sorted(kept)
    first = [name for name in names if name in results.configurations[:1]]
    others = _quilts(results, [name for name in names if name not in first])
    titled = ["## The latent space", _QUILT, *others] if others else []
    blocks = _quilts(results, first)
    return [*blocks[1:], _QUILT] if blocks else [], titled


def _quilts(results: Results, names: Sequence[str]) -> list[Block]:
    arrays, blocks = results.arrays or {}, list[Block]()
    for name in names:
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
