"""Matrices that nobody should hand over: seeded, each with what `vaebench run --dry-run` says."""

import contextlib
import json
import multiprocessing.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics.metric import Table
from bench.metrics.registry import METRICS
from tests.faults.outcomes import Outcome, called

__all__ = ["KINDS", "MODULE", "Case", "document", "importing", "toml", "try_case"]

Random = np.random.Generator

SMALL: dict[str, dict[str, Any]] = {
    "matrix": {"name": "small", "seeds": 2},
    "base": {
        "dataset": {"name": "gaussian_mixture", "size": 150, "dimensions": 4},
        "encoder": {"name": "mlp", "hidden": [4]},
        "decoder": {"name": "mlp", "hidden": [4]},
        "latent_dim": 2,
        "prior": {"name": "normal"},
        "likelihood": {"name": "gaussian"},
        "objective": {"name": "elbo", "beta": 1.0},
        "training": {"steps": 3, "batch_size": 8, "learning_rate": 1e-3},
        "quality": {"sources": [], "bound_inputs": 0},
    },
}
STUDY = {"name": "width", "grid": {"encoder.hidden": [[4], [5]]}}
CLAIM = {"id": "a", "says": "it does", "metric": "rate", "expect": "greater"}


@dataclass(frozen=True)
class Case:
    """A matrix, and how it is run.

    Attributes:
        text: of the file.
        options: of the command line.
        modules: text of a module of the user's own, by name; imported from the case's folder.
        bad: whether nothing but one line may come of it.
        path: of the file, where it is another than the case's own.
    """

    text: str | bytes
    options: Sequence[str] = ()
    modules: dict[str, str] | None = None
    bad: bool = False
    path: Path | None = None


def toml(document: dict[str, Any]) -> str:
    """A document in TOML: every value of the top two levels on a line of its own."""
    lines = []
    for section, tables in document.items():
        many = isinstance(tables, list)
        for table in tables if many else [tables]:
            lines.append(f"[[{section}]]" if many else f"[{section}]")
            lines += [f"{json.dumps(key)} = {_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return value.raw if isinstance(value, Raw) else json.dumps(value)


@dataclass(frozen=True)
class Raw:
    """Text that stands in the file as it is."""

    raw: str


def document(**changes: Any) -> dict[str, Any]:
    """The small matrix with a study and a claim, some keys of its base changed."""
    base = SMALL["base"] | changes
    return {"matrix": dict(SMALL["matrix"]), "base": base, "study": [STUDY], "claim": [CLAIM]}


def pick(rng: Random, things: Sequence[Any]) -> Any:  # noqa: ANN401
    return things[int(rng.integers(len(things)))]


LITERALS = ["3", "-1", "0", "1e400", "nan", "inf", "-0.0", "true", '""', '"x"', "[]", "[[]]", "{}"]
LITERALS += ["[1, 'a', {}]", '{ name = "gaussian" }', "1979-05-27", "0x" + "f" * 5000, "0.5", "~"]
LITERALS += ['"\\u2028"', "'''a\nb'''", "[2, 4]", "[[200], 3]", '{ "latent_dim" = [2, 4] }']
LITERALS += ["9223372036854775807", "9223372036854775808", "1e300", "1e-300", "5e-324", "[true]"]
LITERALS += ["[" * 40 + "]" * 40, "[" * 5000, '"\\u001b[31m"', '"' + "é" * 300 + '"', "07:32:00"]


def _lines(rng: Random, folder: Path) -> Case:
    """Lines deleted, doubled, moved and cut."""
    lines = toml(document()).splitlines()
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(lines)))
        match int(rng.integers(4)):
            case 0 if len(lines) > 1:
                del lines[place]
            case 1:
                lines.insert(int(rng.integers(len(lines))), lines[place])
            case 2:
                lines.insert(int(rng.integers(len(lines))), lines.pop(place))
            case _:
                lines[place] = lines[place][: int(rng.integers(len(lines[place]) + 1))]
    return Case("\n".join(lines))


def _bytes(rng: Random, folder: Path) -> Case:
    """Bytes changed, cut off, put in or doubled."""
    content = bytearray(toml(document()).encode())
    at = int(rng.integers(len(content)))
    match int(rng.integers(4)):
        case 0:
            for place in rng.integers(len(content), size=int(rng.integers(1, 9))):
                content[place] = int(rng.integers(256))
        case 1:
            del content[at:]
        case 2:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        case _:
            content += bytes(content)
    return Case(bytes(content))


