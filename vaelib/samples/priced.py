"""What sampling from the prior costs, as people and programs read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vaelib.audits.measurement import Measurement
from vaelib.stats.jackknife import Estimate
from vaelib.stats.paired_frechet import Difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["UNIT", "Price"]

UNIT = "share of trace(cov real)"
_TITLES = {
    "real": "real",
    "reconstruction": "reconstructions",
    "aggregate": "z of q, the aggregate",
    "prior": "z of the prior",
    "repaired": "z of the fitted density",
}
_COLOURS = {"real": "#777777", "prior": "#D55E00", "aggregate": "#0072B2"}
_DIGITS = 6  # after the point, at most
_STYLE: Any = {"font.size": 8, "axes.titlesize": 8.5, "axes.titlelocation": "left"}


@dataclass(frozen=True, eq=False)
class Price:
    """What sampling from the prior costs, and what a density fitted to the latents gives back.

    Attributes:
        prior: what it is called in a sentence.
        count: n, of the reference and of every sample.
        features: what the data are compared in, in words.
        distances: source -> Fréchet distance to the reference, a share of tr C_real: ``prior``,
            ``aggregate``, ``repaired``, ``reconstruction``, and ``floor``, real data themselves.
        cost: prior less aggregate, paired.
        back: prior less repaired, paired; None where no density could be fitted.
        missing: why not.
        meaningless: why the numbers say nothing of the prior; empty where they do.
        notes: sentences that a person should read first.
        split: of which inputs: ``"test"``, ``"train"`` or ``"sample"``.
        samples: of images, source -> some of them, shape (k, channels, height, width), uint8.
    """

    prior: str
    count: int
    features: str
    distances: Mapping[str, Estimate]
    cost: Difference
    back: Difference | None
    missing: str
    meaningless: str
    notes: tuple[str, ...]
    split: str
    samples: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict, repr=False)

    @property
    def sentence(self) -> str:
        """What sampling from the prior costs, in one plain sentence."""
        if self.meaningless:
            return f"The price of sampling from {self.prior} says nothing here: {self.meaningless}."
        cost, prior = self.cost, self.prior
        if cost.low > 0:
            return (
                f"Sampling from {prior} costs {_within(cost)} in Fréchet distance ({self._each()})."
            )
        if cost.high < 0:
            return (
                f"Sampling from {prior} costs nothing in Fréchet distance: its samples lie closer "
                f"to real data than those of the aggregate posterior, by {_within(cost, -1)} "
                f"({self._each()})."
            )
        return (
            f"No cost of sampling from {prior} is seen: {_within(cost)} in Fréchet distance "
            f"({self._each()}), where a cost of {cost.visible:.2g} would have been seen in 8 of 10 "
            "such comparisons."
        )

    @property
    def repair(self) -> str:
        """What sampling from a density fitted to the latents gives back, in one sentence."""
        if self.meaningless:
            return ""
        if self.back is None:
            return f"No density was fitted to sample from instead: {self.missing}."
        back = self.back
        if back.low > 0:
            return f"A density fitted to the latents, sampled instead, gives back {_within(back)}."
        if back.high < 0:
            return (
                "A density fitted to the latents, sampled instead, is worse than the prior by "
                f"{_within(back, -1)}."
            )
        return (
            "A density fitted to the latents is not seen to give anything back: "
            f"{_within(back)}; {back.visible:.2g} would have been seen in 8 of 10."
        )

    @property
    def reading(self) -> str:
        """In what the distances are, and what 0 is."""
        floor = self.distances["floor"]
        return (
            f"In {self.features}; {self.count:,} of each, ± half a 95 % interval of the paired "
            f"difference. 1 is the variance of real data, and other real data lie at "
            f"{_number(floor.value, floor.standard_error)}."
        )

    @property
    def rows(self) -> list[Measurement]:
        """The distance of each source, as the rows of an audit."""
        note = f"in {self.features}; n = {self.count:,}"
        if self.meaningless:
            note = f"{note}; says nothing: {self.meaningless}"
        found = [
            Measurement(self.split, "frechet", *one, source=source, message=note)
            for source, one in self.distances.items()
        ]
        if self.back is None:
            why = self.missing
            found.append(Measurement(self.split, "frechet", None, source="repaired", message=why))
        return found

    def lines(self) -> list[str]:
        """All that is said, a sentence or two a line; the price first."""
        said = [self.sentence, self.repair, self.reading]
        return [*filter(None, said), *(f"Note: {note}." for note in self.notes)]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        import html

        first, *rest = map(html.escape, self.lines())
        text = "".join(f"<div>{line}</div>" for line in rest)
        return f"<div><div><strong>{first}</strong></div>{text}{self._image()}</div>"

    def _image(self) -> str:
        import base64
        import io

        try:
            figure = self.figure()
        except ModuleNotFoundError:
            return ""
        if figure is None:
            return ""
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
        code = base64.b64encode(data.getvalue()).decode()
        return f'<img alt="samples by source" src="data:image/png;base64,{code}">'

    def figure(self) -> Figure | None:
        """Real images and those decoded from each source, side by side.

        Returns:
            The figure; None of data that are no images.
        """
        if not self.samples:
            return None
        import matplotlib as mpl
        from matplotlib.figure import Figure

        shown = [name for name in _TITLES if name in self.samples]
        with mpl.rc_context(mpl.rcParamsDefault), mpl.rc_context(_STYLE):
            figure = Figure(figsize=(8.0, 8.0 / len(shown) + 0.45), layout="constrained")
            panels = figure.subplots(1, len(shown), squeeze=False)[0]
            for axes, name in zip(panels, shown, strict=True):
                _show(axes, self.samples[name], _TITLES[name], _COLOURS.get(name, "#009E73"))
                if name in self.distances:
                    axes.set_xlabel(f"Fréchet {self.distances[name].value:.3g}")
        return figure

    def document(self) -> dict[str, Any]:
        """The ``price`` of the JSON of an audit: no number in it is infinite or NaN.

        Returns:
            Plain values; ``docs/json.md`` says what they mean.
        """
        return {
            "sentence": self.sentence,
            "repair": self.repair or None,
            "meaningless": self.meaningless or None,
            "cost": _plain(self.cost),
            "gives_back": None if self.back is None else _plain(self.back),
            "missing": self.missing or None,
            "distances": {source: one._asdict() for source, one in self.distances.items()},
            "unit": UNIT,
            "features": self.features,
            "inputs": self.count,
            "notes": list(self.notes),
        }

    def _each(self) -> str:
        value = {name: _number(*one) for name, one in self.distances.items()}
        said = f"aggregate {value['aggregate']}, prior {value['prior']}"
        return f"{said}; repaired {value['repaired']}" if "repaired" in value else said


def _show(axes: Any, images: npt.NDArray[np.uint8], title: str, colour: str) -> None:  # noqa: ANN401
    """A square of images, row by row, in a frame."""
    side = math.isqrt(len(images))
    tiles = np.pad(images[: side * side], ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=70)
    _, channels, height, width = tiles.shape
    laid = tiles.reshape(side, side, channels, height, width).transpose(0, 3, 1, 4, 2)
    laid = laid.reshape(side * height, side * width, channels)
    one = channels == 1
    axes.imshow(laid[..., 0] if one else laid, cmap="gray_r", vmin=0, vmax=255)
    axes.set_title(title)
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set(visible=True, color=colour, linewidth=1.6)


def _within(one: Difference, sign: int = 1) -> str:
    """A value with half its interval, to two digits of that, or as many as tell it from 0."""
    half = (one.high - one.low) / 2
    digits = _digits(half, one.value)
    apart = one.low > 0 or one.high < 0
    while apart and digits < _DIGITS and round(abs(one.value), digits) <= round(half, digits):
        digits += 1
    return f"{sign * one.value + 0.0:.{digits}f} ± {half:.{digits}f}"


def _number(value: float, error: float) -> str:
    return f"{value + 0.0:.{_digits(2 * error, value)}f}"


def _digits(half: float, value: float) -> int:
    size = half if half > 1e-9 * max(abs(value), 1e-9) else abs(value) / 100
    return 0 if not 0 < size < math.inf else min(_DIGITS, max(0, 1 - math.floor(math.log10(size))))


def _plain(one: Difference) -> dict[str, Any]:
    return {
        "value": one.value,
        "standard_error": one.standard_error,
        "interval": [one.low, one.high],
        "visible": one.visible,
    }
