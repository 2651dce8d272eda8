"""The part of the page that counts the answer's errors, and shows where it sees nothing."""

import numpy as np
import pandas as pd

from bench.calibration.answers.audits import PANEL, answer_tasks
from bench.calibration.answers.rates import (
    ALPHA,
    BEYOND,
    answer_rates,
    could_be_yes,
    lower_passed,
    upper_passed,
)
from bench.calibration.bands import clopper_pearson
from bench.calibration.own_worlds import OWN_WORLDS
from bench.report.markdown import markdown, quantity
from bench.run.progress import counted
from vaelib.audits.verdict import LEAST_FOR_YES, MARGIN

__all__ = ["answer_sections", "answer_sentence"]

_FAR = 0.2
_FEW, _MOST = 0.1, 0.5  # shares of the KL
_WORDS = ("no", "undecided", "yes", "flagged")


def answer_sentence(table: pd.DataFrame) -> str:
    """One plain paragraph of counts.

    Args:
        table: One row per audit.

    Returns:
        How often "no" and "yes" were wrong.
    """
    match = table[table["family"] == "match"]
    kinds = counted(match["kind"].nunique(), "kind")
    most = clopper_pearson(int((match["verdict"] == "no").sum()), len(match))[1]
    text = [
        f"**Of {len(match):,} exact matches of {kinds} (n = {_span(match['n'])}, D = "
        f"{_span(match['D'])}), “no” was said of {_count(match['verdict'] == 'no')}**: "
        f"at most {most:.2%} of such matches, by the exact 95 % interval."
    ]
    laws = table[table["family"].isin(["gaussian", "other", "rare"])]
    edge = laws[laws["kl"] == MARGIN]
    if len(edge):
        shaped = (edge["family"] != "gaussian").mean()
        text.append(
            f"Of {len(edge):,} laws whose KL is {MARGIN:g} nats exactly, the margin, {shaped:.0%} "
            f"of them not Gaussian, “no” was said of {_count(edge['verdict'] == 'no')}."
        )
    beyond = laws[(laws["kl"] == BEYOND) & could_be_yes(laws)]
    common, rare = beyond[beyond["family"] != "rare"], beyond[beyond["family"] == "rare"]
    if len(common):
        text.append(
            f"Just beyond it, at {BEYOND:g}, “yes” was said of {_count(common['verdict'] == 'yes')}"
            f" out of {len(common):,} where it was possible"
            + (
                f", and of {_count(rare['verdict'] == 'yes')} out of {len(rare):,} whose KL lies "
                "in at most 5 % of the inputs, which a yes of few inputs cannot exclude."
                if len(rare)
                else "."
            )
        )
    text.append(f"The promise is at most {ALPHA:.1%}.")
    return " ".join(text)


def answer_sections(table: pd.DataFrame, name: str, quick: bool) -> list[str]:
    """What stands below the sentence.

    Args:
        table: One row per audit.
        name: Of the page; the raw table lies in its folder.
        quick: Whether this is the quick form.

    Returns:
        Blocks of Markdown.
    """
    planned = sum(task.repetitions for task in answer_tasks(quick))
    codes = ", ".join(f"`{code}`" for code in sorted(table["code"].unique()))
    done = f"{len(table):,} of {planned:,} planned audits were run, by code of the hash {codes}"
    if len(table) < planned:
        done += "; that code goes on where it was, and this page counts what there is"
    return [
        f"{done}, one line each in [{name}/answers.csv]({name}/answers.csv). An audit is what a "
        "user gets: candidates fitted to N training inputs (twice n, 5,000 at most), played on n "
        f"others. “Yes” needs posteriors of {LEAST_FOR_YES} inputs whose upper end is not "
        "saturated.",
        _rates(answer_rates(table)),
        *_by_kind(table),
        *_worlds(table),
        *_changed(table),
        *_sight(table),
    ]


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _count(hits: pd.Series) -> str:
    return f"{int(hits.sum())} ({hits.mean():.2%})" if hits.any() else "none"


