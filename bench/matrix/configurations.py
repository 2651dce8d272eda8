"""Configurations: how a base and its studies become a list of named, resolved values."""

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from bench.errors import MatrixError, shown, unknown
from bench.matrix.components import StudyName, arguments, component_at, fitting, resolve
from bench.matrix.registry import FAMILIES

__all__ = [
    "DEFAULTS",
    "Configuration",
    "Study",
    "alter",
    "canonical",
    "digest",
    "expand",
    "identity",
    "resolve_all",
    "sizes",
    "told",
]

DEFAULTS: dict[str, Any] = {
    "dataset": {},
    "encoder": {},
    "decoder": {},
    "latent_dim": 2,
    "prior": {},
    "likelihood": {},
    "objective": {},
    "training": {},
    "quality": {},
}
_BEFORE: dict[tuple[str, str], Any] = {
    ("training", "precision"): "float32",
    ("quality", "sbc_draws"): 0,
}
"""What the later options were before there were any. With these values they stay out of every hash,
so that an option more changes no cell's id, and baselines made before it still compare."""
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_LONGEST = 64  # characters of a configuration's name


@dataclass(frozen=True)
class Configuration:
    """One resolved configuration.

    Attributes:
        name: short and unique in its matrix; letters, digits, ``-`` and ``_``.
        values: every key, typed, defaults filled in; plain JSON values. Configurations share
            their tables: read only.
        studies: every study it stands in.
        varied: dotted key -> value, for every key that any study of the matrix varies; None where
            its component has no such option.
    """

    name: str
    values: dict[str, Any]
    studies: tuple[str, ...]
    varied: dict[str, Any]

    @property
    def id(self) -> str:
        """Hash of the values, 12 hexadecimal digits."""
        return digest(identity(self.values))[:12]


@dataclass(frozen=True)
class Study:
    """Configurations that differ in some keys and are compared with each other.

    Attributes:
        name: free text.
        keys: the dotted keys it varies.
        configurations: names of its configurations, in the order of the file.
    """

    name: str
    keys: tuple[str, ...]
    configurations: tuple[str, ...]


@dataclass(frozen=True)
class _Latent:
    latent_dim: Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True)
class _Block:
    name: StudyName
    grid: dict[str, Any] | None = None
    zip: dict[str, Any] | None = None


@dataclass
class _Draft:
    values: dict[str, Any]
    names: set[str]
    studies: list[str] = field(default_factory=list)


def canonical(value: object) -> str:
    """Returns canonical JSON: sorted keys, no spaces, ASCII, finite numbers only."""
    return _JSON.encode(value)


def digest(text: str) -> str:
    """Returns the sha256 of a text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def identity(values: Mapping[str, Any]) -> str:
    """The canonical JSON of a configuration's values that its id and its cells' ids hash."""
    kept = dict(values)
    for (key, option), value in _BEFORE.items():
        table = kept.get(key)
        if isinstance(table, dict) and table.get(option) == value:
            kept[key] = {name: given for name, given in table.items() if name != option}
    return canonical(kept)


def resolve_all(tables: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Resolve some keys of a configuration.

    Args:
        tables: key of ``DEFAULTS`` -> what the matrix says.
        at: where they stand, for errors.

    Returns:
        The same keys with typed values, defaults filled in.
    """
    values: dict[str, Any] = {}
    for key, table in tables.items():
        if key == "latent_dim":
            values |= arguments(at, {key: table}, _Latent)
        else:
            values[key] = resolve(key, table, at)
    return values