def _values(rng: Random, folder: Path) -> Case:
    """A value of another type, or a number that nothing can be."""
    made = document()
    section = pick(rng, ["matrix", "base", "base", "base", "study", "claim"])
    table = made[section]
    table = dict(table[0]) if isinstance(table, list) else table
    made[section] = [table] if isinstance(made[section], list) else table
    key = pick(rng, list(table))
    if isinstance(table[key], dict) and rng.random() < 0.8:
        table[key] = inner = dict(table[key])
        table, key = inner, pick(rng, list(inner))
    table[key] = Raw(pick(rng, LITERALS))
    return Case(toml(made))


def _keys(rng: Random, folder: Path) -> Case:
    """Keys that are none, or stand where they do not belong."""
    keys = [
        "name",
        "seeds",
        "grid",
        "zip",
        "latent_dim.x",
        "prior.name",
        "encoder.hidden.0",
        "base",
    ]
    keys += ["", ".", "a.b.c", "matrix.seeds", "é", "x" * 5000, "\x1b[31m", "__class__", "self"]
    key, made = pick(rng, keys), document()
    value = Raw(pick(rng, LITERALS))
    where = pick(rng, ["", "matrix", "base", "study", "claim", "grid", "zip", "option"])
    if where == "":
        return Case(f"{json.dumps(key)} = {value.raw}\n" + toml(made))
    if where == "option":
        made["base"]["encoder"] = made["base"]["encoder"] | {key: value}
    elif where in ("grid", "zip"):
        made["study"] = [{"name": "s", where: {key: [value, value]}}]
    elif where in ("study", "claim"):
        made[where] = [made[where][0] | {key: value}]
    else:
        made[where][key] = value
    return Case(toml(made))


NAMES = ["--help", "-rf", "README", "readme", "index", "Index", "-", "_", "..", ".", "a/b", "a\\b"]
NAMES += [
    "../../x",
    "a b",
    "é",
    "CON",
    "nul",
    "x" * 65,
    "x" * 300,
    "",
    " ",
    "a\nb",
    "a\x00b",
    "$HOME",
]
NAMES += [
    "cache",
    "predictors",
    "validity",
    "performance",
    "small-claims",
    "<script>",
    "a;b",
    "`id`",
]


def _names(rng: Random, folder: Path) -> Case:
    name, made = pick(rng, NAMES), document()
    where = pick(rng, ["matrix", "study", "id", "says"])
    if where == "matrix":
        made["matrix"]["name"] = name
    elif where == "study":
        made["study"] = [STUDY | {"name": name}]
    else:
        made["claim"] = [CLAIM | {where: name}]
    page = where in ("matrix", "study") and name.lower() in ("readme", "index")
    return Case(toml(made), bad=page or (where != "says" and name.startswith("-")))


def _claims(rng: Random, folder: Path) -> Case:
    """Pairs of metric, source and split, of which most cannot be."""
    sources = ["", "prior", "aggregate", "gmm", "flow", "floor", "blur", "gauge_fixed", "x"]
    claim = CLAIM | {
        "metric": pick(rng, list(METRICS)),
        "source": pick(rng, ["", *sources]),
        "split": pick(rng, ["train", "test", "test"]),
        "expect": pick(rng, ["greater", "less", "equivalent", "increasing", "brackets apart"]),
        "margin": pick(rng, [0.0, 0.1, 0.1, 0.1, 1e300, -1.0]),
    }
    if rng.random() < 0.3:
        claim["against"] = pick(rng, sources)
    if rng.random() < 0.8:
        claim["study"] = "width"
    if rng.random() < 0.2:
        claim["reference"] = pick(rng, [0.0, 1e300, -5])
    images = METRICS[claim["metric"]].table == Table.SAMPLES
    bad = images != (claim["source"] not in ("", "gauge_fixed"))
    made = document(quality={"sources": pick(rng, [[], ["prior", "gmm"]]), "features": "pca"})
    made["base"]["dataset"] = made["base"]["dataset"] | {"size": 300}
    return Case(toml(made | {"claim": [claim]}), bad=bad)


