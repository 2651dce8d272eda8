"""The intervals over other test inputs, where all seeds share theirs."""

from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import code, heading, markdown, quantity
from vaelib.stats.crossed import CrossedMean

__all__ = ["data_section"]

_MEANING = (
    "All seeds share their test inputs. **over seeds**: the 95 % t interval of this page, which "
    "holds for these inputs. **over seeds and inputs**: that of the mean over other seeds *and* "
    "other inputs, from the effects of both on the value of every input under every seed. "
    "**inputs**: their share of its variance."
)


def data_section(results: Results) -> list[Block]:
    """Show how much wider intervals are that hold for other test inputs, too.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none where no seeds share their inputs.
    """
    lines = []
    order = [str(config) for config in results.rows["config"].unique()]
    for name, metric in results.metrics.items():
        for config in order:
            kept = (results.arrays or {}).get(f"{config}/crossed/{name}")
            if kept is None:
                continue
            *numbers, seeds, inputs = kept.tolist()
            one = CrossedMean(*numbers)
            share = min(1.0, one.input_part / one.variance) if one.variance else 0.0
            lines.append(
                [
                    heading(metric),
                    code(config),
                    quantity(one.mean, one.seeds_half_width),
                    quantity(one.mean, one.half_width),
                    f"{share:.0%}",
                    f"{int(seeds)}",
                    f"{int(inputs):,}",
                ]
            )
    if not lines:
        return []
    heads = ["metric", "configuration", "over seeds", "over seeds and inputs", "inputs", "S", "n"]
    return ["## Other test inputs", _MEANING, markdown(heads, lines, left=2)]
