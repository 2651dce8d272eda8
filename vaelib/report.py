"""What an audit found, as people and programs read it: text, figure, page, table, JSON.

pandas and matplotlib are imported by what needs them, when it is called.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from vaelib.arguments.plain import kind_of
from vaelib.audits.asked import Asked, Codes
from vaelib.audits.document import SCHEMA, Found, as_json, document
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Answer
from vaelib.audits.summary import deciding, ends, headline, lines, proved
from vaelib.audits.units import unit_of
from vaelib.audits.verdict import Bracket
from vaelib.files import write_atomically
from vaelib.reading import read_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Report"]

Item = TypeVar("Item", Measurement, Answer)

_COLOURS = {"yes": "#009E73", "no": "#D55E00", "undecided": "#777777", "flagged": "#CC79A7"}
_STYLE: Any = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
_Z = "#0072B2"
_FLOATS = ("value", "standard_error", "p_value")
_JSON, _ROWS, _PAGE = "report.json", "rows.csv", "report.html"


class Report(Sequence[Item]):
    """What an audit found: the sequence of its measurements, or of its answers.

    It is indexed, iterated, sliced and compared as the list of them is, but is no list: nothing can
    be added or sorted, so that what it says remains what was measured. ``print`` shows the answer
    and the numbers that it rests on in at most ten lines, a notebook the same with a figure.

    Args:
        items: what it is the sequence of: measurements or answers.
        rows: the measurements.
        answers: the answers, first of which is whether the prior is safe to sample.
        asked: the question.

    Attributes:
        rows: all measurements.
        answers: all answers.
        asked: the question: prior, margin, level, numbers of inputs.

    Example:
        >>> import torch
        >>> from vaelib import answers
        >>> mean = 1.5 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
        >>> found = answers(mean, torch.full_like(mean, 0.6))
        >>> found.verdict, found.ok, len(found), found[0] == found.answer
        ('no', False, 8, True)
        >>> print(found)  # doctest: +ELLIPSIS
        May I sample from N(0, I)? NO.
        q lies at least 0... nats from N(0, I), proved; the margin is 0.05. ...
        KL(q‖p): 0... to ... nats; margin 0.05.
        What would help: Rescale and shift every dimension of z to mean 0 and variance 1 ...
        >>> list(found.to_frame().columns)[:4]
        ['split', 'source', 'metric', 'value']
    """

    def __init__(
        self,
        items: Sequence[Item],
        rows: Sequence[Measurement],
        answers: Sequence[Answer],
        asked: Asked,
    ) -> None:
        self._items: list[Item] = list(items)
        self.rows, self.answers, self.asked = tuple(rows), tuple(answers), asked

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        return self._items[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Report | list):
            return NotImplemented
        return bool(self._items == list(other))

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def __add__(self, other: Iterable[Item]) -> list[Item]:
        return self._items + list(other)

    def __radd__(self, other: Iterable[Item]) -> list[Item]:
        return list(other) + self._items

    @property
    def answer(self) -> Answer:
        """Whether the prior is safe to sample: the first of the answers."""
        return self.answers[0]

    @property
    def verdict(self) -> str:
        """``"yes"``, ``"no"``, ``"undecided"``, or ``"flagged"`` where the z prove nothing."""
        return self.answer.verdict

    @property
    def ok(self) -> bool | None:
        """Whether the prior is safe to sample: True for yes, False for no, None where undecided.

        None also where the z are flagged. None counts as false, so ``if report.ok`` asks for a
        proof; ``report.ok is False`` asks whether a mismatch is proved. A report itself is always
        true, as it is never empty.
        """
        return proved(self.verdict)

    @property
    def bracket(self) -> Bracket:
        """Both ends of KL(q‖p) in nats, of the inputs that decide."""
        return deciding(self.rows).bracket

    def __repr__(self) -> str:
        what = "measurements" if isinstance(self._items[0], Measurement) else "answers"
        said = f"{self.verdict}, KL(q‖p) {ends(deciding(self.rows))}"
        return f"<Report: {said}, from {self.asked.prior}; {len(self)} {what}>"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        return lines(self.rows, self.answers, self.asked)

    def _repr_html_(self) -> str:
        first, *rest = map(html.escape, self._lines())
        text = "".join(f"<div>{line}</div>" for line in rest)
        return f"<div><div><strong>{first}</strong></div>{text}{self._image()}</div>"

    def _image(self) -> str:
        """The figure within the page; nothing where there is no matplotlib."""
        try:
            figure = self._figure()
        except ModuleNotFoundError:
            return ""
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
        alt = f"KL(q‖p) {ends(deciding(self.rows))}, margin {self.asked.margin:g}"
        code = base64.b64encode(data.getvalue()).decode()
        return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{code}">'

    def _figure(self) -> Figure:
        """The bracket, and the codes beside the prior where they are at hand."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        codes = self.asked.codes
        with mpl.rc_context(mpl.rcParamsDefault), mpl.rc_context(_STYLE):
            figure = Figure(figsize=(4.2 if codes is None else 7.2, 2.2), layout="constrained")
            if codes is None:
                self.plot(figure.subplots())
                return figure
            bracket, panel = figure.subplots(1, 2, width_ratios=(1.7, 1))
            self.plot(bracket)
            _draw_codes(panel, codes, self.asked.dimensions)
        return figure

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both ends of KL(q‖p) against the margin, on an axis in nats.

        Args:
            ax: where to; None makes a figure.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            ax = plt.subplots(figsize=(4.2, 2.2), layout="constrained")[1]
        bracket, margin = self.bracket, self.asked.margin
        gain = deciding(self.rows).value("certified_kl")
        known = [x for x in (bracket.lower, bracket.upper, gain, margin) if math.isfinite(x)]
        end = 1.25 * max(known)
        colour = _COLOURS[self.verdict]
        if math.isfinite(bracket.lower):
            upper = bracket.upper if math.isfinite(bracket.upper) else end
            ax.plot([bracket.lower, upper], [0, 0], c=colour, lw=10, solid_capstyle="butt")
            if upper == end:  # there is no upper end
                ax.plot([end], [0], ">", c=colour, ms=14, clip_on=False)
            if gain > 0:
                ax.plot([gain], [0], "|", c="black", ms=14, label="gain of a fitted density")
        else:
            ax.text(0.5, 0.75, ends(deciding(self.rows)), ha="center", transform=ax.transAxes)
        ax.axvline(margin, c="black", ls="--", lw=1, label=f"margin {margin:g}")
        ax.set(xlim=(0, end), ylim=(-1, 1), yticks=[], xlabel="KL(q‖p) in nats")
        ax.set_title(f"{self.verdict}: {ends(deciding(self.rows))}", loc="left")
        ax.legend(loc="lower center", ncols=2, framealpha=1, edgecolor="none")
        return ax

    def to_frame(self) -> pd.DataFrame:
        """The measurements as a tidy table, a row for each.

        Returns:
            Columns ``split``, ``source``, ``metric``, ``value``, ``standard_error``, ``p_value``,
            ``unit`` and ``message``, as in ``rows.csv`` of a matrix; what has no value is NaN.
        """
        import pandas as pd

        columns = ["split", "source", "metric", *_FLOATS, "unit", "message"]
        table = pd.DataFrame([{**row.__dict__, "unit": unit_of(row.metric)} for row in self.rows])
        return table[columns].astype(dict.fromkeys(_FLOATS, "float64"))

    def to_json(self) -> str:
        """All of it as strict JSON: what is not finite is null, and the message of its row says so.

        Returns:
            The object that ``vaebench audit FILE --json`` prints: the schema and its version, the
            question, the verdict, what would help, both ends in nats, all answers, versions and
            the rows with their units. Within a version fields are added, never renamed.

        Example:
            >>> import json
            >>> import torch
            >>> from vaelib import answers
            >>> mean = 1.5 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
            >>> found = json.loads(answers(mean, torch.full_like(mean, 0.6)).to_json())
            >>> found["schema"], found["question"], found["verdict"]
            ({'name': 'vaebench.audit', 'version': 1}, 'May I sample from N(0, I)?', 'no')
        """
        return as_json(document(Found(self.rows, self.answers, self.asked)))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write a page with the figure, the rows and the JSON.

        Args:
            folder: new, empty, or one that a report was saved in before, which is replaced.

        Returns:
            The path of the page, ``report.html``; ``rows.csv`` and ``report.json`` lie beside it.

        Raises:
            TypeError: for what is no path.
            ValueError: for a folder that holds something else, or a file.
            OSError: where it cannot be written; it names the path.
        """
        if not isinstance(folder, str | os.PathLike):
            raise TypeError(f"folder must be a path, got {kind_of(folder)}")
        place = Path(folder)
        _check_own(place)
        write_atomically(place / _JSON, self.to_json().encode())
        table = self.to_frame().to_csv(index=False, lineterminator="\n")
        write_atomically(place / _ROWS, table.encode(errors="replace"))
        write_atomically(place / _PAGE, self._page().encode(errors="xmlcharrefreplace"))
        return place / _PAGE

    def _page(self) -> str:
        answers = [[a.question, a.verdict, a.sentence] for a in self.answers]
        cells = self.to_frame().map(lambda cell: f"{cell:.4g}" if type(cell) is float else cell)
        rows = cells.replace("nan", "").to_numpy().tolist()
        title = html.escape(headline(self.answers, self.asked.prior))
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            "<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}table{border-"
            "collapse:collapse;margin:1em 0}td,th{text-align:left;padding:.2em .6em;border-bottom:"
            f"1px solid #ddd;vertical-align:top}}</style></head><body>\n{self._repr_html_()}\n"
            f"{_table(('question', 'answer', 'what it means'), answers)}\n"
            f"{_table(tuple(cells.columns), rows)}\n</body></html>\n"
        )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{line(heads, 'th')}</tr>\n{body}</table>"


def _draw_codes(panel: Axes, codes: Codes, dimensions: int) -> None:
    """Codes beside draws of the prior, on the same axes."""
    parts = [(codes.of_prior, "#bbbbbb", "prior"), (codes.of_q, _Z, "z")]
    for points, shade, label in parts:
        if points is not None:
            panel.plot(*points.T, ".", c=shade, ms=3, alpha=0.6, mec="none", label=label)
    panel.set_aspect("equal", adjustable="datalim")
    panel.set_title("z and the prior" if dimensions == 2 else "dimensions 0 and 1", loc="left")
    panel.legend(loc="upper right", markerscale=3, frameon=False, handletextpad=0)


def _check_own(folder: Path) -> None:
    """Refuse a folder that holds what no report wrote."""
    try:
        held = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ValueError(
            f"folder must be a folder, got the file {folder}; choose another"
        ) from None
    if held and not _is_report(folder / _JSON):
        raise ValueError(
            f"folder must be new, empty or one of an earlier report, got {folder}, which holds "
            f"{held[0]!r}; choose another"
        )


def _is_report(path: Path) -> bool:
    try:
        found = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return False
    schema = found.get("schema") if isinstance(found, dict) else None
    return isinstance(schema, dict) and schema.get("name") == SCHEMA["name"]
