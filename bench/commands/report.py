"""What ``vaebench report`` does: read the results, render their pages, then save them."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from bench.analysis.prediction import Prediction
from bench.analysis.predictors import predictions
from bench.analysis.results import Results
from bench.commands.folder import claim
from bench.commands.stamp import Stamp
from bench.errors import DamagedError, DamagedWarning
from bench.matrix.kept import KEPT
from bench.report.answer import answer
from bench.report.claims_page import answers, claims_page
from bench.report.index import index
from bench.report.page import page
from bench.report.predictors_page import NAME, headline, predictors_page
from bench.run.record import one_line
from vaelib.files import sweep, write_atomically

__all__ = ["outdated", "overviews_outdated", "page_names", "write_overviews", "write_pages"]

_READ = (
    "rows.csv",
    "matrix.toml",
    "metrics.json",
    KEPT,
)  # of every matrix; of its own the arrays too


def write_pages(results: Path, name: str) -> Path:
    """Write the page of one matrix, its figures and its claims, and what is said of all matrices.

    The former come from the files in the folder of the matrix alone, the latter from the rows of
    all: without new rows and arrays they are rebuilt byte for byte.

    Args:
        results: Folder of all results.
        name: Of the matrix.

    Returns:
        Path of the page.

    Raises:
        DamagedError: Where a file of this matrix is not what a run wrote; one of another matrix is
            only left out, with a `DamagedWarning`.
    """
    stamp = _stamp(results, name)
    matrix = Results.read(results / name)
    rendered, path = page(matrix), results / f"{name}.md"
    figures = results / name / "figures"
    files = {figures / picture.file: picture.png for picture in rendered.pictures}
    files[path] = rendered.text.encode()
    if matrix.findings:
        files[results / f"{name}-claims.md"] = claims_page(name, matrix.findings).encode()
    _save(results, files, stamp, figures)
    write_overviews(results, matrix)
    return path


def page_names(name: str, *, claims: bool) -> list[str]:
    """What `write_pages` writes in the folder of all results.

    Args:
        name: Of the matrix.
        claims: Whether it has any.

    Returns:
        Names of files and folders.
    """
    return [name, f"{name}.md", *[f"{name}-claims.md"] * claims, f"{NAME}.md", NAME, "README.md"]


def write_overviews(results: Path, matrix: Results | None = None) -> Path:
    """Write what predicts sample quality, and ``README.md``: the answer of every matrix.

    Args:
        results: Folder of all results.
        matrix: One of them that has been read already.

    Returns:
        Path of ``README.md``.
    """
    stamp = _overview_stamp(results)
    matrices, predicted, unread = _all(results, matrix)
    rendered = predictors_page([one.name for one in matrices], predicted, unread)
    pages = [page.stem for page in results.glob("*.md")]
    figures, path = results / NAME / "figures", results / "README.md"
    files = {figures / picture.file: picture.png for picture in rendered.pictures}
    files[results / f"{NAME}.md"] = rendered.text.encode()
    files[path] = index(matrices, pages, unread, headline(predicted)).encode()
    _save(results, files, stamp, figures)
    return path


def _all(
    results: Path, matrix: Results | None
) -> tuple[list[Results], list[Prediction], dict[str, str]]:
    """Read every matrix that has rows, and predict; of those that cannot be read, why."""
    matrices, predicted, unread = [], [], {}
    for folder in sorted(path.parent for path in results.glob("*/rows.csv")):
        if matrix and matrix.name == folder.name:
            matrices.append(matrix)
            predicted += predictions([matrix])
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that no run wrote
                one = Results.read(folder, whole=False)
                _ = answer(one), answers([one])
                predicts = predictions([one])
            predicted += predicts
            matrices.append(one)
        except Exception as error:  # rows that no run wrote stop a statistic in any way
            reason = str(error) if isinstance(error, DamagedError) else one_line(error)
            unread[folder.name] = reason.replace(f"{results}/", "")
            text = f"{folder.name} is left out of the overviews: {reason}"
            warnings.warn(text, DamagedWarning, stacklevel=3)
    return matrices, predicted, unread


def _save(results: Path, files: Mapping[Path, bytes], stamp: Stamp, figures: Path) -> None:
    """Save what was rendered, in this order, where nothing of a user's is replaced."""
    claim(results, dict.fromkeys(path.relative_to(results).parts[0] for path in files))
    sweep(figures, *dict.fromkeys(path.parent for path in files))
    for path, data in files.items():
        write_atomically(path, data)
    stamp.keep(files)


def _stamp(results: Path, name: str) -> Stamp:
    folder = results / name
    return Stamp.of(folder, [folder / file for file in (*_READ, "arrays.npz")])


def _overview_stamp(results: Path) -> Stamp:
    folders = sorted(path.parent for path in results.glob("*/rows.csv"))
    pages = sorted({path.stem for path in results.glob("*.md")} - {"README", NAME})
    return Stamp.of(results, [folder / file for folder in folders for file in _READ], pages)


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