def _rates(rates: pd.DataFrame) -> str:
    lines = []
    for _, row in rates.iterrows():
        share = f"{row['events'] / row['audits']:.4f}"
        promise = "–" if np.isnan(row["most"]) else f"{row['most']:g}"
        band = "" if np.isnan(row["most"]) else ("**above**" if row["outside"] else "inside")
        interval = f"[{row['low']:.4f}, {row['high']:.4f}]"
        counts = f"{row['events']:,} of {row['audits']:,}"
        lines.append([row["what"], row["where"], counts, share, interval, promise, band])
    heads = ["what was said", "where", "audits", "share", "exact 95 % interval", "promise"]
    return markdown([*heads, "band"], lines, left=2)


def _by_kind(table: pd.DataFrame) -> list[str]:
    """Wrong answers of every kind by n."""
    sizes = sorted(table.loc[table["family"] != "world", "n"].unique())
    lines = []
    decided = table[(table["family"] != "world") & (table["kl"] <= MARGIN)]
    for kl, at in decided.groupby("kl"):
        for kind, rows in at.groupby("kind", sort=False):
            cells = [_said(rows[rows["n"] == n], "no") for n in sizes]
            lines.append([kind, kl, *cells, _said(rows[could_be_yes(rows)], "yes")])
    heads = ["kind", "KL", *(f"“no”, n = {n:,}" for n in sizes), "“yes” where possible"]
    return [
        "<details><summary>By kind and n</summary>",
        markdown(heads, lines),
        "</details>",
    ]


def _said(rows: pd.DataFrame, word: str) -> str:
    return f"{(rows['verdict'] == word).sum()} of {len(rows)}" if len(rows) else "–"


def _worlds(table: pd.DataFrame) -> list[str]:
    worlds = table[table["family"] == "world"]
    if worlds.empty:
        return []
    lines = []
    for kind, rows in worlds.groupby("kind", sort=False):
        kl = rows["kl"].iloc[0]
        error = 1.96 * float(np.sqrt((rows["se"] ** 2).sum())) / len(rows)
        share = f"{rows['gain'].mean() / kl:.0%}" if kl > 0 else "–"
        upper = f"{rows['upper'].min():.3g}" if rows["upper"].notna().any() else "–"
        passed = int(lower_passed(rows).sum()), int(upper_passed(rows).sum())
        lines.append(
            [
                str(kind).removeprefix("world: "),
                int(rows["D"].iloc[0]),
                f"{kl:.3g}",
                quantity(rows["gain"].mean(), error),
                share,
                f"{rows['lower'].max():.3g}",
                upper,
                f"{passed[0]} and {passed[1]} of {len(rows)}",
                _words(rows),
                _mean(rows["excess"]),
                *(_mean(rows[test]) for test in PANEL[:1]),
            ]
        )
    heads = ["world", "D", "KL", "gain", "of the KL", "lower end, largest"]
    heads += ["upper end, smallest", "passed the KL"]
    n, fitted = int(worlds["n"].iloc[0]), int(worlds["N"].iloc[0])
    return [
        "### What is said where the KL is known",
        f"N = {fitted:,} inputs are fitted, n = {n:,} played; gain: mean over seeds ± 1.96 "
        "standard errors. Nothing was tuned to the last "
        f"{_own(worlds)} worlds. {_passed(worlds)} The excess given scale, a diagnostic, and the "
        "p-value of the MMD test are what was read before.",
        markdown(
            [*heads, "answers", "excess given scale (diagnostic)", "p of the MMD test"], lines
        ),
    ]


def _passed(worlds: pd.DataFrame) -> str:
    """In how many audits an end lay on the wrong side of the KL."""
    above, below = int(lower_passed(worlds).sum()), int(upper_passed(worlds).sum())
    bounded = int(worlds["upper"].notna().sum())
    return (
        f"Of {len(worlds):,} audits the proved lower end lay above the KL in {above}, and of the "
        f"{bounded:,} with an upper end that one lay below it in {below}: the table shows the "
        "largest lower end and the smallest upper end of each world, where that would show."
    )


