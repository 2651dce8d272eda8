"""Components by name: the tables of vaelib, and import paths of a user's own."""

import importlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from vaelib.datasets import DATASETS
from vaelib.likelihoods import LIKELIHOODS
from vaelib.networks import DECODERS, ENCODERS
from vaelib.objectives import OBJECTIVES
from vaelib.priors import PRIORS

__all__ = ["FAMILIES", "component"]


def component(family: str, name: str) -> Any:  # noqa: ANN401
    """What a component name stands for.

    Args:
        family: a key of ``FAMILIES``.
        name: an entry of that table or an import path ``"package.module:Attribute"``.

    Returns:
        The class or function; at the end of an import path, whatever stands there. A module may
        raise anything while it is imported.
    """
    if name in FAMILIES[family]:
        return FAMILIES[family][name]
    module, _, attribute = name.partition(":")
    return operator.attrgetter(attribute)(importlib.import_module(module))


FAMILIES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "dataset": DATASETS,
    "encoder": ENCODERS,
    "decoder": DECODERS,
    "prior": PRIORS,
    "likelihood": LIKELIHOODS,
    "objective": OBJECTIVES,
}
