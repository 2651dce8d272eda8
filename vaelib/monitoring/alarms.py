"""What goes wrong while a model trains, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["WIDE", "Alarm", "Watch"]

WIDE = 10.0
"""E|z|²/D from which q is said to explode; 1 under N(0, I)."""

POINTED, APART = 3.0, 1.0
"""Nats per dimension of the rate, and of what is proved of KL(q‖p), from which both together say
that nothing keeps q near the prior."""

_TWICE = 2  # calls in a row, as one may be a passing dip
_BEGIN = 5  # calls in a row, where it may be how a training begins
_FEW = 0.25  # of the dimensions, up to which active ones may come and go at the beginning
_MOST = 100  # alarms that are kept


class Alarm(NamedTuple):
    """Something that went wrong.

    Attributes:
        kind: ``"collapse"``, ``"units"``, ``"explosion"``, ``"unbound"``, ``"divergence"``,
            ``"left_out"``, ``"constant"`` or ``"repeats"``.
        epoch: From when on.
        text: What was seen, in one sentence.
    """

    kind: str
    epoch: int
    text: str


class Watch:
    """Raises an alarm of a kind once, and again where what it tells of had ended."""

    def __init__(self) -> None:
        self.alarms: list[Alarm] = []
        self._on: list[str] = []
        self._since: dict[str, list[int]] = {}
        self._best = [0, 0]  # most active dimensions, and when
        self._last: list[float] = []  # epoch and second moment of the call before

    def state(self) -> dict[str, Any]:
        """What :meth:`load` takes: numbers and texts."""
        return {
            "alarms": [list(alarm) for alarm in self.alarms],
            "on": list(self._on),
            "since": {kind: list(span) for kind, span in self._since.items()},
            "best": list(self._best),
            "last": list(self._last),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.alarms = [Alarm(*alarm) for alarm in state["alarms"]]
        self._on = list(state["on"])
        self._since = {k: list(span) for k, span in state["since"].items()}
        self._best = list(state["best"])
        self._last = list(state["last"])

    def note(self, kind: str, epoch: int, text: str) -> None:
        """Raise an alarm, unless one of this kind is on."""
        if kind not in self._on:
            self._on.append(kind)
            self.alarms = [*self.alarms, Alarm(kind, epoch, text)][-_MOST:]

    def on(self, kind: str) -> bool:
        """Whether what an alarm of this kind tells of goes on."""
        return kind in self._on

    def over(self, *kinds: str) -> None:
        """What an alarm tells of has ended."""
        self._on = [kind for kind in self._on if kind not in kinds]

    def look(self, epoch: int, active: int, dimensions: int, second: float) -> None:
        """Look at latents that are finite.

        Args:
            epoch: Of the call.
            active: Active dimensions.
            dimensions: D.
            second: E|z|²/D.
        """
        calls = _TWICE if self._best[0] > _FEW * dimensions else _BEGIN
        since = self._lasting("collapse", active == 0, epoch, calls)
        if since is not None:
            ever = "any more" if self._best[0] else "yet"
            self.note(
                "collapse",
                since,
                f"from epoch {since} on none of {dimensions} dimensions is active {ever}: the "
                "posterior has collapsed, and z says next to nothing of the input",
            )
        if active > self._best[0]:
            self._best = [active, epoch]
        most, when = self._best
        since = self._lasting("units", 0 < active <= most / 2, epoch, _TWICE)
        if since is not None:
            self.note(
                "units",
                since,
                f"from epoch {since} on at most half of the {most} dimensions that were active at "
                f"epoch {when} are: {active} at epoch {epoch}",
            )
        if second > WIDE:
            grown = ""
            if self._last and second > self._last[1] > 0:
                grown = f", {second / self._last[1]:.3g} times what it was at {self._last[0]:.0f}"
            self.note(
                "explosion",
                epoch,
                f"at epoch {epoch} E|z|²/D is {second:.4g}, where the prior's is 1{grown}: q "
                "spreads far beyond the prior",
            )
        elif second <= WIDE / 2:
            self.over("explosion")
        self._last = [epoch, second]

    def look_at_ends(self, epoch: int, rate: float, lower: float, dimensions: int) -> None:
        """Look at a rate, and at what is proved of KL(q‖p).

        A KL term makes an encoder pay for each nat, so that q draws near the prior while the rate
        grows. Without one the rate grows alone.

        Args:
            epoch: Of the call.
            rate: In nats; infinite of points.
            lower: In nats.
            dimensions: D.
        """
        wrong = rate > POINTED * dimensions and lower > APART * dimensions
        since = self._lasting("unbound", wrong, epoch, _BEGIN)
        if since is not None:
            what = f"the rate is {rate:.3g} nats" if rate < math.inf else "posteriors are points"
            self.note(
                "unbound",
                since,
                f"from epoch {since} on posteriors are nearly points and far from the prior: at "
                f"epoch {epoch} {what}, and KL(q‖p) is at least {lower:.3g}, in {dimensions} "
                "dimensions: nothing keeps q near the prior; has the KL term its weight?",
            )

    def _lasting(self, kind: str, wrong: bool, epoch: int, least: int) -> int | None:
        """Since when it has been wrong, if it has been at so many calls in a row."""
        if not wrong:
            self._since.pop(kind, None)
            self.over(kind)
            return None
        first, calls = self._since.get(kind, [epoch, 0])
        self._since[kind] = [first, calls + 1]
        return first if calls + 1 >= least else None
