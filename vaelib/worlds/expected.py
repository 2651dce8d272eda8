"""What an estimator of KL(q‖N(0, I)) must return in each world, as data: ``expected.json``.

``python -m vaelib.worlds.expected`` writes the file anew. Within a version of the schema fields are
added, never changed or removed; worlds may be added.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from vaelib.files import write_atomically
from vaelib.worlds.given import FITTED, HELD_OUT
from vaelib.worlds.named import worlds
from vaelib.worlds.world import World

__all__ = ["LEAST", "LEVEL", "SCHEMA", "SHARE", "band", "document", "shipped"]

SCHEMA = {"name": "vaebench.worlds", "version": 1}
LEAST, SHARE = 0.05, 0.2
"""An estimate may be off by so many nats, or by this share of the KL where that is more."""
LEVEL = 0.025
"""How often a bound may lie on the wrong side of the KL."""

_FILE = "expected.json"
_DIGITS = 6  # of a KL: what a processor changes lies far behind


def band(kl: float) -> tuple[float, float]:
    """Where the mean of an estimator must lie over draws of a world.

    Args:
        kl: of the world, in nats.

    Returns:
        Its ends: the KL less and more .05 nats, or a fifth of itself where that is more.
    """
    off = max(LEAST, SHARE * kl)
    return kl - off, kl + off


def document() -> dict[str, Any]:
    """What must be returned, by the code as it is.

    Returns:
        Of each world its name, what it breaks, its D, its KL in nats and how that is known, the n
        and N of its draws, whether it has posteriors, and what a mean estimate must lie between, a
        lower bound must not exceed and an upper bound must not go below.
    """
    return {
        "schema": dict(SCHEMA),
        "of": "KL(q‖p) of the law q of z from p = N(0, I)",
        "unit": "nats",
        "level": LEVEL,
        "worlds": [_entry(one) for one in worlds()],
    }


def _entry(world: World) -> dict[str, Any]:
    kl = round(world.kl, _DIGITS)
    low, high = band(kl)
    return {
        "name": world.name,
        "D": world.dimensions,
        "kl": kl,
        "known_by": world.known_by,
        "breaks": world.breaks,
        "posteriors": world.has_posteriors,
        "n": HELD_OUT,
        "N": FITTED,
        "estimate": {"low": round(low, _DIGITS), "high": round(high, _DIGITS)},
        "lower": {"at_most": kl},
        "upper": {"at_least": kl},
    }


def shipped() -> dict[str, Any]:
    """What must be returned, by the file that comes with the package.

    Returns:
        As `document`.
    """
    text = resources.files("vaelib.worlds").joinpath(_FILE).read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def _main() -> None:
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    write_atomically(Path(__file__).with_name(_FILE), text.encode())


if __name__ == "__main__":
    _main()
