"""How often the answer is wrong: counts of audits whose KL is known, with exact intervals."""

from collections.abc import Iterator

import pandas as pd

from bench.calibration.bands import band, clopper_pearson
from vaelib.audits.verdict import LEAST_FOR_YES, MARGIN

__all__ = [
    "ALPHA",
    "BEYOND",
    "INSIDE",
    "answer_rates",
    "could_be_yes",
    "lower_passed",
    "upper_passed",
]

ALPHA = 0.025
"""One-sided level of both ends of the bracket."""

INSIDE, BEYOND = 0.04, 0.06
"""KL in nats just inside the margin, and just beyond it."""

_ROUNDING = 1e-9  # nats, of sums that are 0 at an exact match
_SLACK = 0.05  # of the upper end, whose level is asymptotic


def answer_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Count the answer's errors, and those of what it rests on.

    Args:
        table: One row per audit, of :mod:`bench.calibration.answers.audits`.

    Returns:
        One row per rate: ``what`` happened ``where``, in how many of how many audits, its exact
        95 % interval, the most that is promised (NaN where nothing is), the largest count in its
        band, and ``outside`` where there are more.
    """
    rates = pd.DataFrame(
        [
            {"what": what, "where": where, "events": int(hit.sum()), "audits": len(hit)}
            | {"most": most}
            for what, where, hit, most in _counts(table)
            if len(hit)
        ],
        columns=["what", "where", "events", "audits", "most"],
    )
    pairs = list(zip(rates["events"], rates["audits"], strict=True))
    ends = [clopper_pearson(*pair) for pair in pairs]
    promised = rates["most"].fillna(1.0)
    largest = [band(most, n)[1] for most, n in zip(promised, rates["audits"], strict=True)]
    return rates.assign(
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
        largest=largest,
        outside=rates["events"] > pd.Series(largest, dtype=int),
    )


def could_be_yes(table: pd.DataFrame) -> pd.Series:
    """Whether "yes" was possible: posteriors of enough inputs, whose upper end can be read."""
    readable = table["upper"].notna() & (table["saturated"] == 0)
    return readable & (table["inputs"] >= LEAST_FOR_YES)


def lower_passed(table: pd.DataFrame) -> pd.Series:
    """Whether the proved lower end lies above the KL; not where there is none."""
    return table["lower"] > table["kl"] + _ROUNDING


def upper_passed(table: pd.DataFrame) -> pd.Series:
    """Whether the upper end lies below the KL; not where there is none."""
    return table["upper"] < table["kl"] - _ROUNDING


def _counts(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.Series, float]]:
    """What, where, whether it happened in each audit, and how often it may."""
    laws, worlds = table[table["family"] != "world"], table[table["family"] == "world"]
    common, rare = laws[laws["family"] != "rare"], laws[laws["family"] == "rare"]
    for kl in (0.0, INSIDE, MARGIN):
        at = laws[laws["kl"] == kl]
        yield "“no”", _at(kl), at["verdict"] == "no", ALPHA
    for kl in (MARGIN, BEYOND):
        at = common[(common["kl"] == kl) & could_be_yes(common)]
        yield "“yes”", f"{_at(kl)}, not in few inputs", at["verdict"] == "yes", ALPHA
    far = common[(common["kl"] > BEYOND) & could_be_yes(common)]
    yield "“yes”", "larger KL, not in few inputs", far["verdict"] == "yes", ALPHA
    for kl in (MARGIN, BEYOND):
        at = rare[(rare["kl"] == kl) & could_be_yes(rare)]
        yield (
            "“yes”",
            f"{_at(kl)}, in at most 5 % of the inputs",
            at["verdict"] == "yes",
            float("nan"),
        )
    wrong = (worlds["verdict"] == "no") & (worlds["kl"] <= MARGIN)
    wrong |= (worlds["verdict"] == "yes") & (worlds["kl"] > MARGIN)
    yield "a wrong word", "the named worlds", wrong, ALPHA
    lower = table[table["lower"].notna()]
    for where, rows in (
        ("KL 0", lower[lower["kl"] == 0]),
        ("all other KL", lower[lower["kl"] > 0]),
    ):
        yield "proved lower end above the KL", where, lower_passed(rows), ALPHA
    upper = table[table["upper"].notna()]
    for where, rows in (
        ("KL 0", upper[upper["kl"] == 0]),
        ("other KL, not in few inputs", upper[(upper["kl"] > 0) & (upper["family"] != "rare")]),
    ):
        yield (
            "upper end below the KL",
            where,
            upper_passed(rows),
            ALPHA + _SLACK,
        )
    played = laws[(laws["kl"] == 0) & laws["p"].notna()]
    for level in (0.05, 0.01):
        yield f"p-value of the e-value at most {level:g}", "KL 0", played["p"] <= level, level
    yield "flagged", "independent draws", table["verdict"] == "flagged", float("nan")


def _at(kl: float) -> str:
    return f"KL {kl:g}" + (" exactly, the margin" if kl == MARGIN else "")
