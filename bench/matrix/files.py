"""Where matrices are: those that come with the suite, and files."""

import importlib.resources
import itertools
import os
from pathlib import Path

from bench.errors import MatrixError, unknown

__all__ = ["leading_comment", "read", "shipped"]

_MOST = 16 << 20  # letters of a matrix


def shipped() -> dict[str, Path]:
    """Returns the paths of the matrices that come with the suite, by name."""
    folder = Path(str(importlib.resources.files("bench") / "matrix" / "shipped"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def leading_comment(text: str) -> str:
    """The comment that a matrix file opens with: its question, its cost, what it last showed."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)


def read(matrix: str | Path) -> str:
    """The text of a matrix.

    Args:
        matrix: name of a shipped matrix, or the path of a TOML file.

    Returns:
        The text, not yet parsed.

    Raises:
        MatrixError: for a name that is not known and a file that cannot be read.
    """
    matrices = shipped()
    path = matrices.get(str(matrix), Path(matrix))
    if not os.path.exists(path) and len(path.parts) < 2 and not path.suffix:
        also = "; or the path of a TOML file"
        raise MatrixError(unknown(str(matrix), "matrix", str(matrix), matrices, also))
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a directory" if path.is_dir() else "something else"
        raise MatrixError(f"{path}: expected a TOML file, got {kind}")
    if os.path.islink(path) and not os.path.exists(path):
        raise MatrixError(f"{path}: expected a TOML file, got a link that leads nowhere")
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST + 1)
        if len(text) > _MOST:
            raise MatrixError(
                f"{path}: expected a TOML file of at most {_MOST:,} letters, got more"
            )
        return text
    except MatrixError:
        raise
    except UnicodeDecodeError as error:
        raise MatrixError(
            f"{path}: expected a TOML file in UTF-8, got other bytes at {error.start}"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MatrixError(
            f"{path}: expected a TOML file that can be read, got: {reason}"
        ) from error
