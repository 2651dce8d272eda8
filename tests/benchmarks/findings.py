"""What a benchmark finds: a ratio of times, a quantity, costs as something grows, or a gap."""

import math
import statistics
from dataclasses import dataclass

import numpy as np

LEAST = 1.0  # MB: less is the allocator's own business


class _Judged:
    """What a target is set for: ``measured`` should not exceed it."""

    accepted, unit = None, ""

    @property
    def met(self):
        return self.target is None or self.measured <= self.target

    @property
    def worse_than_noise(self):
        limit = self.target if self.accepted is None else self.accepted
        return limit is not None and self.measured > limit * (1 + self.noise)

    @property
    def text(self):
        if math.isinf(self.measured):
            return "never"
        number = f"{self.measured:,.0f}" if self.measured >= 1000 else f"{self.measured:.3g}"
        return f"{number} {self.unit}".strip()


@dataclass(frozen=True)
class Finding(_Judged):
    """A ratio of times.

    Attributes:
        what: what was timed.
        reference: what it is compared with.
        ratios: its time over the reference's, one per round.
        noise: largest relative difference of the reference's two timings of one round.
        target: the ratio that it should not exceed; None for a row that explains others.
        cause: why it may miss the target.
        accepted: a ratio above the target that a check lets pass, for that cause.
        device: where it was timed.
    """

    what: str
    reference: str
    ratios: list[float]
    noise: float
    target: float | None = None
    cause: str = ""
    accepted: float | None = None
    device: str = "cpu"

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    @property
    def measured(self):
        return self.ratio

    def __str__(self):
        return f"{self.what}: {self.text} of {self.reference}"


@dataclass(frozen=True)
class Quantity(_Judged):
    """Anything but a ratio of times: memory, a share, an exponent.

    Attributes:
        what: what was measured.
        value: how much it is; infinite where it is never reached.
        unit: of the value.
        target: what it should not exceed.
        cause: why it may miss the target.
        noise: by how much of the target it may; infinite for what another session measured.
        device: where it was measured.
    """

    what: str
    value: float
    unit: str = ""
    target: float | None = None
    cause: str = ""
    noise: float = 0.0
    device: str = "cpu"

    @property
    def measured(self):
        return self.value

    def __str__(self):
        return f"{self.what}: {self.text}"


@dataclass(frozen=True)
class Growth:
    """Time and memory of one thing at several sizes.

    Attributes:
        what: what was done.
        axis: what grows.
        name: a word or two for the figure.
        sizes: increasing.
        seconds: of each size.
        megabytes: most memory of each size beyond what was there before.
    """

    what: str
    axis: str
    name: str
    sizes: list[int]
    seconds: list[float]
    megabytes: list[float]

    @property
    def time_exponent(self):
        return _slope(self.sizes, self.seconds)

    @property
    def memory_exponent(self):
        return _slope(self.sizes, [max(value, LEAST) for value in self.megabytes])

    def __str__(self):
        return (
            f"{self.what} against {self.axis}: time exponent {self.time_exponent:.2f}, "
            f"memory exponent {self.memory_exponent:.2f}"
        )


@dataclass(frozen=True)
class Gap:
    """Something that was not measured, and why, in one sentence."""

    reason: str

    @property
    def on_gpu(self):
        return self.reason.startswith("GPU")

    def __str__(self):
        return self.reason


def _slope(sizes, values):
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
