"""Functions and models of a user's own, by their import paths."""

import importlib
import operator
import os
import re
import sys
from typing import Any

from bench.errors import UserError, foreign, shown

__all__ = ["imported"]

_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def imported(name: str, option: str, such_as: str) -> Any:  # noqa: ANN401
    """What stands at an import path; what is installed comes before what lies in this folder.

    Args:
        name: MODULE:NAME.
        option: that names it, for the message.
        such_as: an example.

    Returns:
        Whatever it is.

    Raises:
        UserError: for what is no import path.
        ForeignError: for what cannot be imported.
    """
    if not _PATH.fullmatch(name):
        raise UserError(
            f"{option} must be an import path MODULE:NAME, such as {such_as}, got {shown(name)}"
        )
    module, _, attribute = name.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    with foreign(f"{option}: cannot import {shown(name)}"):
        return operator.attrgetter(attribute)(importlib.import_module(module))
