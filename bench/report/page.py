"""The pages of a matrix: the answer, one page for each study, and what explains them.

The same results give the same bytes.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

from bench.analysis.results import Results
from bench.errors import visible
from bench.report.answer import answer
from bench.report.apart import failure_section, unrun_section
from bench.report.blocks import Block, Page, composed
from bench.report.bracket_section import bracket_section
from bench.report.change_section import change_section
from bench.report.claims_page import claims_section
from bench.report.cost_section import cost, cost_section
from bench.report.data_section import data_section, resolution
from bench.report.latent_section import latent_section, other_latents
from bench.report.leaderboard import leaderboard_section
from bench.report.markdown import escaped, prose
from bench.report.names import COLUMNS, INPUTS, SAMPLES, file_name
from bench.report.reading import pointer, reading
from bench.report.replication import agreement
from bench.report.sample_sections import sample_section
from bench.report.study_sections import rest_section, study_section
from bench.rows import SCHEMA
from bench.run.progress import counted

__all__ = ["earlier", "pages", "question"]

_EARLIER = (
    "These rows were written under an earlier schema, before KL(q‖p) had a bracket. What they hold "
    "is shown as it was measured; it is not to be compared with rows written since."
)
_TABLES = "-tables"
"""What the page of the other numbers of a study is called after the study."""
_MEASURED = re.compile(r"^(Cost|Last):.*\n?(?:^[ \t]+\S.*\n?)*", re.MULTILINE)
"""What a matrix file says of some run; its page says what this run measured and took."""


def pages(results: Results) -> list[Page]:
    """Compose the pages of one matrix and draw their figures.

    Args:
        results: Of the matrix; its comment is quoted below the answer.

    Returns:
        The page with the answer, which is meant to stand beside the folder of the matrix, then
        those that are meant to stand in it.
    """
    beside = _beside(results)
    found = [_answer(results, [(file, title) for file, title, _ in beside])]
    for study, part in results.studies.items():
        slug, title = file_name(study), f"{results.name}: {prose(study)}"
        rest = rest_section(part, study)
        more = f"; more of its numbers: [tables]({slug}{_TABLES}.md)" if rest else ""
        links = f"{more}; the columns: [how to read]({COLUMNS}.md)"
        found.append(_part(results, slug, title, study_section(part, study), links))
        if rest:
            links = f"; [the study]({slug}.md)"
            found.append(_part(results, f"{slug}{_TABLES}", f"{title}, tables", rest, links))
    for file, title, blocks in beside:
        found.append(_part(results, file, f"{results.name}: {title}", blocks))
    return found


def _part(
    results: Results, file: str, title: str, blocks: Sequence[Block], links: str = ""
) -> Page:
    """A page in the folder of the matrix, which leads back to the answer."""
    up = f"Of [{results.name}](../{results.name}.md){links}."
    return composed(results.name, [f"# {title}", up, *blocks], file)


def _beside(results: Results) -> list[tuple[str, str, list[Block]]]:
    """The pages in the folder of the matrix that are of no study: file, title, blocks."""
    every: list[tuple[str, str, list[Block]]] = [
        (SAMPLES, "samples and latents", [*sample_section(results), *other_latents(results)]),
        (INPUTS, "other test inputs", data_section(results)),
        (COLUMNS, "how to read", reading(results)),
    ]
    return [one for one in every if one[2]]


def _answer(results: Results, beside: Sequence[tuple[str, str]]) -> Page:
    name = results.name
    blocks: list[Block] = [f"# {name}", f"**{answer(results)}**"]
    blocks += [cost(results)] if results.costs else []
    blocks += latent_section(results)
    blocks += question(results)
    blocks += earlier(results)
    blocks += [*change_section(results), *cost_section(results)]
    if results.findings:
        blocks += claims_section(name, results.findings)
        if compared := agreement(results):
            blocks.append(compared)
    blocks += bracket_section(results)
    blocks += ["## Leaderboard", *leaderboard_section(results.models, pointer(results))]
    blocks += [*failure_section(results), *unrun_section(results), *resolution(results)]
    links = [f"[{prose(study)}]({name}/{quote(file_name(study))}.md)" for study in results.studies]
    blocks.append(f"## More\n\nStudies: {', '.join(links)}." if links else "## More")
    also = ", ".join(f"[{title}]({name}/{part}.md)" for part, title in beside)
    blocks.append(f"Also: {also}.")
    blocks.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {_extent(results)}.")
    return composed(name, blocks)


def question(results: Results) -> list[Block]:
    """Quote what the matrix file opens with, but for what it says of some run.

    Args:
        results: Of one matrix.

    Returns:
        A block of Markdown; none where the file says nothing.
    """
    comment = _MEASURED.sub("", results.comment).strip()
    lines = [f"> {_quoted(line)}".rstrip() for line in comment.splitlines()]
    return ["\n".join(lines)] if lines else []


def earlier(results: Results) -> list[Block]:
    """Say that rows are of an earlier schema, where they are.

    Args:
        results: Of one matrix.

    Returns:
        A block of Markdown; none of rows of the present schema.
    """
    old = len(results.rows) and min(results.rows["schema"]) < SCHEMA
    return [_EARLIER] if old else []


def _quoted(line: str) -> str:
    """A line of a person's comment: its code spans stay, all else that would be markup is shown."""
    parts = re.split(r"(`[^`]+`)", line)
    return visible("".join(escaped(p) if place % 2 == 0 else p for place, p in enumerate(parts)))


def _extent(results: Results) -> str:
    """How much was run, and what it took."""
    text = counted(len(results.configurations), "configuration")
    text += f", {counted(results.cells, 'cell')}"
    took = results.rows.drop_duplicates(["config", "seed"])["seconds"].sum() / 3600
    return f"{text}, which took {took:.2g} hours one after another" if took else text
