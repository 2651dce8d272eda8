"""What ``vaebench export`` does: results as a table, for a paper, or as one file."""

import os
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from rich.console import Console

import bench
from bench.analysis.results import Results
from bench.commands.outputs import check_output, write_output
from bench.commands.report import read_results
from bench.errors import DamagedError, UserError, reason
from bench.export.bibtex import Suite, as_bibtex, cited
from bench.export.html import GENERATOR, as_html
from bench.export.latex import as_latex
from bench.export.origin import Origin, origin
from bench.export.table import COLUMNS, as_csv
from bench.run.provenance import sessions
from vaelib.reading import read_bytes

__all__ = ["execute"]

_HEAD = 400  # bytes of a file, among which an export says that it is one
_BEGINS = (",".join(COLUMNS) + "\n", "% Made by vaebench export ")  # tables, LaTeX and BibTeX


def execute(results: Path, name: str, form: str, out: Path | None, console: Console) -> int:
    """Export the results of a matrix.

    Args:
        results: Folder of all results.
        name: Of the matrix.
        form: csv, latex, html or bibtex.
        out: Where to; standard output where None, of html ``NAME.html`` in the working folder.
        console: Where it is said which file was written.

    Returns:
        0.

    Raises:
        DamagedError: Where a file of the matrix is not what a run wrote.
        UserError: Where there is nothing to export, or it would replace a file of a user's.
    """
    if out is None and form == "html":
        out = Path(f"{name}.html")
    if out is not None:
        _check(out, form)
    text = _text(read_results(results, name), results / name, form)
    if out is None:
        print(text, end="")
        return 0
    write_output(out, text.encode())
    console.print(str(out), markup=False)
    return 0


def _text(matrix: Results, folder: Path, form: str) -> str:
    command = f"vaebench export {matrix.name} --format {form}"
    if form == "csv":
        return as_csv(matrix)
    if form == "latex":
        return as_latex(matrix, command)
    made = _origin(folder / "provenance.json")
    if form == "html":
        return as_html(matrix, made, command)
    return as_bibtex(matrix.name, _suite(), made, command)


def _origin(path: Path) -> Origin:
    try:
        return origin(sessions(path))
    except (OSError, ValueError) as error:
        sentence = f"expected where the cells were measured in {path}, got something else"
        raise DamagedError(f"{sentence} ({reason(error)}); run the matrix again") from error


def _check(path: Path, form: str) -> None:
    """Refuse a path that cannot be written, and a file that no export has written."""
    check_output(path, "--out", table=form == "csv")
    if not path.is_file():  # not there, or a pipe or a device
        return
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8", "replace")
    if not (head.startswith(_BEGINS) or GENERATOR in head):
        raise UserError(
            f"--out must be a new file or an earlier export, got {path}, which is neither; "
            "choose another file"
        )


def _suite() -> Suite:
    """How the suite is cited: by the citation file beside it, else by what it is installed as."""
    root = Path(str(bench.__file__)).parents[1]
    known = _project(root / "pyproject.toml") or _installed()
    citation = root / "CITATION.cff"
    if known is None or not os.path.lexists(citation):
        return known or Suite("vaebench")
    return cited(read_bytes(citation).decode("utf-8", "replace"), known)


def _project(path: Path) -> Suite | None:
    """What the project file of a checkout says; None where there is none of the suite's."""
    try:
        project = tomllib.loads(read_bytes(path).decode())["project"]
        if project["name"] != "vaebench":
            return None
        return Suite(f"vaebench: {project['description']}", str(project["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _installed() -> Suite | None:
    try:
        about = metadata("vaebench")
    except PackageNotFoundError:
        return None
    return Suite(f"vaebench: {about['Summary']}", str(about["Version"]))
