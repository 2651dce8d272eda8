"""The page of the calibration, made from its tables alone."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.calibration.answers.sections import answer_sections, answer_sentence
from bench.calibration.bands import BAND, clopper_pearson
from bench.calibration.figures import bias_figure, excess_figure, level_figure, power_figure
from bench.calibration.measured import measured
from bench.calibration.samples import DESCRIPTIONS
from bench.calibration.subset import TABLE as SUBSET
from bench.calibration.subset import subset_sentence
from bench.calibration.verdicts import raw_table, read_table, summary
from bench.report.figures.style import save
from bench.report.markdown import markdown, quantity
from bench.report.study_tables import DIAGNOSTIC
from bench.run.progress import counted
from vaelib.files import write_atomically

__all__ = ["write_validity"]

Drawing = Callable[[pd.DataFrame], Figure]

_PROMISES = {
    "unbiased": "unbiased",
    "mean known": "biased, mean known",
    "at most": "oracle is an upper bound",
    "at least": "oracle is a lower bound",
    "exact": "exact",
}
_HOW_TO_READ = f"""## How to read this

* **z**: bias over its Monte Carlo standard error. About one in 370 exceeds 3 by chance.
* **Band**: what a test that holds its level rejects in {BAND:.1%} of such runs: binomial, or
  beta-binomial where repetitions share null draws. In square brackets: the exact (Clopper–Pearson)
  95 % interval of the rate. Above the band is a defect; below it, a test is conservative.
* What fell out of its band was run once more on fresh streams, with four times the repetitions,
  and only that second run counts (marked ²).
* **Fresh null**: null draws made anew for every few hundred repetitions. **Shipped null**: the 999
  draws that the suite uses, fixed so that a p-value is the same whenever it is computed. Given 999
  draws the level of a test is itself random, .05 ± .007 and .01 ± .003 (standard deviations), and
  the same for all who use that n and D.
* **Power**: share of rejections at level .05. A test "permuted" takes n fresh draws of the prior
  and permutes labels: the form for priors without a closed form.
