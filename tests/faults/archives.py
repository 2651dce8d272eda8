"""Archives that nobody should hand over: seeded, each with what `vaebench audit` makes of it."""

import contextlib
import io
import json
import os
import re
import socket
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults.outcomes import Outcome, called

__all__ = ["KINDS", "posterior", "try_case"]

DEEP = 300  # nested brackets, of a header
Arrays = dict[str, np.ndarray]


def posterior(rng: np.random.Generator, n: int = 12, dimensions: int = 2) -> Arrays:
    """Arrays of a good archive."""
    mean = 0.8 * rng.standard_normal((n, dimensions))
    return {"mean": mean, "scale": np.full_like(mean, 0.6)}


def saved(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)


def _number(path: Path, rng: np.random.Generator) -> None:
    """A value that squares, sums or logarithms cannot take, somewhere or everywhere."""
    arrays = posterior(rng)
    values = [1e47, 1e48, 1e100, 1e155, 1e200, 1e308, np.nan, np.inf, -np.inf, -1.0, 0.0, 5e-324]
    values += [1e-308, 1e-155, 1e-49, 1e-47, 1e-20, 1e20, 1e-12, 1e12]
    value = values[rng.integers(len(values))]
    name = ["mean", "scale", "z"][rng.integers(3)]
    if name == "z":
        arrays = {"z": arrays["mean"]}
    where = [(slice(None), slice(None)), (3, slice(None)), (slice(None), 1), (3, 1)]
    arrays[name][where[rng.integers(4)]] = value
    saved(path, arrays)


def _logvar(path: Path, rng: np.random.Generator) -> None:
    arrays = posterior(rng)
    value = [-1e4, -700, -221, -219, 0, 219, 221, 700, 1e4, np.nan][rng.integers(10)]
    saved(path, {"mean": arrays["mean"], "logvar": np.full_like(arrays["mean"], value)})


def _shape(path: Path, rng: np.random.Generator) -> None:
    """One row, one column, none, another rank, too many columns."""
    shapes = [
        (1, 2),
        (2, 2),
        (3, 2),
        (12, 1),
        (1, 1),
        (0, 2),
        (12, 0),
        (12,),
        (),
        (2, 3, 2),
        (3, 9),
    ]
    shapes += [(1, 8193), (2, 100_000), (1, 2, 3, 4)]
    shape = shapes[rng.integers(len(shapes))]
    mean = np.asarray(rng.standard_normal(shape))
    names = [("mean", "scale"), ("z",)][rng.integers(2)]
    saved(path, dict.fromkeys(names, mean) | {names[-1]: abs(mean) if len(names) > 1 else mean})


def _dtype(path: Path, rng: np.random.Generator) -> None:
    kinds = ["f2", ">f4", "i1", "u8", "f16", "c16", "?", "U5", "S5", "M8[s]", "m8[s]", "V8"]
    kinds += [[("a", "f8"), ("b", "i4")], "(2,)f8"]
    kind = kinds[rng.integers(len(kinds))]
    arrays = posterior(rng)
    name = ["mean", "scale"][rng.integers(2)]
    try:
        arrays[name] = (9 * arrays[name]).astype(kind)
    except (TypeError, ValueError):
        arrays[name] = np.zeros(arrays[name].shape, kind)
    saved(path, arrays)


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def sprung(path: Path) -> Path:
    """Where a trap in an archive leaves its mark."""
    return path.with_name("executed")


def _object(path: Path, rng: np.random.Generator) -> None:
    """Objects, which run code where they are unpickled, under the names of numbers or of others."""
    trap = np.array([[Trap(sprung(path)), 1]] * 12, dtype=object)
    names = ["mean", "scale", "groups", "other"]
    saved(path, posterior(rng) | {names[rng.integers(len(names))]: trap})
    if rng.random() < 0.3:  # a header that hides them
        content = path.read_bytes().replace(b"'|O'", b"'<i8'".ljust(4)[:4])
        path.write_bytes(content)