def _grids(rng: Random, folder: Path) -> Case:
    """From none to 10^18 configurations; those above the limit are counted, never built."""
    keys = [
        "training.steps",
        "training.learning_rate",
        "objective.beta",
        "latent_dim",
        "dataset.size",
    ]
    keys += ["dataset.spread"]
    count = int(rng.integers(1, len(keys) + 1))
    each = int(pick(rng, [1, 2, 1000]))
    way = pick(rng, ["grid", "grid", "zip"])
    values = [i + 2 for i in range(each)]
    made = document()
    made["study"] = [{"name": "s", way: {key: values for key in keys[:count]}}]
    cells = (each**count if way == "grid" else each) * int(pick(rng, [1, 2, 10_000]))
    many = cells > 100_000
    made["matrix"]["seeds"] = cells // (each**count if way == "grid" else each) if many else 2
    if not many and cells > 8:
        made["study"] = []
    return Case(toml(made), ["--yes"] if cells > 10**6 and rng.random() < 0.5 else [], bad=many)


SIZES = [0, -1, 1, 10**5, 10**8, 10**9, 10**12, 10**18, 2**63 - 1]


def _sizes(rng: Random, folder: Path) -> Case:
    """Numbers that memory or time cannot hold."""
    size = pick(rng, SIZES)
    options = {
        "dataset": ["size", "dimensions", "components"],
        "encoder": ["hidden"],
        "decoder": ["hidden"],
        "training": ["steps", "batch_size"],
        "quality": ["bound_inputs", "sbc_draws"],
        "prior": ["components", "transforms", "bins", "hidden"],
        "matrix": ["seeds", "first_seed", "block", "timeout"],
        "base": ["latent_dim"],
    }
    family = pick(rng, list(options))
    option = pick(rng, options[family])
    made = document()
    if family in ("matrix", "base"):
        made[family][option] = size
    else:
        table = made["base"][family]
        if family == "prior":
            table = {"name": {"components": "mixture"}.get(option, "flow")}
        made["base"][family] = table | {option: [size, size] if option == "hidden" else size}
    huge = size >= 10**9 and option not in ("batch_size", "bound_inputs")
    return Case(toml(made), bad=size < 0 or huge)


def _spreads(rng: Random, folder: Path) -> Case:
    """Floats that overflow."""
    value = pick(rng, [1e300, 1e39, 3e38, 1e38, 1e30, -1.0, 1e-300])
    family, option = pick(
        rng,
        [
            ("dataset", "spread"),
            ("objective", "beta"),
            ("training", "learning_rate"),
            ("likelihood", "scale"),
        ],
    )
    made = document()
    made["base"][family] = made["base"][family] | {option: value}
    return Case(toml(made), bad=value >= 1e39)


RAISED = [
    "ValueError('no')",
    "SystemExit(0)",
    "SystemExit()",
    "SystemExit('bye')",
    "OSError(2, 'x')",
]
RAISED += ["MemoryError()", "RecursionError('deep')", "KeyError('k')", "AssertionError()", "Own()"]
RAISED += [
    "FileNotFoundError(2, 'No such file', 'data.bin')",
    "NotImplementedError()",
    "Own('é\\n2')",
]
RAISED += [
    "StopIteration()",
    "GeneratorExit()",
    "AttributeError('a')",
    "UnicodeDecodeError('u',b'',0,1,'r')",
]
RAISED += ["TypeError('t' * 5000)", "RuntimeError('a\\x1b[31mb')", "Own(Mute())"]
MODULE = """
import sys, torch
from torch import nn
from vaelib.datasets import Dataset, gaussian_mixture
from vaelib.priors import Normal
from vaelib.networks import MLPEncoder, MLPDecoder
from vaelib.likelihoods import LIKELIHOODS
from vaelib.objectives import OBJECTIVES
Gaussian, ELBO = LIKELIHOODS["gaussian"], OBJECTIVES["elbo"]

class Own(BaseException):
    pass

class Mute:
    def __str__(self):
        raise SystemExit(0)
    __repr__ = __str__

def fail(*_, **__):
    raise {raised}
"""
BASES = {
    "dataset": "Dataset",
    "encoder": "MLPEncoder",
    "decoder": "MLPDecoder",
    "prior": "Normal",
    "likelihood": "Gaussian",
    "objective": "ELBO",
}
HOOKS = {
    "encoder": ["__init__", "forward", "parameters"],
    "decoder": ["__init__", "forward", "parameters"],
    "prior": ["__init__", "prepare", "bind", "family", "to", "parameters"],
    "likelihood": ["__init__", "mean", "data_shape"],
    "objective": ["__init__", "check", "deterministic"],
    "dataset": ["__call__"],
}


