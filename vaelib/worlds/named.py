"""Every world by its name."""

from functools import cache

from vaelib.worlds.specified import WORLDS
from vaelib.worlds.untuned import OWN_WORLDS
from vaelib.worlds.world import World

__all__ = ["world", "worlds"]


@cache
def worlds() -> tuple[World, ...]:
    """Every world: first those that this suite was built on, then those it was not tuned to.

    Returns:
        The worlds, exact matches (KL 0) among them.

    Example:
        >>> len(worlds()), sum(one.kl == 0 for one in worlds())
        (35, 7)
    """
    return (*WORLDS, *OWN_WORLDS)


def world(name: str) -> World:
    """The world of that name.

    Args:
        name: such as "banana".

    Returns:
        The world.

    Raises:
        ValueError: for a name that no world has.
    """
    found = {one.name: one for one in worlds()}
    if not isinstance(name, str) or name not in found:
        shown = name if isinstance(name, str) else type(name).__name__
        raise ValueError(f"name must be that of a world, got {shown!r}; take one of {list(found)}")
    return found[name]
