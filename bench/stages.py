"""Where the time goes: a watch with laps."""

import time

__all__ = ["Laps"]


class Laps(dict[str, float]):
    """Seconds by stage: each call ends the stage that it names and begins the next.

    Example:
        >>> laps = Laps()
        >>> laps("training")
        >>> laps("statistics")
        >>> list(laps)
        ['training', 'statistics']
    """

    def __init__(self) -> None:
        super().__init__()
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """Adds what has passed since the last call to a stage."""
        now = time.perf_counter()
        self[stage] = self.get(stage, 0.0) + now - self._last
        self._last = now