def _own(worlds: pd.DataFrame) -> int:
    names = {f"world: {world.name}" for world in OWN_WORLDS}
    return len(names & set(worlds["kind"]))


def _words(rows: pd.DataFrame) -> str:
    counts = rows["verdict"].value_counts()
    return ", ".join(f"{word} {counts[word]}" for word in _WORDS if word in counts)


def _mean(values: pd.Series) -> str:
    return f"{values.mean():.2g}" if values.notna().any() else "–"


def _changed(table: pd.DataFrame) -> list[str]:
    """The diagnostics that decided before, on the same exact matches."""
    looked = table[(table["kl"] == 0) & table[PANEL[0]].notna()]
    if looked.empty:
        return []
    lines, called, read = [], 0, 0
    for kind, rows in looked.groupby("kind", sort=False):
        with_excess = rows[rows["excess"].notna()]
        above = with_excess["excess"] - 1.96 * with_excess["excess_se"] > MARGIN
        called, read = called + int(above.sum()), read + len(above)
        lines.append(
            [
                kind,
                len(rows),
                _share(rows["verdict"] == "no"),
                _mean(with_excess["excess"]),
                _share(above),
                _share(with_excess["excess_p"] <= 0.05),
                *(_share(rows[test] <= 0.05) for test in PANEL),
            ]
        )
    refused = int((looked["verdict"] == "no").sum())
    heads = ["exact match", "audits", "“no”", "mean excess (diagnostic)"]
    heads += ["excess above the margin"]
    tests = ["null test of the excess", "MMD", "likelihood ratio", "KS"]
    return [
        "### What the diagnostics say of the same matches",
        "The excess given scale, a diagnostic, lies above the margin, with its interval, in "
        f"{called:,} of {read:,} exact matches: its null holds where the scale does not depend on "
        f"place. The answer to these {len(looked):,} is “no” {refused} times. "
        "Tests reject a true match at their level by design, and do not say how far q is.",
        markdown([*heads, *(f"{test}, p ≤ .05" for test in tests)], lines),
    ]


def _share(hits: pd.Series) -> str:
    return f"{int(hits.sum())} of {len(hits)}" if len(hits) else "–"


def _sight(table: pd.DataFrame) -> list[str]:
    """Power by kind, D and n, at a KL that matters; and where there is next to none."""
    far = table[(table["kl"] == _FAR) & (table["family"] != "world")]
    if far.empty:
        return []
    sizes, dimensions = sorted(far["n"].unique()), sorted(far["D"].unique())
    most = far[far["n"] == sizes[-1]]
    lines, power = [], []
    for kind, rows in far.groupby("kind", sort=False):
        shown = most[most["kind"] == kind]
        gains = [shown.loc[shown["D"] == d, "gain"].mean() / _FAR for d in dimensions]
        lines.append([kind, *("–" if np.isnan(gain) else f"{gain:.0%}" for gain in gains)])
        for d, own in rows.groupby("D"):
            power.append([kind, d, *(_said(own[own["n"] == n], "no") for n in sizes)])
    return [
        f"### What is seen of {_FAR:g} nats, and what is not",
        f"The mean gain at n = {sizes[-1]:,} as a share of the KL. {_blind(most)} An “undecided” "
        "there is no evidence of a match.",
        markdown(["kind", *(f"D = {d}" for d in dimensions)], lines),
        "<details><summary>How often “no” is said, by n</summary>",
        markdown(["kind", "D", *(f"n = {n:,}" for n in sizes)], power),
        "</details>",
    ]


def _blind(rows: pd.DataFrame) -> str:
    means = rows.groupby(["kind", "D"], sort=False)["gain"].mean().reset_index()
    shares = means["gain"] / _FAR
    few = means[shares < _FEW]
    blind = [f"{kind} (D = {d})" for kind, d in zip(few["kind"], few["D"], strict=True)]
    half = int((shares >= _MOST).sum())
    return (
        f"At least half of it is found in {half} of {len(shares)} settings, less than a tenth in "
        f"{len(blind)}" + (f": {', '.join(blind)}." if blind else ".")
    )