* All streams are named and seeded: the same command gives the same page.
"""


def write_validity(results: Path, name: str) -> Path:
    """Write the page and its figures, from the tables that there are.

    Args:
        results: Folder of all results; the tables lie in its folder ``name``.
        name: Of the page.

    Returns:
        The page.
    """
    folder, quick = results / name, name.endswith("-quick")
    sections = [*_opening(folder, name, quick)]
    for subject, (section, figures) in _SECTIONS.items():
        if not (folder / f"{subject}.csv").is_file():
            continue
        table, raw = read_table(folder, subject), raw_table(folder, subject)
        for title, figure in figures.items():
            save(figure(table), folder / "figures" / f"{title}.png")
        title, *rest = section(table, name)
        sections += [title, measured(folder, subject, raw), *rest, *_beside(folder, subject)]
    sections.append(_HOW_TO_READ)
    page = results / f"{name}.md"
    write_atomically(page, ("\n\n".join(sections).rstrip() + "\n").encode())
    return page


def _beside(folder: Path, subject: str) -> list[str]:
    """What another command measured: up to which D tests see, what a subset of inputs costs."""
    table = {"power": "reach", "estimators": SUBSET}.get(subject, "")
    if not table or not (folder / f"{table}.csv").is_file():
        return []
    raw = raw_table(folder, table)
    link, by = f"[{table}.csv]({folder.name}/{table}.csv)", measured(folder, table, raw)
    if table == SUBSET:
        return ["### All inputs or some", subset_sentence(raw), f"Each model in {link}. {by}"]
    return [f"Up to which D each test sees .2 nats stands in {link}. {by}"]


def _opening(folder: Path, name: str, quick: bool) -> list[str]:
    made = f"Made by `vaebench validate{' --quick' if quick else ''}`; raw numbers in "
    made += f"[{name}/]({name}/)."
    if quick:
        made += " The quick form has few settings and repetitions, and sees gross defects alone."
    title, calibrated = "# How often is the answer wrong?", "Is the suite itself calibrated?"
    form = " (quick form)" if quick else ""
    if not (folder / "answers.csv").is_file():
        return [f"# {calibrated}{form}", _verdict(folder), made]
    answers = raw_table(folder, "answers")
    return [
        f"{title}{form}",
        answer_sentence(answers),
        made,
        measured(folder, "answers", answers),
        *answer_sections(answers, name, quick),
        f"## {calibrated}",
        _verdict(folder),
    ]


def _verdict(folder: Path) -> str:
    count, text = summary(folder)
    first = counted(count, "lies outside", "lie outside")
    first = first if count else "Nothing lies outside its band"
    return f"**{first}**: {text}"


def _mark(row: pd.Series) -> str:
    return " ²" if row.get("again", 0) else ""


def _excess_section(table: pd.DataFrame, name: str) -> list[str]:
    lines = []
    for _, row in table.sort_values(["D", "N", "rate"]).iterrows():
        numbers = [
            quantity(row[estimate], 1.96 * row[f"{estimate}_error"])
            for estimate in ("rate", "marginal_kl", "null", "excess", "loo")
        ]
        z = f"{row['z']:.1f}{_mark(row)}"
        flag = "yes" if row["saturated"] else ""
        settings = [int(row["D"]), f"{int(row['N']):,}", f"{row['scale']:g}"]
        lines.append([*settings, *numbers, f"{row['floor']:.2f}", flag, _bold(z, row["outside"])])
    heads = ["D", "N", "scale", "rate R", "raw KL(q_N‖p)", "null", "excess (diagnostic)"]
    return [
        "## Raw KL grows with the rate; the excess given scale, a diagnostic, stays 0",
        "Encoders whose population is the prior: means from N(0, 1 - s²), scale s. The true "
        "KL(q‖p) is 0 in every row. Raw KL of N inputs is not, and its floor R - log N says why; "
        "the excess over the null is, and the leave-one-out end stays below. Nats, mean ± 1.96 "
        "standard errors over encoders.",
        f"![raw KL, null and excess against the rate]({name}/figures/excess.png)",
        markdown([*heads, "leave-one-out", "floor", "saturated", "z of the excess"], lines, left=0),
    ]


def _bold(text: str, outside: object) -> str:
    return f"**{text}**" if outside else text


def _estimator_section(table: pd.DataFrame, name: str) -> list[str]:
    summaries, settings = [], []
    for estimator, cases in table.groupby("estimator", sort=False):
        largest = cases["z"].abs().max()
        exact = cases.loc[cases["promise"] == "exact", "largest"].max()
        promises = ", ".join(_PROMISES[text] for text in dict.fromkeys(cases["promise"]))
        printed = cases["printed"].sum()
        summaries.append(
            [
                f"`{estimator}`",
                promises,
                len(cases),
                "–" if math.isnan(largest) else f"{largest:.1f}",
                "–" if math.isnan(exact) else f"{exact:.0e}",
                f"{cases['covered'].sum() / printed:.3f}" if printed else "–",
                int(cases["outside"].sum()) or "",
            ]
        )
    for _, row in table.iterrows():
        settings.append(
            [
                f"`{row['estimator']}`",
                row["setting"],
                _PROMISES[row["promise"]],
                row["source"],
                row["repetitions"],
                f"{row['oracle']:.5g}",
                f"{row['mean']:.5g}",
                f"{row['bias']:.1e}",
                f"{row['error']:.1e}",
                "–"
                if math.isnan(row["z"])
                else _bold(f"{row['z']:.2f}", row["outside"]) + _mark(row),
                f"{row['covered'] / row['printed']:.3f}" if row["printed"] else "–",
            ]
        )
    expected = 0.0027 * table["z"].notna().sum()
    return [
        "## Estimators against their oracles",
        f"By chance {expected:.1f} of the {table['z'].notna().sum()} z would exceed 3 in a first "
        "run. Coverage: how often value ± 1.96 printed standard errors holds the oracle; the error "
        "of one draw per component errs on the large side, that of `marginal_kl_loo` is over "
        "inputs too, that of `hole_mass` reaches the further end of its interval.",
        f"![bias in standard errors]({name}/figures/bias.png)",
        markdown(
            ["estimator", "docstring promises", "settings", "largest |z|"]
            + ["largest error, exact", "coverage", "outside"],
            summaries,
            left=2,
        ),
        "<details><summary>Every setting</summary>",
        markdown(
            ["estimator", "setting", "promise", "oracle from", "repetitions", "oracle", "mean"]
            + ["bias", "standard error", "z", "coverage"],
            settings,
            left=4,
        ),
        "</details>",
    ]


def _level_section(table: pd.DataFrame, name: str) -> list[str]:
    fresh, shipped = (table[table["null"] == kind] for kind in ("fresh", "shipped"))
    conservative = fresh[fresh["conservative"]]
    section = [
        "## Levels of the tests",
        "Rejections where the null is true, z ~ N(0, I) or a matched encoder. "
        + _listed(conservative, "Conservative, below their band")
        + " Beyond 1,000 rows the statistics of cost O(n²) take their null from 1,000.",
        f"![rejection rates and their bands]({name}/figures/levels.png)",
        *_level_tables(fresh),
    ]
    if len(shipped):
        section += ["### Given the shipped null draws", *_level_tables(shipped)]
    counts = []
    for _, row in table.iterrows():
        ends = clopper_pearson(int(row["rejections"]), int(row["repetitions"]))
        counts.append(
            [
                row["test"],
                f"{row['n']:,}",
                row["D"],
                row["null"] if row["draws"] else "none shared",
                f"{row['level']:g}",
                f"{row['rejections']} of {row['repetitions']}{_mark(row)}",
                f"[{ends[0]:.4f}, {ends[1]:.4f}]",
                f"{row['low']}–{row['high']}",
                "**above**" if row["outside"] else "below" if row["conservative"] else "inside",
            ]
        )
    heads = ["test", "n", "D", "null draws", "level", "rejections", "exact 95 % interval"]
    return [
        *section,
        "<details><summary>Every count</summary>",
        markdown([*heads, "band", "verdict"], counts),
        "</details>",
    ]


def _listed(rows: pd.DataFrame, text: str) -> str:
    if rows.empty:
        return ""
    names = dict.fromkeys(
        f"{row['test']} (n = {row['n']:,}, D = {row['D']}, level {row['level']:g})"
        for _, row in rows.iterrows()
    )
    return f"{text}: {', '.join(names)}."


def _level_tables(table: pd.DataFrame) -> Iterable[str]:
    settings = list(dict.fromkeys(zip(table["n"], table["D"], strict=True)))
    for level, at_level in table.groupby("level", sort=False):
        lines = []
        for test, rows in at_level.groupby("test", sort=False):
            rates = {}
            for _, row in rows.iterrows():
                rate = row["rejections"] / row["repetitions"]
                text = f"{rate:.4f}".removeprefix("0") + _mark(row)
                rates[row["n"], row["D"]] = _bold(text, row["outside"])
            lines.append([test, *(rates.get(setting, "–") for setting in settings)])
        heads = [f"level {level:g}", *(f"n = {n:,}, D = {d}" for n, d in settings)]
        yield markdown(heads, lines)


def _power_section(table: pd.DataFrame, name: str) -> list[str]:
    alternatives = list(dict.fromkeys(table["alternative"]))
    lines = []
    for (n, d, test), rows in table.groupby(["n", "D", "test"], sort=False):
        power = dict(zip(rows["alternative"], rows["power"], strict=True))
        cells = [f"{power[q]:.2f}" if q in power else "–" for q in alternatives]
        lines.append([test, n, d, rows["repetitions"].iloc[0], *cells])
    explained = "; ".join(f"{q}: {DESCRIPTIONS[q]}" for q in alternatives)
    return [
        "## Power",
        f"Rejections at level .05. {explained}.",
        f"![power of every test]({name}/figures/power.png)",
        "<details><summary>As a table</summary>",
        markdown(["test", "n", "D", "repetitions", *alternatives], lines),
        "</details>",
    ]


def _interval_section(table: pd.DataFrame, name: str) -> list[str]:
    lines = []
    for _, row in table.iterrows():
        low, high = clopper_pearson(int(row["held"]), int(row["repetitions"]))
        rate = f"{row['held'] / row['repetitions']:.3f}{_mark(row)}"
        lines.append(
            [
                _named(row["what"]),
                row["setting"],
                row["promise"],
                f"{row['nominal']:g}",
                row["repetitions"],
                _bold(rate, row["outside"]),
                f"[{low:.3f}, {high:.3f}]",
            ]
        )
    heads = ["what is printed", "where", "promise", "nominal", "repetitions", "held"]
    return [
        "## Intervals, tie groups, ranks, and the gate",
        "How often what is printed holds. Student's t is exact for normal values; skewed ones are "
        "there to show what breaking that assumption costs at few seeds. The errors of `audit()` "
        "are Monte Carlo errors at given inputs, and approximate.",
        markdown([*heads, "exact 95 % interval"], lines, left=3),
    ]


def _named(what: str) -> str:
    """What is printed; of the diagnostics that assume a null, that they are."""
    return f"{what}, a diagnostic" if any(name in what for name in DIAGNOSTIC) else what


def _of_fresh_nulls(table: pd.DataFrame) -> Figure:
    return level_figure(table[table["null"] == "fresh"])


_SECTIONS: dict[str, tuple[Callable[[pd.DataFrame, str], list[str]], dict[str, Drawing]]] = {
    "excess": (_excess_section, {"excess": excess_figure}),
    "estimators": (_estimator_section, {"bias": bias_figure}),
    "levels": (_level_section, {"levels": _of_fresh_nulls}),
    "power": (_power_section, {"power": power_figure}),
    "intervals": (_interval_section, {}),
}
