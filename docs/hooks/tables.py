"""One HTML file of each matrix, as `vaebench export --format html` writes it, beside its page."""

import tempfile
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from rich.console import Console

from bench.commands.export import execute

_ROOT = Path(__file__).parents[2]
_RESULTS = _ROOT / "results"
_LIST = "results/tables.md"
_SAYS = """# Interactive tables

All of a matrix in one file: the answer, the figures, a leaderboard that filters and sorts by its
headings, the claims with their verdicts, what helps. Each file loads nothing and can be kept or
sent; `vaebench export MATRIX --format html` writes it.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the file of every matrix with results, and a page that lists them."""
    for name in matrices():
        files.append(File.generated(config, _place(name), content=exported(name)))
    links = [f"* [{name}]({name}/table.html)" for name in matrices()]
    files.append(File.generated(config, _LIST, content="\n".join([_SAYS, *links, ""])))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links the page of a matrix to its file."""
    for name in matrices():
        if page.file.src_uri == f"results/{name}.md":
            title, rest = markdown.split("\n", 1)
            link = f"[Interactive table]({name}/table.html): sort, filter, keep as one file."
            return f"{title}\n\n{link}\n{rest}"
    return markdown


def matrices() -> list[str]:
    """The matrices that have results, by name."""
    return sorted(path.parent.name for path in _RESULTS.glob("*/matrix.toml"))


def _place(name: str) -> str:
    return f"results/{name}/table.html"


@cache
def exported(name: str) -> str:
    """The file of one matrix."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "table.html"
        execute(_RESULTS, name, "html", out, Console(quiet=True))
        return out.read_text(encoding="utf-8")
