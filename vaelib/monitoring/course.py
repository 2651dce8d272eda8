"""A run of calls: what is measured at each, and what is known of all so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vaelib.arguments.rows import MOST
from vaelib.monitoring.alarms import Watch
from vaelib.monitoring.evidence import Run, log_weight
from vaelib.monitoring.inputs import Inputs
from vaelib.monitoring.measures import constant, described, full, play_cheaply
from vaelib.monitoring.mixture import OnlineMixture
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.repeats import repeated_rows

__all__ = ["Course"]

_REPEATED = 0.01  # share of rows, as in an audit
_PLAYED = ("gain", "gain_se", "lower", "lower_always", "log_e", "log_e_now")


class Course:
    """Measures call after call.

    Args:
        every: Calls from one full stack to the next.
        fresh: Whether each call brings new inputs.
        alpha: One-sided level of lower ends.
        seed: Of draws and fits.
    """

    def __init__(self, every: int, fresh: bool, alpha: float, seed: int) -> None:
        self._every, self._alpha, self._seed = every, alpha, seed
        self.calls = 0
        self.watch = Watch()
        self.last: Inputs | None = None
        self._run, self._mixture = Run(fresh), OnlineMixture()

    def measure(self, inputs: Inputs, epoch: int) -> dict[str, float]:
        """Measure a call.

        Args:
            inputs: Of the call, enough to be evaluated.
            epoch: Its number.

        Returns:
            The numbers by name, see :class:`vaelib.Monitor`.
        """
        self.calls += 1
        self.last = inputs = self._with_numbers(inputs, epoch)
        row = self._looked(inputs, epoch)
        played = dict.fromkeys(_PLAYED, math.nan) if row.pop("unplayed") else self._played(inputs)
        if not math.isnan(played["lower"]):
            dimensions = inputs.posteriors.mean.shape[1]
            self.watch.look_at_ends(epoch, row["rate"], played["lower"], dimensions)
        return row | played | {"log_e_run": self._run.log_e, "p_run": self._run.p_value}

    def fail(self, epoch: int, reason: str) -> None:
        """Note that the inputs of an epoch cannot be encoded any more."""
        self.last = None
        self.watch.note(
            "divergence", epoch, f"at epoch {epoch} the inputs cannot be encoded: {reason}"
        )

    def full(self) -> dict[str, float]:
        """The numbers of the full stack at the last call; none where nothing can be proved."""
        if self.last is None or any(map(self.watch.on, ("divergence", "constant", "repeats"))):
            return {}
        return full(self.last, self._drawn(self.last), self._stream("full"), self._alpha)

    def state(self) -> dict[str, Any]:
        """What :meth:`load` takes."""
        return {
            "calls": self.calls,
            "watch": self.watch.state(),
            "last": None if self.last is None else self.last.state(),
            "log_e": self._run.log_e,
            "peak": self._run.peak,
            "mixture": self._mixture.sums,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.calls = state["calls"]
        self.watch.load(state["watch"])
        self.last = None if state["last"] is None else Inputs.of(state["last"])
        self._run = Run(self._run.fresh, state["log_e"], state["peak"])
        self._mixture = OnlineMixture(state["mixture"])

    def _with_numbers(self, inputs: Inputs, epoch: int) -> Inputs:
        """Without those that gave none, where these are few."""
        bad, watch = inputs.bad, self.watch
        kept = inputs.part(~bad)
        if not bool(bad.any()):
            watch.over("divergence", "left_out")
        elif int(bad.sum()) <= MOST * len(bad) and kept.enough:
            watch.over("divergence")
            watch.note(
                "left_out",
                epoch,
                f"at epoch {epoch} the latents of {int(bad.sum()):,} of {len(bad):,} inputs are "
                "NaN, infinite or above 1e48, and are left out: are these inputs numbers, and does "
                "the training diverge?",
            )
            return kept
        return inputs

    def _looked(self, inputs: Inputs, epoch: int) -> dict[str, float]:
        """What needs no candidates, and the alarms."""
        data, watch = inputs.posteriors, self.watch
        if bad := int(inputs.bad.sum()):
            watch.note(
                "divergence",
                epoch,
                f"at epoch {epoch} the latents of {bad:,} of {len(data.mean):,} inputs are NaN, "
                "infinite or above 1e48: the training has diverged",
            )
            return {"unplayed": 1.0}
        row = described(data)
        watch.look(epoch, int(row["active_units"]), data.mean.shape[1], row["second_moment"])
        same = constant(data.part(~inputs.evaluated))
        if same:
            watch.note(
                "constant",
                epoch,
                f"at epoch {epoch} all z are the same in dimensions {', '.join(map(str, same))}: "
                "KL(q‖p) is infinite",
            )
        else:
            watch.over("constant")
            self._look_for_repeats(data, epoch)
        return row | {"unplayed": float(bool(same))}

    def _look_for_repeats(self, data: Posteriors, epoch: int) -> None:
        share = repeated_rows(data.mean, data.scale, atoms=True)
        if share <= _REPEATED:
            self.watch.over("repeats")
            return
        self.watch.note(
            "repeats",
            epoch,
            f"at epoch {epoch} {share:.0%} of the inputs repeat others, so that nothing is proved: "
            "leave copies out",
        )

    def _played(self, inputs: Inputs) -> dict[str, float]:
        """What the evaluated inputs say against candidates fitted to the others."""
        z, weight = self._drawn(inputs), log_weight(self.calls)
        played = play_cheaply(inputs, z, self._mixture, self._stream("mixture"))
        if self._run.fresh:
            fitted = inputs.posteriors.part(inputs.evaluated)
            self._mixture.update(fitted, self._stream("evaluated"))
        proves = not self.watch.on("repeats")
        log_e = played.log_e if proves else min(played.log_e, 0.0)
        self._run.add(log_e, self.calls)
        row = {
            "gain": played.gain.value,
            "gain_se": played.gain.standard_error,
            "lower": played.lower(self._alpha) if proves else 0.0,
            "lower_always": played.lower(self._alpha * math.exp(weight)) if proves else 0.0,
            "log_e": log_e,
            "log_e_now": log_e + weight,
        }
        return row | (self.full() if self.calls % self._every == 0 else {})

    def _drawn(self, inputs: Inputs) -> Tensor:
        """One z of each input, the same at each asking."""
        return inputs.posteriors.draw(self._stream("z"))

    def _stream(self, name: str) -> torch.Generator:
        return stream(f"monitor {name} {self.calls}", self._seed)