CALM = ("to", "parameters")  # which planning may leave alone


def _plugins(rng: Random, folder: Path) -> Case:
    """Components that raise anything, wherever they are touched."""
    family = pick(rng, list(BASES))
    name, raised = f"own_{rng.integers(2**40)}", pick(rng, RAISED)
    where = pick(rng, ["import", "attribute", "default", *HOOKS[family], *HOOKS[family]])
    text = MODULE.replace("{raised}", raised)
    if where == "import":
        text += "fail()\n"
    elif where == "attribute":
        text += "def __getattr__(name):\n    if name == 'Part':\n        fail()\n"
        text += "    raise AttributeError(name)\n"
    elif where == "default":
        text += f"def Part(*_, o: {pick(rng, ['fail()', repr('fail()')])} = 1): pass\n"
    elif family == "dataset":
        text += "Part = fail\n"
        text = text.replace("def fail(*_, **__)", "def fail()")
    else:
        attribute = where in ("family", "data_shape", "deterministic")
        made = "property(fail)" if attribute else "fail"
        text += f"class Part({BASES[family]}):\n    {where} = {made}\n"
    return Case(_named(family, f"{name}:Part", rng), modules={name: text}, bad=where not in CALM)


def _named(family: str, path: str, rng: Random) -> str:
    """A matrix whose base, or whose study, names a component."""
    if rng.random() < 0.6:
        return toml(document(**{family: {"name": path}}))
    made = document()
    own = {"name": path}
    made["study"] = [{"name": "parts", "grid": {family: [made["base"][family], own]}}]
    return toml(made)


RETURNED = [
    "None",
    "3",
    "'text'",
    "Dataset",
    "[]",
    "torch.zeros(3)",
    "object()",
    "fail",
    "nn.Linear(2, 2)",
]
RETURNED += ["nn.Identity()", "sys", "float('nan')", "{}"]


def _returned(rng: Random, folder: Path) -> Case:
    """Components that are something else, or return it."""
    family, name = pick(rng, list(BASES)), f"own_{rng.integers(2**40)}"
    text = MODULE.replace("{raised}", "ValueError()")
    value = pick(rng, RETURNED)
    way = pick(rng, ["itself", "call", "forward"])
    if way == "itself":
        text += f"Part = {value}\n"
    elif way == "call" or family in ("dataset", "objective", "likelihood"):
        text += f"def Part(*_): return {value}\n"
    else:
        hook = "forward" if family in ("encoder", "decoder") else "prepare"
        text += f"class Part({BASES[family]}):\n    def {hook}(self, *_): return {value}\n"
    bad = family not in ("prior", "encoder") or way == "itself"
    return Case(_named(family, f"{name}:Part", rng), modules={name: text}, bad=bad)


DATA = ["torch.zeros(0, 4)", "torch.zeros(150, 0)", "torch.zeros(150)", "torch.tensor(1.0)"]
DATA += ["torch.full((150, 4), float('nan'))", "torch.full((150, 4), float('inf'))", "None"]
DATA += ["torch.zeros(150, 4, dtype=torch.int64)", "torch.zeros(150, 4, dtype=torch.float64)"]
DATA += [
    "torch.zeros(150, 4, dtype=torch.complex64)",
    "torch.zeros(150, 4).numpy()",
    "[[0.0] * 4] * 150",
]
DATA += [
    "torch.zeros(2, 4)",
    "torch.zeros(1, 4)",
    "torch.zeros(150, 4).to_sparse()",
    "torch.zeros(150, 4, device='meta')",
]
DATA += ["torch.zeros(150, 4, requires_grad=True)", "torch.zeros(1, 1).expand(10**12, 4)"]
LABELS = [
    "labels=torch.zeros(3).long()",
    "labels=torch.zeros(150)",
    "labels=[1] * 150",
    "labels='x'",
]
LABELS += [
    "fractions=(0.9, 0.9)",
    "fractions=(0.0, 0.0)",
    "fractions=(1.0, 0.0)",
    "fractions=(-1.0, 2.0)",
]
LABELS += [
    "fractions=None",
    "fractions=(0.5,)",
    "fractions=(float('nan'), 0.1)",
    "official_test=150",
]
LABELS += [
    "official_test=151",
    "official_test=-1",
    "official_test=1.5",
    "name=None",
    "log_density=3",
]


