"""The match of q and p, watched while a VAE trains.

Held-out inputs are split by their identity, once for all calls: one part fits densities, the other
is evaluated. So nothing that was fitted to an input at any epoch plays on it at another.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vaelib.arguments.plain import as_count, as_seed, check_flag, shown
from vaelib.arguments.tables import Table
from vaelib.encoders.encoding import encode
from vaelib.encoders.modes import broken
from vaelib.monitoring.alarms import Alarm
from vaelib.monitoring.calls import Calls
from vaelib.monitoring.course import Course
from vaelib.monitoring.inputs import Given, as_latents
from vaelib.monitoring.measures import gauge
from vaelib.priors import Normal
from vaelib.stats.checks import check_level
from vaelib.stats.stack.certify import LEAST

__all__ = ["Monitor"]

_SALT = 0x5A17
_SETTINGS = ("every", "fresh", "most", "alpha", "seed")


class Monitor:
    """Watches how the aggregate posterior matches N(0, I), epoch after epoch.

    Call it once an epoch with the posteriors of held-out inputs: ``observe`` with all at once, or
    ``update`` with each batch, then ``compute``, then ``reset``, as metrics of torchmetrics are
    used; ``watch`` encodes them itself. ``finish`` ends the run. Each call gives numbers by name,
    information in nats:

    * ``gain``, ``gain_se``: mean gain over the prior of densities that are fitted in milliseconds
      (N(0, vI), Gaussians, a mixture that is updated from call to call) at evaluated z, and its
      standard error;
    * ``lower``: proved lower end of KL(q‖p) at level alpha, of this call; ``lower_always``: the
      same where you pick the call afterwards, as all of them hold at once at that level;
    * ``log_e``: log e-value against q = p at this call; ``log_e_now``: the same where you look at
      every call; ``log_e_run`` and ``p_run``: of all calls together, against q = p at every one
      of them, to be looked at at any time;
    * ``rate``, ``log_n``, ``saturated``: the KL term against the log of the inputs, and whether it
      exceeds log n - 1, so that n inputs cannot show a match;
    * ``active_units``; ``second_moment``, E|z|²/D; ``gauge_mean``, ``gauge_variance`` and
      ``variance_law``, the largest departures of E z_j from 0, of Var z_j and E z_j² from 1 (of
      the last either), each dimension's own in ``gauge``;
    * at every ``every``-th call, and at the end, ``full_gain``, ``full_gain_se``, ``full_lower``
      and ``full_log_e`` of the stack that an audit plays, of this call alone;
    * ``epoch`` and ``alarms``, how many there are so far.

    What goes wrong is in ``alarms``, in words. Latents that are NaN raise one, and no error, so
    that a training is never ended by what watches it: of at most 5 % of the inputs they are left
    out, of more what cannot be measured is NaN.

    Args:
        prior: ``"normal"``, or a :class:`vaelib.priors.Normal`.
        every: calls from one full stack to the next.
        fresh: whether each call brings inputs that no call before had, and that the model has not
            been trained on: then e-values multiply. Otherwise they are averaged, with weights that
            were fixed beforehand.
        most: inputs used of a call, the same ones each time, about half of which are evaluated.
        alpha: one-sided level of lower ends.
        seed: of the split, the draws and the fits.

    Raises:
        TypeError: for a setting of another kind.
        ValueError: for an unknown prior, or a setting out of range.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> monitor = Monitor()
        >>> wide = 1.2 * torch.randn(1000, 2, generator=g)
        >>> row = monitor.observe(wide, 0 * wide + 0.5)
        >>> row["lower"] > 0.02, row["log_e_run"] > 3
        (True, True)
    """

    def __init__(
        self,
        prior: str | Normal = "normal",
        every: int = 20,
        *,
        fresh: bool = False,
        most: int = 2000,
        alpha: float = 0.025,
        seed: int = 0,
    ) -> None:
        named = isinstance(prior, str) and prior == "normal"
        if not named and type(prior) is not Normal:
            raise ValueError(
                f"prior must be 'normal', as candidates are compared with N(0, I), got "
                f"{shown(prior)}; vaelib.audit takes others"
            )
        self.every = as_count(every, "every")
        check_flag(fresh, "fresh")
        self.fresh = bool(fresh)
        self.most = as_count(most, "most", 2 * LEAST)
        check_level(alpha)
        self.alpha = float(alpha)
        self.seed = as_seed(seed)
        dimensions = prior.latent_dim if isinstance(prior, Normal) else None
        self._calls = Calls(self.fresh, self.seed, dimensions)
        self._given = Given(self.most, self.seed ^ _SALT)
        self._course = Course(self.every, self.fresh, self.alpha, self.seed)

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return self._calls.finished

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What went wrong so far, the oldest first; the last 100."""
        return tuple(self._course.watch.alarms)

    @property
    def calls(self) -> int:
        """How many calls were measured."""
        return self._course.calls

    @property
    def last(self) -> dict[str, float]:
        """The numbers of the last call; none before the first."""
        return dict(self._calls.row)

    @property
    def gauge(self) -> tuple[Tensor, Tensor]:
        """E z_j and E z_j² of the last call, each of shape (D,): 0 and 1 where the law holds."""
        if self._course.last is None:
            raise ValueError("gauge is of a call, got none yet; hand over latents first")
        return gauge(self._course.last.posteriors)

    def observe(
        self, mean: Table, scale: Table, ids: Table | None = None, *, epoch: int | None = None
    ) -> dict[str, float]:
        """Measure one epoch.

        Args:
            mean: posterior means of held-out inputs, shape (n, D), of any real type, anywhere.
            scale: their standard deviations, the same shape; all 0 of a deterministic encoder.
            ids: an integer for each input, which it keeps at every call, shape (n,). None where
                all inputs come at every call in one order, or where they are fresh.
            epoch: its number; None for the next.

        Returns:
            The numbers by name.

        Raises:
            TypeError: for what are no numbers.
            ValueError: for other shapes, another D or n than before, a scale below 0, identities
                that repeat, an epoch that does not rise, or after the end.
        """
        if self._given.count and not self._calls.done:
            raise ValueError("observe is a whole call, got one begun by update; end it by compute")
        self.reset()
        try:
            self.update(mean, scale, ids)
            return self.compute(epoch)
        except Exception:
            self.reset()
            raise

    def update(self, mean: Table, scale: Table, ids: Table | None = None) -> None:
        """Take in one batch of this epoch's held-out inputs; see :meth:`observe`."""
        m, s = as_latents(mean, scale)
        self._calls.check_batch(m.shape[1], ids is not None)
        self._given.add(m, s, ids, self._calls.came if self.fresh else 0)
        self._calls.take(m.shape[1])

    def reset(self) -> None:
        """Forget the batches of this epoch. What is known of the run stays."""
        self._given.clear()
        self._calls.done = False

    def compute(self, epoch: int | None = None) -> dict[str, float]:
        """Measure what ``update`` has taken in; again, until ``reset``, without counting it twice.

        Args:
            epoch: its number; None for the next.

        Returns:
            The numbers by name.

        Raises:
            ValueError: as :meth:`observe`, and for fewer than 20 evaluated inputs.
        """
        calls = self._calls
        if calls.done:
            return self.last
        calls.check_open()
        inputs, number = calls.checked(self._given, epoch)
        calls.note(self._given, inputs, number)
        calls.row = {"epoch": float(number)} | self._course.measure(inputs, number)
        calls.row["alarms"] = float(len(self.alarms))
        return self.last

    def watch(
        self,
        model: Any,  # noqa: ANN401  # any encoder
        data: Any,  # noqa: ANN401  # in any form
        ids: Table | None = None,
        *,
        epoch: int | None = None,
        **how: Any,  # noqa: ANN401
    ) -> dict[str, float]:
        """Encode held-out inputs by :func:`vaelib.encode`, and measure them.

        Modules are in evaluation mode meanwhile; their flags and buffers and the state of random
        numbers are as before afterwards.

        Args:
            model: an encoder, or what has one.
            data: held-out inputs.
            ids: as of :meth:`observe`.
            epoch: its number; None for the next.
            **how: of :func:`vaelib.encode`, such as ``second="logvar"``.

        Returns:
            The numbers by name.

        Raises:
            ValueError: as :func:`vaelib.encode` and :meth:`observe`; not for a model that has
                diverged, which is an alarm.
        """
        calls = self._calls
        calls.check_open()
        number = calls.numbered(epoch)
        try:
            with warnings.catch_warnings():  # a few inputs without numbers are an alarm
                warnings.filterwarnings("ignore", ".* gave no usable numbers")
                mean, scale = encode(model, data, **how)
        except ValueError as error:
            if not (self.calls or broken(model)):
                raise
            calls.epoch, calls.row = number, {"epoch": float(number)}
            self._course.fail(number, f"{error}".replace("\n", " "))
            calls.row["alarms"] = float(len(self.alarms))
            return self.last
        return self.observe(mean, scale, ids, epoch=number)

    def finish(self) -> dict[str, float]:
        """End the run: play the full stack on the last call, if it was not played there.

        Returns:
            The numbers of the last call.

        Raises:
            ValueError: before the first call.
        """
        row = self._calls.row
        if not row:
            raise ValueError("finish ends a run, got one without a call; hand over latents first")
        if "full_gain" not in row:
            row |= self._course.full()
        self._calls.finished = True
        return self.last

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: tensors, numbers and texts, about ``most`` latents."""
        return {
            "settings": {name: getattr(self, name) for name in _SETTINGS},
            **self._calls.state(),
            "given": self._given.state(),
            "course": self._course.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where a run of the same settings was.

        Args:
            state: of :meth:`state_dict`.

        Raises:
            ValueError: for the state of something else, or of other settings.
        """
        settings = state.get("settings") if isinstance(state, Mapping) else None
        if not isinstance(settings, Mapping):
            raise ValueError("state must be one of Monitor.state_dict(), got something else")
        for name in _SETTINGS:
            if settings.get(name) != getattr(self, name):
                raise ValueError(
                    f"state must be of a Monitor with {name}={getattr(self, name)}, got one with "
                    f"{shown(settings.get(name))}"
                )
        self._calls.load(state)
        self._given.load(state["given"])
        self._course.load(state["course"])
