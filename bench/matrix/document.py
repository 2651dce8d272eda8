"""A matrix as its text says it: sections of plain values, and what ``--set`` changes in them.

Nothing is validated here, and nothing heavy is imported: a text that is no TOML is refused at once.
"""

import math
import tomllib
from collections.abc import Iterable
from typing import Any

from bench.errors import MatrixError, shown, unknown

__all__ = ["overridden", "parsed"]

_SECTIONS = ("matrix", "base", "study", "claim")
_LARGEST = 3.4028234e38  # float32
_DEEPEST = 16  # levels of a TOML document


def parsed(text: str, at: str) -> dict[str, Any]:
    """The sections of a matrix, not yet validated.

    Args:
        text: the matrix.
        at: what it is called in errors.

    Returns:
        Plain JSON values.

    Raises:
        MatrixError: for what is no TOML, or more than plain values.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MatrixError(f"{at}: expected TOML, got: {error}") from error
    plain = {key: _plain(value, (key,)) for key, value in document.items()}
    for key in plain:
        if key not in _SECTIONS:
            raise MatrixError(unknown(key, "key", key, _SECTIONS))
    return plain


def _plain(value: object, path: tuple[str, ...]) -> object:
    at = ".".join(path)
    if len(path) > _DEEPEST:
        raise MatrixError(f"{at}: expected at most {_DEEPEST} nested levels, got more")
    if isinstance(value, dict):
        return {key: _plain(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list) and path in (("study",), ("claim",)):
        return [_plain(inner, (f"{at} {number}",)) for number, inner in enumerate(value, 1)]
    if isinstance(value, list):
        return [_plain(inner, (*path, str(place))) for place, inner in enumerate(value)]
    if isinstance(value, float) and math.isfinite(value):
        if abs(value) > _LARGEST:
            raise MatrixError(f"{at}: expected at most {_LARGEST:.2g} in size, got {value:g}")
        return value + 0.0  # -0.0 becomes 0.0
    if isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    got = "an integer beyond 64 bits" if isinstance(value, int) else str(value)
    raise MatrixError(f"{at}: expected text, a boolean or a finite number, got {got}")


def overridden(texts: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``--set`` changes.

    Args:
        texts: ``"KEY=VALUE"``, VALUE in TOML.

    Returns:
        What it changes in ``[matrix]``, and in ``[base]``: dotted key -> plain JSON value.

    Raises:
        MatrixError: for what is no KEY=VALUE, or no value of TOML.
    """
    header: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise MatrixError(f"--set: expected KEY=VALUE, got {shown(text)}")
        try:
            given = tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):
            given = {}
        if list(given) != ["value"]:
            raise MatrixError(
                f"--set {key}: expected a TOML value such as 3, 1e-3, [200, 200] or "
                f'"text" with its quotes, got {shown(value)}'
            )
        changed = header if key.startswith("matrix.") else changes
        changed[key.removeprefix("matrix.")] = _plain(given["value"], (f"--set {key}",))
    return header, changes
