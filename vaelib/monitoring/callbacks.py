"""A monitor where other libraries expect something of their own: callbacks, metrics, loggers.

None of them is imported before its function is called.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from vaelib.arguments.plain import check_callable, check_kind
from vaelib.arguments.tables import Table
from vaelib.monitoring.monitor import Monitor

__all__ = ["lightning_callback", "pythae_callback", "scalars", "tensorboard_log", "torchmetric"]

Log = Callable[[dict[str, float], int], object]
"""Takes numbers by name, and the epoch."""


def scalars(row: Mapping[str, float], prefix: str = "match/") -> dict[str, float]:
    """The numbers of a call as wandb, mlflow and the like take them: finite, with a prefix.

    Args:
        row: of :meth:`vaelib.Monitor.observe`.
        prefix: before each name.

    Returns:
        A dictionary for ``wandb.log(…)`` or ``mlflow.log_metrics(…, step=…)``; without the epoch.

    Example:
        >>> scalars({"epoch": 3.0, "gain": 0.25, "lower": math.nan})
        {'match/gain': 0.25}
    """
    return {
        prefix + name: float(value)
        for name, value in row.items()
        if name != "epoch" and math.isfinite(value)
    }


def tensorboard_log(writer: Any) -> Log:  # noqa: ANN401
    """Writes the numbers of each call to a ``torch.utils.tensorboard.SummaryWriter``.

    Args:
        writer: the writer, or what has its ``add_scalar``.

    Returns:
        The function that ``log`` of a callback takes.

    Raises:
        TypeError: for what is no writer.
    """
    if not callable(getattr(writer, "add_scalar", None)):
        raise TypeError(f"writer must have add_scalar, got {type(writer).__name__}")

    def log(numbers: dict[str, float], epoch: int) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, epoch)

    return log


def lightning_callback(
    monitor: Monitor,
    data: Any,  # noqa: ANN401  # in any form
    ids: Table | None = None,
    *,
    log: Log | None = None,
    **how: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """A callback of Lightning: measures before the first epoch and after each, ends with the fit.

    Numbers go to the loggers of the trainer and to its ``callback_metrics``, as ``match/gain`` and
    so on; the state of the monitor goes into checkpoints and comes back from them.

    Args:
        monitor: a new one for each fit.
        data: held-out inputs, as of :func:`vaelib.encode`.
        ids: as of :meth:`vaelib.Monitor.observe`.
        log: is told the numbers of each call too, with the epoch.
        **how: of :func:`vaelib.encode`, such as ``second="logvar"``.

    Returns:
        What ``Trainer(callbacks=[…])`` takes.

    Raises:
        TypeError: for what is no monitor, or a log that is no function.
        ImportError: without lightning or pytorch_lightning.
    """
    _check(monitor, log)
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning import Callback
    else:
        from lightning.pytorch import Callback

    class MatchMonitor(Callback):  # type: ignore[misc,unused-ignore]
        """The match of q and p, at every epoch."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401
            if not monitor.last:
                row = monitor.watch(pl_module, data, ids, epoch=trainer.current_epoch, **how)
                _tell(trainer, row, trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401
            epoch = trainer.current_epoch + 1
            row = monitor.watch(pl_module, data, ids, epoch=epoch, **how)
            pl_module.log_dict(scalars(row), logger=False)
            _tell(trainer, row, epoch)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401
            if not trainer.interrupted:
                row = monitor.finish()
                _tell(trainer, row, int(row["epoch"]))

        def state_dict(self) -> dict[str, Any]:
            return monitor.state_dict() | {"finished": False}  # a later fit may go on from it

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            monitor.load_state_dict(state_dict)

    def _tell(trainer: Any, row: dict[str, float], epoch: int) -> None:  # noqa: ANN401
        numbers = scalars(row)
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=epoch)
        if log is not None:
            log(numbers, epoch)

    return MatchMonitor()


