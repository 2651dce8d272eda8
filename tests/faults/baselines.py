"""Baselines that nobody should compare with: seeded, each with what `vaebench check` says of it.

An unharmed table, however it is written, passes. One that lacks something, or holds what no run
writes, is never passed. A worse run is a regression.
"""

import io
import os
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pandas as pd

from bench.metrics.registry import METRICS
from bench.run.kept_rows import STALE
from tests.faults.outcomes import Outcome, called
from tests.faults.small import again, finished

__all__ = ["KINDS", "try_case"]

Rng = np.random.Generator
Codes = Collection[int]
PASSES, WORSE, REFUSED = (0,), (1,), (2,)


def _pick(rng: Rng, values: "pd.Series[str]") -> str:
    return str(rng.choice(sorted(set(values) - {""})))


def _measured(frame: pd.DataFrame, rng: Rng) -> "pd.Series[bool]":
    """The rows of one metric, split and source that is measured."""
    some = frame[(frame["metric"] != "") & (frame["value"] != "")]
    row = some.iloc[rng.integers(len(some))]
    same = [frame[name] == row[name] for name in ("metric", "split", "source")]
    return same[0] & same[1] & same[2]


def _directed(frame: pd.DataFrame, rng: Rng) -> tuple["pd.Series[bool]", float]:
    """The rows of a metric that has a better side, and the sign of better."""
    names = [name for name in ("elbo", "reconstruction", "iwae") if (frame["metric"] == name).any()]
    name = names[rng.integers(len(names))]
    at = (frame["metric"] == name) & (frame["split"] == "test") & (frame["source"] == "")
    return at, 1.0 if METRICS.named(name).direction == "higher" else -1.0


def _shifted(frame: pd.DataFrame, at: "pd.Series[bool]", by: float) -> pd.DataFrame:
    moved = pd.to_numeric(frame.loc[at, "value"]) + by
    return frame.assign(value=frame["value"].where(~at, moved.astype(str).reindex(frame.index)))


