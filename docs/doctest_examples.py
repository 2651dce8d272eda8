"""Shows the doctests under "Example:" in docstrings as code."""

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["DoctestExamples"]


class DoctestExamples(Extension):
    """Calls them "Examples:", the heading that is known to hold doctests."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:  # noqa: ANN401
        """Renames the heading in one docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
