"""Arrays kept in files that are complete or absent, whoever else writes them."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ["write_whole"]


def write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file beside its place, then put it there; its folder is made if need be.

    Args:
        path: where to.
        write: given the open file, writes all of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        write(file)
    os.replace(file.name, path)
