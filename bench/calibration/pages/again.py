"""The page of answers that were measured again by later code."""

import pandas as pd

from bench.calibration.again import COMPARED, again_sentence, apart
from bench.calibration.pages.part import Part
from bench.report.markdown import fitted

__all__ = ["again_parts"]


def again_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the page.

    Args:
        table: As `bench.calibration.again` writes it.

    Returns:
        One page.
    """
    lines = []
    for kl, rows in table.groupby("kl"):
        other = int((rows["verdict"] != rows["verdict_before"]).sum())
        largest = [f"{apart(rows, name):.2g}" for name in COMPARED]
        lines.append([f"{kl:.4g}", f"{len(rows):,}", f"{other:,}", *largest])
    heads = ["KL", "audits", "words", "lower", "upper", "gain", "p"]
    said = (
        "Of how many the word is another now, and the largest differences of both ends and the "
        "gain, in nats, and of the p-value of the e-value."
    )
    blocks = [said, *fitted(heads, lines)]
    return [Part("again", "Answers measured again", blocks, [again_sentence(table)])]
