"""Makes the formulas of the pages, LaTeX between dollars, MathML, which browsers draw themselves."""

import html
import re

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)


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
    return drawn.replace("<math ", f'<math alttext="{html.escape(text)}" ', 1)
