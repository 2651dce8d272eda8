"""Both ends of KL(q‖p) of every configuration, and the answer that they give."""

import math

from matplotlib.figure import Figure

from bench.analysis.levels import levels
from bench.analysis.match import Interval, Match
from bench.analysis.replicates import FEW_SEEDS
from bench.analysis.results import Results
from bench.report.blocks import Block, drawn
from bench.report.figures.brackets import brackets
from bench.report.figures.factors import factors
from bench.report.markdown import code, markdown, prose, quantity
from bench.report.names import file_name
from vaelib.audits.verdict import LEAST_FOR_YES

__all__ = ["bracket_section"]

_FIGURE = "Bar: from the proved to the upper end, thin where that is saturated; dot: the gain; \
dashed: the margin; orange: no, green: yes, grey: undecided, pale: collapsed."
_WORDS = """**proved**: lower end of KL(q‖p), a theorem at one-sided level .025 for each seed; \
over seeds, as of the upper end, a 95 % t interval, each configuration by its own. \
**gain**: what a density fitted to the training latents wins over the prior on held-out z; its \
mean is below the KL. **upper end**: of KL(q_N‖p) of the held-out inputs, above the KL in \
expectation; § where a seed is saturated (R > log N - 1), so that it cannot give a yes. \
Gains are shares of the KL that fall with D: compare at equal numbers of inputs and equal D, and \
across D only where brackets separate."""


def bracket_section(results: Results) -> list[Block]:
    """Show the brackets of each data set.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown and pictures; none for rows without brackets.
    """
    blocks: list[Block] = []
    for match in results.matches:
        if not match.configurations:
            continue
        title = f"### {prose(match.data)}" if len(results.matches) > 1 else ""
        name = f"brackets-{file_name(match.data)}.png" if title else "brackets.png"
        text = f"KL(q‖p) on {match.split} inputs of {match.data}: proved lower end to upper end"
        figure = drawn(text, name, _figure(results, match))
        blocks += [*filter(None, [title]), _table(match), figure]
    if not blocks:
        return []
    decision = (
        f"**no**: the 95 % interval of the proved end lies above the margin. **yes**: that of the "
        f"upper end lies below it, nothing is saturated, and there are {LEAST_FOR_YES} held-out z "
        f"or more. **undecided** otherwise, and at S ≤ {FEW_SEEDS}."
    )
    return ["## Does q match p?", *blocks, _FIGURE, f"{_WORDS} {_inputs(results)}", decision]


def _inputs(results: Results) -> str:
    """How many held-out z there are."""
    counts = [one.inputs for match in results.matches for one in match.configurations]
    least, most = min(counts), max(counts)
    return f"Held-out z: {least:,}." if least == most else f"Held-out z: {least:,} to {most:,}."


def _figure(results: Results, match: Match) -> Figure:
    """Against every factor where there is one, else one line for each configuration."""
    known = {one.config for one in match.configurations}
    panels = [
        (study, labels)
        for study, part in results.studies.items()
        if len(known & set(labels := levels(part.rows))) > 1
    ]
    return factors(panels, match, results.configurations[0]) if panels else brackets(match)


def _table(match: Match) -> str:
    lines = [
        [
            code(one.config),
            _shown(one.lower),
            _shown(one.upper) + (" §" if one.saturated else ""),
            "collapsed" if one.collapsed else one.verdict,
            one.lower.seeds,
        ]
        for one in match.configurations
    ]
    heads = ["configuration", "proved, nats", "upper end, nats", "match?", "S"]
    return markdown(heads, lines)


def _shown(interval: Interval) -> str:
    if math.isnan(interval.mean):
        return "–"
    return quantity(interval.mean, interval.half_width)