def _data(rng: Random, folder: Path) -> Case:
    """Data sets without points, with other numbers than finite ones, or that do not split."""
    name = f"own_{rng.integers(2**40)}"
    text = MODULE.replace("{raised}", "ValueError()")
    if rng.random() < 0.5:
        made, more = pick(rng, DATA), ""
    else:
        made, more = "torch.zeros(150, 4)", ", " + pick(rng, LABELS)
    named = "" if "name=" in more else "name='mine', "
    text += f"def Part(): return Dataset({named}x={made}{more})\n"
    bad = "log_density" not in more and "name=" not in more
    return Case(_named("dataset", f"{name}:Part", rng), modules={name: text}, bad=bad)


def _files(rng: Random, folder: Path) -> Case:
    """Files of data that are not there or hold something else."""
    path = folder / "data.npz"
    match int(rng.integers(6)):
        case 0:
            pass
        case 1:
            path.mkdir()
        case 2:
            path.write_bytes(rng.bytes(99))
        case 3:
            np.savez(path, x=np.full((50, 4), pick(rng, [np.nan, np.inf, 2.0])))
        case 4:
            np.savez(path, x=np.zeros(pick(rng, [(0, 4), (50, 0), (50,), (3, 4)])))
        case _:
            np.savez(path, x=np.array([[None] * 4] * 50, dtype=object))
    name = pick(rng, ["npz", "images"])
    table = {
        "name": name,
        "path": pick(rng, [str(path), str(path), "\x00", "x" * 5000, "/dev/zero"]),
    }
    return Case(_named_table("dataset", table, rng), bad=True)


def _named_table(family: str, table: dict[str, Any], rng: Random) -> str:
    made = document(**{family: table})
    if rng.random() < 0.4:
        made = document()
        made["study"] = [{"name": "parts", "zip": {family: [table, made["base"][family]]}}]
    return toml(made)


ENDS = ["os._exit(0)", "os._exit(64)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"]
ENDS += ["ctypes.string_at(0)", "os.closerange(0, 256) or os._exit(0)"]


def _ends(rng: Random, folder: Path) -> Case:
    """Code that ends its process while it is imported or made."""
    family, name = pick(rng, list(BASES)), f"own_{rng.integers(2**40)}"
    text = MODULE.replace("raise {raised}", pick(rng, ENDS)) + "import ctypes, os, signal\n"
    text += f"fail()\nPart = {BASES[family]}\n" if rng.integers(2) else "Part = fail\n"
    if rng.integers(4):
        return Case(_named(family, f"{name}:Part", rng), modules={name: text}, bad=True)
    made = document()
    made["matrix"]["metrics"] = [f"{name}:Part"]
    return Case(toml(made), modules={name: text + "fail()\n"}, bad=True)


METRIC = "Metric('mine', 'nats', None, None, 'm', 'mine', 'me', measure=len)"
BROKEN = ["3", "None", "object()", "Metric", METRIC.replace("'mine'", "'rate'", 1)]
BROKEN += [METRIC.replace("'mine'", value, 1) for value in ("3", "''", "'a b'", "'é' * 99", "None")]
BROKEN += [
    METRIC.replace("measure=len", value) for value in ("measure=3", "table='x'", "margin=fail")
]
BROKEN += [METRIC.replace("None, None", value) for value in ("'up', 1", "'lower', 'x'", "3, -1")]
BROKEN += ["fail()", "Sly()"]


def _metrics(rng: Random, folder: Path) -> Case:
    """Metrics of the user's own that are none, or raise."""
    name, made = f"own_{rng.integers(2**40)}", document()
    text = MODULE.replace("{raised}", pick(rng, RAISED)) + (
        "from bench.metrics.metric import Metric\n"
        "class Sly(Metric):\n    def __init__(self): pass\n    __getattr__ = fail\n"
    )
    text += f"mine = {pick(rng, BROKEN)}\n"
    path = pick(rng, [f"{name}:mine", f"{name}:mine", f"{name}:", ":mine", name, "a:b:c", "", ":"])
    made["matrix"]["metrics"] = [path]
    return Case(toml(made), modules={name: text}, bad=True)