def _labels(path: Path, rng: np.random.Generator) -> None:
    """Groups and conditions of every wrong kind, and of some right ones."""
    n = 24
    row = np.arange(n)
    pool = [row, row % 2, row[:3], row > 3, row[:, None], row.astype("U3"), np.ones(n)]
    pool += [np.full(n, np.nan), np.zeros(0, int), np.array(3), np.array([None] * n, dtype=object)]
    pool += [np.full(n, 2**64 - 1, np.uint64), np.full(n, -(2**63))]
    arrays = posterior(rng, n)
    for name in ("groups", "conditions", "heldout_conditions"):
        if rng.random() < 0.6:
            arrays[name] = pool[rng.integers(len(pool))]
    if rng.random() < 0.5:
        arrays |= {f"heldout_{name}": arrays[name][:12] for name in ("mean", "scale")}
    saved(path, arrays)


def _keys(path: Path, rng: np.random.Generator) -> None:
    """Too few, too many, unknown, twice."""
    arrays = posterior(rng)
    pick = rng.integers(6)
    if pick == 0:
        arrays.pop(["mean", "scale"][rng.integers(2)])
    elif pick == 1:
        arrays["z"] = arrays["mean"]
    elif pick == 2:
        arrays[["mu", "../../mean", "a\x1b[31mb", "é" * 300, "mean\nscale"][rng.integers(5)]] = (
            arrays["mean"]
        )
    elif pick == 3:
        arrays["heldout_mean"] = arrays["mean"]
    elif pick == 4:
        arrays = {}
    saved(path, arrays)
    if pick == 5:
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("mean", file.read("mean.npy"))


