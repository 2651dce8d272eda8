"""The pages that count the answer's errors."""

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
from bench.calibration.pages.part import Part, mean, said
from bench.calibration.pages.sight import diagnosed, sight
from bench.report.blocks import Block
from bench.report.markdown import fitted, markdown, quantity
from bench.run.progress import counted
from vaelib.audits.verdict import LEAST_FOR_YES, MARGIN
from vaelib.worlds.untuned import OWN_WORLDS

__all__ = ["answer_opening", "answer_parts", "answer_sentence"]

BY_KIND, WORLDS = "answers", "worlds"
"""Names of the pages."""
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


def answer_opening(table: pd.DataFrame, name: str, quick: bool) -> list[str]:
    """What stands below the sentence.

    Args:
        table: One row per audit.
        name: Of the page; the raw table lies in its folder.
        quick: Whether this is the quick form.

    Returns:
        How much was run, and how often each word was wrong.
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
        *_rates(answer_rates(table)),
    ]


def answer_parts(table: pd.DataFrame) -> list[Part]:
    """The pages of the audits whose KL is known.

    Args:
        table: One row per audit.

    Returns:
        By kind and n; of the named worlds; what is seen; what the diagnostics say.
    """
    parts = [_by_kind(table), _worlds(table), sight(table), diagnosed(table)]
    return [part for part in parts if part]


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _count(hits: pd.Series) -> str:
    return f"{int(hits.sum())} ({hits.mean():.2%})" if hits.any() else "none"


def _rates(rates: pd.DataFrame) -> list[str]:
    lines = []
    for _, row in rates.iterrows():
        share = f"{row['events'] / row['audits']:.2%}".removesuffix("%")
        interval = f"[{100 * row['low']:.2f}, {100 * row['high']:.2f}]"
        promise = "–" if np.isnan(row["most"]) else f"{100 * row['most']:g}"
        band = "" if np.isnan(row["most"]) else ("**above**" if row["outside"] else "inside")
        counts = f"{row['events']:,} of {row['audits']:,}"
        what, where = _brief(row["what"]), _brief(row["where"])
        lines.append([what, where, counts, f"{share} {interval}", promise, band])
    heads = ["what was said", "where", "audits", "% [exact 95 %]", "promise, %", "band"]
    return [
        *fitted(heads, lines, left=2),
        f"KL {MARGIN:g} is the margin, exactly. “Yes” is counted where it was possible. **Rare**: "
        "the KL lies in at most 5 % of the inputs, which a yes of few inputs cannot exclude. "
        "**% [exact 95 %]**: the share of the audits and its exact interval.",
    ]


_BRIEF = {
    " exactly, the margin": "",
    ", not in few inputs": ", not rare",
    ", in at most 5 % of the inputs": ", rare",
    "p-value of the e-value at most": "p of the e-value at most",
}


def _brief(text: str) -> str:
    """What happened, or where, as a column has room for it."""
    for words, fewer in _BRIEF.items():
        text = text.replace(words, fewer)
    return text


def _by_kind(table: pd.DataFrame) -> Part | None:
    """Wrong answers of every kind by n."""
    sizes = sorted(table.loc[table["family"] != "world", "n"].unique())
    decided = table[(table["family"] != "world") & (table["kl"] <= MARGIN)]
    if decided.empty:
        return None
    blocks: list[Block] = [
        "Of how many audits of each kind and n “no” was said, which is wrong up to the margin of "
        f"{MARGIN:g} nats, and of how many of any n “yes” where that was possible."
    ]
    counts, wrong, kinds = [], [], 0
    for kl, at in decided.groupby("kl"):
        lines = []
        for kind, rows in at.groupby("kind", sort=False):
            cells = [said(rows[rows["n"] == n], "no") for n in sizes]
            lines.append([kind, *cells, said(rows[could_be_yes(rows)], "yes")])
            if (rows["verdict"] == "no").any():
                wrong.append(f"{kind} at KL {kl:g} ({said(rows, 'no')})")
        heads = ["kind", *(f"n = {n:,}" for n in sizes), "“yes” where possible"]
        blocks += [f"## KL {kl:g}", *fitted(heads, lines)]
        kinds += len(lines)
        counts.append([f"{kl:g}", len(lines), said(at, "no"), said(at[could_be_yes(at)], "yes")])
    text = f"Of {kinds:,} kinds and KL up to the margin, “no” was said of "
    text += f"{len(wrong)}: {', '.join(wrong)}." if wrong else "none."
    heads = ["KL", "kinds", "“no”", "“yes” where possible"]
    found = [f"{text} {_flagged(table)}", markdown(heads, counts, left=0)]
    return Part(BY_KIND, "Answers by kind and n", blocks, found)


def _flagged(table: pd.DataFrame) -> str:
    """Of which independent draws it was said that they are none."""
    wrong = table[table["verdict"] == "flagged"]
    if wrong.empty:
        return "None was flagged."
    every = table["kind"].value_counts().to_dict()
    kinds = [
        f"{str(kind).removeprefix('world: ')} ({count} of {every[kind]})"
        for kind, count in wrong["kind"].value_counts().to_dict().items()
    ]
    return f"Flagged although independent: {', '.join(kinds)}."


def _worlds(table: pd.DataFrame) -> Part | None:
    """What is said where the law has a name."""
    worlds = table[table["family"] == "world"]
    if worlds.empty:
        return None
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
                mean(rows["excess"]),
                *(mean(rows[test]) for test in PANEL[:1]),
            ]
        )
    heads = ["world", "D", "KL", "gain", "of the KL", "lower end, largest"]
    heads += ["upper end, smallest", "passed the KL", "answers"]
    heads += ["excess given scale (diagnostic)", "p of the MMD test"]
    n, fitted_to = int(worlds["n"].iloc[0]), int(worlds["N"].iloc[0])
    blocks = [
        f"N = {fitted_to:,} inputs are fitted, n = {n:,} played; gain: mean over seeds ± 1.96 "
        "standard errors. Nothing was tuned to the last "
        f"{_own(worlds)} worlds. {_passed(worlds)}: the tables show the largest lower end and the "
        "smallest upper end of each world, where that would show. The excess given scale, a "
        "diagnostic, and the p-value of the MMD test are what was read before.",
        *fitted(heads, lines),
    ]
    title = "What is said where the KL is known"
    return Part(WORLDS, title, blocks, [f"{_passed(worlds)}.", _words_by_kl(worlds)])


def _words_by_kl(worlds: pd.DataFrame) -> str:
    """How often each word was said, by what would be right."""
    lines = []
    for where, rows in (
        ("0, an exact match", worlds[worlds["kl"] == 0]),
        (f"up to the margin, {MARGIN:g}", worlds[(worlds["kl"] > 0) & (worlds["kl"] <= MARGIN)]),
        ("larger", worlds[worlds["kl"] > MARGIN]),
    ):
        if len(rows):
            counts = [int((rows["verdict"] == word).sum()) for word in _WORDS[:3]]
            lines.append([where, rows["kind"].nunique(), len(rows), *counts])
    return markdown(["KL", "worlds", "audits", *(f"“{word}”" for word in _WORDS[:3])], lines)


def _passed(worlds: pd.DataFrame) -> str:
    """In how many audits an end lay on the wrong side of the KL."""
    above, below = int(lower_passed(worlds).sum()), int(upper_passed(worlds).sum())
    bounded = int(worlds["upper"].notna().sum())
    return (
        f"Of {len(worlds):,} audits the proved lower end lay above the KL in {above}, and of the "
        f"{bounded:,} with an upper end that one lay below it in {below}"
    )


def _own(worlds: pd.DataFrame) -> int:
    names = {f"world: {world.name}" for world in OWN_WORLDS}
    return len(names & set(worlds["kind"]))


def _words(rows: pd.DataFrame) -> str:
    counts = rows["verdict"].value_counts()
    return ", ".join(f"{word} {counts[word]}" for word in _WORDS if word in counts)