def alter(tables: Mapping[str, Any], changes: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Apply changes by dotted key: whole tables first, then names, then options.

    Args:
        tables: what the matrix says, by key of ``DEFAULTS``; not edited.
        changes: dotted key -> value. A whole table replaces the old one; a new name keeps the
            options that the new component also takes.
        at: where the changes stand, for errors.

    Returns:
        The changed keys alone, not yet validated.

    Raises:
        MatrixError: for a key that no configuration has.
    """
    altered: dict[str, Any] = {}
    for key in sorted(changes, key=lambda key: ("." in key) * (2 - key.endswith(".name"))):
        top, dot, option = key.partition(".")
        if top not in DEFAULTS:
            raise MatrixError(unknown(f"{at}{top}", "key", top, DEFAULTS))
        if not dot:
            altered[top] = changes[key]
            continue
        if top == "latent_dim":
            raise MatrixError(f"{at}{key}: expected the key latent_dim alone, it has no options")
        table = altered.get(top, tables[top])
        if not isinstance(table, Mapping):
            raise MatrixError(f"{at}{top}: expected a table {{ … }}, got {shown(table)}")
        if option == "name" and top in FAMILIES:
            table = fitting(table, component_at(top, changes[key], at), f"{at}{top}.")
        altered[top] = {**table, option: changes[key]}
    return altered


def expand(
    tables: Mapping[str, Any], base: dict[str, Any], blocks: Sequence[object]
) -> tuple[tuple[Study, ...], tuple[Configuration, ...]]:
    """The configurations of all studies, each once.

    Args:
        tables: what the matrix says of the base, by key of ``DEFAULTS``.
        base: the same, resolved.
        blocks: the ``[[study]]`` tables.

    Returns:
        The studies, and the configurations with the base first.

    Raises:
        MatrixError: for every mistake in a study.
    """
    root = digest(canonical(base))
    drafts = {root: _Draft(base, {"base"})}
    members: dict[str, tuple[tuple[str, ...], list[str]]] = {}
    for number, block in enumerate(blocks, 1):
        fields = arguments(f"study {number}.", block, _Block)
        name, at = fields["name"], f"study {shown(fields['name'])}: "
        if name in members:
            raise MatrixError(f"study {number}.name: {shown(name)} is taken by an earlier study")
        keys, points = _points(fields, at)
        identities: list[str] = []
        members[name] = keys, identities
        seen = set()
        for point in points:
            changes = dict(zip(keys, point, strict=True))
            values = base | resolve_all(alter(tables, changes, at), at)
            identity = digest(canonical(values))
            if identity in seen:
                raise MatrixError(
                    f"{at}expected distinct configurations, got {shown(changes)} twice"
                )
            seen.add(identity)
            identities.append(identity)
            draft = drafts.setdefault(identity, _Draft(values, set()))
            draft.studies.append(name)
            if identity != root:
                draft.names.add(_name(keys, values, base))
    names = _unique({identity: draft.names for identity, draft in drafts.items()})
    varied = list(dict.fromkeys(key for keys, _ in members.values() for key in keys))
    return tuple(
        Study(name, keys, tuple(names[identity] for identity in identities))
        for name, (keys, identities) in members.items()
    ), tuple(
        Configuration(
            names[identity],
            draft.values,
            tuple(draft.studies),
            {key: _look(draft.values, key) for key in varied},
        )
        for identity, draft in drafts.items()
    )


def sizes(blocks: Sequence[object]) -> list[tuple[int, str]]:
    """How many configurations studies have, without making one.

    Args:
        blocks: the ``[[study]]`` tables, not yet validated.

    Returns:
        Of each study the product of the lengths of a grid, or the length of a zip, and how an error
        names it; 1 for what is no study, and where there is none.
    """
    counts = []
    for number, block in enumerate(blocks, 1):
        table = block if isinstance(block, Mapping) else {}
        name, size = table.get("name", number), 1
        for way in ("grid", "zip"):
            columns = table.get(way)
            lists = columns.values() if isinstance(columns, Mapping) else ()
            lengths = [max(1, len(values)) for values in lists if isinstance(values, list)]
            size *= math.prod(lengths) if way == "grid" else max(lengths, default=1)
        counts.append((size, f"study {shown(name)}"))
    return counts or [(1, "base")]


def _points(
    fields: Mapping[str, Any], at: str
) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    # the keys that a study varies, and their values at each of its points
    if (fields["grid"] is None) == (fields["zip"] is None):
        got = "neither" if fields["grid"] is None else "both"
        raise MatrixError(f"{at}expected either grid (product) or zip (together), got {got}")
    way = "zip" if fields["grid"] is None else "grid"
    columns = fields[way]
    if not columns:
        raise MatrixError(f"{at}{way}: expected at least one key with its values, got none")
    for key, values in columns.items():
        if isinstance(values, Mapping):
            example = f'"{key}.{next(iter(values), "name")}"'
            raise MatrixError(
                f"{at}{key}: expected a list of values; quote a dotted key: {example}"
            )
        if not isinstance(values, list) or not values:
            raise MatrixError(f"{at}{key}: expected a list of values, got {shown(values)}")
    lengths = [len(values) for values in columns.values()]
    if way == "zip" and len(set(lengths)) > 1:
        raise MatrixError(f"{at}zip: expected lists of one length, got {shown(lengths)}")
    combine = itertools.product if way == "grid" else zip
    return tuple(columns), iter(combine(*columns.values()))


def _look(values: Mapping[str, Any], key: str) -> object:
    top, dot, option = key.partition(".")
    value: object = values[top].get(option) if dot else values[top]
    return value


def _name(keys: Sequence[str], values: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    slugs = []
    for key in keys:
        value = _look(values, key)
        if value != _look(base, key):
            words = [key.removesuffix(".name").replace(".", "-"), value]
            if key in DEFAULTS and isinstance(value, dict):
                new = told(key, value, base[key]).items()
                component = [value["name"]] if "name" in value else []
                words = [key, *component, *itertools.chain(*new)]
            slugs.append(_slug(words))
    return "--".join(slugs) or "other"  # where an untyped option is true for 1


def told(
    key: str, table: Mapping[str, Any], base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The options of a table that a reader would not assume.

    Args:
        key: of ``DEFAULTS``.
        table: its resolved value.
        base: what is assumed where it names the same component; the defaults elsewhere.

    Returns:
        Option -> value, without the name.
    """
    if base is not None and table.get("name") == base.get("name"):
        return {k: v for k, v in table.items() if v != base.get(k)}
    return {k: v for k, v in table.items() if k != "name" and not _assumed(key, table, k)}


def _assumed(key: str, table: Mapping[str, Any], option: str) -> bool:
    """Whether a table says the same without an option."""
    try:
        return resolve(key, {k: v for k, v in table.items() if k != option}) == table
    except MatrixError:  # it has no default
        return False


def _slug(value: object) -> str:
    if isinstance(value, list):
        return "-".join(map(_slug, value)) or "none"
    if isinstance(value, float):
        return re.sub(r"[^0-9a-z-]", "_", str(value).removesuffix(".0"))
    text = value if isinstance(value, str) else str(value).lower()
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _unique(names: Mapping[str, set[str]]) -> dict[str, str]:
    """Returns each one's shortest name; ambiguous and long ones end in their id."""
    short = {identity: min(known, key=lambda n: (len(n), n)) for identity, known in names.items()}
    count = Counter(name.lower() for name in short.values())
    return {
        identity: name
        if count[name.lower()] == 1 and len(name) <= _LONGEST
        else f"{name[: _LONGEST - 7]}-{identity[:6]}"
        for identity, name in short.items()
    }