def pythae_callback(
    monitor: Monitor,
    data: Any,  # noqa: ANN401  # in any form
    ids: Table | None = None,
    *,
    log: Log | None = None,
    **how: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """A callback of pythae: measures before the first epoch and after each, ends with the training.

    Args:
        monitor: a new one for each training.
        data: held-out inputs, as of :func:`vaelib.encode`.
        ids: as of :meth:`vaelib.Monitor.observe`.
        log: is told the numbers of each call, with the epoch.
        **how: of :func:`vaelib.encode`.

    Returns:
        What ``TrainingPipeline(…)(…, callbacks=[…])`` takes.

    Raises:
        TypeError: for what is no monitor, or a log that is no function.
        ImportError: without pythae.
    """
    _check(monitor, log)
    from pythae.trainers.training_callbacks import TrainingCallback

    class MatchMonitor(TrainingCallback):  # type: ignore[misc,unused-ignore]
        """The match of q and p, at every epoch."""

        def on_train_begin(self, training_config: Any, **kwargs: Any) -> None:  # noqa: ANN401
            if not monitor.last:
                _tell(monitor.watch(kwargs["model"], data, ids, epoch=0, **how))

        def on_epoch_end(self, training_config: Any, **kwargs: Any) -> None:  # noqa: ANN401
            _tell(monitor.watch(kwargs["model"], data, ids, **how))

        def on_train_end(self, training_config: Any, **kwargs: Any) -> None:  # noqa: ANN401
            _tell(monitor.finish())

    def _tell(row: dict[str, float]) -> None:
        if log is not None:
            log(scalars(row), int(row["epoch"]))

    return MatchMonitor()


def torchmetric(monitor: Monitor) -> Any:  # noqa: ANN401
    """A ``torchmetrics.Metric`` around a monitor, for a ``MetricCollection`` and many processes.

    ``update(mean, scale, ids=None)`` takes batches of held-out inputs, ``compute()`` gives the
    numbers of the epoch as tensors, ``reset()`` begins the next epoch and keeps the run. The
    latents of all processes are gathered, so that each computes the same. The monitor's state is
    in the metric's ``state_dict``.

    Args:
        monitor: a new one for each run.

    Returns:
        The metric.

    Raises:
        TypeError: for what is no monitor.
        ImportError: without torchmetrics.
    """
    _check(monitor, None)
    from torchmetrics import Metric

    class Match(Metric):  # type: ignore[misc,unused-ignore]
        """The match of q and p."""

        full_state_update = True  # forward would compute twice, and count an epoch twice

        def __init__(self) -> None:
            super().__init__()
            for name in ("mean", "scale", "ids"):
                self.add_state(name, default=[], dist_reduce_fx="cat")

        def update(self, mean: Any, scale: Any, ids: Any = None) -> None:  # noqa: ANN401
            self.mean.append(torch.as_tensor(mean).detach())
            self.scale.append(torch.as_tensor(scale).detach())
            if ids is not None:
                self.ids.append(torch.as_tensor(ids))

        def compute(self) -> dict[str, torch.Tensor]:
            parts = [getattr(self, name) for name in ("mean", "scale", "ids")]
            mean, scale, ids = (torch.cat(p) if isinstance(p, list) and p else p for p in parts)
            row = monitor.observe(mean, scale, ids if isinstance(ids, torch.Tensor) else None)
            return {name: torch.tensor(value, dtype=torch.float64) for name, value in row.items()}

        def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            raise NotImplementedError(
                "a batch alone is no epoch: call update with each batch, then compute and reset"
            )

        def get_extra_state(self) -> dict[str, Any]:
            return monitor.state_dict()

        def set_extra_state(self, state: dict[str, Any]) -> None:
            monitor.load_state_dict(state)

    return Match()


def _check(monitor: object, log: object) -> None:
    check_kind(monitor, Monitor, "monitor")
    if log is not None:
        check_callable(log, "log")  # type: ignore[arg-type]
