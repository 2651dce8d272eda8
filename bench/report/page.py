"""The pages of a matrix: the answer, one page for each study, and what explains them.

The same results give the same bytes.
"""

import re
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
from bench.report.latent_section import latent_section
from bench.report.leaderboard import leaderboard_section
from bench.report.markdown import escaped, prose
from bench.report.names import COLUMNS, INPUTS, SAMPLES, file_name
from bench.report.reading import reading
from bench.report.replication import agreement
from bench.report.sample_sections import sample_section
from bench.report.study_sections import rest_section, study_section
from bench.rows import SCHEMA
from bench.run.progress import counted

__all__ = ["pages"]

_EARLIER = (
    "These rows were written under an earlier schema, before KL(q‖p) had a bracket. What they hold "
    "is shown as it was measured; it is not to be compared with rows written since."
)
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
    name, beside = results.name, _beside(results)
    found = [_answer(results, beside)]
    up = f"Of [{name}](../{name}.md)"
    for study, part in results.studies.items():
        slug = file_name(study)
        rest = rest_section(part, study)
        more = f"; more of its numbers: [tables]({slug}{_TABLES}.md)" if rest else ""
        head = [
            f"# {name}: {prose(study)}",
            f"{up}{more}; the columns: [how to read]({COLUMNS}.md).",
        ]
        found.append(composed(name, [*head, *study_section(part, study)], slug))
        if rest:
            head = [f"# {name}: {prose(study)}, tables", f"{up}; [the study]({slug}.md)."]
            found.append(composed(name, [*head, *rest], f"{slug}{_TABLES}"))
    for file, (_, blocks) in beside.items():
        found.append(composed(name, [*blocks[:1], f"{up}.", *blocks[1:]], file))
    return found


_TABLES = "-tables"


def _beside(results: Results) -> dict[str, tuple[str, list[Block]]]:
    """The other pages in the folder of the matrix: what they are called, and their blocks."""
    name = results.name
    said = {
        SAMPLES: ("samples and latents", [*sample_section(results), *latent_section(results)[1]]),
        INPUTS: ("other test inputs", data_section(results)),
    }
    titled = {
        part: (title, [f"# {name}: {title}", *blocks])
        for part, (title, blocks) in said.items()
        if blocks
    }
    return titled | {COLUMNS: ("how to read", reading(results))}


def _answer(results: Results, beside: dict[str, tuple[str, list[Block]]]) -> Page:
    name, rows = results.name, results.rows
    blocks: list[Block] = [f"# {name}", f"**{answer(results)}**"]
    blocks += [cost(results)] if results.costs else []
    blocks += latent_section(results)[0]
    if comment := _MEASURED.sub("", results.comment).strip():
        blocks.append("\n".join(f"> {_quoted(line)}".rstrip() for line in comment.splitlines()))
    if len(rows) and min(rows["schema"]) < SCHEMA:
        blocks.append(_EARLIER)
    blocks += [*change_section(results), *cost_section(results)]
    if results.findings:
        blocks += claims_section(name, results.findings)
        if compared := agreement(results):
            blocks.append(compared)
    blocks += bracket_section(results)
    blocks += ["## Leaderboard", *leaderboard_section(results.models)]
    blocks += [*failure_section(results), *unrun_section(results), *resolution(results)]
    links = [f"[{prose(study)}]({name}/{quote(file_name(study))}.md)" for study in results.studies]
    blocks.append(f"## More\n\nStudies: {', '.join(links)}." if links else "## More")
    also = ", ".join(f"[{title}]({name}/{part}.md)" for part, (title, _) in beside.items())
    blocks.append(f"Also: {also}.")
    blocks.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {_extent(results)}.")
    return composed(name, blocks)


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
