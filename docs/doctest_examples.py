"""Shows the doctests under "Example:" in docstrings as code, and names of others as names."""

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["DoctestExamples", "shown"]

_ROLE = re.compile(r":(?:mod|func|class|meth|data|attr):`(~?)(?:([\w.]+)\.)?(\w+)`")


def shown(docstring: str) -> str:
    """A docstring as the site shows it.

    Args:
        docstring: As the code has it.

    Returns:
        The same with "Examples:", the heading that is known to hold doctests, and without the
        roles of names, of which ``~`` leaves the last part.
    """
    plain = re.sub(r"(?m)^Example:$", "Examples:", docstring)
    return _ROLE.sub(
        lambda name: f"`{name[3]}`" if name[1] or not name[2] else f"`{name[2]}.{name[3]}`", plain
    )


class DoctestExamples(Extension):
    """Rewrites docstrings before they are shown."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:  # noqa: ANN401
        """Rewrites one docstring."""
        if obj.docstring:
            obj.docstring.value = shown(obj.docstring.value)
