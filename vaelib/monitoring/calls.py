"""Which calls a run has had, and whether another may follow: epochs, inputs, dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vaelib.arguments.plain import as_integer
from vaelib.monitoring.identities import Seen, marks_of
from vaelib.monitoring.inputs import Given, Inputs
from vaelib.stats.stack.certify import LEAST

__all__ = ["Calls"]


class Calls:
    """What is known of the calls of a run.

    Args:
        fresh: Whether each brings new inputs.
        seed: Of the marks by which inputs are known again.
        dimensions: D, where the prior says it.

    Attributes:
        epoch: Of the last call.
        row: Its numbers by name; none before the first.
        done: Whether it has been computed since the last reset.
        came: Inputs of all calls.
        finished: Whether the run has ended.
    """

    def __init__(self, fresh: bool, seed: int, dimensions: int | None) -> None:
        self._fresh, self._seed, self._dimensions = fresh, seed, dimensions
        self.epoch = self.came = 0
        self.row: dict[str, float] = {}
        self.done = self.finished = False
        self._inputs: int | None = None  # of a call, where they come in a fixed order
        self._identified: bool | None = None
        self._seen = Seen()

    def check_open(self) -> None:
        """Refuse another call after the end."""
        if self.finished:
            raise ValueError(
                "the run has ended by finish(), got another call; make a new Monitor for a new run"
            )

    def check_batch(self, dimensions: int, identified: bool) -> None:
        """Refuse a batch that cannot be of this run.

        Args:
            dimensions: D of its latents.
            identified: Whether inputs have identities.

        Raises:
            ValueError: After the end or compute, for another D, or identities at some calls only.
        """
        self.check_open()
        if self.done:
            raise ValueError("update must follow reset, got it after compute; call reset() first")
        if self._dimensions not in (None, dimensions):
            raise ValueError(
                f"latents must have D = {self._dimensions} as before, got {dimensions}; make "
                "another Monitor for another model"
            )
        if self._identified not in (None, identified):
            had = "with" if self._identified else "without"
            raise ValueError(f"ids must be given at every call or at none, got calls {had} before")

    def take(self, dimensions: int) -> None:
        """Note a batch that was taken in."""
        self._dimensions = dimensions

    def numbered(self, epoch: int | None) -> int:
        """The number of the next call.

        Args:
            epoch: As it was given; None for the next.

        Returns:
            The number.

        Raises:
            ValueError: For one that does not rise.
        """
        number = self.epoch + 1 if epoch is None else as_integer(epoch, "epoch")
        if self.row and number <= self.epoch:
            raise ValueError(f"epoch must rise from call to call, got {number} after {self.epoch}")
        return number

    def checked(self, given: Given, epoch: int | None) -> tuple[Inputs, int]:
        """The inputs of this call, before anything of the run changes.

        Args:
            given: The batches.
            epoch: As it was given.

        Returns:
            The inputs that are used, and the number of the call.

        Raises:
            ValueError: For inputs that are too few, not those of before, or not new where they
                should be.
        """
        number = self.numbered(epoch)
        if not given.count:
            raise ValueError("compute must follow update, got no latents; call update() first")
        fixed = not self._fresh and not given.identified
        if fixed and self._inputs not in (None, given.count):
            raise ValueError(
                f"inputs must be the {self._inputs:,} of the call before, in their order, got "
                f"{given.count:,}; give ids where they change"
            )
        inputs = given.inputs()
        if not inputs.enough:
            evaluated = int(inputs.evaluated.sum())
            raise ValueError(
                f"at least {LEAST} inputs must be evaluated and as many fit, got {evaluated} and "
                f"{len(inputs.ids) - evaluated} of {len(inputs.ids)}; hand over 60 or more"
            )
        if self._fresh and given.identified:
            again = self._seen.repeated(marks_of(inputs.ids, self._seed))
            if again:
                raise ValueError(
                    f"inputs must be new at every call where fresh=True, got {again} that came "
                    "before; leave fresh out, so that e-values are averaged"
                )
        return inputs, number

    def note(self, given: Given, inputs: Inputs, number: int) -> None:
        """Take note of a call that is about to be measured.

        Args:
            given: The batches.
            inputs: Of :meth:`checked`.
            number: Of the call.
        """
        self.came += given.count
        self._inputs, self._identified = given.count, given.identified
        if self._fresh and self._identified:
            self._seen.add(marks_of(inputs.ids, self._seed))
        self.epoch, self.done = number, True

    def state(self) -> dict[str, Any]:
        """What :meth:`load` takes."""
        return {
            "finished": self.finished,
            "epoch": self.epoch,
            "dimensions": self._dimensions,
            "inputs": self._inputs,
            "identified": self._identified,
            "row": dict(self.row),
            "done": self.done,
            "came": self.came,
            "seen": torch.from_numpy(self._seen.marks.view("int64").copy()),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.finished, self.epoch = state["finished"], state["epoch"]
        self._dimensions = state["dimensions"]
        self._inputs, self._identified = state["inputs"], state["identified"]
        self.row, self.done, self.came = dict(state["row"]), state["done"], state["came"]
        self._seen = Seen(state["seen"].numpy().view("uint64"))
