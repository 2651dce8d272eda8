"""Tables: columns whose names are numbered belong to one array, as ``mean_0`` and ``mean_1``."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vaelib.latent_files.entries import Budget, Entry, Refused, lacking, short

__all__ = ["csv_entries", "of_columns", "parquet_entries"]

Column = tuple[str, str, Callable[[], np.ndarray]]
"""Name, type in words, and how it is read: shape (N,)."""

_NUMBERED = re.compile(r"(.*?)[\s_.\-\[(]*(\d+)[\])]*")
_INDEX = frozenset(("", "index", "id", "unnamed: 0"))
_LINE = 1 << 22  # bytes of the first line


def of_columns(columns: Sequence[Column], rows: int) -> list[Entry]:
    """Arrays of the numbered columns, in the order of their numbers, and the others as they are.

    Args:
        columns: of numbers.
        rows: N.

    Returns:
        Entries of shape (N, D), or of single columns (N,). Columns that are numbers alone, as a
        data frame without names has them, are called ``columns``.
    """
    found: dict[str, dict[int, Column]] = {}
    singles: list[Column] = []
    for column in columns:
        matched = _NUMBERED.fullmatch(column[0].strip())
        group = found.setdefault(matched[1], {}) if matched else {}
        if matched is None or int(matched[2]) in group:
            singles.append(column)
        else:
            group[int(matched[2])] = column
    entries = []
    for stem, group in found.items():
        parts = [group[number] for number in sorted(group)]
        if len(parts) == 1 and stem:
            singles += parts
            continue

        def together(parts: list[Column] = parts) -> np.ndarray:
            return np.stack([read() for _, _, read in parts], 1)

        entries.append(Entry(stem or "columns", (rows, len(parts)), parts[0][1], True, together))
    return entries + [Entry(name, (rows,), kind, True, read, True) for name, kind, read in singles]


@contextmanager
def csv_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The columns of a table in text, with or without a line of names.

    Args:
        path: the file; commas, semicolons or tabs part the cells.
        most: numbers that it may hold.

    Yields:
        What it holds; columns of text are listed and never read.

    Raises:
        Refused: for what is no such table.
    """
    with path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        first = _line(raw)
        mark = max(",;\t", key=first.count)
        names = [one.strip() for one in next(csv.reader([first], delimiter=mark), [])]
        headed = any(_number(name) is None for name in names)
        cells = next(csv.reader([_line(raw) if headed else first], delimiter=mark), [])
        if not cells or len(cells) != len(names):
            raise Refused(
                f"expected rows of {len(names)} cells below the names, got {len(cells)} in the "
                "first; save with numpy.savetxt(path, z, delimiter=',')"
            )
        numeric = [k for k, cell in enumerate(cells) if _number(cell) is not None]
        if headed and names[0].startswith("#"):  # as numpy.savetxt writes it
            names[0] = names[0].lstrip("# ")
        raw.seek(0)
        rows = _lines(raw) - headed
        budget = Budget(size, most)

        @cache
        def table() -> np.ndarray:
            budget.take("the table", (rows, len(numeric)))
            raw.seek(0)
            text = io.TextIOWrapper(raw, "utf-8-sig")
            try:
                return np.loadtxt(
                    text,
                    delimiter=mark,
                    skiprows=int(headed),
                    usecols=numeric,
                    comments=None,
                    quotechar='"',
                    ndmin=2,
                )
            except ValueError as error:
                raise Refused(f"expected a number in every cell, got: {_line_of(error)}") from error
            finally:
                text.detach()

        def column(place: int) -> Callable[[], np.ndarray]:
            return lambda: table()[:, place]

        columns = [
            (names[at] if headed else str(at), "float64", column(place))
            for place, at in enumerate(numeric)
            if not (headed and names[at].lower() in _INDEX)
        ]
        others = [(name, at) for at, name in enumerate(names) if at not in numeric]
        yield of_columns(columns, rows) + [_unread(name or f"column {at}") for name, at in others]


def _line_of(error: ValueError) -> str:
    return short(" ".join(str(error).split()).replace(";", ","))


def _unread(name: str) -> Entry:
    def never() -> np.ndarray:
        raise Refused(f"{short(name)} must hold numbers, got text")

    return Entry(name, (), "text", False, never)


def _line(raw: Any) -> str:  # noqa: ANN401  # a file of bytes
    line = raw.readline(_LINE)
    if len(line) == _LINE or b"\0" in line:
        raise Refused("expected a table of text, got a first line that is none; save as .npz")
    try:
        return str(line, "utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Refused("expected a table in UTF-8, got other bytes; save as .npz") from error


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _lines(raw: Any) -> int:  # noqa: ANN401
    """Lines that hold something."""
    return sum(bool(line.strip()) for line in iter(lambda: raw.readline(_LINE), b""))


@contextmanager
def parquet_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The columns of a Parquet file: numbers, or lists of as many numbers in each row.

    Args:
        path: the file.
        most: numbers that one array may hold.

    Yields:
        What it holds.

    Raises:
        Refused: where pyarrow is not installed, or for lists of several lengths.
        Exception: whatever damaged bytes raise in pyarrow.
    """
    try:
        import pyarrow as pa
        from pyarrow import compute, parquet
    except ImportError as error:
        raise Refused(lacking("pyarrow", ".parquet")) from error
    with parquet.ParquetFile(path) as file:
        rows, budget = file.metadata.num_rows, Budget(path.stat().st_size, most)
        held: dict[str, int] = {}
        for k in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(k)
            for j in range(group.num_columns):
                top = group.column(j).path_in_schema.split(".")[0]
                held[top] = held.get(top, 0) + group.column(j).num_values
        singles: list[Column] = []
        entries: list[Entry] = []
        for field in file.schema_arrow:
            name, kind = field.name, field.type
            if pa.types.is_integer(kind) or pa.types.is_floating(kind):

                def one(name: str = name) -> np.ndarray:
                    budget.take(name, (rows,))
                    return np.asarray(file.read([name]).column(0).to_numpy())

                if name != "__index_level_0__":
                    singles.append((name, short(kind), one))
                continue
            inner = getattr(kind, "value_type", None)
            lists = inner is not None and (
                pa.types.is_floating(inner) or pa.types.is_integer(inner)
            )
            if not lists:
                entries.append(_unread(name))
                continue
            shape = (rows, held.get(name, 0) // max(1, rows))

            def many(name: str = name, shape: tuple[int, ...] = shape) -> np.ndarray:
                budget.take(name, shape)
                column = file.read([name]).column(0)
                lengths = {one or 0 for one in compute.list_value_length(column).to_pylist()}
                if lengths != {shape[1]}:
                    raise Refused(
                        f"{short(name)} must hold as many numbers in each row, got "
                        f"{min(lengths)} to {max(lengths)}"
                    )
                flat = column.combine_chunks().flatten()
                return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(shape)

            entries.append(Entry(name, shape, short(inner), True, many))
        yield entries + of_columns(singles, rows)
