"""What is wanted of the measurement of sample quality; knows no estimator."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DECILES", "FEATURES", "REFERENCES", "SOURCES", "Quality"]

SOURCES = ("prior", "aggregate", "gmm", "flow", "repaired", "two_stage", "reconstruction")
"""Where generated images may come from: a latent sampler, or the posterior means of real images."""

REFERENCES = ("floor", "training", "blur", "marginals")
"""Sources that no model makes."""

DECILES = ("lowest_decile", "highest_decile")
"""Draws of the prior where q_N is least and most dense."""

FEATURES = ("classifier", "pca", "pretrained")
"""What images are compared by: names of ``vaelib.samples.features.FEATURES``."""

_FEWEST = 20  # simulated draws from which ranks say anything


@dataclass(frozen=True)
class Quality:
    """Options of the measurement of sample quality.

    Attributes:
        sources: names of ``SOURCES``; none measures no samples.
        features: a name of ``FEATURES``.
        bound_inputs: test inputs on which the importance-weighted bound is evaluated at most; 0
            leaves it out.
        sbc_draws: pairs of z and x that are simulated to ask whether the encoder is the posterior
            of its decoder; 0 leaves it out.

    Raises:
        ValueError: for an unknown or repeated source, unknown features or a bad number.
    """

    sources: Sequence[str] = ("prior", "aggregate", "gmm", "reconstruction")
    features: str = "classifier"
    bound_inputs: int = 50
    sbc_draws: int = 0

    def __post_init__(self) -> None:
        for source in self.sources:
            if source not in SOURCES:
                raise ValueError(f"sources must be of {', '.join(SOURCES)}, got {source!r:.60}")
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"sources must be distinct, got {list(self.sources)}")
        if self.features not in FEATURES:
            known = ", ".join(FEATURES)
            raise ValueError(f"features must be one of {known}, got {self.features!r:.60}")
        if self.bound_inputs < 0 or self.bound_inputs == 1:
            raise ValueError(f"bound_inputs must be 0 or at least 2, got {self.bound_inputs}")
        if self.sbc_draws < 0 or 0 < self.sbc_draws < _FEWEST:
            raise ValueError(
                f"sbc_draws must be 0 or at least {_FEWEST}, got {self.sbc_draws}; "
                "1000 see a scale that is a fifth off"
            )
