"""The standard errors that `audit()` prints: how often 1.96 of them hold the truth."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch

from bench.calibration.experiments import AuditedEncoder
from bench.calibration.samples import matched_encoder
from bench.calibration.statements import Coverage, Held
from vaelib.audits.audit import audit
from vaelib.seeding import stream

__all__ = ["AUDITED", "audited"]

AUDITED = (AuditedEncoder(2, 100, 1.0), AuditedEncoder(4, 100, 1.5))
"""Encoders that are audited; the quick form takes the first alone."""


def audited(
    encoder: AuditedEncoder, repetitions: int, generator: torch.Generator
) -> Iterator[Held]:
    """Audit one encoder with many seeds: its standard errors must describe the spread.

    The errors are Monte Carlo errors given the encoder, so the mean over the seeds is the truth.

    Args:
        encoder: Which.
        repetitions: Seeds.
        generator: Draws the first seed.

    Yields:
        One for each metric, split and latent source that has a standard error.
    """
    width, dimensions = encoder.width, encoder.dimensions
    train, heldout = (
        matched_encoder(n, dimensions, 0.5, stream(f"validate audit {n}", dimensions))
        for n in (encoder.inputs, 4 * encoder.inputs)
    )
    values, errors = defaultdict(list), defaultdict(list)
    start = int(torch.randint(2**31, (), generator=generator))
    for seed in range(start, start + repetitions):
        rows = audit(
            width * train.mean,
            width * train.scale,
            heldout=(width * heldout.mean, width * heldout.scale),
            seed=seed,
            test_rows=20,
        )
        for row in rows:
            if row.standard_error is not None and row.value is not None:
                key = row.metric, row.split, row.source
                values[key].append(row.value)
                errors[key].append(row.standard_error)
    for key in sorted(values):
        spread = np.abs(np.array(values[key]) - np.mean(values[key]))
        if spread.max() < 1e-9:  # no Monte Carlo in it: its error is a bound of the quadrature's
            continue
        metric, split, source = key
        what = f"±1.96 se of {metric}"
        if source:
            what += f" ({source})"
        setting = f"audit() of {split} inputs: {encoder.name}"
        promise: Coverage = "at least" if metric == "hole_mass" else "about"
        times = int((spread < 1.96 * np.array(errors[key])).sum())
        yield Held(what, setting, 0.95, promise, len(spread), times)
