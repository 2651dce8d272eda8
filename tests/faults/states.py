"""What is stored, altered: seeded, each with what the next `vaebench run` makes of it.

Whatever a disk, a hand or another program did to a record, a model, arrays, a null, rows or pages,
the same command gives the same rows again, or says in one line why it cannot.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.outcomes import Outcome, called
from tests.faults.small import again, finished, same_rows
from vaelib.sealed import sealed_json, unsealed_json

__all__ = ["KINDS", "try_case"]

Rng = np.random.Generator


def _one(rng: Rng, place: Path, pattern: str) -> Path:
    paths = sorted(place.glob(pattern))
    return paths[rng.integers(len(paths))]


def _forget(place: Path) -> None:
    """Removes all records, so that what they were made from is used again."""
    for path in [*(place / "small" / "cells").iterdir(), place / "small" / "rows.json"]:
        path.unlink()


def _flip(rng: Rng, path: Path) -> None:
    """Other bytes in a file: altered, cut off, doubled, none, or of something else."""
    data = bytearray(path.read_bytes())
    pick = rng.integers(5)
    if pick == 0:
        for place in rng.integers(len(data), size=rng.integers(1, 9)):
            data[place] ^= int(rng.integers(1, 256))
    elif pick == 1:
        data = data[: rng.integers(len(data))]
    elif pick == 2:
        data *= 2
    elif pick == 3:
        data = bytearray()
    else:
        data = bytearray(rng.integers(0, 256, len(data), dtype=np.uint8))
    path.write_bytes(data)


def _record_bytes(rng: Rng, place: Path) -> None:
    _flip(rng, _one(rng, place, "small/cells/*.json"))


def _record_digit(rng: Rng, place: Path) -> None:
    """One digit of a record, so that it is still a record."""
    path = _one(rng, place, "small/cells/*.json")
    text = path.read_text()
    digits = [i for i, letter in enumerate(text) if letter.isdigit()]
    at = digits[rng.integers(len(digits))]
    path.write_text(f"{text[:at]}{(int(text[at]) + rng.integers(1, 10)) % 10}{text[at + 1 :]}")


def _record_nonsense(rng: Rng, place: Path) -> None:
    """A record with a good checksum that no run can have written."""
    path = _one(rng, place, "small/cells/*.json")
    record: dict[str, Any] = json.loads(unsealed_json(path.read_bytes()))
    rows = record["measurements"]
    row = rows[rng.integers(len(rows))]
    changes: Sequence[Callable[[], object]] = (
        lambda: record.update(measurements=[]),
        lambda: row.update(p_value=7.0),
        lambda: row.update(split="tset"),
        lambda: row.update(value=None, message=""),
        lambda: rows.append(dict(row)),
        lambda: record.update(status="fine"),
        lambda: record.update(cell="0" * 16),
        lambda: record.update(measurements={"a": 1}),
        lambda: row.update(metric=3),
        lambda: record.update(more=1),
    )
    changes[rng.integers(len(changes))]()
    path.write_bytes(sealed_json(json.dumps(record, indent=1)))


def _swapped(rng: Rng, place: Path) -> None:
    """Two files that have each other's names."""
    pattern = ("small/cells/*.json", "small/cells/*.npz", "small/models/*.npz")[rng.integers(3)]
    one, other = sorted(place.glob(pattern))[:2]
    if pattern.startswith("small/models"):
        _forget(place)
    if rng.integers(2):
        shutil.copy(one, other)
    else:
        data = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(data)


def _arrays(rng: Rng, place: Path) -> None:
    _flip(rng, _one(rng, place, "small/cells/*.npz"))


def _model(rng: Rng, place: Path) -> None:
    _flip(rng, _one(rng, place, "small/models/*.npz"))
    _forget(place)


def _scaled(rng: Rng, place: Path) -> None:
    """A model or a null whose numbers are others, in the same file as far as numpy sees."""
    path = _one(rng, place, ("small/models/*.npz", "cache/nulls/*.npz")[rng.integers(2)])
    with np.load(path) as file:
        arrays = {name: values * 2 for name, values in file.items()}
    np.savez(path, **arrays)
    _forget(place)


def _cache(rng: Rng, place: Path) -> None:
    _flip(rng, _one(rng, place, "cache/*/*.npz"))
    _forget(place)