def _unharmed(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """The same table, otherwise written."""
    pick = rng.integers(4)
    if pick == 0:
        frame = frame.sample(frac=1, random_state=int(rng.integers(2**31)))
    elif pick == 1:
        frame = frame[list(rng.permutation(frame.columns))]
    data = frame.to_csv(index=False).encode()
    return (data.replace(b"\n", b"\r\n") if pick == 2 else data), PASSES


def _better(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """A baseline that the run is worse than, or better."""
    at, sign = _directed(frame, rng)
    by = float(10 ** rng.uniform(3, 5))
    worse = bool(rng.integers(2))
    moved = _shifted(frame, at, sign * by if worse else -sign * by)
    return moved.to_csv(index=False).encode(), WORSE if worse else PASSES


def _absurd(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """One value of one seed that nothing explains."""
    at, _ = _directed(frame, rng)
    one = frame.index == frame.index[at][rng.integers(at.sum())]
    moved = _shifted(frame, pd.Series(one, frame.index), float(rng.choice([-1e9, 1e9, 1e200])))
    return moved.to_csv(index=False).encode(), REFUSED


def _holes(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """A metric whose rows are gone, or whose values are."""
    at = _measured(frame, rng)
    pick = rng.integers(4)
    if pick == 0:
        frame = frame[~at]
    elif pick == 1:
        frame = frame.assign(value=frame["value"].mask(at, rng.choice(["", "nan", "NaN"])))
    elif pick == 2:
        frame = frame[frame["seed"] != _pick(rng, frame["seed"])]
    else:
        frame = frame[frame.index == frame.index[0]] if rng.integers(2) else frame[:0]
    return frame.to_csv(index=False).encode(), REFUSED


def _names(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """Names that are no names, of what no run of this matrix has."""
    columns = ["matrix", "config", "cell", "dataset", "split", "metric", "status", "source"]
    column = str(rng.choice(columns))
    odd = str(
        rng.choice(["tset", "basis", "x" * 300, "é\u202e", "=1+1", "a,b", 'a"b', "a\nb", " "])
    )
    at = _measured(frame, rng)
    if column in ("matrix", "config", "cell", "dataset", "status"):
        at = pd.Series(np.arange(len(frame)) >= rng.integers(len(frame)), frame.index)
    frame = frame.assign(**{column: frame[column].mask(at, odd)})
    return frame.to_csv(index=False).encode(), REFUSED


def _stale(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """Rows that other code computed, of one seed or of all."""
    at = frame["seed"] == _pick(rng, frame["seed"])
    if rng.integers(2):
        at |= True
    frame = frame.assign(message=frame["message"].mask(at, STALE))
    return frame.to_csv(index=False).encode(), REFUSED


def _twice(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """Rows that stand there more than once."""
    some = frame[frame["metric"] != ""].sample(
        int(rng.integers(1, 9)), random_state=int(rng.integers(2**31))
    )
    return pd.concat([frame, some]).to_csv(index=False).encode(), REFUSED


def _values(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """A number that is none, or cannot be one of these."""
    column, odd = (
        ("value", ["abc", "0x10", "1,5", "--1", "1e", "[1]"]),
        ("p_value", ["7", "-0.1", "abc", "1e9"]),
        ("seed", ["-1", "1.5", "abc", "1e400", "99999999999999999999"]),
        ("schema", ["1", "99", "two", ""]),
        ("standard_error", ["abc", "None!", "()"]),
    )[rng.integers(5)]
    one = frame.index == frame.index[rng.integers(len(frame))]
    frame = frame.assign(**{column: frame[column].mask(one, str(rng.choice(odd)))})
    return frame.to_csv(index=False).encode(), REFUSED


def _columns(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """A column that is gone, has another name, or another one's."""
    needed = ["matrix", "config", "cell", "seed", "split", "source", "metric", "value", "schema"]
    column = str(rng.choice(needed))
    if rng.integers(2):
        frame = frame.drop(columns=column)
    else:
        frame = frame.rename(columns={column: str(rng.choice(["", "x", column.upper(), "unit"]))})
    return frame.to_csv(index=False).encode(), REFUSED


def _bytes(frame: pd.DataFrame, rng: Rng) -> tuple[bytes, Codes]:
    """A file that broke off, or was never a table."""
    data = frame.to_csv(index=False).encode()
    whole = len(data)
    end = b"\n".join(data.splitlines()[:-1])
    others = [
        data[: rng.integers(whole - 3)],
        b"",
        bytes(rng.integers(0, 256, 400, dtype=np.uint8)),
        data[: whole // 2] + b"\x00" * 50 + data[whole // 2 + 50 :],
        data.replace(b",", b";"),
        data.decode().encode("utf-16"),
        end + b'\n"never closed',
        b"PK\x03\x04" + data,
    ]
    return others[rng.integers(len(others))], REFUSED


KINDS: dict[str, Callable[[pd.DataFrame, Rng], tuple[bytes, Codes]]] = {
    "unharmed": _unharmed,
    "better or worse": _better,
    "one absurd value": _absurd,
    "holes": _holes,
    "names": _names,
    "stale rows": _stale,
    "rows twice": _twice,
    "values": _values,
    "columns": _columns,
    "bytes": _bytes,
}


def try_case(seed: int, folder: Path) -> Outcome:
    """Make one baseline and compare with it.

    Args:
        seed: decides everything; its kind is seed modulo the number of kinds.
        folder: where the matrix runs once, and the baseline is made and removed again.

    Returns:
        What came of it.
    """
    done = finished(folder)
    kind = list(KINDS)[seed % len(KINDS)]
    rng = np.random.default_rng([seed, 21])
    text = (done / "baseline.csv").read_text()
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    data, allowed = KINDS[kind](frame, rng)
    path = folder / f"baseline-{seed}.csv"
    path.write_bytes(data)
    try:
        return _judged(kind, done, path, allowed)
    finally:
        os.unlink(path)


def _judged(kind: str, done: Path, path: Path, allowed: Codes) -> Outcome:
    found = called(["check", *again(done)[1:], "--baseline", f"{path}"])
    if found.raised:
        return Outcome(kind, "traceback", found.raised)
    if found.code not in allowed or len(found.said) > 1:
        return Outcome(kind, f"exit {found.code}", "\n".join([*found.said, found.out[-300:]]))
    if not found.said and found.code and not found.out:
        return Outcome(kind, "silence")
    return Outcome(kind, "one line" if found.said else "answer", "".join(found.said))
