"""What helps: what each study changes in KL(q‖p) and in the images of the prior."""

from bench.analysis.changes import Change
from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import fitted, prose, quantity

__all__ = ["change", "change_section", "change_tables", "largest", "terms"]

_TITLE = "## What helps?"
_DECIDED = ("closer", "further")
_LONGEST = 36  # characters of the name of a study
_WORDS = (
    "Each line changes one thing, where it can from the base on. **gain**: change of what a fitted "
    "density gains over the prior, a lower estimate of KL(q‖p), in nats over common seeds with its "
    "95 % interval; **≥** or **≤**, between different latent dimensions: the least change of "
    "KL(q‖p) that both brackets allow. **q**: gets by it *closer* to its prior, which with another "
    "prior is another, or *further* from it by more than .05 nats; *no change*: it is shown to be "
    "less than that. **Fréchet**: change in the distance of images of the prior to real ones; "
    "negative is better, also where images of q get better and the cost of the prior does not. "
    "A claim along a study takes the line through all its levels, so that its number may differ."
)
_BOUND = " **elbo**: trained for the evidence lower bound; **ae**: for reconstruction alone."


def change_section(results: Results) -> list[Block]:
    """Show what each study changes.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none where no study has two levels to compare.
    """
    shown = change_tables(results)
    return [_TITLE, *shown, _WORDS + terms(results)] if shown else []


def terms(results: Results) -> str:
    """Explain the levels whose names do not say what they are.

    Args:
        results: Of one matrix.

    Returns:
        A sentence to put behind others, empty where nothing needs it.
    """
    levels = {level for _, one in results.changes for level in (one.first, one.last)}
    return _BOUND if {"elbo", "ae"} <= levels else ""


def change_tables(results: Results) -> list[str]:
    """One line for both ends of a study with an order, else one for each of its levels.

    Args:
        results: Of one matrix.

    Returns:
        Tables of Markdown; none where nothing can be compared.
    """
    lines = [
        [
            prose(_short(study)),
            f"{prose(one.first)} → {prose(one.last)}",
            change(one),
            one.word,
            quantity(one.quality.mean, one.quality.half_width) if one.quality else "–",
        ]
        for study, one in results.changes
    ]
    heads = ["study", "from → to", "gain, nats", "q", "Fréchet"]
    return fitted(heads, lines, left=2)


def largest(results: Results, count: int) -> list[tuple[str, Change]]:
    """Choose the effects on the match that are named first: what helps, then what else is decided.

    Args:
        results: Of one matrix.
        count: How many, at most.

    Returns:
        Study and change, of each sort the largest first; of the same change in several studies the
        first, and none whose brackets overlap.
    """
    each: dict[tuple[str, str, float], tuple[str, Change]] = {}
    for study, one in results.changes:
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


def change(one: Change) -> str:
    """Print how the gain changes, or KL(q‖p) between different latent dimensions.

    Args:
        one: The change.

    Returns:
        The number with its interval, in nats; its least size where it rests on brackets.
    """
    shown = quantity(one.kl.mean, one.kl.half_width)
    if not one.bracketed:
        return shown
    sign = "≥" if one.kl.mean > 0 else "≤"
    return f"{sign} {shown}" if one.kl.mean else "brackets overlap"


def _short(name: str) -> str:
    """A long name by whole words of both of its ends, as many as fit."""
    if len(name) <= _LONGEST:
        return name
    words = name.split()
    if not words[2:]:
        return f"{name[: _LONGEST - 1]}…"
    left, right = words[:1], words[-1:]
    for count in range(1, len(words) - 1):
        tried = [*left, words[len(left)]], right
        if count % 2:
            tried = left, [words[-len(right) - 1], *right]
        if len(" ".join([*tried[0], "…", *tried[1]])) > _LONGEST:
            break
        left, right = tried
    return " ".join([*left, "…", *right])
