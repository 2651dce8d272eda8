"""Where the suite may write: a new or empty folder, or one that carries its marker."""

import os
from collections.abc import Iterable
from pathlib import Path

from bench.errors import UserError, refusal
from vaelib.reading import only_files

__all__ = ["MARKER", "check_names", "claim"]

MARKER = "written-by-vaebench.txt"
"""The file that says so, and lists the files and folders that are the suite's to replace."""

_SAYS = """\
vaebench writes into this folder and replaces the files and folders that are listed below, and no
others. Keep what is yours under other names.

"""


def check_names(folder: Path, names: Iterable[str], option: str = "--results") -> None:
    """Refuse a folder that is a user's own, or holds files of these names that are.

    Args:
        folder: It need not exist.
        names: Of the files and folders in it that are to be written.
        option: That names the folder, for the message.

    Raises:
        UserError: Where something would be written among, or in the place of, a user's files.
    """
    _lacking(folder, names, option)


def claim(folder: Path, names: Iterable[str], option: str = "--results") -> None:
    """Refuse as `check_names` does, else write down that these names are the suite's.

    Args:
        folder: Made if need be, its marker first.
        names: Of the files and folders in it that are about to be written.
        option: That names the folder, for the message.

    Raises:
        UserError: As `check_names` does, and where the folder cannot be written.
        NotDoneError: Where nothing can be written for now.
    """
    lacking = _lacking(folder, names, option)
    if not lacking:
        return
    marker = folder / MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        head = "" if marker.exists() else _SAYS
        with open(marker, "ab", buffering=0, opener=_not_elsewhere) as file:
            file.write((head + "".join(f"{name}\n" for name in lacking)).encode())
    except OSError as error:
        refused = refusal(error, "write to", folder, other="folder")
        raise refused from error


def _not_elsewhere(path: str, flags: int) -> int:
    """Opens for appending, so that two runs may add their lines at once; never through a link."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _lacking(folder: Path, names: Iterable[str], option: str) -> list[str]:
    """Those of the names that the marker does not list; a UserError where one is a user's."""
    elsewhere = f"choose another folder with {option}"
    try:
        there = os.listdir(folder)
        held = [name for name in names if _holds(folder / name)]  # before the marker is read
        known = _listed(folder / MARKER)
    except FileNotFoundError:
        return list(dict.fromkeys(names))
    except OSError as error:
        refused = refusal(error, "write to", folder, other="folder")
        raise refused from error
    if there and known is None:
        raise UserError(
            f"expected a new or empty folder, or one with {MARKER}, got {folder}, which holds "
            f"{min(there)!r}; {elsewhere}"
        )
    known = known or set()
    if foreign := [name for name in held if name not in known]:
        raise UserError(
            f"{folder / foreign[0]} would be replaced, and {folder / MARKER} does not list it as "
            f"the suite's; move it, or {elsewhere}"
        )
    return [name for name in dict.fromkeys(names) if name not in known]


def _holds(path: Path) -> bool:
    """Whether there is something to lose."""
    try:
        return os.path.lexists(path) and not (path.is_dir() and not os.listdir(path))
    except OSError:  # a folder that cannot be listed may hold anything
        return True


def _listed(marker: Path) -> set[str] | None:
    """The lines of a marker; None where there is none."""
    try:
        with open(marker, encoding="utf-8", errors="replace", opener=only_files) as file:
            return set(file.read().splitlines())
    except FileNotFoundError:
        return None