def header(text: str, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    """A header of an array that may lie."""
    size = len(text) if length is None else length
    return (
        b"\x93NUMPY"
        + bytes(version)
        + size.to_bytes(2 if version[0] == 1 else 4, "little")
        + (text.encode("latin1"))
    )


def _header(path: Path, rng: np.random.Generator) -> None:
    """Headers of other versions, lengths, syntaxes and shapes than what follows."""
    good = "{'descr': '<f8', 'fortran_order': False, 'shape': (12, 2), }\n"
    shapes = [
        "(13, 2)",
        "(10**9, 2)",
        "(99999999999, 2)",
        "(-12, 2)",
        "(12, True)",
        "(12., 2)",
        "12",
    ]
    shapes += ["(" * DEEP + ")" * DEEP, "(" + "1," * 70 + ")", "(4611686018427387904, 4)", "(0, 0)"]
    pick = rng.integers(6)
    if pick == 0:
        head = header(good.replace("(12, 2)", shapes[rng.integers(len(shapes))]))
    elif pick == 1:
        head = header(good, [(0, 0), (2, 0), (3, 0), (4, 0), (9, 9), (255, 255)][rng.integers(6)])
    elif pick == 2:
        head = header(good, (2, 0), int(rng.choice([0, 5, 20_000, 2**31, 2**32 - 1])))
    elif pick == 3:
        head = header(["", "{", "None", "[]", "{'descr': 1}", "\x00" * 64, "__import__('os')"][
            rng.integers(7)
        ])  # fmt: skip
    elif pick == 4:
        kinds = ["|O", "<f99", "<i3", "f8,f8", "|V0", "<U9", "O", "x", "<f8 "]
        head = header(good.replace("<f8", kinds[rng.integers(len(kinds))]))
    else:
        head = b"\x93NUMPZ" + header(good)[6:]
    values = rng.standard_normal((12, 2)).tobytes()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("z.npy", head + values)


def _bytes(path: Path, rng: np.random.Generator) -> None:
    """A good archive with some bytes changed, cut off, put in or doubled."""
    [np.savez, np.savez_compressed][rng.integers(2)](path, **posterior(rng))
    content = bytearray(path.read_bytes())
    pick = rng.integers(4)
    at = int(rng.integers(len(content)))
    if pick == 0:
        for place in rng.integers(len(content), size=int(rng.integers(1, 9))):
            content[place] = int(rng.integers(256))
    elif pick == 1:
        del content[at:]
    elif pick == 2:
        content[at:at] = rng.bytes(int(rng.integers(1, 99)))
    else:
        content += bytes(content)
    path.write_bytes(content)


def _directory(path: Path, rng: np.random.Generator) -> None:
    """The lists at the end of a zip changed, where sizes, methods and places stand."""
    saved(path, posterior(rng))
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    for place in rng.integers(start, len(content), size=int(rng.integers(1, 4))):
        content[place] = int(rng.choice([0, 1, 127, 128, 255]))
    path.write_bytes(content)


def _bomb(path: Path, rng: np.random.Generator) -> None:
    """Little that expands to much: an array, a header, a list of members, a zip of zips."""
    pick = rng.integers(4)
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        if pick == 0:
            with file.open("z.npy", "w") as member:
                member.write(header("{'descr': '<f8', 'fortran_order': False, 'shape': "
                                    f"({(136 << 20) // 16}, 2), }}\n"))  # fmt: skip
                for _ in range(136):
                    member.write(zeros)
        elif pick == 1:
            with file.open("z.npy", "w") as member:
                member.write(header("{", (2, 0), 16 << 20))
                for _ in range(16):
                    member.write(zeros)
        elif pick == 2:
            for k in range(2000):
                file.writestr(f"mean{k}.npy", b"")
        else:
            inner = io.BytesIO()
            np.savez(inner, **posterior(rng))
            file.writestr(["mean.npz", "mean.npy"][rng.integers(2)], inner.getvalue())


def _special(path: Path, rng: np.random.Generator) -> Path:
    """What is no file."""
    pick = rng.integers(6)
    if pick == 0:
        os.mkfifo(path)
    elif pick == 1:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as one:
            one.bind(str(path))
    elif pick == 2:
        path.mkdir()
    elif pick == 3:
        path.symlink_to(["/dev/zero", "/dev/full", "/dev/null", path.name][rng.integers(4)])
    elif pick == 4:
        path.write_bytes([b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x93NUMPY"][rng.integers(4)])
    else:
        return Path("/dev/zero")
    return path


KINDS: dict[str, Callable[[Path, np.random.Generator], object]] = {
    "numbers": _number,
    "log variances": _logvar,
    "shapes": _shape,
    "types": _dtype,
    "objects": _object,
    "labels": _labels,
    "keys": _keys,
    "headers": _header,
    "bytes": _bytes,
    "directories": _directory,
    "bombs": _bomb,
    "special files": _special,
}


def try_case(seed: int, folder: Path) -> Outcome:
    """Make one archive and audit it.

    Args:
        seed: decides everything; its kind is seed modulo the number of kinds.
        folder: where it is made and removed again.

    Returns:
        What came of it.
    """
    kind = list(KINDS)[seed % len(KINDS)]
    path = folder / f"case-{seed}.npz"
    try:
        made = KINDS[kind](path, np.random.default_rng([seed, 20]))
        return _judged(kind, made if isinstance(made, Path) else path)
    finally:
        _remove(path)
        _remove(sprung(path))


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            path.rmdir()
        else:
            path.unlink()


def _judged(kind: str, path: Path) -> Outcome:
    done = called(["audit", str(path), "--json", "--threads", "1"])
    if done.raised:
        return Outcome(kind, "traceback", done.raised)
    if sprung(path).exists():
        return Outcome(kind, "code was executed")
    said = done.said
    if done.code == 64 and len(said) == 1 and not done.out and "\x1b" not in said[0]:
        return Outcome(kind, "one line", re.sub(r".*?\.npz: |.*?/dev/\w+: ", "", said[0]))
    if done.code != 0 or said:
        return Outcome(kind, f"exit {done.code}", "\n".join(said))
    return _answered(kind, done.out)


def _answered(kind: str, text: str) -> Outcome:
    """Whether it is strict JSON with an answer, each of its rows a number or a reason."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} in JSON")

    try:
        found = json.loads(text, parse_constant=refuse)
        rows = found["rows"]
    except (ValueError, KeyError, TypeError) as error:
        return Outcome(kind, "no strict JSON", str(error))
    ends, why = found["bracket"], found["bracket"]["missing"]
    mute = [name for name in ("lower", "upper", "gain") if ends[name] is None and not why[name]]
    mute += [row["metric"] for row in rows if row["value"] is None and not row["message"]]
    if not rows or mute:
        return Outcome(kind, "rows without a reason", ", ".join(mute))
    if found["verdict"] not in ("yes", "no", "undecided", "flagged"):
        return Outcome(kind, "no verdict", str(found["verdict"]))
    return Outcome(kind, "answer")
