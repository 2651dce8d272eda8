"""Tidy rows: the table that every page, figure and verdict is made from."""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from bench.matrix.configurations import told
from bench.matrix.language import Cell
from bench.run.kept_rows import LACKING, STALE
from bench.run.record import DONE, Record
from bench.run.store import Store
from vaelib.audits.measurement import Measurement
from vaelib.files import write_atomically
from vaelib.reading import read_bytes

__all__ = ["COLUMNS", "SCHEMA", "csv_bytes", "read_rows", "rows", "write_rows"]

COLUMNS = (
    *("matrix", "study", "config", "cell", "dataset", "seed", "split", "source", "metric"),
    *("value", "standard_error", "p_value", "unit", "status", "message", "seconds", "schema"),
)
"""The columns of every table of rows; one per varied key follows."""

SCHEMA = 2
"""What the numbers of rows mean: 1 before there was a bracket of KL(q‖p), when the excess over a
simulated null decided; 2 with it. Rows of different schemas are never compared."""

_TYPES = {
    "seed": int,
    "schema": int,
    **dict.fromkeys(("value", "standard_error", "p_value", "seconds"), float),
}
_NOTHING = Measurement(split="", metric="", value=None)


def rows(
    matrix: str,
    cells: Iterable[Cell],
    store: Store,
    units: Mapping[str, str],
    codes: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Makes the table: one row per cell, split, source and metric.

    A cell without measurements (failed, timeout, died, missing) is one row without a metric. What
    other seeds of its configuration measured and a cell did not is a row that says so.

    Args:
        matrix: its name.
        cells: all cells of the matrix; configurations keep the order of their first cell.
        store: where the records are.
        units: unit of each metric.
        codes: cell id -> hash of the code that would compute it now; rows of other code say so in
            their message.

    Returns:
        A table with the `COLUMNS` and one column per varied key; missing numbers are nan.
    """
    cells = list(cells)
    place = {name: i for i, name in enumerate(dict.fromkeys(c.configuration.name for c in cells))}
    cells.sort(key=lambda cell: (place[cell.configuration.name], cell.seed))
    records = {cell.id: store.read(cell.id) for cell in cells}
    expected = _measured(cells, records)
    table = [
        row
        for cell in cells
        for row in _rows_of(
            matrix,
            cell,
            records[cell.id],
            units,
            codes or {},
            expected[cell.configuration.name],
        )
    ]
    keys = dict.fromkeys(key for cell in cells for key in cell.configuration.varied)
    columns = [*COLUMNS, *(key for key in keys if key not in COLUMNS)]
    return pd.DataFrame(table, columns=columns).astype(_TYPES)


def _measured(
    cells: Iterable[Cell], records: Mapping[str, Record | None]
) -> dict[str, dict[tuple[str, str, str], None]]:
    """What any seed of a configuration measured, in the order in which it was met."""
    keys: dict[str, dict[tuple[str, str, str], None]] = defaultdict(dict)
    for cell in cells:
        record = records[cell.id]
        for one in record.measurements if record else ():
            keys[cell.configuration.name][one.split, one.source, one.metric] = None
    return keys


def _with_gaps(record: Record, expected: Iterable[tuple[str, str, str]]) -> Iterator[Measurement]:
    yield from record.measurements
    found = {(one.split, one.source, one.metric) for one in record.measurements}
    for split, source, metric in expected:
        if (split, source, metric) not in found:
            yield Measurement(split, metric, None, source=source, message=LACKING)


def _rows_of(
    matrix: str,
    cell: Cell,
    record: Record | None,
    units: Mapping[str, str],
    codes: Mapping[str, str],
    expected: Iterable[tuple[str, str, str]],
) -> Iterable[dict[str, Any]]:
    configuration = cell.configuration
    status, messages, code = "missing", ["has not run"], ""
    if record:
        status, messages, code = record.status, [record.message], record.code
    if status in DONE and code != codes.get(cell.id, code):
        messages.append(STALE)
    measured = [*_with_gaps(record, expected)] if record and record.measurements else [_NOTHING]
    for measurement in measured:
        yield {
            **{key: _shown(value, key) for key, value in configuration.varied.items()},
            "matrix": matrix,
            "study": "; ".join(configuration.studies),
            "config": configuration.name,
            "cell": cell.id,
            "dataset": _dataset(configuration.values["dataset"]),
            "seed": cell.seed,
            **vars(measurement),
            "unit": units.get(measurement.metric, ""),
            "status": status,
            "message": "; ".join(filter(None, dict.fromkeys([*messages, measurement.message]))),
            "seconds": record.seconds if record else None,
            "schema": SCHEMA,
        }


def _dataset(table: Mapping[str, Any]) -> str:
    """What the rows call a data set; two folders are two data sets."""
    return f"{table['name']} {table['path']}" if "path" in table else str(table["name"])


def _shown(value: Any, key: str = "") -> Any:  # noqa: ANN401
    """One cell of a table: lists as 200-200, components as their name and unusual options."""
    if isinstance(value, list | tuple):
        return "-".join(str(_shown(item)) for item in value)
    if isinstance(value, Mapping):
        options = {k: str(_shown(item)).removesuffix(".0") for k, item in told(key, value).items()}
        words = [value.get("name", ""), *(f"{k}={text}" for k, text in options.items())]
        return " ".join(words).strip() or "defaults"
    return "" if value is None else value


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Spells a table of rows; equal tables give equal bytes, and floats come back exactly.

    Args:
        frame: what `rows` returned.

    Returns:
        The CSV file.
    """
    return frame.to_csv(index=False, lineterminator="\n").encode()


def write_rows(path: Path, frame: pd.DataFrame) -> None:
    """Writes a table of rows atomically.

    Args:
        path: the CSV file.
        frame: what `rows` returned.
    """
    write_atomically(path, csv_bytes(frame))


_NUMBERS = ("value", "standard_error", "p_value", "seconds")
_COUNTS = ("seed", "schema")


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table of rows to the last bit.

    Args:
        path: The CSV file.

    Returns:
        The tidy frame: text columns with empty text where there is nothing, numbers as float64
        with NaN, integer seeds and schema, 1 where the file has none; varied keys as numbers where
        all of their values are.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no table of rows, or breaks off in the middle of one.
    """
    data = read_bytes(path)
    frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    if "seconds" in frame and "schema" not in frame:
        frame.insert(list(frame.columns).index("seconds") + 1, "schema", "1")
    if absent := [name for name in COLUMNS if name not in frame]:
        raise ValueError(f"expected the column {absent[0]} in {path}, got none; write it anew")
    if not data.endswith(b"\n"):
        raise ValueError(f"expected whole rows in {path}, got a last one cut short; write it anew")
    for name in (*_NUMBERS, *_COUNTS):
        try:
            kind = int if name in _COUNTS else float
            frame[name] = frame[name].replace("", "nan").astype(kind)
        except (ValueError, OverflowError) as error:
            reason = f"expected numbers in the column {name} of {path}, got {error}"
            raise ValueError(f"{reason}; write it anew") from error
    if other := set(frame["schema"]) - set(range(1, SCHEMA + 1)):
        raise ValueError(
            f"expected a schema up to {SCHEMA} in {path}, got {max(other)}; a newer version of the "
            "suite can read it"
        )
    for name in (name for name in frame.columns if name not in COLUMNS):
        for kind in (int, float):
            with suppress(ValueError, OverflowError):
                frame[name] = frame[name].astype(kind)
                break
    return frame
