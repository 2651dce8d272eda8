"""What ``vaebench report`` does: read the results, render their pages, then save them."""

from collections.abc import Mapping
from pathlib import Path

from bench.analysis.results import Results
from bench.report.claims_page import claims_page
from bench.report.index import index
from bench.report.page import page
from vaelib.files import write_atomically

__all__ = ["outdated", "write_index", "write_pages"]


def write_pages(results: Path, name: str) -> Path:
    """Write the page of one matrix, its figures, its claims and the index.

    They come from the files in the folder of the matrix alone: without new rows and arrays they are
    rebuilt byte for byte.

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
    write_index(results, matrix)
    return path


def write_index(results: Path, matrix: Results | None = None) -> Path:
    """Write ``README.md``: the answer of every matrix that has rows.

    Args:
        results: Folder of all results.
        matrix: One of them that has been read already.

    Returns:
        Path of the index.
    """
    folders = [path.parent for path in sorted(results.glob("*/rows.csv"))]
    matrices = [
        matrix if matrix and matrix.name == folder.name else Results.read(folder, whole=False)
        for folder in folders
    ]
    path = results / "README.md"
    _save({path: index(matrices, [page.stem for page in results.glob("*.md")]).encode()})
    return path


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
