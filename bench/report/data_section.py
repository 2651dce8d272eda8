"""The intervals over other test inputs, where all seeds share theirs."""

import math
from collections.abc import Iterator

from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import code, fitted, heading, quantity
from vaelib.stats.crossed import CrossedMean

__all__ = ["data_section", "resolution"]

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
    blocks: list[Block] = []
    for metric in results.metrics.values():
        lines = []
        for config, one, seeds, inputs in _crossed(results, metric.name):
            share = min(1.0, one.input_part / one.variance) if one.variance else 0.0
            lines.append(
                [
                    code(config),
                    quantity(one.mean, one.seeds_half_width),
                    quantity(one.mean, one.half_width),
                    f"{share:.0%}",
                    seeds,
                    f"{inputs:,}",
                ]
            )
        if lines:
            heads = ["configuration", "over seeds", "over seeds and inputs", "inputs", "S", "n"]
            blocks += [f"## {heading(metric)}", *fitted(heads, lines)]
    return [_MEANING, _left(results), *blocks] if blocks else []


def resolution(results: Results) -> list[Block]:
    """Say what the test inputs that all seeds share leave open, however many seeds there are.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none where no seeds share their inputs.
    """
    left = _left(results)
    return ["## What these inputs can resolve", left] if left else []


def _left(results: Results) -> str:
    """What is open for other inputs, of the first configuration; empty where it is not known."""
    told, counts = [], set()
    for metric in results.metrics.values():
        known = [*_crossed(results, metric.name)]
        counts |= {inputs for *_, inputs in known}
        if known:
            config, one, *_ = known[0]
            half = _short(1.96 * math.sqrt(one.input_part))
            told.append(f"± {half} {metric.unit} of the {metric.symbol} of {code(config)}")
    if not told:
        return ""
    inputs = " to ".join(f"{count:,}" for count in dict.fromkeys([min(counts), max(counts)]))
    return (
        f"All seeds share {inputs} test inputs, whose error does not shrink with more seeds. For "
        f"other inputs they leave {' and '.join(told)} open (95 %), with any number of seeds."
    )


def _crossed(results: Results, metric: str) -> Iterator[tuple[str, CrossedMean, int, int]]:
    """Configuration, mean with its parts, seeds and inputs."""
    for config in results.configurations:
        kept = (results.arrays or {}).get(f"{config}/crossed/{metric}")
        if kept is not None:
            *numbers, seeds, inputs = kept.tolist()
            yield config, CrossedMean(*numbers), int(seeds), int(inputs)


def _short(value: float) -> str:
    """Two significant digits."""
    return f"{float(f'{value:.1e}'):g}"
