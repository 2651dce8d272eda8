"""How a run or a report ends on a terminal: the answer of the page, in a few plain lines."""

from pathlib import Path

from bench.analysis.changes import Change
from bench.analysis.results import Results
from bench.report.answer import answer
from bench.report.change_section import change, largest
from bench.report.cost_section import cost
from bench.report.markdown import plain, quantity
from bench.run.progress import seeds_text

__all__ = ["ending"]

_EFFECTS = 3
_NAMED = 5  # of what has no result; the page names all


def ending(results: Results, page: Path) -> list[str]:
    """Say what the page says, shortly, and last where it is.

    Args:
        results: Of one matrix.
        page: With the answer.

    Returns:
        Lines of plain text: what lacks, the verdict that the page opens with, the three largest
        effects of the studies, what sampling from the prior costs, and the path.
    """
    lines = [*_lost(results), plain(answer(results))]
    lines += [_effect(study, one) for study, one in largest(results, _EFFECTS)]
    lines += [plain(cost(results))] if results.costs else []
    return [*lines, str(page)]


def _effect(study: str, one: Change) -> str:
    what = "KL(q‖p)" if one.bracketed else "gain"
    text = f"{study}, {one.first} → {one.last}: {what} {change(one)} nats, {one.word}"
    if one.quality is None:
        return text
    return f"{text}; Fréchet {quantity(one.quality.mean, one.quality.half_width)}"


def _lost(results: Results) -> list[str]:
    """What has no result: some of it by name."""
    grouped = results.failures.groupby(["config", "status"], sort=False)["seed"]
    texts = [
        f"{status} {config} {seeds_text(sorted(seeds))}" for (config, status), seeds in grouped
    ]
    texts += [f"missing {config}" for config in results.unrun]
    if not texts:
        return []
    more = f"; {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return [f"no result: {'; '.join(texts[:_NAMED])}{more}"]
