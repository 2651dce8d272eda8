"""What ``vaebench report`` does: read the results, render their pages, then save them."""

from collections.abc import Mapping
from pathlib import Path

from bench.analysis.predictors import predictions
from bench.analysis.results import Results
from bench.report.claims_page import claims_page
from bench.report.index import index
from bench.report.page import page
from bench.report.predictors_page import NAME, headline, predictors_page
from vaelib.files import write_atomically

__all__ = ["outdated", "write_overviews", "write_pages"]


def write_pages(results: Path, name: str) -> Path:
    """Write the page of one matrix, its figures and its claims, and what is said of all matrices.

    The former come from the files in the folder of the matrix alone, the latter from the rows of
    all: without new rows and arrays they are rebuilt byte for byte.

    Args:
        results: Folder of all results.
        name: Of the matrix.

    Returns:
        Path of the page.
    """
    matrix = Results.read(results / name)
    rendered, path = page(matrix), results / f"{name}.md"
    figures = results / name / "figures"
    files = {figures / picture.file: picture.png for picture in rendered.pictures}
    files[path] = rendered.text.encode()
    if matrix.findings:
        files[results / f"{name}-claims.md"] = claims_page(name, matrix.findings).encode()
    _save(files)
    write_overviews(results, matrix)
    return path


def write_overviews(results: Path, matrix: Results | None = None) -> Path:
    """Write what predicts sample quality, and ``README.md``: the answer of every matrix.

    Args:
        results: Folder of all results.
        matrix: One of them that has been read already.

    Returns:
        Path of ``README.md``.
    """
    matrices, unread = _all(results, matrix)
    predicted = predictions(matrices)
    rendered = predictors_page([one.name for one in matrices], predicted, unread)
    pages = [page.stem for page in results.glob("*.md")]
    figures, path = results / NAME / "figures", results / "README.md"
    files = {figures / picture.file: picture.png for picture in rendered.pictures}
    files[results / f"{NAME}.md"] = rendered.text.encode()
    files[path] = index(matrices, pages, unread, headline(predicted)).encode()
    _save(files)
    return path


def _all(results: Path, matrix: Results | None) -> tuple[list[Results], dict[str, str]]:
    """Read every matrix that has rows; of those that cannot be read, why."""
    matrices, unread = [], {}
    for folder in sorted(path.parent for path in results.glob("*/rows.csv")):
        if matrix and matrix.name == folder.name:
            matrices.append(matrix)
            continue
        try:
            matrices.append(Results.read(folder, whole=False))
        except (OSError, ValueError) as error:
            unread[folder.name] = " ".join(str(error).split()).replace(f"{results}/", "")
    return matrices, unread


def _save(files: Mapping[Path, bytes]) -> None:
    """Save what was rendered, in this order."""
    for path, data in files.items():
        write_atomically(path, data)


def outdated(page: Path) -> bool:
    """Whether a page is older than what it is made from.

    Args:
        page: Of a matrix.

    Returns:
        True also where there is no page.
    """
    made_from = [page.with_suffix("") / name for name in ("rows.csv", "matrix.toml")]
    return not page.is_file() or any(
        path.stat().st_mtime_ns > page.stat().st_mtime_ns for path in made_from
    )