def _table(rng: Rng, place: Path) -> None:
    names = ("rows.csv", "rows.json", "matrix.toml", "provenance.json", "arrays.npz")
    name = names[rng.integers(len(names))]
    path = place / "small" / name
    if path.exists():
        _flip(rng, path)


def _table_alone(rng: Rng, place: Path) -> None:
    """A table that stands for its records, and is another."""
    path = place / "small" / ("rows.csv", "rows.json")[rng.integers(2)]
    if rng.integers(2):
        text = path.read_text()
        digits = [i for i, letter in enumerate(text) if letter.isdigit()]
        at = digits[rng.integers(len(digits))]
        path.write_text(f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}")
    else:
        _flip(rng, path)
    for record in (place / "small" / "cells").iterdir():
        record.unlink()


def _arrays_alone(rng: Rng, place: Path) -> None:
    """Pictures whose records are elsewhere, and which are others."""
    path = place / "small" / "arrays.npz"
    if rng.integers(2):
        _flip(rng, path)
    else:
        with np.load(path) as file:
            arrays = {name: values * 3 for name, values in file.items()}
        np.savez_compressed(path, **arrays)
    for record in (place / "small" / "cells").iterdir():
        record.unlink()


def _pages(rng: Rng, place: Path) -> None:
    """A page, a figure or an index that is gone, or is another."""
    pages = [*place.glob("*.md"), *place.glob("small/figures/*.png"), *place.glob("**/.pages.json")]
    path = sorted(pages)[rng.integers(len(pages))]
    if rng.integers(2):
        path.unlink()
    else:
        _flip(rng, path)


def _special(rng: Rng, place: Path) -> None:
    """What is no file where a file was."""
    patterns = ("small/cells/*.json", "small/cells/*.npz", "small/models/*.npz", "cache/*/*.npz")
    path = _one(rng, place, patterns[rng.integers(4)])
    path.unlink()
    pick = rng.integers(4)
    if pick == 0:
        path.mkdir()
    elif pick == 1:
        os.mkfifo(path)
    elif pick == 2:
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to("nowhere")


KINDS: dict[str, Callable[[Rng, Path], object]] = {
    "bytes of a record": _record_bytes,
    "a digit of a record": _record_digit,
    "a sealed record that cannot be": _record_nonsense,
    "swapped files": _swapped,
    "arrays": _arrays,
    "bytes of a model": _model,
    "doubled numbers": _scaled,
    "a cache": _cache,
    "tables": _table,
    "a table without records": _table_alone,
    "arrays without records": _arrays_alone,
    "pages": _pages,
    "no files": _special,
}


def try_case(seed: int, folder: Path) -> Outcome:
    """Alter what a finished run stored and give the same command again.

    Args:
        seed: decides everything; its kind is seed modulo the number of kinds.
        folder: where the matrix runs once; a copy of it is altered and removed again.

    Returns:
        What came of it.
    """
    done, place = finished(folder), folder / f"state-{seed}"
    kind = list(KINDS)[seed % len(KINDS)]
    shutil.copytree(done, place)
    try:
        KINDS[kind](np.random.default_rng([seed, 22]), place / "results")
        return _judged(kind, done, place)
    finally:
        shutil.rmtree(place)


def _judged(kind: str, done: Path, place: Path) -> Outcome:
    """Whether the rows are the same again, and the pages there."""
    found = called(again(place))
    done, place = done / "results", place / "results"
    if found.raised:
        return Outcome(kind, "traceback", found.raised)
    if found.code in (2, 64) and len(found.said) == 1:
        return Outcome(kind, "one line", found.said[0])
    if found.code:
        return Outcome(kind, f"exit {found.code}", "\n".join([*found.said, found.out[-300:]]))
    if not same_rows(done / "small" / "rows.csv", place / "small" / "rows.csv"):
        return Outcome(kind, "other rows", found.out)
    for old in [*done.glob("*.md"), *done.glob("small/figures/*.png")]:
        if not (place / old.relative_to(done)).is_file():
            return Outcome(kind, "a page is missing", str(old.relative_to(done)))
    if left := [str(path) for path in place.glob("**/*.tmp")]:
        return Outcome(kind, "files left over", ", ".join(left))
    return Outcome(kind, "repaired")
