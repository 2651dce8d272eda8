"""Is it a metric?"""

from collections.abc import Iterator

import torch

from bench.metrics.metric import Metric
from bench.metrics.own import Encoded, measure
from bench.metrics.registry import metric_problems
from bench.testing.contract import IMAGE, ContractError, small_model
from bench.testing.promises import BrokenError, attempt
from vaelib.seeding import stream

__all__ = ["check_metric"]


def check_metric(metric: Metric) -> None:
    """Whether an object is a metric of your own: named, explained, and measurable.

    It is tried on the untrained posterior of a small model, with and without labels.

    Args:
        metric: a `bench.metrics.Metric` with ``measure``.

    Raises:
        ContractError: with everything that is wrong.

    Example:
        >>> from bench.metrics import Metric
        >>> def norm(encoded):
        ...     return float(encoded.posterior.mean.norm(dim=1).mean())
        >>> check_metric(Metric("norm", "1", None, None, "‖μ‖", "Mean norm.", "me", measure=norm))
    """
    name = getattr(metric, "name", None)
    problems = list(metric_problems(metric))
    if not problems:
        try:
            problems += _metric(metric)
        except BrokenError as error:
            problems.append(str(error))
    if problems:
        raise ContractError(str(name or metric), "a metric", problems)


def _metric(metric: Metric) -> Iterator[str]:
    model = small_model(0).eval()
    x = (torch.rand(40, *IMAGE, generator=stream("contract x", 0)) < 0.5).float()
    mean, scale = model.posterior(x)
    before = torch.get_rng_state()
    for labels in (torch.arange(40) % 4, None):
        what = "measure" if labels is not None else "measure of data without labels"
        values = []
        for _ in range(2):
            encoded = Encoded(mean, scale, model, x, labels, stream("contract", 0))
            values.append(attempt(what, measure, metric, encoded))
        if values[0] != values[1]:
            yield f"{what} must draw from encoded.generator alone: two calls gave {values}"
    if not torch.equal(before, torch.get_rng_state()):
        torch.set_rng_state(before)
        yield "measure must leave torch's global generator alone; draw from encoded.generator"
