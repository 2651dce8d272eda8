"""All kinds of mismatches: laws of any KL, and how their latents are given to an audit."""

from collections.abc import Callable

from bench.calibration.answers.gaussian_laws import correlated, narrow, one_wide_axis, shifted, wide
from bench.calibration.answers.kinds import Draw, Family, Kind, held_out, in_sequence
from bench.calibration.answers.laws import LAWS
from bench.calibration.answers.part_laws import PART_LAWS, RARE
from vaelib.worlds.world import World

__all__ = ["MISMATCHES", "MISMATCH_WORLDS"]

_SHAPED = LAWS | PART_LAWS

MISMATCH_WORLDS: dict[str, tuple[Callable[[int, float], World], int]] = {
    "too wide": (wide, 1),
    "too narrow": (narrow, 1),
    "shifted": (shifted, 1),
    "one wide axis": (one_wide_axis, 2),
    "correlated": (correlated, 2),
    "too wide, bare z in sequence": (wide, 1),
} | _SHAPED
"""By kind: maps D and a KL in nats to the world; the smallest D."""


def _kind(name: str) -> Kind:
    law, least = MISMATCH_WORLDS[name]
    family: Family = "rare" if name in RARE else "other" if name in _SHAPED else "gaussian"
    given: Callable[[World], Draw] = in_sequence if "sequence" in name else held_out
    return Kind(name, family, lambda dimensions, kl: given(law(dimensions, kl)), least)


MISMATCHES = [_kind(name) for name in MISMATCH_WORLDS]
