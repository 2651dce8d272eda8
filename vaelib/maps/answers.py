"""What is said of whole maps: how positions hang together comes before what one of them is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scipy.special import ndtri

from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import MARGINS, Answer, decide
from vaelib.maps.positions import CORRELATED, LOWER

__all__ = ["with_maps"]

_ALMOST = 0.1  # of a deviation from 1, which one factor cannot mend


def with_maps(
    answers: Sequence[Answer], rows: Sequence[Measurement], margin: float, prior: str = "N(0, I)"
) -> list[Answer]:
    """Answer for whole maps.

    Args:
        answers: about one position.
        rows: of :func:`vaelib.maps.positions.map_rows`.
        margin: KL in nats that still counts as a match.
        prior: what the prior is called.

    Returns:
        The same, and after the KL how positions hang together and what the channels are like. The
        first says so first, and is no where a whole map is proved to lie beyond the margin, and
        never yes, as a bracket of positions is none of maps.
    """
    first, kl, *others, helps = answers
    places, channels = _places(rows), _channels(rows)
    lower = next(row for row in rows if row.metric == LOWER)
    word, whole = first.verdict, "Of whole maps nothing is proved"
    if lower.value is not None and lower.value > 0:
        whole = f"Whole maps lie at least {lower.value:.4g} nats from {prior}, proved"
        whole += "" if lower.message == "whole maps" else f" of {lower.message}"
    elif lower.value is None:
        whole += f": {lower.message}"
    if lower.value is not None and lower.value > margin:
        word = "no"
    elif word == "yes":
        word = "undecided"
    sentence = f"{places.sentence} {whole}. Of one position: {first.verdict}. {first.sentence}"
    advice = helps
    if places.verdict == "dependent":
        text = (
            f"Sample whole maps from a model of them, such as a second stage, not each position "
            f"from {prior}; {helps.sentence[0].lower()}{helps.sentence[1:]}"
        )
        advice = replace(helps, verdict=f"a model of maps, {helps.verdict}", sentence=text)
    new = replace(first, verdict=word, sentence=sentence)
    return [new, kl, places, channels, *others, advice]


def _places(rows: Sequence[Measurement]) -> Answer:
    """Whether neighbours depend on each other, along the axis where they do most."""
    axes = [row for row in rows if row.metric == CORRELATED]
    if not axes:
        return Answer("positions", "undecided", "Of one input no dependence can be told.")
    said = ", ".join(f"{row.value:.2f} along {row.source}" for row in axes)
    most = max(axes, key=lambda row: abs(row.value or 0.0))
    value, error = most.value or 0.0, most.standard_error or 0.0
    ends = value - 1.96 * error, value + 1.96 * error
    margin = MARGINS["correlation"]
    word = decide(ends, -margin, margin, ("dependent", "uncorrelated", "dependent"))
    sentence = f"Neighbouring positions correlate {said}; those of N(0, I) do not."
    return Answer("positions", word, sentence, "neighbours' correlation", value, ends)


def _channels(rows: Sequence[Measurement]) -> Answer:
    """Mean and deviation of each channel, and the factor that people put before a second stage."""
    means = [row.value or 0.0 for row in rows if row.metric == "channel_mean"]
    deviations = [row.value or 0.0 for row in rows if row.metric == "channel_deviation"]
    overall = (
        sum(s * s + m * m for s, m in zip(deviations, means, strict=True)) / len(means)
    ) ** 0.5
    sentence = (
        f"Means of channels lie between {min(means):.3g} and {max(means):.3g}, deviations between "
        f"{min(deviations):.3g} and {max(deviations):.3g}; N(0, I) has 0 and 1."
    )
    if overall > 0 and abs(overall - 1) > _ALMOST:
        sentence += f" A factor of {1 / overall:.4g} brings E z² to 1 over all."
    channels = [row for row in rows if row.metric in ("channel_mean", "channel_deviation")]
    words = {_of_channel(row, len(channels)) for row in channels}
    word = next((one for one in ("scaled", "undecided") if one in words), "as N(0, I)")
    return Answer(
        "channels", word, sentence, "furthest deviation", max(deviations, key=lambda s: abs(s - 1))
    )


def _of_channel(row: Measurement, of: int) -> str:
    """Whether a moment of a channel is that of N(0, I), at 95 % over all of them (Bonferroni)."""
    if row.value is None or row.standard_error is None:
        return "undecided"
    half = -float(ndtri(0.025 / of)) * row.standard_error
    matched = 1.0 if row.metric == "channel_deviation" else 0.0
    ends = row.value - half, row.value + half
    words = ("scaled", "as N(0, I)", "scaled")
    return decide(ends, matched - _ALMOST, matched + _ALMOST, words)
