"""Plain values: counts, seeds, truths, functions, objects of a class."""

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np

__all__ = [
    "as_count",
    "as_integer",
    "as_seed",
    "check_callable",
    "check_flag",
    "check_kind",
    "kind_of",
    "shown",
]

_SEEDS = 1 << 63
_MOST = 10**9  # draws, rows, permutations: no computer does more in a day


def as_integer(value: object, name: str) -> int:
    """An integer of any size.

    Args:
        value: the integer, of Python's or NumPy's.
        name: what to call it in an error.

    Returns:
        The integer.

    Raises:
        TypeError: for what is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {shown(value)}")
    return int(value)


def as_seed(value: object) -> int:
    """The seed of a random stream.

    Args:
        value: the seed.

    Returns:
        The seed.

    Raises:
        ValueError: for one of more than 63 bits.
    """
    seed = as_integer(value, "seed")
    if not -_SEEDS < seed < _SEEDS:
        raise ValueError(f"seed must lie between -2^63 and 2^63, got {shown(seed)}")
    return seed


def as_count(value: object, name: str, least: int = 1) -> int:
    """How many.

    Args:
        value: the count.
        name: what to call it in an error.
        least: the least that will do.

    Returns:
        The count.

    Raises:
        ValueError: for less than that, or more than 10^9.
    """
    count = value if type(value) is int else as_integer(value, name)
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {shown(count)}")
    if count > _MOST:
        raise ValueError(f"{name} must be at most {_MOST:,}, got {shown(count)}")
    return count


def check_flag(value: object, name: str) -> None:
    """Ask for yes or no.

    Args:
        value: True or False.
        name: what to call it in an error.

    Raises:
        TypeError: for anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")


def check_kind(value: object, kind: type, name: str) -> None:
    """Ask for an object of a class.

    Args:
        value: the object.
        kind: the class.
        name: what to call it in an error.

    Raises:
        TypeError: for any other.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {kind_of(value)}")


def check_callable(value: Callable[..., object], name: str) -> None:
    """Ask for a function.

    Args:
        value: the function.
        name: what to call it in an error.

    Raises:
        TypeError: for what cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {kind_of(value)}")


def kind_of(value: object) -> str:
    """What something is, as an error calls it.

    Args:
        value: any.

    Returns:
        The name of its type.
    """
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def shown(value: object) -> str:
    """A value as an error shows it: in a few characters of one line.

    Args:
        value: any.

    Returns:
        A number's own text, of all else the kind.
    """
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return f"{value!r:.40}"
    return f"{value!s:.40}" if isinstance(value, Real) else kind_of(value)
