"""What is asked where names do not say which array is what: what was seen, and what to say."""

from collections.abc import Iterable, Sequence

import numpy as np

from vaelib.latent_files.entries import Entry, Refused, short

__all__ = ["BOTH", "SPELLED", "get", "in_range", "listed", "question", "some"]

BOTH = ("moments", "parameters")
"""Keys under which autoencoders of images keep means and log variances together."""

SPELLED = "--mean KEY --scale KEY --scale-is std|var|logvar|logstd"
_NAMED = 8  # keys that a sentence lists


def question(named: dict[str, Entry], wide: list[Entry], numbers: list[Entry]) -> str:
    """Ask which is what.

    Args:
        named: all arrays of the file.
        wide: those of numbers that may be latents.
        numbers: all of numbers.

    Returns:
        A sentence with what was seen and what to say.
    """
    asked = "expected mean and scale or logvar, or z alone, got"
    if not numbers:
        return f"{asked} {listed(named.values())}"
    if not wide and all(one.column for one in numbers):
        return (
            f"{asked} columns {some([short(one.name) for one in numbers])}; call them z0, z1, … "
            "or mean0, …, scale0, …"
        )
    if not wide:
        return f"{asked} {listed(named.values())}, none of shape (N, D); say --z KEY"
    if any(one.name in BOTH for one in wide):
        key = next(one.name for one in wide if one.name in BOTH)
        return (
            f"{asked} {listed(named.values())}; if channels are means and then log variances, "
            f"say --mean {key} --scale-is logvar, if not, {SPELLED}"
        )
    if len(wide) != 2 or wide[0].size != wide[1].size:
        return f"{asked} {listed(named.values())}; say --z KEY, or {SPELLED}"
    one, two = wide
    likely = "logvar or --scale-is logstd" if _lowest(two) < 0 else "std or --scale-is var"
    return (
        f"{asked} {one} and {two}, {in_range(two)}; say which is what: --mean {short(one.name)} "
        f"--scale {short(two.name)} --scale-is {likely}, or --z {short(one.name)}"
    )


def _lowest(entry: Entry) -> float:
    return float(np.nanmin(entry.read())) if entry.size else 0.0


def in_range(entry: Entry) -> str:
    """What the numbers of an array are like.

    Args:
        entry: the array, which is read.

    Returns:
        Least and largest number, and the first ones, in words.
    """
    values = entry.read().astype(np.float64)
    if not values.size:
        return "which is empty"
    first = ", ".join(f"{one:.3g}" for one in values.ravel()[:3])
    return (
        f"which goes from {float(np.nanmin(values)):.3g} to {float(np.nanmax(values)):.3g} and "
        f"begins {first}"
    )


def get(named: dict[str, Entry], key: str, option: str) -> Entry:
    """The array that a user names.

    Args:
        named: all arrays of the file.
        key: its name.
        option: by which it is named, for an error.

    Returns:
        The array.

    Raises:
        Refused: where it is not there.
    """
    if key not in named:
        raise Refused(
            f"expected {option} to be a key of the file, got {short(key)!r}; it holds "
            f"{listed(named.values())}"
        )
    return named[key]


def listed(entries: Iterable[Entry]) -> str:
    """Arrays with their types and shapes.

    Args:
        entries: of the file.

    Returns:
        The first few, in words.
    """
    return some([str(entry) for entry in entries]) or "nothing"


def some(names: Sequence[str]) -> str:
    """The first few of several names.

    Args:
        names: in order.

    Returns:
        Them, parted by commas.
    """
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
