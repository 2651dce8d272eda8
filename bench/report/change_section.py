"""What helps: what each study changes in KL(q‖p) and in the images of the prior."""

from collections.abc import Iterator

from bench.analysis.changes import Change, changes
from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import markdown, prose, quantity

__all__ = ["change", "change_section", "change_tables", "largest"]

_TITLE = "## What helps?"
_DECIDED = ("closer", "further")
_WORDS = (
    "**KL(q‖p)**: change of the gain, in nats, from the first level to the other, over common "
    "seeds with its 95 % interval; **≥** or **≤**, between different latent dimensions, what "
    "the brackets prove. **mixture**: gets *closer* to its prior or *further* from it by more than "
    ".05 nats; *no change*: less than that is shown. **Fréchet**: change in the distance of "
    "images of the prior to real ones; negative is better, also where images of q get better and "
    "the cost of the prior does not. A claim along a study takes the line through all its levels, "
    "so that its number may differ."
)


def change_section(results: Results) -> list[Block]:
    """Show what each study changes.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none where no study has two levels to compare.
    """
    shown = change_tables(results)
    return [_TITLE, *shown, _WORDS] if shown else []


def change_tables(results: Results) -> list[str]:
    """One line for each study with an order, else one for each of its levels.

    Args:
        results: Of one matrix.

    Returns:
        Tables of Markdown; none where nothing can be compared.
    """
    lines = [
        [
            prose(study),
            f"{prose(one.first)} → {prose(one.last)}",
            change(one),
            one.word,
            quantity(one.quality.mean, one.quality.half_width) if one.quality else "–",
        ]
        for study, one in _changes(results)
    ]
    heads = ["study", "from → to", "KL(q‖p)", "mixture", "Fréchet"]
    return [markdown(heads, lines, 2)] if lines else []  # a name wraps in its cell


def largest(results: Results, count: int) -> list[tuple[str, Change]]:
    """Choose the effects on KL(q‖p) that are named first: what helps, then what else is decided.

    Args:
        results: Of one matrix.
        count: How many, at most.

    Returns:
        Study and change, of each sort the largest first; of the same change in several studies the
        first, and none whose brackets overlap.
    """
    each: dict[tuple[str, str, float], tuple[str, Change]] = {}
    for study, one in _changes(results):
        each.setdefault((one.first, one.last, one.kl.mean), (study, one))
    known = [pair for pair in each.values() if pair[1].kl.mean and pair[1].kl.seeds]
    known.sort(
        key=lambda pair: (
            pair[1].word != "closer",
            pair[1].word not in _DECIDED,
            -abs(pair[1].kl.mean),
        )
    )
    return known[:count]


def _changes(results: Results) -> Iterator[tuple[str, Change]]:
    for study, part in results.studies.items():
        for one in part.datasets.values():
            for change in changes(one.rows):
                yield study, change


def change(one: Change) -> str:
    """Print how KL(q‖p) changes.

    Args:
        one: The change.

    Returns:
        The number with its interval, in nats; what is proved of it where it rests on brackets.
    """
    shown = quantity(one.kl.mean, one.kl.half_width)
    if not one.bracketed:
        return shown
    sign = "≥" if one.kl.mean > 0 else "≤"
    return f"{sign} {shown}" if one.kl.mean else "brackets overlap"
