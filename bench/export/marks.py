"""The Markdown of the pages, read: into HTML of which every character is escaped, and into LaTeX.

It is what `bench.report.markdown` and the sections write, and no more: headings, paragraphs,
quotes, lists and tables; within a line bold, emphasis, code and what a backslash escapes. A link
becomes its text, since an export stands alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from markupsafe import Markup, escape

__all__ = ["Kind", "blocks", "inline", "pieces"]

Kind = Literal["text", "code", "strong", "em"]
_PIECE = re.compile(
    r"\\(?P<escaped>[\\`*\[\]<>#~$&_|])"
    r"|`(?P<code>[^`]+)`"
    r"|\[(?P<link>(?:\\.|`[^`]*`|[^\]\\`])*)\]\([^()\s]*\)"
    r"|(?P<strong>\*\*)|(?P<em>\*)"
)
_HEADING = re.compile(r"(#{1,6}) +(.*)")


def pieces(text: str) -> Iterator[tuple[Kind, str]]:
    r"""Take a line of Markdown apart.

    Args:
        text: As a page holds it.

    Yields:
        What a piece is, and its text; of "strong" and "em", which begin and end in turn, none.

    Example:
        >>> list(pieces("**KL** `a_b` \\*"))[3:]
        [('text', ' '), ('code', 'a_b'), ('text', ' '), ('text', '*')]
    """
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() > end:
            yield "text", text[end : match.start()]
        end = match.end()
        if match["link"] is not None:
            yield from pieces(match["link"])
        elif match["escaped"] or match["code"]:
            yield "code" if match["code"] else "text", match["code"] or match["escaped"]
        else:
            yield "strong" if match["strong"] else "em", ""
    if text[end:]:
        yield "text", text[end:]


def inline(text: str) -> Markup:
    """Set a line of Markdown as HTML.

    Args:
        text: As a page holds it.

    Returns:
        HTML whose elements are closed, whatever the text.

    Example:
        >>> print(inline("**<b>** `x<y` [page](page.md)"))
        <strong>&lt;b&gt;</strong> <code>x&lt;y</code> page
    """
    html, opened = Markup(), list[str]()
    for kind, piece in pieces(text):
        if kind == "text":
            html += escape(piece)
        elif kind == "code":
            html += Markup("<code>{}</code>").format(piece)
        elif kind not in opened:
            opened.append(kind)
            html += Markup(f"<{kind}>")
        elif opened[-1] == kind:
            html += Markup(f"</{opened.pop()}>")
    return html + Markup("").join(Markup(f"</{kind}>") for kind in reversed(opened))


def blocks(text: str) -> Markup:
    """Set a block of Markdown as HTML.

    Args:
        text: As a section of a page gives it.

    Returns:
        HTML; a table stands in a box of its own, in which it scrolls.
    """
    lines = text.splitlines()
    if not text.strip():
        return Markup()
    if len(lines) == 1 and (match := _HEADING.fullmatch(text)):
        level = len(match[1])
        return Markup(f"<h{level}>{inline(match[2])}</h{level}>")
    if all(line.startswith("|") for line in lines):
        return _table(lines)
    if all(line.startswith(">") for line in lines):
        quoted = " ".join(line[1:].strip() for line in lines)
        return Markup("<blockquote><p>{}</p></blockquote>").format(inline(quoted))
    if lines[0].startswith("* "):
        items = [" ".join(item.split()) for item in re.split(r"(?m)^\* ", text)[1:]]
        listed = Markup("").join(Markup("<li>{}</li>").format(inline(one)) for one in items)
        return Markup("<ul>{}</ul>").format(listed)
    return Markup("<p>{}</p>").format(inline(" ".join(lines)))


def _table(lines: Sequence[str]) -> Markup:
    """A table: the first column heads its rows, numbers stand to the right."""
    heads, rule, *rows = ([*map(str.strip, _cells(line))] for line in lines)
    right = [cell.endswith(":") for cell in rule]
    top = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_aligned(place), inline(head))
        for place, head in zip(right, heads, strict=True)
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup('<th scope="row">{}</th>').format(inline(row[0]))
            + Markup("").join(
                Markup("<td{}>{}</td>").format(_aligned(place), inline(cell))
                for place, cell in zip(right[1:], row[1:], strict=True)
            )
        )
        for row in rows
    )
    return Markup(
        '<div class="box" tabindex="0" role="region" aria-label="{}"><table><thead><tr>{}</tr>'
        "</thead><tbody>{}</tbody></table></div>"
    ).format(f"table of {heads[0]}, {heads[-1]}", top, body)


def _aligned(right: bool) -> Markup:
    return Markup(' class="n"') if right else Markup()


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
