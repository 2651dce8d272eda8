"""What ``vaebench report`` does: read the results, render their pages, then save them."""

import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console

from bench.analysis.prediction import Prediction
from bench.analysis.predictors import predictions
from bench.analysis.results import Results
from bench.commands.folder import claim
from bench.commands.stamp import Stamp
from bench.errors import DamagedError, DamagedWarning
from bench.matrix.components import MatrixName
from bench.report.answer import answer
from bench.report.blocks import Picture
from bench.report.claims_page import answers, claims_page
from bench.report.ending import ending
from bench.report.index import index
from bench.report.page import pages
from bench.report.predictors_page import NAME, headline, predictors_page
from bench.report.replication import replication_section
from bench.run.kept_rows import WRITTEN
from bench.run.progress import beating
from bench.run.record import one_line
from vaelib.files import sweep, write_atomically
from vaelib.reading import read_bytes

__all__ = [
    "execute",
    "outdated",
    "overviews_outdated",
    "page_names",
    "read_results",
    "say_answer",
    "write_overviews",
    "write_pages",
]

_READ = (*WRITTEN, "rows.json")  # of every matrix; of its own the arrays too


def write_pages(results: Path, name: str, form: str = "") -> Path:
    """Write the pages of one matrix, their figures, its claims, and what is said of all matrices.

    The former come from the files in the folder of the matrix alone, the latter from the rows of
    all: without new rows and arrays they are rebuilt byte for byte.

    Args:
        results: Folder of all results.
        name: Of the matrix.
        form: svg or pdf, in which figures are written too; pages do not show those.

    Returns:
        Path of the page with the answer.

    Raises:
        DamagedError: Where a file of this matrix is not what a run wrote; one of another matrix is
            only left out, with a `DamagedWarning`.
    """
    stamp = _stamp(results, name)
    matrix = read_results(results, name)
    rendered, path = pages(matrix), results / f"{name}.md"
    figures = results / name / "figures"
    pictures = [picture for one in rendered for picture in one.pictures]
    files = {figures / picture.file: picture.png for picture in pictures}
    vectors = _vectors(figures, pictures, form)
    files |= {results / one.file: one.text.encode() for one in reversed(rendered)}
    if matrix.findings:
        text = claims_page(name, matrix.findings, replication_section(matrix))
        files[results / f"{name}-claims.md"] = text.encode()
    _save(results, files, stamp, figures, vectors)
    write_overviews(results, [one for one in (matrix, matrix.original) if one], form)
    return path


def _vectors(folder: Path, pictures: Sequence[Picture], form: str) -> dict[Path, bytes]:
    """Figures in a form without pixels, where one is wanted; they stand beside the others."""
    drawn = [picture.vector(form) for picture in pictures] if form else []
    return {folder / one[0]: one[1] for one in drawn if one}


def read_results(results: Path, name: str) -> Results:
    """Read the results of a matrix, and of the one that it replicates.

    Args:
        results: Folder of all results.
        name: Of the matrix.

    Returns:
        Both.

    Raises:
        DamagedError: As `write_pages`.
    """
    matrix = Results.read(results / name)
    return replace(matrix, original=_original(results, matrix))


def execute(results: Path, name: str, console: Console, form: str = "") -> int:
    """Write the pages of one matrix, and say what they answer.

    Args:
        results: Folder of all results.
        name: Of the matrix.
        console: Standard output.
        form: As `write_pages`.

    Returns:
        The exit code, 0.
    """
    with beating(console.print, lambda: "writing pages"):
        write_pages(results, name, form)
    if form:
        console.print(f"figures also as {form}: {results / name / 'figures'}", soft_wrap=True)
    say_answer(results, name, console)
    return 0


