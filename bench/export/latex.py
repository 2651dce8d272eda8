"""The leaderboard as a table of LaTeX."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import pandas as pd

from bench.analysis.results import Results
from bench.export.marks import pieces
from bench.export.table import ranked
from bench.report.leaderboard import Board

__all__ = ["as_latex", "escaped", "number"]

_LONG = 40  # lines that still fit on a page
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': "''",
    "<": "$<$",
    ">": "$>$",
    "|": r"$\vert$",
    "‖": r"$\Vert$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "²": "$^2$",
    "³": "$^3$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "§": r"\S{}",
    **{char: rf"\{char}" for char in "&%$#_{}"},
}
_LETTERS = set("ÆØßæøŁłŒœ")  # with the accents below, those of LaTeX's first encoding
_ACCENTS = set(map(chr, (*range(0x300, 0x305), *range(0x306, 0x309), *range(0x30A, 0x30D), 0x327)))
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
_CAPITAL = set("GAMMA DELTA THETA LAMBDA XI PI SIGMA UPSILON PHI PSI OMEGA".split())
_SMALL = _CAPITAL | set("ALPHA BETA EPSILON ZETA ETA IOTA KAPPA MU NU RHO TAU CHI".split())
_NUMBER = re.compile(r"(\(?)(-?[\d.,]+(?: ± [\d.,]+)?)\)?(?:e([+-]?\d+))?")


def as_latex(results: Results, command: str) -> str:
    """Write the table of the leaderboard, one for each data set.

    Args:
        results: Of one matrix.
        command: That wrote it.

    Returns:
        LaTeX for ``booktabs``; also for ``longtable`` where a table is longer than a page.

    Raises:
        UserError: Where there is nothing to show.
    """
    found, models = ranked(results), results.models
    data = models.rows.groupby("config", sort=False)["dataset"].first()
    parts = {
        str(name): [config for config in found.order if data[config] == name]
        for name in data.unique()
    }
    shown = {name: configs for name, configs in parts.items() if configs}
    tables = [
        _table(models, found, configs, name if len(shown) > 1 else "")
        for name, configs in shown.items()
    ]
    packages = ["booktabs"]
    packages += ["longtable"] if any(len(one) > _LONG for one in shown.values()) else []
    needed = " and ".join(rf"\usepackage{{{name}}}" for name in packages)
    head = f"% Made by {command}; needs {needed}.\n"
    return head + "\n".join(tables)


def escaped(text: str) -> str:
    r"""Set any text so that LaTeX shows it.

    Args:
        text: A name, a symbol or a sentence.

    Returns:
        LaTeX: of letters beyond the Latin alphabet their closest ones or their code point, Greek
        ones as symbols.

    Example:
        >>> print(escaped("latent_dim 50 % of KL(q‖p), β ↓ é 中"))
        latent\_dim 50 \% of KL(q$\Vert$p), $\beta$ $\downarrow$ é [U+4E2D]
    """
    return "".join(map(_character, text))


def _character(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    base, *accents = list(unicodedata.normalize("NFD", char))
    accented = "À" <= char <= "ž" and base.isascii() and len(accents) == 1
    if " " <= char <= "~" or char in _LETTERS or (accented and accents[0] in _ACCENTS):
        return char
    if char.isspace():
        return " "
    name = unicodedata.name(char, "")
    if match := _GREEK.fullmatch(name):
        small, letter = match[1] == "SMALL", match[2].replace("LAMDA", "LAMBDA")
        if letter in (_SMALL if small else _CAPITAL):
            return rf"$\{letter.lower() if small else letter.capitalize()}$"
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return escaped(plain) if plain.isprintable() and plain else f"[U+{ord(char):04X}]"


def number(text: str) -> str:
    r"""Set a cell of a page's table.

    Args:
        text: Markdown: a value ± half width, a rank interval, a count or a dash.

    Returns:
        LaTeX; values in mathematics, bold where the cell is, in brackets where it is.

    Example:
        >>> print(number("**0.31 ± 0.02**"), number("(2.10 ± 0.33)e-5"), number("[1,230]"))
        $\mathbf{0.31 \pm 0.02}$ $(2.10 \pm 0.33) \times 10^{-5}$ {[}$1{,}230${]}
        >>> print(number("3–7"), number("–"), number("9 of 20"))
        3--7 -- 9 of 20
    """
    inner = text.removeprefix("[").removesuffix("]")
    if inner != text:
        return f"{{[}}{number(inner)}{{]}}"
    plain = text.removeprefix("**").removesuffix("**")
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return _marked(text)
    open_, digits, power = match.groups()
    digits = digits.replace(",", "{,}").replace("±", r"\pm")
    value = f"({digits})" if open_ else digits
    value += rf" \times 10^{{{int(power)}}}" if power else ""
    return f"${value}$" if plain == text else rf"$\mathbf{{{value}}}$"


def _marked(text: str) -> str:
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """Markdown within a line as LaTeX; what is left open is closed."""
    commands, opened = {"strong": r"\textbf{", "em": r"\emph{"}, list[str]()
    for kind, piece in pieces(text):
        if kind == "text":
            yield escaped(piece)
        elif kind == "code":
            yield rf"\texttt{{{escaped(piece)}}}"
        elif kind not in opened:
            opened.append(kind)
            yield commands[kind]
        elif opened[-1] == kind:
            opened.pop()
            yield "}"
    yield "}" * len(opened)


def _table(results: Results, found: Board, configs: Sequence[str], data: str) -> str:
    heads = [escaped(head) for head in ("configuration", *(one.head for one in found.columns))]
    cells = [
        [rf"\texttt{{{escaped(config)}}}", *(number(one.texts[config]) for one in found.columns)]
        for config in configs
    ]
    styler = pd.DataFrame(cells, columns=heads).style.hide(axis="index")
    long = len(configs) > _LONG
    text: str = styler.to_latex(
        hrules=True,
        caption=_caption(results, found, data),
        label="tab:" + "-".join(filter(None, [results.name, _plain(data), "leaderboard"])),
        column_format="l" + "r" * len(found.columns),
        environment="longtable" if long else None,
        position=None if long else "htbp",
        position_float=None if long else "centering",
    )
    return text


def _caption(results: Results, found: Board, data: str) -> str:
    of = rf"Leaderboard of \texttt{{{escaped(results.name)}}}"
    of += f", data {escaped(data)}" if data else ""
    bold = "Bold: no configuration is significantly better."
    brackets = "In brackets: saturated, not compared." if _bracketed(found) else ""
    said = [_marked(text) for text in (found.heading, *found.notes) if text]
    return " ".join(filter(None, [f"{of}.", *said, bold, brackets]))


def _bracketed(found: Board) -> bool:
    texts = (text for column in found.columns for text in column.texts.values())
    return any(text.startswith("[") for text in texts)


def _plain(text: str) -> str:
    """A text that may stand in a label."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
