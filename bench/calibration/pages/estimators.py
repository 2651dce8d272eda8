"""The pages of the estimators beside their oracles."""

import math

import pandas as pd

from bench.calibration.figures import bias_figure
from bench.calibration.pages.part import Part, bold, mark
from bench.report.blocks import Block, drawn
from bench.report.markdown import fitted
from bench.run.progress import counted

__all__ = ["estimator_parts"]

_PROMISES = {
    "unbiased": "unbiased",
    "mean known": "biased, mean known",
    "at most": "oracle is an upper bound",
    "at least": "oracle is a lower bound",
    "exact": "exact",
}

_BOUNDS = ("at most", "at least")
"""Promises of what may be far from its oracle, on one side."""


def estimator_parts(table: pd.DataFrame) -> list[Part]:
    """Compose the pages of the estimators.

    Args:
        table: Their rows, judged.

    Returns:
        The page of all estimators, and three of every setting.
    """
    expected = 0.0027 * table["z"].notna().sum()
    blocks: list[Block] = [
        f"By chance {expected:.1f} of the {table['z'].notna().sum()} z would exceed 3 in a first "
        "run. Coverage: how often value ± 1.96 printed standard errors holds the oracle; the error "
        "of one draw per component errs on the large side, that of `marginal_kl_loo` is over "
        "inputs too, that of `hole_mass` reaches the further end of its interval. Every setting: "
        "[which](estimators-settings.md), [oracles and coverage](estimators-oracles.md), "
        "[bias](estimators-bias.md).",
        drawn("bias in standard errors", "bias.png", bias_figure(table)),
        *_summaries(table),
    ]
    return [
        Part("estimators", "Estimators against their oracles", blocks, [_found(table)]),
        *_settings(table),
    ]


def _found(table: pd.DataFrame) -> str:
    noisy = table[table["z"].notna() & ~table["promise"].isin(_BOUNDS)]
    text = f"{counted(table['estimator'].nunique(), 'estimator')} in {len(table)} settings whose "
    text += "answer is known another way"
    if len(noisy):
        far = noisy.iloc[int(noisy["z"].abs().argmax())]
        text += (
            f": the furthest from its oracle, `{far['estimator']}`, is {abs(far['z']):.1f} "
            "standard errors away"
        )
    exact = table.loc[table["promise"] == "exact", "largest"].max()
    text += "" if math.isnan(exact) else f"; those that are exact err by {exact:.0e} at most"
    printed = table["printed"].sum()
    if printed:
        share = table["covered"].sum() / printed
        text += f". Value ± 1.96 printed standard errors holds the oracle in {share:.1%} of draws"
    return f"{text}."


def _summaries(table: pd.DataFrame) -> list[str]:
    lines = []
    for estimator, cases in table.groupby("estimator", sort=False):
        largest = cases["z"].abs().max()
        exact = cases.loc[cases["promise"] == "exact", "largest"].max()
        promises = ", ".join(_PROMISES[text] for text in dict.fromkeys(cases["promise"]))
        printed, outside = cases["printed"].sum(), int(cases["outside"].sum())
        lines.append(
            [
                f"`{estimator}`",
                promises,
                bold(f"{outside} of {len(cases)}", outside),
                "–" if math.isnan(largest) else f"{largest:.1f}",
                "–" if math.isnan(exact) else f"{exact:.0e}",
                f"{cases['covered'].sum() / printed:.3f}" if printed else "–",
            ]
        )
    heads = ["estimator", "docstring promises", "outside", "largest |z|"]
    return fitted([*heads, "largest error, exact", "coverage"], lines, left=2)


def _settings(table: pd.DataFrame) -> list[Part]:
    """Every setting by its number: which it is, what it is held against, how much it errs."""
    settings, oracles, biases = [], [], []
    for number, (_, row) in enumerate(table.iterrows(), 1):
        of = [number, f"`{row['estimator']}`"]
        settings.append([*of, row["setting"]])
        covered = f"{row['covered'] / row['printed']:.3f}" if row["printed"] else "–"
        oracles.append([*of, _PROMISES[row["promise"]], row["source"], row["repetitions"], covered])
        z = "–" if math.isnan(row["z"]) else bold(f"{row['z']:.2f}", row["outside"]) + mark(row)
        error = f"{row['bias']:.1e} ± {row['error']:.1e}"
        biases.append([*of, f"{row['oracle']:.5g}", f"{row['mean']:.5g}", error, z])
    heads = ["row", "estimator"]
    rows = "Rows as in [which settings](estimators-settings.md)."
    oracle_heads = [*heads, "promise", "oracle from", "repetitions", "coverage"]
    bias_heads = [*heads, "oracle", "mean", "bias ± standard error", "z"]
    return [
        Part(
            "estimators-settings",
            "Estimators: which settings",
            [
                "By their rows: [oracles and coverage](estimators-oracles.md), "
                "[bias](estimators-bias.md).",
                *fitted([*heads, "setting"], settings, left=3),
            ],
        ),
        Part(
            "estimators-oracles",
            "Estimators: oracles and coverage",
            [rows, *fitted(oracle_heads, oracles, left=4)],
        ),
        Part("estimators-bias", "Estimators: bias", [rows, *fitted(bias_heads, biases, left=2)]),
    ]
