"""Components by name: the tables of vaelib, and import paths of a user's own."""

import importlib
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import MatrixError, shown, unknown
from vaelib.datasets import DATASETS
from vaelib.likelihoods import LIKELIHOODS
from vaelib.networks import DECODERS, ENCODERS
from vaelib.objectives import OBJECTIVES
from vaelib.priors import PRIORS

__all__ = ["FAMILIES", "component"]


def component(family: str, name: object, at: str = "") -> Callable[..., Any]:
    """The class or function that a component name stands for.

    Args:
        family: a key of ``FAMILIES``.
        name: an entry of that table or an import path ``"package.module:Attribute"``.
        at: where the name stands, for the error.

    Returns:
        The class or function.

    Raises:
        MatrixError: for an unknown name, or a path that cannot be imported.
    """
    key = f"{at}{family}.name"
    if not isinstance(name, str):
        raise MatrixError(f"{key}: expected text, got {shown(name)}")
    if name in FAMILIES[family]:
        return FAMILIES[family][name]
    module, separator, attribute = name.partition(":")
    if not separator:
        also = '; or an import path "package.module:Attribute"'
        raise MatrixError(unknown(key, f"{family} {shown(name)}", name, FAMILIES[family], also))
    try:
        found = operator.attrgetter(attribute)(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise MatrixError(f"{key}: cannot import {shown(name)} ({reason})") from error
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        raise MatrixError(
            f"{key}: expected a class or a function at {shown(name)}, got {type(found).__name__}"
        )
    return found


FAMILIES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "dataset": DATASETS,
    "encoder": ENCODERS,
    "decoder": DECODERS,
    "prior": PRIORS,
    "likelihood": LIKELIHOODS,
    "objective": OBJECTIVES,
}
