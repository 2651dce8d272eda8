"""What sampling from the prior costs: distances to real images by where the latents came from."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.analysis.match import Interval
from bench.analysis.replicates import replicates
from vaelib.samples.options import SOURCES

__all__ = ["METRIC", "Cost", "costs"]

METRIC = "frechet"
_FITTED = ("repaired", "gmm")  # densities, the one that says what can be won back first
_REFERENCES = ("floor", "blur")
_SPLIT = "test"


@dataclass(frozen=True)
class Cost:
    """The distances of one configuration.

    Attributes:
        rungs: the distance of every latent source, and of the references, over the seeds.
        cost: of images of the prior less that of images of q(z), paired within each model.
        fitted: the fitted density that is compared; empty where none was.
        won: distance of images of the prior less that of images of the fitted density, paired; None
            where none was.
    """

    rungs: Mapping[str, Interval]
    cost: Interval
    fitted: str = ""
    won: Interval | None = None


def costs(rows: pd.DataFrame) -> dict[str, Cost]:
    """Find what sampling from the prior costs every configuration.

    Args:
        rows: tidy rows.

    Returns:
        Configuration -> cost, in the order of the rows; those without images of the prior and of
        q(z) are left out.
    """
    measured = rows[(rows["metric"] == METRIC) & (rows["split"] == _SPLIT)]
    sources = [name for name in (*_REFERENCES, *SOURCES) if name in set(measured["source"])]
    if not {"prior", "aggregate"} <= set(sources):
        return {}
    tables = {name: replicates(measured, METRIC, _SPLIT, name) for name in sources}
    paired = tables["prior"] - tables["aggregate"]
    fitted = next((name for name in _FITTED if name in sources), "")
    won = tables["prior"] - tables[fitted] if fitted else None
    found = {}
    for config in map(str, paired):
        cost = Interval.of(paired[config])
        if not cost.seeds:
            continue
        rungs = {name: Interval.of(table[config]) for name, table in tables.items()}
        back = None if won is None else Interval.of(won[config])
        known = {name: one for name, one in rungs.items() if one.seeds}
        if back is not None and back.seeds:
            found[config] = Cost(known, cost, fitted, back)
        else:
            found[config] = Cost(known, cost)
    return found
