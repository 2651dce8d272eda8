"""Which code decides a row, and which a model.

A record was computed by `bench.run.cell` and what that imports; a model was trained by
`bench.run.models` and what *that* imports, which knows no statistics. So a change of a statistic
measures stored models anew, and a change of a page or of the runner touches nothing.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["MEASURES", "TRAINS", "plugins"]

MEASURES = "bench.run.cell"
TRAINS = "bench.run.models"


def plugins(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules of components that a configuration names by import path.

    Args:
        values: a resolved configuration.

    Returns:
        Their dotted names.
    """
    names = (str(v.get("name", "")) for v in values.values() if isinstance(v, Mapping))
    return tuple(name.partition(":")[0] for name in names if ":" in name)
