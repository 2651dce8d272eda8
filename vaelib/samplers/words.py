"""What was found while a sampler was fitted, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vaelib.samplers.sampler import Interval

if TYPE_CHECKING:
    from vaelib.samplers.repair import Repaired

__all__ = ["copies", "free", "interval", "left", "lines", "made", "won"]

_PASTED = 32  # dimensions whose constants are printed
_NOTICED = 0.05  # share of held-out z; 1 % of independent ones lie so near


def lines(found: Repaired, file: str = "") -> list[str]:
    """All that is said of a sampler.

    Args:
        found: the sampler.
        file: the name of its file, where there is one.

    Returns:
        What is won, what is left, what is free and as which line of code, what it is made of, what
        was left out, and whether held-out inputs copy others.
    """
    out = found.left_out and f"{found.left_out}."
    said = [won(found), left(found), *free(found, file), made(found), out, copies(found)]
    return [*filter(None, said)]


def won(found: Repaired) -> str:
    """What the sampler wins over the prior, or why it is the prior."""
    count = f"{found.sampler.about.heldout:,} held-out z"
    if found.taken:
        return f"The sampler wins {interval(found.stack)} over {found.prior} on {count}."
    return (
        f"No fitted density is sure (at level .01) to win over {found.prior} on {count}: the best "
        f"stack of them comes to {interval(found.stack)}. The sampler is the prior itself."
    )


def left(found: Repaired) -> str:
    """How much of the mismatch may be left."""
    what = "How much of the mismatch is left is not known"
    if found.left is None:
        whose = "bare z" if found.bare else "latents without a scale"
        return f"{what}: {whose} have no upper end."
    most = f"{found.left.most:.3g} nats"
    if found.left.saturated:
        return f"{what.replace('not', 'hardly')}: at most {most}, as the upper end is saturated."
    if found.left.most == 0:
        return (
            "Nothing of the mismatch is left that these inputs could show: the upper end of "
            "KL(q‖p) lies below what is won."
        )
    return f"Of the mismatch at most {most} are left: the upper end of KL(q‖p) less what is won."


def free(found: Repaired, file: str = "") -> list[str]:
    """What shift and scale win alone, and their constants as a line of code.

    Args:
        found: the sampler.
        file: the name of its file, which the code reads them from where they are many.

    Returns:
        Two lines, or none where the prior is not N(0, I).
    """
    sampler = found.sampler
    if sampler.gauge is None or sampler.about.gauge_gain is None:
        return []
    gain = sampler.about.gauge_gain
    said = f"Free, without any file: shift and scale of each dimension win {interval(gain)}."
    if gain[1] <= 0:
        said = (
            "Free, without any file, would be shift and scale of each dimension: they are not "
            f"sure to win, {interval(gain)}."
        )
    shift, scale = map(_pasted, sampler.gauge)
    if sampler.dimensions > _PASTED:
        shift, scale = (f"sampler.sampler.gauge[{one}]" for one in (0, 1))
        if file:
            shift, scale = (f'load_file("{file}")["all/{one}"]' for one in ("shift", "scale"))
    return [said, f"    z = {shift} + {scale} * torch.randn(n, {sampler.dimensions})"]


def made(found: Repaired) -> str:
    """Of which densities, fitted to what and chosen by what."""
    parts = sorted(found.sampler.weights.items(), key=lambda item: -item[1])
    few = ", ".join(f"{name} {weight:.0%}" for name, weight in parts if weight >= 0.01)
    by = "a random fifth, kept apart" if found.split else "the held-out inputs"
    return f"Made of: {few}; fitted to {found.sampler.about.rows:,} inputs, chosen by {by}."


def copies(found: Repaired) -> str:
    """Whether held-out inputs are copies of others; empty where they are not."""
    if found.recited <= _NOTICED:
        return ""
    return (
        f"{found.recited:.0%} of the held-out z lie as near to training inputs as copies do, and "
        "those that are copies win nothing."
    )


def interval(gain: Interval) -> str:
    """A gain with both ends of its interval."""
    value, low, high = gain
    return f"{value:.3g} nats (95 % interval {low:.3g} to {high:.3g})"


def _pasted(values: Tensor) -> str:
    return f"torch.tensor([{', '.join(f'{one:.4g}' for one in values.tolist())}])"
