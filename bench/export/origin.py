"""Which code measured a matrix, and when, from its provenance."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Origin", "origin"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_DATE = re.compile(r"(\d{4})-\d{2}-\d{2}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,63}")


@dataclass(frozen=True)
class Origin:
    """What is known of the sessions that measured a matrix.

    Attributes:
        commits: Of the suite, the newest first, each once.
        changed: Whether the code of a session differed from its commit.
        version: Of the suite in the newest session; empty where it is not known.
        date: Of the newest session, as YYYY-MM-DD; empty where it is not known.
    """

    commits: tuple[str, ...] = ()
    changed: bool = False
    version: str = ""
    date: str = ""

    @property
    def year(self) -> str:
        """Of the newest session; empty where it is not known."""
        return self.date[:4]


def origin(sessions: Iterable[Mapping[str, Any]]) -> Origin:
    """Say which code measured a matrix, and when.

    Args:
        sessions: Those of ``provenance.json``, oldest first.

    Returns:
        What they say; what is not of the form that a run writes counts as not known.

    Example:
        >>> origin([{"git": {"commit": "c9322ad", "dirty": False}, "start": "2026-11-29T05:36:09"}])
        Origin(commits=('c9322ad',), changed=False, version='', date='2026-11-29')
    """
    newest = sorted(sessions, key=lambda one: _of(_DATE, one.get("start")), reverse=True)
    trees = [_table(one.get("git")) for one in newest]
    commits = [_of(_COMMIT, tree.get("commit"), whole=True) for tree in trees]
    return Origin(
        commits=tuple(dict.fromkeys(filter(None, commits))),
        changed=any(tree.get("dirty") is True for tree in trees),
        version=_first(
            _of(_VERSION, _table(one.get("versions")).get("vaebench"), whole=True) for one in newest
        ),
        date=_first(_of(_DATE, one.get("start")) for one in newest),
    )


def _of(pattern: re.Pattern[str], value: object, *, whole: bool = False) -> str:
    """The beginning of a text that has this form, or all of it; else nothing."""
    text = value if isinstance(value, str) else ""
    match = pattern.fullmatch(text) if whole else pattern.match(text)
    return match[0] if match else ""


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
