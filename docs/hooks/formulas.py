"""Makes MathML, which browsers draw, of the formulas of the pages: LaTeX between dollars."""

import html
import re
from collections.abc import Callable

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)

_BARS = '<mo stretchy="false" lspace="0.2em" rspace="0.2em">&#x02016;</mo>'
_THIN = '<mspace width="0.17em"/>'
_MENDED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # a single upright letter is an entity, and would be drawn slanted
    (
        re.compile(r"<mi>&#x000([4-7][0-9A-F]);</mi>"),
        lambda found: f'<mi mathvariant="normal">{chr(int(found[1], 16))}</mi>',
    ),
    # functions touch what stands beside them
    (re.compile(r"<m([io])[^>]*>(log|exp|det|tr)</m\1>"), rf"{_THIN}<mi>\2</mi>{_THIN}"),
    (re.compile(r"<mi>&#x02016;</mi>"), _BARS),
    (re.compile(r"<mi>(\.\d+)</mi>"), r"<mn>\1</mn>"),
)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replaces every formula of a page."""
    content = _BLOCK.sub(lambda found: as_mathml(found[1], display="block"), content)
    return _INLINE.sub(lambda found: as_mathml(found[1], display="inline"), content)


def as_mathml(latex: str, display: str) -> str:
    """One formula.

    Args:
        latex: As the page has it, with HTML's entities.
        display: ``inline`` or ``block``.

    Returns:
        A ``math`` element, which says the formula as text, too.

    Raises:
        ValueError: For a formula of which a command is not understood.
    """
    text = html.unescape(latex).strip()
    drawn = convert(text, display=display)
    left = re.search(r"<m[io]>\\\w*</m[io]>", drawn)
    if left:
        raise ValueError(f"formula must be LaTeX that can be drawn, got {left[0]} in {text}")
    for found, better in _MENDED:
        drawn = found.sub(better, drawn)
    return drawn.replace("<math ", f'<math alttext="{html.escape(text)}" ', 1)
