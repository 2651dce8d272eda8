"""Names of figures: different texts never share a file, and none leaves its folder."""

import hashlib
import re

__all__ = ["COLUMNS", "INPUTS", "SAMPLES", "file_name", "of_configuration"]

SAMPLES, INPUTS, COLUMNS = "samples", "inputs", "columns"
"""Pages in the folder of a matrix that belong to no study."""

_OTHERS = re.compile(  # files that belong to no study, or to one and a kind
    r"(ranks|brackets|correlations|match-cost|ladder|samples|inputs|columns)$|(quilt|samples|holes|brackets|match-cost)-"
    r"|.*-(kl|quantiles|sbc|tables)$|.*-[0-9a-f]{8}$"
)
_CONFIGURATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST = 64  # characters


def file_name(text: str) -> str:
    """Make a file name of the name of a study or of a data set.

    Lower-case words with single spaces become these words with hyphens. Any other text has a hash
    of itself, so that "width 2", "Width 2" and "width-2" are three files.

    Args:
        text: Any text.

    Returns:
        Lower-case letters, digits and hyphens.

    Example:
        >>> file_name("encoder depth"), file_name("Ranks"), file_name("../x")
        ('encoder-depth', 'ranks-09fb4368', 'x-d6b96a97')
    """
    words = _words(text)
    if words and text == words.replace("-", " ") and not _OTHERS.match(words):
        return words
    return _hashed(words, text)


def of_configuration(name: str) -> str:
    """Make a part of a file name of the name of a configuration, as which arrays are kept.

    Args:
        name: Any text; a matrix lets through letters, digits, ``-`` and ``_`` alone.

    Returns:
        The name itself; of another text its words with a hash.
    """
    return name if _CONFIGURATION.fullmatch(name) else _hashed(_words(name), name)


def _words(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST]


def _hashed(words: str, text: str) -> str:
    return f"{words}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("-")