def _overrides(rng: Random, folder: Path) -> Case:
    keys = ["latent_dim", "prior.name", "training.steps", "matrix.seeds", "matrix.name", "x", ""]
    keys += [
        "matrix",
        "base.latent_dim",
        "study",
        "encoder.hidden",
        "matrix.metrics",
        "dataset.path",
    ]
    text = f"{pick(rng, keys)}{pick(rng, ['=', '=', '=', ''])}{pick(rng, LITERALS)}"
    options = ["--set", text]
    if rng.random() < 0.3:
        options = [pick(rng, ["--seeds", "--first-seed"]), str(pick(rng, SIZES))]
    return Case(toml(document()), options)


def _special(rng: Random, folder: Path) -> Case:
    """What is no file, or holds nothing."""
    path = folder / "special.toml"
    match int(rng.integers(5)):
        case 0:
            os.mkfifo(path)
        case 1:
            path.mkdir()
        case 2:
            path.symlink_to(pick(rng, ["/dev/zero", "/dev/null", path.name, "nowhere"]))
        case 3:
            path.write_bytes(
                pick(rng, [b"", b"\xff\xfe[\x00", b"#" * 10**6, b"\x00" * 99, b"[" * 10**5])
            )
        case _:
            path = Path(pick(rng, ["", "x" * 5000, "a\x00b", "nowhere", "/dev/null/x.toml", "--"]))
    return Case("", path=path, bad=True)


KINDS: dict[str, Callable[[Random, Path], Case]] = {
    "lines": _lines,
    "bytes": _bytes,
    "values": _values,
    "keys": _keys,
    "names": _names,
    "claims": _claims,
    "grids": _grids,
    "sizes": _sizes,
    "spreads": _spreads,
    "plug-ins": _plugins,
    "ends": _ends,
    "returned": _returned,
    "data": _data,
    "files": _files,
    "metrics": _metrics,
    "overrides": _overrides,
    "special files": _special,
}


KEYED = frozenset(KINDS) - {"lines", "bytes", "values", "keys", "overrides", "special files"}
KEY = r"vaebench: (matrix\.|base\.|study |claim )"


def try_case(seed: int, folder: Path) -> Outcome:
    """Make one matrix and plan it.

    Args:
        seed: decides everything; its kind is seed modulo the number of kinds.
        folder: where it is made and removed again.

    Returns:
        What came of it.
    """
    kind = list(KINDS)[seed % len(KINDS)]
    place = folder / f"case-{seed}"
    place.mkdir()
    try:
        case = KINDS[kind](np.random.default_rng([seed, 24]), place)
        path = case.path or place / "matrix.toml"
        if case.path is None:
            path.write_bytes(case.text.encode() if isinstance(case.text, str) else case.text)
        for name, text in (case.modules or {}).items():
            (place / f"{name}.py").write_text(text)
        return _judged(kind, case, path, place)
    finally:
        shutil.rmtree(place)


def _judged(kind: str, case: Case, path: Path, folder: Path) -> Outcome:
    results = folder / "results"
    with importing(folder):
        done = called(["run", str(path), "--dry-run", "--results", str(results), *case.options])
    if done.raised:
        return Outcome(kind, "traceback", done.raised)
    said = [line.replace(str(folder), "…") for line in done.said]
    if results.exists():
        return Outcome(kind, "wrote results", "\n".join(said))
    if done.code == 0 and not said:
        return Outcome(kind, "passed by mistake" if case.bad else "answer", done.out[-300:])
    if done.code != 64 or len(said) != 1 or not said[0].isprintable():
        return Outcome(kind, f"exit {done.code}", "\n".join(said))
    if "no end after" in said[0]:
        return Outcome(kind, "hangs", said[0])
    if case.bad and kind in KEYED and not re.match(KEY, said[0]):
        return Outcome(kind, "names no key", said[0])
    _, named, log = done.said[0].partition("; the traceback is in ")
    if named and not Path(log).read_text().startswith("Traceback"):
        return Outcome(kind, "no traceback in the log", said[0])
    return Outcome(kind, "one line", said[0])


@contextlib.contextmanager
def importing(folder: Path) -> Iterator[None]:
    """Within the block modules come from a folder too; after it they are forgotten."""
    multiprocessing.util.get_temp_dir()  # of the server that forks processes, which outlives this
    before, path, temporary = set(sys.modules), list(sys.path), tempfile.tempdir
    tempfile.tempdir = str(folder)  # for logs
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:], tempfile.tempdir = path, temporary
        for name in set(sys.modules) - before:
            if name.startswith("own_"):
                del sys.modules[name]