def say_answer(results: Path, name: str, console: Console) -> None:
    """Print what the page of a matrix answers, and last its path.

    Args:
        results: Folder of all results, in which the pages have been written.
        name: Of the matrix.
        console: Standard output.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedWarning)  # said as the pages were written
        lines = ending(Results.read(results / name, whole=False), results / f"{name}.md")
    for line in lines:
        console.print(line, soft_wrap=not console.is_terminal)


def page_names(name: str, *, claims: bool) -> list[str]:
    """What `write_pages` writes in the folder of all results.

    Args:
        name: Of the matrix.
        claims: Whether it has any.

    Returns:
        Names of files and folders.
    """
    return [name, f"{name}.md", *[f"{name}-claims.md"] * claims, f"{NAME}.md", NAME, "README.md"]


def write_overviews(results: Path, read: Sequence[Results] = (), form: str = "") -> Path:
    """Write what predicts sample quality, and ``README.md``: the answer of every matrix.

    Args:
        results: Folder of all results.
        read: Those of them that have been read already.
        form: As `write_pages`.

    Returns:
        Path of ``README.md``.
    """
    stamp = _overview_stamp(results)
    matrices, predicted, unread = _all(results, {one.name: one for one in read})
    rendered = predictors_page([one.name for one in matrices], predicted, unread)
    names = [page.stem for page in results.glob("*.md")]
    figures, path = results / NAME / "figures", results / "README.md"
    files = {figures / picture.file: picture.png for picture in rendered.pictures}
    files[results / f"{NAME}.md"] = rendered.text.encode()
    files[path] = index(matrices, names, unread, headline(predicted)).encode()
    _save(results, files, stamp, figures, _vectors(figures, rendered.pictures, form))
    return path


def _all(
    results: Path, read: Mapping[str, Results]
) -> tuple[list[Results], list[Prediction], dict[str, str]]:
    """Read every matrix that has rows, and predict; of those that cannot be read, why."""
    matrices, predicted, unread = [], [], {}
    for folder in sorted(path.parent for path in results.glob("*/rows.csv")):
        if one := read.get(folder.name):
            matrices.append(one)
            predicted += predictions([one])
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that no run wrote
                one = _neighbour(folder)
                predicts = predictions([one])
            predicted += predicts
            matrices.append(one)
        except Exception as error:  # rows that no run wrote stop a statistic in any way
            reason = _why(error)
            unread[folder.name] = reason.replace(f"{results}/", "")
            text = f"{folder.name} is left out of the overviews: {reason}"
            warnings.warn(text, DamagedWarning, stacklevel=3)
    return matrices, predicted, unread


def _neighbour(folder: Path) -> Results:
    """Reads what an overview needs, and decides it, so that damage shows here."""
    one = Results.read(folder, whole=False)
    _ = answer(one), answers([one])
    return one


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"cannot read {error.filename}: {error.strerror}"
    return str(error) if isinstance(error, DamagedError) else one_line(error)


def _original(results: Path, matrix: Results) -> Results | None:
    """What a matrix replicates; None where that is nothing, or has no rows that can be read."""
    other = None if matrix.matrix is None else matrix.matrix.replicates
    if other is None or not (results / other / "rows.csv").is_file():
        return None
    try:
        return _neighbour(results / other)
    except Exception as error:  # as above
        text = f"{matrix.name} is not compared with {other}: {_why(error)}"
        warnings.warn(text, DamagedWarning, stacklevel=3)
        return None


def _replicated(folder: Path) -> str | None:
    """The name of what a matrix replicates, as its file says; None also where it says nothing."""
    try:
        document = tomllib.loads(read_bytes(folder / "matrix.toml").decode())
        return TypeAdapter(MatrixName).validate_python(document["matrix"]["replicates"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _save(
    results: Path,
    files: Mapping[Path, bytes],
    stamp: Stamp,
    figures: Path,
    vectors: Mapping[Path, bytes],
) -> None:
    """Save what was rendered, in this order, where nothing of a user's is replaced.

    Vectors are no part of the pages: whether those are up to date does not depend on them.
    """
    claim(results, dict.fromkeys(path.relative_to(results).parts[0] for path in files))
    sweep(figures, *dict.fromkeys(path.parent for path in files))
    for path, data in {**vectors, **files}.items():
        write_atomically(path, data)
    stamp.keep(files)


def _stamp(results: Path, name: str) -> Stamp:
    folder, other = results / name, _replicated(results / name)
    files = [folder / file for file in (*_READ, "arrays.npz")]
    return Stamp.of(folder, files + [results / other / file for file in _READ if other])


def _overview_stamp(results: Path) -> Stamp:
    folders = sorted(path.parent for path in results.glob("*/rows.csv"))
    names = sorted({path.stem for path in results.glob("*.md")} - {"README", NAME})
    return Stamp.of(results, [folder / file for folder in folders for file in _READ], names)


def outdated(results: Path, name: str) -> bool:
    """Whether the pages of a matrix are not what its rows, its matrix and its arrays give.

    Args:
        results: Folder of all results.
        name: Of the matrix.

    Returns:
        True also where a page or a figure is not there, or not as it was written.
    """
    return not _stamp(results, name).fresh()


def overviews_outdated(results: Path) -> bool:
    """Whether what is said of all matrices is not what their rows give.

    Args:
        results: Folder of all results.

    Returns:
        As `outdated`.
    """
    return not _overview_stamp(results).fresh()
