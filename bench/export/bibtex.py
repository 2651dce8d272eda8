"""Entries of BibTeX: of the suite, and of the results of a matrix."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.export.latex import escaped
from bench.export.origin import Origin

__all__ = ["Suite", "as_bibtex", "cited"]

_HOLDER = "The vaebench maintainers"
_KEY = re.compile(r"[^A-Za-z0-9-]+")
_TOP = re.compile(r"([a-z-]+):\s*(.*)")
_ITEM = re.compile(r"\s*(-)?\s*([a-z-]+):\s*(.*)")


@dataclass(frozen=True)
class Suite:
    """How the suite is cited.

    Attributes:
        title: Of the suite.
        version: Of the installed one; empty where it is not known.
        authors: As BibTeX separates a family name from a given one, with a comma; of a body its
            name, in braces.
        year: Of the release; empty where it is not known.
        url: Of its repository or page; empty where it has none.
        doi: Empty where it has none.
    """

    title: str
    version: str = ""
    authors: tuple[str, ...] = (f"{{{_HOLDER}}}",)
    year: str = ""
    url: str = ""
    doi: str = ""


def cited(citation: str, known: Suite) -> Suite:
    r"""Read how the suite is cited from a citation file.

    Only single values and the list of authors are read, each on a line of its own, as the format's
    own examples write them.

    Args:
        citation: Text of ``CITATION.cff``; may be empty.
        known: What holds where it says nothing.

    Returns:
        How it is cited.

    Example:
        >>> text = "title: T\nversion: 1.2\nauthors:\n- family-names: Doe\n  given-names: J.\n"
        >>> cited(text, Suite("S"))
        Suite(title='T', version='1.2', authors=('Doe, J.',), year='', url='', doi='')
    """
    values: dict[str, str] = {}
    people: list[dict[str, str]] = []
    within = ""
    for line in citation.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _TOP.fullmatch(line.rstrip()):
            within = match[1]
            values[within] = _scalar(match[2])
        elif within == "authors" and (match := _ITEM.fullmatch(line.rstrip())):
            people += [{}] if match[1] or not people else []
            people[-1][match[2]] = _scalar(match[3])
    authors = tuple(filter(None, map(_author, people)))
    return replace(
        known,
        title=values.get("title") or known.title,
        version=values.get("version") or known.version,
        authors=authors or known.authors,
        year=values.get("date-released", "")[:4] or known.year,
        url=values.get("repository-code") or values.get("url") or known.url,
        doi=values.get("doi") or known.doi,
    )


def as_bibtex(name: str, suite: Suite, origin: Origin, command: str) -> str:
    """Write both entries.

    Args:
        name: Of the matrix.
        suite: How the suite is cited.
        origin: Which code measured the matrix, and when.
        command: That wrote them.

    Returns:
        BibTeX; a field whose value is not known is left out.
    """
    commits = ", ".join(origin.commits)
    note = f"Measured with the suite at commit {commits}" if commits else ""
    note += " and changes to it" if commits and origin.changed else ""
    authors = " and ".join(map(_braced, suite.authors))
    ours = {
        "author": authors,
        "title": f"{{{escaped(suite.title)}}}",
        "year": suite.year,
        "version": escaped(suite.version),
        "doi": _verbatim(suite.doi),
        "url": _verbatim(suite.url),
        "note": f"Version {escaped(suite.version)}" if suite.version else "",
    }
    results = {
        "author": authors,
        "title": f"{{{escaped(suite.title.partition(':')[0])}: results of the matrix "
        f"{escaped(name)}}}",
        "year": origin.year,
        "version": escaped(origin.version),
        "note": note,
    }
    key = f"vaebench-{_KEY.sub('-', name)}"
    return "\n".join([f"% Made by {command}.", _entry("vaebench", ours), _entry(key, results)])


def _entry(key: str, fields: Mapping[str, str]) -> str:
    known = [(field, value) for field, value in fields.items() if value]
    width = max(len(field) for field, _ in known)
    lines = [f"  {field:<{width}} = {{{value}}}," for field, value in known]
    return "\n".join([f"@misc{{{key},", *lines, "}", ""])


def _braced(author: str) -> str:
    """A name as BibTeX reads it; one in braces is not taken apart."""
    body = author.startswith("{")
    return f"{{{escaped(author[1:-1])}}}" if body else escaped(author)


def _author(person: Mapping[str, str]) -> str:
    family = " ".join(filter(None, [person.get("name-particle"), person.get("family-names")]))
    parts: Sequence[str] = [family, person.get("name-suffix", ""), person.get("given-names", "")]
    if family:
        return ", ".join(filter(None, parts))
    body = person.get("name") or person.get("alias", "")
    return f"{{{body}}}" if body else ""


def _scalar(text: str) -> str:
    """A value of YAML on one line: quoted, or plain up to its comment."""
    text = text.strip()
    for quote in "\"'":
        if text.startswith(quote) and (end := text.find(quote, 1)) > 0:
            return text[1:end]
    plain = re.split(r"\s#", text)[0].strip()
    return "" if plain in (">", "|", ">-", "|-", "~", "null", "[]") else plain


def _verbatim(text: str) -> str:
    """An address or identifier: what cannot be part of one is left out."""
    return re.sub(r"[^\w./:?=&%~+#-]", "", text)
