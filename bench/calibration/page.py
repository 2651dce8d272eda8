"""The pages of the calibration, made from its tables alone."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.calibration.again import TABLE as AGAIN
from bench.calibration.bands import BAND
from bench.calibration.measured import CODE, code_of, measured
from bench.calibration.pages.again import again_parts
from bench.calibration.pages.answers import answer_opening, answer_parts, answer_sentence
from bench.calibration.pages.estimators import estimator_parts
from bench.calibration.pages.excess import excess_parts
from bench.calibration.pages.intervals import interval_parts
from bench.calibration.pages.levels import level_parts
from bench.calibration.pages.part import Part
from bench.calibration.pages.power import blind, power_parts, reach_blocks
from bench.calibration.pages.subset import subset_parts
from bench.calibration.verdicts import raw_table, read_table, summary
from bench.report.blocks import Block, Page, composed
from bench.report.names import COLUMNS
from bench.run.progress import counted
from vaelib.files import write_atomically

__all__ = ["validity_pages", "write_validity"]

_HOW_TO_READ = f"""\
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
    """Write the pages and their figures, from the tables that there are.

    Args:
        results: Folder of all results; the tables lie in its folder ``name``.
        name: Of the first page.

    Returns:
        The first page.
    """
    first, *others = validity_pages(results / name)
    for page in (*others, first):  # a page stands before one that links to it
        for picture in page.pictures:
            write_atomically(results / name / "figures" / picture.file, picture.png)
        write_atomically(results / page.file, page.text.encode())
    return results / first.file


def validity_pages(folder: Path) -> list[Page]:
    """Compose the pages and draw their figures.

    Args:
        folder: Of the tables, called as the first page is.

    Returns:
        The page that answers, which is meant to stand beside the folder, then those in it.
    """
    name, there = folder.name, [subject for subject in _PARTS if _is_there(folder, subject)]
    parts = {subject: _measured_parts(folder, subject) for subject in there}
    others = [part for of_subject in parts.values() for part in of_subject]
    pages = [_first(folder, parts), *(_page(name, part) for part in others)]
    up = f"Of [{name}](../{name}.md)."
    pages.append(composed(name, ["# How to read the tables", up, _HOW_TO_READ.rstrip()], COLUMNS))
    return pages


def _measured_parts(folder: Path, subject: str) -> list[Part]:
    """The pages of a table, each of which says which code measured it."""
    raw = raw_table(folder, subject)
    said = measured(folder, subject, raw)
    table = raw if subject in _UNJUDGED else read_table(folder, subject)
    parts = []
    for part in _PARTS[subject](table):
        blocks, found = [said, *part.blocks], [*part.found]
        if subject == part.file == "power" and _is_there(folder, "reach"):
            reached = raw_table(folder, "reach")
            blocks += reach_blocks(reached, measured(folder, "reach", reached))
            found.append(blind(reached))
        parts.append(Part(part.file, part.title, blocks, found))
    return parts


_UNJUDGED = ("again", "answers", "subset")
"""Tables of which no row has a band of its own."""


def _page(name: str, part: Part) -> Page:
    up = f"Of [{name}](../{name}.md); the words: [how to read]({COLUMNS}.md)."
    return composed(name, [f"# {part.title}", up, *part.blocks], part.file)


def _is_there(folder: Path, subject: str) -> bool:
    return (folder / f"{subject}.csv").is_file()


def _first(folder: Path, parts: dict[str, list[Part]]) -> Page:
    """The answer, and what was found of each subject."""
    name, quick = folder.name, folder.name.endswith("-quick")
    form = " (quick form)" if quick else ""
    made = f"Made by `vaebench validate{' --quick' if quick else ''}`; raw numbers in "
    made += f"[{name}/]({name}/). {_by_which_code(folder)}"
    if quick:
        made += " The quick form has few settings and repetitions, and sees gross defects alone."
    title, calibrated = "How often is the answer wrong?", "Is the suite itself calibrated?"
    blocks: list[Block]
    if "answers" in parts:
        answers = raw_table(folder, "answers")
        blocks = [f"# {title}{form}", answer_sentence(answers), made]
        blocks += answer_opening(answers, name, quick)
        blocks += _found(name, parts["answers"], "##")
        blocks += [f"## {calibrated}", _verdict(folder)]
    else:
        blocks = [f"# {calibrated}{form}", _verdict(folder), made]
    for subject, of_subject in parts.items():
        if subject != "answers":
            blocks += _found(name, of_subject, "###")
    blocks.append(f"The words of these tables: [how to read]({name}/{COLUMNS}.md).")
    return composed(name, blocks)


def _found(name: str, parts: list[Part], level: str) -> list[Block]:
    """What was found, in a paragraph and a small table each, and where more of it stands."""
    blocks: list[Block] = []
    for part in parts:
        if part.found:
            blocks += [f"{level} {part.title}", *part.found]
            blocks.append(f"More: [{part.file}]({name}/{part.file}.md).")
    return blocks


def _by_which_code(folder: Path) -> str:
    """Which tables the present code measured, in a sentence."""
    there = [table for table in CODE if table != AGAIN and _is_there(folder, table)]
    present = [table for table in there if _codes(folder, table) == {code_of(table)}]
    if present == there:
        return "The present code measured every table."
    shown = ", ".join(f"`{table}.csv`" for table in present)
    if present:
        was = "were" if present[1:] else "was"
        said = f"{shown} alone {was} measured by the present code; the others by code that may "
        said += "have measured something else"
    else:
        said = "None of its tables was measured by the present code, which may measure something "
        said += "else"
    return f"{said}: each page says which code did."


def _codes(folder: Path, table: str) -> set[str]:
    frame = raw_table(folder, table)
    return set(frame["code"].astype(str)) if "code" in frame else set()


def _verdict(folder: Path) -> str:
    count, text = summary(folder)
    first = counted(count, "lies outside", "lie outside")
    first = first if count else "Nothing lies outside its band"
    return f"**{first}**: {text}"


_PARTS: dict[str, Callable[[pd.DataFrame], list[Part]]] = {
    "answers": answer_parts,
    "estimators": estimator_parts,
    "levels": level_parts,
    "power": power_parts,
    "intervals": interval_parts,
    "excess": excess_parts,
    "subset": subset_parts,
    "again": again_parts,
}
