"""The first page of a results folder: the question, and what every matrix answers."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from bench.analysis.results import Results
from bench.report.answer import answer
from bench.report.claims_page import answers
from bench.report.markdown import markdown, prose
from bench.report.predictors_page import NAME, not_read

__all__ = ["index"]


def index(
    matrices: Sequence[Results], pages: Iterable[str], unread: Mapping[str, str], predicts: str
) -> str:
    """Compose ``README.md``: the answer of every matrix that has rows.

    Args:
        matrices: Results of every matrix in the folder.
        pages: Names of all pages in the folder, without ``.md``.
        unread: Of each matrix whose rows cannot be read, why.
        predicts: What predicts the quality of samples, in a sentence.

    Returns:
        Markdown.
    """
    lines = [
        [
            f"[{results.name}]({results.name}.md)",
            answer(results),
            _configurations(results),
            results.rows["seed"].nunique(),
            len(results.failures),
        ]
        for results in matrices
    ]
    heads = ["matrix", "answer", "configurations", "seeds", "failed cells"]
    blocks = ["# Results", "Does the aggregate posterior match its prior?"]
    blocks.append(markdown(heads, lines, left=2) if lines else "No matrix has rows yet.")
    blocks += not_read(unread)
    if lines:
        blocks += ["## What predicts sample quality?", f"{predicts} More: [{NAME}]({NAME}.md)."]
    if verdicts := answers(matrices):
        blocks += ["## What the thread said, and what the seeds say", *verdicts]
    names = [results.name for results in matrices]
    listed = {"README", NAME, *names, *(f"{name}-claims" for name in names)}
    if others := sorted(set(pages) - listed):
        links = ", ".join(f"[{prose(name)}]({quote(name)}.md)" for name in others)
        blocks.append(f"Other pages: {links}.")
    return "\n\n".join(blocks) + "\n"


def _configurations(results: Results) -> str:
    """How many there are, and how many of how many where some have not run."""
    count = results.rows["config"].nunique()
    return f"{count} of {count + len(results.unrun)}" if results.unrun else str(count)
