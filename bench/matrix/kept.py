"""What pages must know of a matrix that names a user's code, kept as data: reading imports nothing.

The options of a component are its signature, so that what a matrix comes to is known only where
its components can be imported. A run imports them, and keeps what came of it beside the rows.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError

from bench.errors import DamagedError, reason
from bench.matrix.components import Name
from bench.matrix.configurations import Configuration, Study, canonical, digest
from bench.metrics.metric import Metric
from vaelib.files import update
from vaelib.reading import read_bytes

__all__ = [
    "KEPT",
    "Expanded",
    "Kept",
    "code_keys",
    "names_code",
    "paths",
    "recall",
    "remember",
    "said",
]

KEPT = "configurations.json"
"""Name of the file; there is one only where a matrix names code."""


def _sound(configuration: Configuration) -> Configuration:
    TypeAdapter(Name).validate_python(configuration.name)
    if not isinstance(configuration.values.get("latent_dim"), int):
        raise ValueError("a configuration should have a latent_dim")
    return configuration


@dataclass(frozen=True)
class Expanded:
    """What a matrix comes to.

    Attributes:
        of: hash of what it says of its base and its studies.
        studies: in the order of the file.
        configurations: the base, then those of the studies, each once.
    """

    of: str
    studies: tuple[Study, ...]
    configurations: tuple[Annotated[Configuration, AfterValidator(_sound)], ...]

    def __post_init__(self) -> None:
        named = {configuration.name for configuration in self.configurations}
        if not named.issuperset(name for study in self.studies for name in study.configurations):
            raise ValueError("its studies should have configurations that are listed")


@dataclass(frozen=True)
class Kept:
    """What stands in the place of a user's code where nothing may be imported.

    Attributes:
        own: the metrics that the matrix adds.
        expanded: what its components make of it; None where that was not kept.
    """

    own: tuple[Metric, ...] = ()
    expanded: Expanded | None = None


def names_code(document: Mapping[str, Any]) -> bool:
    """Whether a component of a matrix may be named by an import path."""
    return any(code_keys(document))


def code_keys(document: Mapping[str, Any]) -> Iterator[str]:
    """Where the base and the studies of a matrix may name code: all import paths have a colon.

    Args:
        document: the matrix, parsed; not yet validated.

    Yields:
        Keys, those of studies by their number.
    """
    yield from paths(document.get("base"), "base")
    studies = document.get("study")
    for number, study in enumerate(studies if isinstance(studies, list) else [], 1):
        varied = dict(study) if isinstance(study, Mapping) else {}
        varied.pop("name", None)
        yield from paths(varied, f"study {number}")


def paths(value: object, key: str) -> Iterator[str]:
    """Keys within a value, which has a key of its own, whose text has a colon."""
    if isinstance(value, str) and ":" in value:
        yield key.removesuffix(".name")
    inner: Iterable[tuple[object, object]] = value.items() if isinstance(value, Mapping) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    for name, part in inner:
        yield from paths(part, f"{key}.{name}")


def said(document: Mapping[str, Any]) -> str:
    """Hash of what a matrix says of its base and its studies; not of its claims and comments."""
    return digest(canonical([document.get("base"), document.get("study")]))


def remember(
    folder: Path,
    document: Mapping[str, Any],
    studies: tuple[Study, ...],
    configurations: tuple[Configuration, ...],
) -> None:
    """Keep what a matrix comes to beside its rows, where a reader could not tell without its code.

    Args:
        folder: of the matrix's results.
        document: the matrix, parsed.
        studies: its studies.
        configurations: its configurations, the base first.
    """
    path = folder / KEPT
    if not names_code(document):
        path.unlink(missing_ok=True)
        return
    expanded = asdict(Expanded(said(document), studies, configurations))
    data = (json.dumps(expanded, indent=1, ensure_ascii=False) + "\n").encode()
    update(path, data)


def recall(folder: Path) -> Expanded | None:
    """What `remember` kept.

    Args:
        folder: of a matrix's results.

    Returns:
        What its matrix comes to; None where nothing was kept.

    Raises:
        DamagedError: where the file is not what `remember` wrote.
        OSError: where it cannot be read for a reason that is not its own.
    """
    path = folder / KEPT
    if not os.path.lexists(path):
        return None
    try:
        expanded = TypeAdapter(Expanded).validate_json(read_bytes(path))
        if expanded.configurations:
            return expanded
        why = "no configuration"
    except OSError as error:
        why = reason(error)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
    raise DamagedError(
        f"expected the configurations of a matrix in {path}, got something else ({why}); run "
        "the matrix again"
    )
