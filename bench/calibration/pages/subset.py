"""The page of densities at z of some inputs beside those at all."""

import pandas as pd

from bench.calibration.pages.part import Part
from bench.calibration.subset import NAMES, subset_sentence
from bench.report.markdown import fitted, quantity

__all__ = ["subset_parts"]

_PRINTED = 1.96  # standard errors to each side


def subset_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the page.

    Args:
        table: As `bench.calibration.subset` writes it.

    Returns:
        One page.
    """
    lines = [
        [
            f"{row['matrix']}, `{row['config']}`, {row['seed']}",
            NAMES[row["metric"]],
            quantity(row["all"], _PRINTED * row["all_error"]),
            quantity(row["subset"], _PRINTED * row["subset_error"]),
            f"{row['mean_of_subsets']:.4g}",
            f"{row['held']} of {row['subsets']}",
        ]
        for _, row in table.iterrows()
    ]
    heads = ["model, seed", "nats", "at all inputs", "at the first subset", "mean", "held"]
    said = (
        "Value ± 1.96 standard errors, then the mean over all subsets and how many of them hold "
        "the value at all inputs."
    )
    blocks = [said, *fitted(heads, lines, left=2)]
    return [Part("subset", "All inputs or some of them", blocks, [subset_sentence(table)])]
